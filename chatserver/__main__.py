"""`python -m chatserver` and the command `chatserver`."""

from chatserver.cli import main

__all__ = ["main"]

if __name__ == "__main__":
    main()
