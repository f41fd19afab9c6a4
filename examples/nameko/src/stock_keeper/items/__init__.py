"""The example resource.

`routes` is its face over HTTP, `service` its face over messages, `store` its data, `openapi.json`
its document.
"""
