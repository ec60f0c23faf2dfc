"""Items and batches of series datasets."""

from typing import Any

import numpy as np

from sslrun.data.base import Items, Key
from sslrun.data.batches import index_and_label, padded
from sslrun.data.series.augment import Policy


class SeriesItems(Items):
    """Series of one split: `series`, or `views` if all views of the policy are requested.

    Args:
        values: (T, C) float32 per recording, normalised.
        windows: (N, 3) int64: recording, first row, end row.
        labels: (N,) int64, or None.
        max_length: timestamps after which an item is truncated.
        policy: None applies no augmentation.
        views: whether to return all views of the policy or only the first.
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
        count, max_length = len(self.policy) if self.views else 1, self.max_length
        made = [
            self.policy.view(series, view, seed=self.seed, epoch=epoch, index=index, max_length=max_length)[:max_length]
            for view in range(count)
        ]
        return item | ({"views": made} if self.views else {"series": made[0]})


def collate(items: list[dict[str, Any]]) -> dict[str, Any]:
    """`series` (B, T, C), or V such `views`, padded with NaN at the end; `index` and `label` (B,)."""
    batch: dict[str, Any] = {}
    if "views" in items[0]:
        longest = max(len(view) for item in items for view in item["views"])
        count = len(items[0]["views"])
        views = ([item["views"][v] for item in items] for v in range(count))
        batch["views"] = [padded(rows, value=np.nan, dtype=np.float32, length=longest) for rows in views]
    else:
        batch["series"] = padded([item["series"] for item in items], value=np.nan, dtype=np.float32)
    return batch | index_and_label(items)
