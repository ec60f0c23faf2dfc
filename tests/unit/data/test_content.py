"""Digests of what files hold."""

import os
from pathlib import Path

import pytest

from sslrun.data import content
from sslrun.data.content import content_digest

TIME = 1_000_000_000


def folder_of(root: Path, files: dict[str, bytes]) -> Path:
    """Files that were all changed at one moment."""
    root.mkdir()
    for name, held in files.items():
        (root / name).write_bytes(held)
        os.utime(root / name, ns=(TIME, TIME))
    return root


def test_copies_are_equal_and_equal_sizes_and_times_are_not(tmp_path: Path) -> None:
    folders = [
        folder_of(tmp_path / name, {"a": b"one", "b": held}) for name, held in (("x", b"2"), ("y", b"2"), ("z", b"3"))
    ]
    first, copy, other = (content_digest(root, ["a", "b"], folder=tmp_path / "cache") for root in folders)
    assert first == copy != other
    assert content_digest(folders[0], ["a"], folder=tmp_path / "cache") != first


def test_it_is_found_once_and_again_after_a_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = folder_of(tmp_path / "x", {"a": b"one"})
    first = content_digest(root, ["a"], folder=tmp_path / "cache")
    with monkeypatch.context() as patched:
        patched.setattr(content, "_hash", lambda path: pytest.fail(f"{path} is read again"))
        assert content_digest(root, ["a"], folder=tmp_path / "cache") == first
    (root / "a").write_bytes(b"two")
    assert content_digest(root, ["a"], folder=tmp_path / "cache") != first


def test_a_large_set_is_told_by_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(content, "LARGE_BYTES", 2)
    roots = [folder_of(tmp_path / name, {"a": b"one"}) for name in "xy"]
    digests = [content_digest(root, ["a"], folder=tmp_path / "cache") for root in roots]
    assert digests[0] != digests[1] and not (tmp_path / "cache").exists()


def test_a_link_to_nowhere_and_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    root = folder_of(tmp_path / "x", {"a": b"one"})
    (root / "b").symlink_to(tmp_path / "nowhere")
    assert content_digest(root, ["a", "b"], folder=root / "a") != content_digest(root, ["a"], folder=root / "a")
