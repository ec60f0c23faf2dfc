"""The order of a run's batches."""

import pytest

from sslrun.data.loader import RunSampler


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
