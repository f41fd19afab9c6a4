"""Swagger UI at /docs: the page, the script that starts it and the files it loads.

The files come from the flask-swagger-ui package; its code, which needs Flask, is never imported.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import metadata
from pathlib import Path

# No 'unsafe-inline': React sets styles through the DOM, which style-src does not restrict.
# Icons in the style sheet are data: URLs; an image in a response is shown from a blob: URL.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

_HTML = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>API</title>
<link rel="icon" href="docs/favicon.png?v={version}">
<link rel="stylesheet" href="docs/swagger-ui.css?v={version}">
<script src="docs/swagger-ui-bundle.js?v={version}" defer></script>
<script src="docs/initializer.js" defer></script>
</head>
<body>
<noscript>This page needs JavaScript. The OpenAPI document is at
<a href="openapi.json">openapi.json</a>.</noscript>
<div id="swagger-ui"></div>
</body>
</html>
"""


@dataclass(frozen=True)
class Page:
    """A response to GET; the body is read on first use."""

    content_type: str
    headers: Mapping[str, str]
    source: bytes | Path

    @cached_property
    def body(self) -> bytes:
        return self.source if isinstance(self.source, bytes) else self.source.read_bytes()


@cache
def pages() -> Mapping[str, Page]:
    """Return the page, at "/docs", and the files below it, by absolute path.

    All URLs in the page are relative, so it also works behind a proxy that strips a path prefix.
    Raises PackageNotFoundError if flask-swagger-ui is not installed.
    """
    distribution = metadata.distribution("flask-swagger-ui")
    dist = Path(str(distribution.locate_file("flask_swagger_ui/dist")))
    html = _HTML.format(version=distribution.version).encode()
    secured = {"Content-Security-Policy": _POLICY, "Referrer-Policy": "no-referrer"}
    revalidated = {"Cache-Control": "no-cache"}
    # The page links to these files with their version, so a new version has a new URL.
    immutable = {"Cache-Control": "public, max-age=31536000, immutable"}
    script, style = "text/javascript; charset=utf-8", "text/css; charset=utf-8"
    return {
        "/docs": Page("text/html; charset=utf-8", revalidated | secured, html),
        "/docs/initializer.js": Page(script, revalidated, Path(__file__).with_name("docs.js")),
        "/docs/swagger-ui-bundle.js": Page(script, immutable, dist / "swagger-ui-bundle.js"),
        "/docs/swagger-ui.css": Page(style, immutable, dist / "swagger-ui.css"),
        "/docs/favicon.png": Page("image/png", immutable, dist / "favicon-32x32.png"),
    }
