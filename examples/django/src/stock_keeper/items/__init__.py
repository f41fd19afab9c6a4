"""The example resource: `models` is its data, `serializers` and `views` are its face."""
