"""Output for the user: results go to stdout, messages to stderr."""

import sys


def say(line: str) -> None:
    """Write a line to stderr and flush."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
