"""Restores a trained method and its encoders from a checkpoint."""

import dataclasses
import pickle
from pathlib import Path
from typing import Any

import torch

from sslrun.backbones.base import Encoder
from sslrun.backbones.folder import build_encoder
from sslrun.config.command.base import CommandConfig
from sslrun.config.command.pretrain import PretrainConfig
from sslrun.config.compose import group_from_plain
from sslrun.config.errors import ConfigError, RunError
from sslrun.config.schema import BackboneConfig
from sslrun.methods.base import Method, build_method
from sslrun.training.states import first_misfit, method_state


def restore_encoders(
    config: CommandConfig, manifest: dict[str, Any], checkpoint: Path
) -> tuple[dict[str, Encoder], int]:
    """The restored encoders by name, in eval mode, and the optimizer step of the checkpoint."""
    method, step = restore_method(config, manifest, checkpoint)
    return method.encoders(), step


def restore_method(config: CommandConfig, manifest: dict[str, Any], checkpoint: Path) -> tuple[Method, int]:
    """Build the method of a pretraining run and load a checkpoint into it.

    Args:
        config: of the run.
        manifest: run.json of the run, with the `inputs` that its encoder was built for.

    Returns:
        The method in eval mode, and the optimizer step of the checkpoint.

    Raises:
        ConfigError: the run is not a pretraining run.
        RunError: the checkpoint is unreadable or has another architecture.
    """
    if not isinstance(config, PretrainConfig):
        raise ConfigError(f"{checkpoint} is not from a pretraining run; use the run's encoder/ folder")
    config = as_built(config, manifest)
    method = build_method(config.method, build_encoder(config.backbone, manifest["inputs"]))
    try:
        saved = torch.load(checkpoint, map_location="cpu", weights_only=True)
        state, step = method_state(saved["state_dict"]), int(saved["global_step"])
    except pickle.UnpicklingError as error:
        raise RunError(
            f"{checkpoint} holds more than tensors, or is damaged; use another checkpoint of the run"
        ) from error
    except (OSError, RuntimeError, KeyError, EOFError) as error:
        raise RunError(f"{checkpoint} cannot be read: {error}") from error
    try:
        method.load_state_dict(state)
    except RuntimeError as error:
        raise RunError(f"{checkpoint} does not fit the run's configuration: {first_misfit(error)}") from error
    return method.eval(), step


def as_built(config: PretrainConfig, manifest: dict[str, Any]) -> PretrainConfig:
    """The run's configuration with the architectures its backbones were built with, and no pretrained weights.

    An architecture that came from a checkpoint is not in the configuration, and the checkpoint may no longer exist.
    """
    built = {name: group_from_plain("backbone", raw) for name, raw in manifest.get("backbones", {}).items()}
    for key, value in vars(config.method).items():
        if isinstance(value, BackboneConfig):
            setattr(config.method, key, dataclasses.replace(built.pop(key, value), pretrained=None))
    backbone = next(iter(built.values()), config.backbone)
    config.backbone = dataclasses.replace(backbone, pretrained=None)
    return config
