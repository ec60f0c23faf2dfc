"""What any rank could not read, known to all of them."""

from typing import Any

import pytorch_lightning as pl

from sslrun.core.dist import share_names


class SharedUnreadable(pl.Callback):
    """With each checkpoint the names met so far go round: the first rank writes run.json, the limit is for all.

    Args:
        corrupt: the dataset's list, which is added to.
    """

    def __init__(self, corrupt: list[str]) -> None:
        self.corrupt = corrupt

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """All ranks call it."""
        share_names(self.corrupt)
