"""A dataset that changes under a run."""

import json
from pathlib import Path
from typing import Any

import pytest

from sslrun.commands.seen_data import describe_data
from sslrun.commands.session import Session
from sslrun.config.compose import compose, save
from sslrun.config.errors import RunError
from sslrun.data.build import build_data

DATA = build_data(compose("pretrain").dataset)  # type: ignore[attr-defined]


def session(folder: Path, then: dict[str, Any], *overrides: str) -> Session:
    """Of a run that was interrupted on data as `then` tells it."""
    config = compose("pretrain", [f"run.dir={folder}", *overrides])
    manifest = {"command": "pretrain", "status": "interrupted", "seconds": 1.0, "sessions": [], "data": then}
    (folder / "run.json").write_text(json.dumps(manifest))
    (folder / "config.yaml").write_text(save(config))
    return Session("pretrain", config)


def warnings_of(opened: Session) -> list[str]:
    with opened.open():
        opened.start(resolved={}, data=DATA)
    warnings: list[str] = json.loads((opened.path / "run.json").read_text())["warnings"]
    return warnings


def test_the_same_data_is_gone_on_with(tmp_path: Path) -> None:
    opened = session(tmp_path, describe_data(DATA))
    opened.check_data(DATA)
    assert warnings_of(opened) == []


def test_splits_of_other_sizes_are_refused_unless_asked_for(tmp_path: Path) -> None:
    then = describe_data(DATA) | {"fingerprint": "0", "train": 3}
    with pytest.raises(RunError, match=r"^dataset=digits has changed since the run began: 3 train, .* run.on_change="):
        session(tmp_path, then).check_data(DATA)
    opened = session(tmp_path, then, "run.on_change=continue")
    opened.check_data(DATA)
    (line,) = warnings_of(opened)
    assert line.startswith("dataset=digits has changed since the run began: 3 train, ")


def test_other_files_in_equal_numbers_are_told(tmp_path: Path) -> None:
    opened = session(tmp_path, describe_data(DATA) | {"fingerprint": "0"})
    opened.check_data(DATA)
    assert warnings_of(opened) == ["dataset=digits: files have changed since the run began"]


def test_an_encoder_that_saw_other_splits_is_told(tmp_path: Path) -> None:
    for name, then in (("same", {}), ("other", {"train": 3})):
        parent, own = tmp_path / name, tmp_path / f"{name}-probe"
        parent.mkdir()
        own.mkdir()
        (parent / "run.json").write_text(json.dumps({"data": describe_data(DATA) | then}))
        opened = session(own, describe_data(DATA))
        opened.compare_with(parent, DATA, same=True)
        told = warnings_of(opened)
        assert len(told) == len(then) and all(str(parent) in line for line in told)


def test_an_encoder_that_cut_the_same_data_otherwise_is_told(tmp_path: Path) -> None:
    other = build_data(compose("pretrain", ["dataset.split_seed=1"]).dataset)  # type: ignore[attr-defined]
    assert other.fingerprint == DATA.fingerprint and other.cut_digest() != DATA.cut_digest()
    parent, own = tmp_path / "parent", tmp_path / "own"
    parent.mkdir()
    own.mkdir()
    (parent / "run.json").write_text(json.dumps({"data": describe_data(other)}))
    opened = session(own, describe_data(DATA))
    opened.compare_with(parent, DATA, same=False)
    (line,) = warnings_of(opened)
    assert line.startswith(f"{parent} was trained on the same data, cut into other splits")
