"""Sharing the names of unreadable items between ranks."""

from typing import Any

import pytorch_lightning as pl

from sslrun.core.dist import merge_names


class SharedUnreadable(pl.Callback):
    """Merges the ranks' lists at each checkpoint: rank 0 writes run.json, and the limit is on the total.

    Args:
        corrupt: the dataset's list, extended in place.
    """

    def __init__(self, corrupt: list[str]) -> None:
        self.corrupt = corrupt

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Merge the lists; called on all ranks."""
        merge_names(self.corrupt)
