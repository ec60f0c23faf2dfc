"""The order in which an epoch takes its items: a function of (seed, epoch) alone."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class Together:
    """Items that lie together on disk, such as those of one shard.

    Attributes:
        ends: (S,) int64; group s is the items from ends[s - 1] to ends[s].
        window: groups that are mixed at a time.
    """

    ends: np.ndarray
    window: int

    def of(self, positions: np.ndarray) -> "Together":
        """The same for some of the items, `positions` ascending."""
        return Together(np.searchsorted(positions, self.ends).astype(np.int64), self.window)


class WindowedOrder:
    """A pass that takes groups in random order and mixes the items of `window` groups at a time.

    What is read at a time lies in so many groups. Slices are made when they are asked for: a pass is never in memory
    as a whole, and a start in its middle costs no more than one at its beginning.
    """

    def __init__(self, together: Together, *, seed: int) -> None:
        generator = torch.Generator().manual_seed(seed)
        ends = torch.from_numpy(np.asarray(together.ends, dtype=np.int64))
        starts = torch.cat([ends.new_zeros(1), ends[:-1]])
        groups = torch.randperm(len(ends), generator=generator)  # (S,)
        self._starts, self._ends, self._window, self._seed = starts[groups], ends[groups], together.window, seed
        sizes = np.add.reduceat((self._ends - self._starts).numpy(), np.arange(0, len(ends), together.window))
        self._bounds = np.concatenate([[0], np.cumsum(sizes)])  # (W + 1,)
        self._known: tuple[int, Tensor] | None = None

    def __len__(self) -> int:
        return int(self._bounds[-1])

    def __getitem__(self, asked: slice) -> Tensor:
        """(n,) positions of a slice with start and stop."""
        parts, at = [], int(asked.start)
        stop = min(int(asked.stop), len(self))
        while at < stop:
            window = int(np.searchsorted(self._bounds, at, side="right")) - 1
            first, end = int(self._bounds[window]), int(self._bounds[window + 1])
            parts.append(self._positions(window)[at - first : min(stop, end) - first])
            at = min(stop, end)
        return torch.cat(parts) if parts else torch.empty(0, dtype=torch.int64)

    def _positions(self, window: int) -> Tensor:
        """(n,) of one window, mixed."""
        if self._known is None or self._known[0] != window:
            inside = slice(window * self._window, (window + 1) * self._window)
            bounds = zip(self._starts[inside].tolist(), self._ends[inside].tolist(), strict=True)
            positions = torch.cat([torch.arange(start, end) for start, end in bounds])
            generator = torch.Generator().manual_seed((self._seed * 1_000_003 + window + 1) % 2**63)
            self._known = window, positions[torch.randperm(len(positions), generator=generator)]
        return self._known[1]
