"""Names of shards: files, folders, patterns, ranges in braces."""

import glob
import re
from pathlib import Path

from sslrun.config.errors import DataError

BRACES = re.compile(r"\{([^{}]*)\}")
RANGE = re.compile(r"(\d+)\.\.(\d+)")
REMOTE = re.compile(r"^(pipe:|[a-z][a-z0-9+]*://)")


def shard_files(key: str, pattern: str) -> list[Path]:
    """The tar files that a pattern names, in the order of their names.

    Args:
        key: of the configuration, for messages.
        pattern: a file, a folder of them, `shard-*.tar`, or `shard-{000000..000012}.tar`.

    Raises:
        DataError: none there, one of a range absent, or not on this machine's disks.
    """
    if REMOTE.match(pattern):
        raise DataError(
            f"{key}={pattern}: shards are read at any place, so they must lie on a disk; mount or copy them"
        )
    files: list[Path] = []
    for name in expand(pattern):
        path = Path(name).expanduser()
        if path.is_dir():
            files += sorted(path.glob("**/*.tar"))
        elif path.is_file():
            files.append(path)
        else:
            found = [Path(f) for f in sorted(glob.glob(str(path), recursive=True))]  # noqa: PTH207  absolute ones too
            if not found and name != pattern:
                raise DataError(f"{key}={pattern}: there is no {path}")
            files += found
    if not files:
        raise DataError(f"{key}={pattern}: no tar file there")
    return files


def expand(pattern: str) -> list[str]:
    """Braces written out as a shell does: `{000..012}` counts, with its zeros, and `{a,b}` lists."""
    match = BRACES.search(pattern)
    if match is None:
        return [pattern]
    inside = match[1]
    if bounds := RANGE.fullmatch(inside):
        low, high = int(bounds[1]), int(bounds[2])
        width = max(len(bounds[1]), len(bounds[2])) if bounds[1][0] == "0" or bounds[2][0] == "0" else 0
        choices = [str(number).zfill(width) for number in range(low, high + 1)]
    elif "," in inside:
        choices = inside.split(",")
    else:
        choices = []
    if not choices:
        raise DataError(f"{pattern}: {{{inside}}} is no range; write {{000000..000012}}, the smaller first, or {{a,b}}")
    return [done for choice in choices for done in expand(pattern[: match.start()] + choice + pattern[match.end() :])]
