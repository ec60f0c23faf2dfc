"""Shuffled order of an epoch that keeps reads local: a function of the seed alone."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class DiskGroups:
    """Groups of items that are stored together, such as those of one shard.

    Attributes:
        ends: (S,) int64; group s holds items ends[s - 1] to ends[s], exclusive.
        window: number of groups shuffled together.
    """

    ends: np.ndarray
    window: int

    def select(self, positions: np.ndarray) -> "DiskGroups":
        """The groups of a subset of the items, `positions` ascending."""
        return DiskGroups(np.searchsorted(positions, self.ends).astype(np.int64), self.window)


class WindowedOrder:
    """An epoch that visits groups in random order and shuffles the items of `window` groups at a time.

    At most `window` groups are read at a time. Slices are computed on demand: the whole order is never in memory, and
    starting in the middle costs no more than at the beginning.
    """

    def __init__(self, disk_groups: DiskGroups, *, seed: int) -> None:
        generator = torch.Generator().manual_seed(seed)
        ends = torch.from_numpy(np.asarray(disk_groups.ends, dtype=np.int64))
        starts = torch.cat([ends.new_zeros(1), ends[:-1]])
        groups = torch.randperm(len(ends), generator=generator)  # (S,)
        self._starts, self._ends, self._window, self._seed = starts[groups], ends[groups], disk_groups.window, seed
        sizes = np.add.reduceat((self._ends - self._starts).numpy(), np.arange(0, len(ends), disk_groups.window))
        self._bounds = np.concatenate([[0], np.cumsum(sizes)])  # (W + 1,)
        self._known: tuple[int, Tensor] | None = None

    def __len__(self) -> int:
        return int(self._bounds[-1])

    def __getitem__(self, span: slice) -> Tensor:
        """(n,) positions of a slice that has start and stop."""
        parts, at = [], int(span.start)
        stop = min(int(span.stop), len(self))
        while at < stop:
            window = int(np.searchsorted(self._bounds, at, side="right")) - 1
            first, end = int(self._bounds[window]), int(self._bounds[window + 1])
            parts.append(self._positions(window)[at - first : min(stop, end) - first])
            at = min(stop, end)
        return torch.cat(parts) if parts else torch.empty(0, dtype=torch.int64)

    def _positions(self, window: int) -> Tensor:
        """(n,) positions of one window, shuffled."""
        if self._known is None or self._known[0] != window:
            inside = slice(window * self._window, (window + 1) * self._window)
            bounds = zip(self._starts[inside].tolist(), self._ends[inside].tolist(), strict=True)
            positions = torch.cat([torch.arange(start, end) for start, end in bounds])
            generator = torch.Generator().manual_seed((self._seed * 1_000_003 + window + 1) % 2**63)
            self._known = window, positions[torch.randperm(len(positions), generator=generator)]
        return self._known[1]
