"""Loaders. The training loader iterates over the whole run, epoch after epoch, from any step.

Lightning sees one long epoch, so workers never restart between epochs, and resuming only means starting at another
step: the loader has no state to save.
"""

import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import torch
from torch.utils.data import DataLoader, Sampler

from sslrun.core.dist import world_size
from sslrun.data.base import Data, Items, Key
from sslrun.data.order import DiskGroups, WindowedOrder


class RunSampler(Sampler[list[Key]]):
    """Micro-batches of one rank from `start()` to the end of the run.

    The order depends on (seed, epoch) and on `disk_groups`. A global batch is split into micro-batches and these over
    ranks, so the data of an optimizer step depends neither on the number of ranks nor on accumulation.
    """

    def __init__(
        self,
        items: int,
        *,
        batch_size: int,
        total_steps: int,
        start: Callable[[], int],
        seed: int,
        rank: int = 0,
        world: int = 1,
        accumulate: int = 1,
        disk_groups: DiskGroups | None = None,
    ) -> None:
        assert batch_size <= items and batch_size % (world * accumulate) == 0
        self.items, self.batch_size, self.total_steps = items, batch_size, total_steps
        self.start, self.seed = start, seed
        self.rank, self.world, self.accumulate, self.disk_groups = rank, world, accumulate, disk_groups
        self.steps_per_epoch = items // batch_size

    def __len__(self) -> int:
        """Micro-batches of the whole run, even when resuming: Lightning counts from the beginning."""
        return self.total_steps * self.accumulate

    def __iter__(self) -> Iterator[list[Key]]:
        known: int | None = None
        micro = self.batch_size // (self.world * self.accumulate)
        for step in range(self.start(), self.total_steps):
            epoch, batch = divmod(step, self.steps_per_epoch)
            if epoch != known:
                known, order = epoch, self.order(epoch)
            positions = order[batch * self.batch_size : (batch + 1) * self.batch_size]  # (B,)
            for part in positions.view(self.accumulate, self.world, micro)[:, self.rank]:
                yield [(epoch, int(i)) for i in part]

    def order(self, epoch: int) -> torch.Tensor | WindowedOrder:
        """(N,) positions in the order of an epoch, or an object that yields slices of them."""
        seed = (self.seed * 1_000_003 + epoch) % 2**63
        if self.disk_groups is not None:
            return WindowedOrder(self.disk_groups, seed=seed)
        generator = torch.Generator().manual_seed(seed)
        return torch.randperm(self.items, generator=generator)


class ItemLoader(DataLoader[Any]):
    """A DataLoader over `Items` that reports unreadable items and leaves the global random state alone.

    Attributes:
        waited_seconds: total time spent waiting for batches.
    """

    def __init__(self, data: Data, items: Items, batches: Iterable[list[Key]], *, workers: int) -> None:
        super().__init__(
            items,
            batch_sampler=batches,
            num_workers=workers,
            collate_fn=data.collate,
            pin_memory=torch.cuda.is_available(),
            worker_init_fn=start_worker,
            prefetch_factor=4 if workers else None,
            generator=torch.Generator().manual_seed(0),
        )
        self.items = items
        self.waited_seconds = 0.0

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]
        asked = time.perf_counter()
        if self.num_workers and sys.version_info < (3, 12) and world_size() > 1:
            time.sleep(0.05)  # a worker forked while a gloo thread frees a tensor would hang forever
        for batch in super().__iter__():
            if unreadable := batch.pop("corrupt", None):
                self.items.note_corrupt(unreadable)
            if batch:
                self.waited_seconds += time.perf_counter() - asked
                yield batch
                asked = time.perf_counter()


def evaluation_loader(
    data: Data, items: Items, *, positions: Sequence[int] | None = None, batch_size: int, workers: int
) -> ItemLoader:
    """Items in the order of `positions` (None: all) as of epoch 0; only unreadable ones are dropped."""
    keys: list[Key] = [(0, int(i)) for i in (range(len(items)) if positions is None else positions)]
    batches = [keys[i : i + batch_size] for i in range(0, len(keys), batch_size)]
    return ItemLoader(data, items, batches, workers=workers)


def start_worker(_worker: int) -> None:
    """Limit a worker to one thread, and let it ignore the first SIGTERM.

    More threads would compete with training for the cores. A cluster sends SIGTERM to every process of a run, and a
    worker that exited on it would lose the batches of the last steps; only the training process should react. A
    second SIGTERM ends the worker.
    """
    torch.set_num_threads(1)
    signal.signal(signal.SIGTERM, lambda number, _frame: signal.signal(number, signal.SIG_DFL))
