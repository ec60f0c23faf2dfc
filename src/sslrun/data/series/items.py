"""Items of datasets of series by their keys, and batches of them."""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from sslrun.data.base import Items, Key
from sslrun.data.series.augment import Policy


class SeriesItems(Items):
    """Series of one split: `series`, or `views` where the policy makes several.

    Args:
        values: of each recording (T, C) float32, normalised.
        windows: (N, 3) of the split.
        labels: (N,) int64, or None.
        max_length: timestamps that an item keeps.
        policy: None gives each series as it is.
        views: whether all views of the policy are asked for, or the first alone.
    """

    def __init__(
        self,
        values: list[np.ndarray],
        windows: np.ndarray,
        labels: np.ndarray | None,
        *,
        max_length: int,
        policy: Policy | None = None,
        views: bool = False,
        seed: int = 0,
    ) -> None:
        self.values, self.windows, self.labels = values, windows, labels
        self.max_length, self.policy, self.views, self.seed = max_length, policy, views, seed

    def __len__(self) -> int:
        return len(self.windows)

    def __getitem__(self, key: Key) -> dict[str, Any]:
        epoch, index = key
        recording, first, last = self.windows[index]
        series = self.values[recording][first:last]  # (T, C)
        item: dict[str, Any] = {"index": index}
        if self.labels is not None:
            item["label"] = int(self.labels[index])
        if self.policy is None:
            return item | {"series": series[: self.max_length]}
        count = len(self.policy) if self.views else 1
        made = [
            self.policy.view(series, view, room=self.max_length, seed=self.seed, epoch=epoch, index=index)
            for view in range(count)
        ]
        return item | ({"views": made} if self.views else {"series": made[0]})


def collate(items: list[dict[str, Any]]) -> dict[str, Any]:
    """`series` (B, T, C), or `views`, V of them, with NaN behind shorter ones; `index` and `label` (B,)."""
    batch: dict[str, Any] = {}
    if "views" in items[0]:
        longest = max(len(view) for item in items for view in item["views"])
        count = len(items[0]["views"])
        batch["views"] = [_padded([item["views"][v] for item in items], longest) for v in range(count)]
    else:
        longest = max(len(item["series"]) for item in items)
        batch["series"] = _padded([item["series"] for item in items], longest)
    for key in ("index", "label"):
        if key in items[0]:
            batch[key] = torch.tensor([item[key] for item in items], dtype=torch.int64)  # (B,)
    return batch


def _padded(rows: list[np.ndarray], length: int) -> Tensor:
    out = np.full((len(rows), length, rows[0].shape[1]), np.nan, dtype=np.float32)
    for place, row in zip(out, rows, strict=True):
        place[: len(row)] = row
    return torch.from_numpy(out)


class AsIs(nn.Module):
    """Series were normalised when they were read."""

    def forward(self, batch: dict[str, Any]) -> dict[str, Any]:
        """The batch itself."""
        return batch
