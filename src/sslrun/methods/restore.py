"""A trained method, and its encoders, out of a checkpoint."""

from pathlib import Path
from typing import Any

import torch

from sslrun.backbones.base import Encoder
from sslrun.backbones.folder import build_encoder
from sslrun.config.command import CommandConfig, PretrainConfig
from sslrun.config.errors import ConfigError, RunError
from sslrun.config.schema import BackboneConfig
from sslrun.methods.base import Method, build_method


def restore_encoders(config: CommandConfig, inputs: dict[str, Any], checkpoint: Path) -> tuple[dict[str, Encoder], int]:
    """The encoders of `restore_method` by name, in eval mode, and the optimizer step of the checkpoint."""
    method, step = restore_method(config, inputs, checkpoint)
    return method.encoders(), step


def restore_method(config: CommandConfig, inputs: dict[str, Any], checkpoint: Path) -> tuple[Method, int]:
    """Build the method of a pretraining anew and load a checkpoint into it.

    Args:
        config: of the run.
        inputs: what its encoder was built for (`inputs` in run.json).

    Returns:
        The method in eval mode, and the optimizer step of the checkpoint.

    Raises:
        ConfigError: the run is no pretraining.
        RunError: the checkpoint cannot be read.
    """
    if not isinstance(config, PretrainConfig):
        raise ConfigError(f"{checkpoint} is of no pretraining; use the run's encoder/ folder")
    for backbone in (config.backbone, *vars(config.method).values()):
        if isinstance(backbone, BackboneConfig):
            backbone.pretrained = None
    method = build_method(config.method, build_encoder(config.backbone, inputs))
    try:
        saved = torch.load(checkpoint, map_location="cpu", weights_only=True)
        state = {k.removeprefix("method."): v for k, v in saved["state_dict"].items() if k.startswith("method.")}
    except (OSError, RuntimeError, KeyError, EOFError) as error:
        raise RunError(f"{checkpoint} cannot be read: {error}") from error
    method.load_state_dict(state)
    return method.eval(), int(saved["global_step"])
