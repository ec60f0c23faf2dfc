"""A trained method's encoders out of a checkpoint."""

from pathlib import Path
from typing import Any

import torch

from sslrun.backbones.base import Encoder
from sslrun.backbones.folder import build_encoder
from sslrun.config.command import CommandConfig, PretrainConfig
from sslrun.config.errors import ConfigError, RunError
from sslrun.methods.base import build_method


def restore_encoders(config: CommandConfig, inputs: dict[str, Any], checkpoint: Path) -> tuple[dict[str, Encoder], int]:
    """Build the method of a pretraining anew and load a checkpoint into it.

    Args:
        config: of the run.
        inputs: what its encoder was built for (`inputs` in run.json).

    Returns:
        The encoders by name, in eval mode, and the optimizer step of the checkpoint.

    Raises:
        ConfigError: the run is no pretraining.
        RunError: the checkpoint cannot be read.
    """
    if not isinstance(config, PretrainConfig):
        raise ConfigError(f"{checkpoint} is of no pretraining; use the run's encoder/ folder")
    config.backbone.pretrained = None
    method = build_method(config.method, build_encoder(config.backbone, inputs))
    try:
        saved = torch.load(checkpoint, map_location="cpu", weights_only=True)
        state = {k.removeprefix("method."): v for k, v in saved["state_dict"].items() if k.startswith("method.")}
    except (OSError, RuntimeError, KeyError, EOFError) as error:
        raise RunError(f"{checkpoint} cannot be read: {error}") from error
    method.load_state_dict(state)
    return method.eval().encoders(), int(saved["global_step"])
