"""`python -m` and the command of the service's own name."""

from .runtime.server import main

if __name__ == "__main__":
    main()
