"""The example resource: `routes` is its face and its document, `store` its data."""
