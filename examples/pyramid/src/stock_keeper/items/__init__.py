"""The example resource: `routes` is its face, `store` its data, `openapi.json` its document."""
