"""Services that grow: `scaffold add` and `scaffold remove` in each of the frameworks."""
