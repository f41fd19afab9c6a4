
    @field_validator("workers")
    @classmethod
    def _stream_reaches_all(cls, workers: int, info: ValidationInfo) -> int:
        if workers > 1 and str(info.data.get("database_url", "")).startswith("sqlite:"):
            raise ValueError(
                "must be 1 on SQLite: the stream of one process has no changes of the others"
            )
        return workers
