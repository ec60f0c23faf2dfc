"""Short texts of all samples in shards, such as classes and captions, read once and cached."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sslrun.config.errors import DataError
from sslrun.core.atomic import make_once
from sslrun.data.labels import digest
from sslrun.data.shards.index import Members

VERSION = 2
"""Incremented when the format changes, to invalidate old cache files."""


def one_each(members: Members, *, folder: Path) -> list[str]:
    """The text of each sample, such as its class, cached in `folder`. DataError if a sample has none."""
    found: list[str] = _cached(members, "one", lambda i: members.text(i).strip(), folder=folder)
    return found


def all_each(members: Members, *, folder: Path) -> list[list[str]]:
    """All texts of each sample, such as its captions, possibly none, cached in `folder`.

    Raises:
        DataError: no sample has any, or a value is not text.
    """
    found: list[list[str]] = _cached(members, "all", lambda i: [t.strip() for t in members.texts(i)], folder=folder)
    if not any(text for texts in found for text in texts):
        raise DataError(
            f"{members.key}={','.join(members.wanted)}: no sample of {members.shards.files[0]} has text there"
        )
    return found


def _cached(members: Members, kind: str, read: Callable[[int], Any], *, folder: Path) -> Any:
    path = folder / f"{digest(VERSION, kind, members.shards.fingerprint, members.wanted)}.json"
    make_once(lambda temporary: temporary.write_text(json.dumps([read(i) for i in range(len(members))])), path)
    return json.loads(path.read_text())
