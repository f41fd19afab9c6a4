"""Resource declarations: what a service stores, as data, in a short and a long form."""
