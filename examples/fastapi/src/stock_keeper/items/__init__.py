"""Items: an example of a resource."""
