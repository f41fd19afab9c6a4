"""Entry point of the service, for `python -m` and its command."""

from .runtime import cli


def main() -> None:
    """Run a command. `cli.main(archive="archive:run")` adds `run` in `archive.py` as `archive`."""
    cli.main()


if __name__ == "__main__":
    main()
