"""How often ranks agree and save, and random states over another number of ranks."""

import random
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from sslrun.config.errors import RunError
from sslrun.runs.newest import LAST
from sslrun.training import checkpoints
from sslrun.training.checkpoints import BEST, Checkpoints, steps_to_sync
from sslrun.training.random_states import random_state, restore_random_state


@pytest.mark.parametrize(("seconds", "steps"), [(0.0, 50), (0.001, 50), (0.1, 10), (0.4, 2), (0.9, 1), (30.0, 1)])
def test_ranks_agree_about_once_a_second(seconds: float, steps: int) -> None:
    assert steps_to_sync(seconds) == steps


class Clock:
    """Seconds that only the test lets pass."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seconds = 100.0
        monkeypatch.setattr(checkpoints, "time", SimpleNamespace(monotonic=lambda: self.seconds))


def trainer_of(rank: int, world: int) -> Any:
    """As much of a trainer as a save asks for; its checkpoint is an empty file of rank 0."""

    def save(path: Path, *, weights_only: bool) -> None:
        if rank == 0:
            Path(path).touch()

    return SimpleNamespace(
        is_global_zero=rank == 0, global_rank=rank, world_size=world, global_step=0, lightning_module=None, loggers=[],
        save_checkpoint=save,
    )  # fmt: skip


@pytest.mark.parametrize("rank", [0, 1])
def test_the_clock_is_that_of_the_last_checkpoint_on_every_rank(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rank: int
) -> None:
    clock, asked = Clock(monkeypatch), []

    def largest(_trainer: Any, values: list[float]) -> list[float]:
        asked.append(values[1])
        return [False, False, 0.0]  # what is due is looked at, and not done

    monkeypatch.setattr(checkpoints, "_max_over_ranks", largest)
    monkeypatch.setattr(checkpoints, "gather_objects", lambda mine: [mine] * 2)
    saver, trainer = (
        Checkpoints(tmp_path, start=0, every_steps=None, every_minutes=1, max_seconds=None),
        trainer_of(rank, 2),
    )
    for saved in (None, BEST, LAST):
        clock.seconds += 61
        if saved is not None:
            saver.save(trainer, saved)
        trainer.global_step += 50
        saver.on_train_batch_end(trainer, None, None, None, 0)  # type: ignore[arg-type]
    assert asked == [True, True, False]


def test_ranks_that_would_go_on_from_other_steps_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoints, "gather_objects", lambda mine: [mine, 8])
    for start, refused in ((8, False), (6, True)):
        saver = Checkpoints(tmp_path, start=start, every_steps=None, every_minutes=None, max_seconds=None)
        if not refused:
            saver.setup(trainer_of(0, 2), None, "fit")  # type: ignore[arg-type]
            continue
        with pytest.raises(RunError, match=r"\(rank 0 from step 6, rank 1 from step 8\); run.dir must be on a file"):
            saver.setup(trainer_of(0, 2), None, "fit")  # type: ignore[arg-type]


def draws() -> list[float]:
    return [float(torch.rand(())), float(np.random.rand()), random.random()]


def test_each_rank_gets_its_own_state_back() -> None:
    states = []
    expected = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        states.append(random_state())
        expected.append(draws())
    for rank in (1, 0):
        restore_random_state(states, rank=rank, world=2)
        assert draws() == expected[rank]


def test_another_number_of_ranks_draws_anew_and_alike() -> None:
    torch.manual_seed(1)
    states = [random_state()]
    before = draws()
    found = []
    for rank in (0, 1, 0):
        restore_random_state(states, rank=rank, world=2)
        found.append(draws())
    assert found[0] == found[1] == found[2] != before
