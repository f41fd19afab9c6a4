"""The pages, and what draws and writes the parts of them that come from elsewhere."""
