"""Lines for the user: numbers go to stdout, news to stderr."""

import sys


def say(line: str) -> None:
    """Write a line to stderr at once."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
