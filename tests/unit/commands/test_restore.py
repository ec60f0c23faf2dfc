"""Methods out of checkpoints."""

from pathlib import Path
from typing import Any

import pytest
import torch

from sslrun.commands.restore import restore_method
from sslrun.config.compose import compose
from sslrun.config.errors import RunError


def test_a_checkpoint_with_more_than_tensors_is_refused(tmp_path: Path) -> None:
    config: Any = compose("pretrain", ["backbone=small_cnn"])
    torch.save(torch.nn.Linear(2, 2), tmp_path / "last.ckpt")
    manifest = {"inputs": {"channels": 1, "image_size": 8, "mean": None, "std": None, "classes": 10}}
    with pytest.raises(RunError, match=rf"^{tmp_path}/last.ckpt holds more than tensors, or is damaged"):
        restore_method(config, manifest, tmp_path / "last.ckpt")
