"""The example resource: `routes` is its face, `store` its data, `stream` pushes its changes."""
