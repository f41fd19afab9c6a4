"""Entry point of the service, for `python -m` and its command."""

from .runtime.cli import main

if __name__ == "__main__":
    main()
