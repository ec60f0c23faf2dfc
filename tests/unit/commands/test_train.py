"""What is told where a run goes on elsewhere, and how often a checkpoint is read."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from sslrun.commands.session import Session
from sslrun.commands.train import process_changes
from sslrun.config.compose import compose
from sslrun.runs import newest
from sslrun.runs.newest import LAST


@pytest.mark.parametrize(
    ("before", "told"),
    [
        ((2, 4), []),
        ((None, None), []),  # a folder that never trained
        ((2, None), []),  # one of an older release
        ((1, 4), ["resumed with 2 processes, 1 before: "]),
        ((2, 0), ["resumed with 4 loader workers a process, 0 before: "]),
        ((4, 1), ["resumed with 2 processes, 4 before: ", "resumed with 4 loader workers a process, 1 before: "]),
    ],
)
def test_other_processes_and_workers_are_told(before: tuple[int | None, int | None], told: list[str]) -> None:
    plan: Any = SimpleNamespace(world=2, workers=4)
    lines = process_changes(before, plan)
    assert len(lines) == len(told) and all(line.startswith(start) for line, start in zip(lines, told, strict=True))


def test_a_further_rank_reads_its_checkpoint_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "checkpoints").mkdir()
    torch.save({"global_step": 7, "state_dict": {"w": torch.ones(3)}}, tmp_path / "checkpoints" / LAST)
    monkeypatch.setenv("LOCAL_RANK", "1")
    read: list[Path] = []
    verify = newest.verify
    monkeypatch.setattr(newest, "verify", lambda path: (read.append(path), verify(path))[1])
    with Session("pretrain", compose("pretrain", [f"run.dir={tmp_path}"])).open() as session:
        assert session.checkpoint is not None and session.checkpoint.step == 7
        assert session.checkpoint.path.name == LAST
    assert len(read) == 1
