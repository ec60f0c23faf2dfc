"""The order of an epoch over items that lie together."""

import numpy as np
import torch

from sslrun.data.loader import RunSampler
from sslrun.data.order import DiskGroups, WindowedOrder

ENDS = np.array([5, 5, 12, 20, 26])


def whole(seed: int, window: int = 2) -> torch.Tensor:
    return WindowedOrder(DiskGroups(ENDS, window), seed=seed)[0:26]


def test_each_item_comes_once_and_few_groups_at_a_time() -> None:
    order = whole(0)
    assert sorted(order.tolist()) == list(range(26))
    group = np.searchsorted(ENDS, order.numpy(), side="right")
    changes = [sorted(set(part.tolist())) for part in np.split(group, np.flatnonzero(np.diff(group)) + 1)]
    last = {g: i for i, part in enumerate(changes) for g in part}
    opened = [
        len({g for g in last if any(g in c for c in changes[: i + 1]) and last[g] >= i}) for i in range(len(changes))
    ]
    assert max(opened) == 2  # as many as the window
    assert not torch.equal(order, whole(1))


def test_slices_are_those_of_the_whole() -> None:
    order = whole(3)
    for start, stop in ((0, 7), (6, 19), (18, 26), (25, 40), (13, 13)):
        assert torch.equal(WindowedOrder(DiskGroups(ENDS, 2), seed=3)[start:stop], order[start:stop])


def test_some_items_keep_their_groups() -> None:
    some = DiskGroups(ENDS, 2).select(np.array([0, 4, 5, 11, 25]))
    assert some.ends.tolist() == [2, 2, 4, 4, 5]


def batches(*, start: int = 0, rank: int = 0, world: int = 1) -> list[list[tuple[int, int]]]:
    return list(
        RunSampler(
            26, batch_size=8, total_steps=8, start=lambda: start, seed=1, rank=rank, world=world,
            disk_groups=DiskGroups(ENDS, 2),
        )
    )  # fmt: skip


def test_a_run_goes_on_from_any_step_and_ranks_share_the_batches() -> None:
    run = batches()
    for start in (1, 4, 7):
        assert batches(start=start) == run[start:]
    halves = [batches(rank=rank, world=2) for rank in (0, 1)]
    assert [a + b for a, b in zip(*halves, strict=True)] == run
    assert run[0] != run[3]  # epochs differ
