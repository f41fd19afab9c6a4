"""Runs the service as `python -m` and as its command."""

from .runtime.cli import main

if __name__ == "__main__":
    main()
