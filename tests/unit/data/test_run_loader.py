from itertools import chain

import numpy as np
import pytest

from sslrun.core.batch import ViewsBatch
from sslrun.data.run_loader import RunSampler, evaluation_loader, training_loader


def batches(**options):
    return list(
        RunSampler(**({"items": 50, "batch_size": 12, "total_steps": 9, "start": lambda: 0, "seed": 3} | options))
    )


def steps(per_rank, *, accumulate):
    """The keys of each optimizer step, from the micro-batches of all ranks."""
    micro = [list(chain(*parts)) for parts in zip(*per_rank, strict=True)]
    return [list(chain(*micro[i : i + accumulate])) for i in range(0, len(micro), accumulate)]


@pytest.mark.parametrize(("world", "accumulate"), [(2, 1), (3, 1), (1, 3), (2, 3)])
def test_the_order_depends_on_neither_ranks_nor_accumulation(world, accumulate):
    ranks = [batches(rank=r, world=world, accumulate=accumulate) for r in range(world)]
    assert steps(ranks, accumulate=accumulate) == batches()


def test_an_epoch_is_a_fresh_order_without_repeats():
    keys = batches()  # 4 batches of 12 out of 50, then the next epoch
    first, second = ([p for b in keys[i : i + 4] for _, p in b] for i in (0, 4))
    assert len(set(first)) == len(set(second)) == 48 and first != second
    assert [b[0][0] for b in keys] == [0, 0, 0, 0, 1, 1, 1, 1, 2]


def test_another_seed_is_another_order():
    assert batches(seed=4) != batches()


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("start", [0, 3, 6])
def test_a_start_in_mid_epoch_goes_on_as_if_uninterrupted(dataset, policy, workers, start):
    data = dataset("digits", limit=40)
    items = data.training(policy("digits"), batch_type=ViewsBatch, seed=1)

    def run(first, workers):
        sampler = RunSampler(40, batch_size=8, total_steps=8, start=lambda: first, seed=1)
        return list(training_loader(data, items, sampler, workers=workers))

    for a, b in zip(run(0, 0)[start:], run(start, workers), strict=True):
        assert a["index"].tolist() == b["index"].tolist()
        assert all((x == y).all() for x, y in zip(a["views"], b["views"], strict=True))


def test_evaluation_is_in_order_and_drops_nothing(dataset):
    data = dataset("digits")
    loader = evaluation_loader(data, data.evaluation("test"), batch_size=100, workers=0)
    labels = np.concatenate([b["label"] for b in loader])
    np.testing.assert_array_equal(labels, data.labels("test"))
