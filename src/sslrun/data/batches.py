"""Stacking that all modalities share."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import DTypeLike
from torch import Tensor


def padded(rows: Sequence[np.ndarray], *, value: float, dtype: DTypeLike, length: int | None = None) -> Tensor:
    """Rows (T, …) padded with `value` to (B, length, …); None pads to the longest."""
    out = np.full((len(rows), length or max(map(len, rows)), *rows[0].shape[1:]), value, dtype=dtype)
    for place, row in zip(out, rows, strict=True):
        place[: len(row)] = row
    return torch.from_numpy(out)


def index_and_label(items: Sequence[dict[str, Any]]) -> dict[str, Tensor]:
    """`index` and, if the items have one, `label`: (B,) int64 each."""
    return {
        key: torch.tensor([item[key] for item in items], dtype=torch.int64)
        for key in ("index", "label")
        if key in items[0]
    }
