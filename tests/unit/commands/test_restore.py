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


def test_a_checkpoint_of_another_architecture_is_refused_in_one_line(tmp_path: Path) -> None:
    config: Any = compose("pretrain", ["backbone=small_cnn"])
    torch.save({"state_dict": {"method.encoder.gate": torch.zeros(2)}, "global_step": 5}, tmp_path / "last.ckpt")
    manifest = {"inputs": {"channels": 1, "image_size": 8, "mean": None, "std": None, "classes": 10}}
    misfit = rf'^{tmp_path}/last.ckpt does not fit the run\'s configuration: Missing key\(s\) in state_dict: "'
    with pytest.raises(RunError, match=misfit):
        restore_method(config, manifest, tmp_path / "last.ckpt")
