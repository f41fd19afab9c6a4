"""Falcon, bare."""

from falcon import HTTP_201, App, HTTPNotFound, Request, Response

from .granian_wsgi import serve
from .queries import LIVE, create, page, read


class Live:
    def on_get(self, _: Request, resp: Response) -> None:
        resp.media = LIVE


class Items:
    def on_get(self, req: Request, resp: Response) -> None:
        resp.media = page(req.query_string)

    def on_post(self, req: Request, resp: Response) -> None:
        resp.media = create(req.get_media())
        resp.status = HTTP_201


class Item:
    def on_get(self, _: Request, resp: Response, item_id: str) -> None:
        resp.media = read(item_id)
        if resp.media is None:
            raise HTTPNotFound


application = App()
application.add_route("/livez", Live())
application.add_route("/v1/items", Items())
application.add_route("/v1/items/{item_id}", Item())

if __name__ == "__main__":
    serve("bare.falcon")
