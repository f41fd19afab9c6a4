    def store(self, resource: Resource[Any, Any]) -> StreamedStore[Any, Any]:
        """The store of a resource; with PostgreSQL its changes reach all subscribers."""
        return StreamedStore(resource, self.database, Stream(self.settings))
