"""Names of shards: files, folders, glob patterns, brace ranges."""

import glob
import re
from pathlib import Path

from sslrun.config.errors import DataError

BRACES = re.compile(r"\{([^{}]*)\}")
RANGE = re.compile(r"(\d+)\.\.(\d+)")
REMOTE = re.compile(r"^(pipe:|[a-z][a-z0-9+]*://)")


def shard_files(key: str, pattern: str) -> list[Path]:
    """The tar files that a pattern matches, sorted by name.

    Args:
        key: configuration key, for messages.
        pattern: a file, a folder of them, `shard-*.tar`, or `shard-{000000..000012}.tar`.

    Raises:
        DataError: no files, one of a range is missing, or a remote address.
    """
    if REMOTE.match(pattern):
        raise DataError(f"{key}={pattern}: shards need random access, so they must be local files; mount or copy them")
    files: list[Path] = []
    for name in expand(pattern):
        path = Path(name).expanduser()
        if path.is_dir():
            files += sorted(path.glob("**/*.tar"))
        elif path.is_file():
            files.append(path)
        else:
            found = [Path(f) for f in sorted(glob.glob(str(path), recursive=True))]  # noqa: PTH207  may be absolute
            if not found and name != pattern:
                raise DataError(f"{key}={pattern}: there is no {path}")
            files += found
    if not files:
        raise DataError(f"{key}={pattern}: no tar file there")
    return files


def expand(pattern: str) -> list[str]:
    """Brace expansion as in a shell: `{000..012}`, with its leading zeros, and `{a,b}`."""
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
    return [name for choice in choices for name in expand(pattern[: match.start()] + choice + pattern[match.end() :])]
