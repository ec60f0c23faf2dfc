"""The order of a run's batches."""

import multiprocessing
import os
import signal
import time
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from sslrun.data.loader import ItemLoader, RunSampler


def batches(
    *, start: int = 0, rank: int = 0, world: int = 1, accumulate: int = 1, seed: int = 0
) -> list[list[tuple[int, int]]]:
    return list(
        RunSampler(
            26,
            batch_size=8,
            total_steps=10,
            start=lambda: start,
            seed=seed,
            rank=rank,
            world=world,
            accumulate=accumulate,
        )
    )


def test_an_epoch_takes_each_item_once_and_drops_the_rest() -> None:
    first = [position for batch in batches()[:3] for _, position in batch]
    assert len(first) == len(set(first)) == 24
    assert {epoch for batch in batches()[:3] for epoch, _ in batch} == {0}
    assert {epoch for epoch, _ in batches()[3]} == {1}


def test_epochs_and_seeds_differ() -> None:
    run = batches()
    assert [p for _, p in run[0]] != [p for _, p in run[3]]
    assert batches(seed=1)[0] != run[0]


@pytest.mark.parametrize("start", [1, 3, 7])
def test_a_start_in_the_middle_goes_on_as_if_it_had_never_stopped(start: int) -> None:
    assert batches(start=start) == batches()[start:]


@pytest.mark.parametrize(("world", "accumulate"), [(2, 1), (4, 1), (1, 2), (2, 2)])
def test_ranks_and_accumulation_share_the_same_global_batches(world: int, accumulate: int) -> None:
    whole = batches()
    ranks = [batches(rank=r, world=world, accumulate=accumulate) for r in range(world)]
    for step, expected in enumerate(whole):
        micro = range(step * accumulate, (step + 1) * accumulate)
        together = [key for m in micro for r in range(world) for key in ranks[r][m]]
        assert together == expected


def test_its_length_is_that_of_the_whole_run() -> None:
    sampler = RunSampler(26, batch_size=8, total_steps=10, start=lambda: 9, seed=0, accumulate=2)
    assert len(sampler) == 20
    assert len(list(sampler)) == 2


class Slow:
    """Items that take a moment, told by number."""

    def __getitem__(self, key: tuple[int, int]) -> int:
        time.sleep(0.01)
        return key[1]

    def __len__(self) -> int:
        return 80


def test_workers_outlive_the_first_sigterm_which_a_cluster_sends_to_every_process() -> None:
    data: Any = SimpleNamespace(collate=lambda items: {"item": torch.tensor(items)})
    order = [[(0, 8 * batch + i) for i in range(8)] for batch in range(10)]
    loader = ItemLoader(data, Slow(), order, workers=1)  # type: ignore[arg-type]
    seen: list[int] = []
    for batch in loader:
        if not seen:
            children = multiprocessing.active_children()
            for child in children:
                os.kill(child.pid or 0, signal.SIGTERM)
            assert children
        seen += batch["item"].tolist()
    assert seen == list(range(80))
