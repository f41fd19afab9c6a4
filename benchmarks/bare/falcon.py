"""Falcon, bare."""

from falcon import App, HTTPNotFound, Request, Response

from .granian_wsgi import serve
from .item import read


class Item:
    def on_get(self, _: Request, resp: Response, item_id: str) -> None:
        resp.media = read(item_id)
        if resp.media is None:
            raise HTTPNotFound


application = App()
application.add_route("/v1/items/{item_id}", Item())

if __name__ == "__main__":
    serve("falcon")
