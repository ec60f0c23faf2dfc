"""Encoder folders: model.safetensors + config.json. Nothing is unpickled."""

import dataclasses
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from sslrun.backbones.base import Encoder
from sslrun.config.compose import group_from_plain, plain
from sslrun.config.errors import ConfigError
from sslrun.config.registry import target_of
from sslrun.config.schema import BackboneConfig
from sslrun.core.atomic import replacing, write_json
from sslrun.core.hub import local_path

FORMAT = "sslrun-encoder/1"
STEMS = ("model.safetensors", "pytorch_model.bin")
"""Names of weights files, in order of preference."""
READS = {"image": "images", "input_ids": "tokens", "series": "series", "wave": "waves"}
"""Batch key -> its name in messages."""


def build_encoder(config: BackboneConfig, inputs: dict[str, Any]) -> Encoder:
    """Build a backbone for inputs such as `{"channels": 3, "image_size": 32, …}`, with `config.pretrained` weights.

    Raises:
        ConfigError: unknown architecture; weights are missing or do not fit.
    """
    cls: type[Encoder] = target_of("backbone", config)
    given = inputs.get("reads", "image")
    if cls.reads != given:
        raise ConfigError(
            f"backbone={config.name} reads {READS.get(cls.reads, cls.reads)}; the dataset gives "
            f"{READS.get(given, given)}; choose another backbone"
        )
    build: Callable[..., Encoder] = cls
    encoder = build(config, inputs)
    encoder.config, encoder.inputs = getattr(encoder, "config", config), dict(inputs)
    if isinstance(config.pretrained, str):
        weights = read_weights(local_path(config.pretrained, key="backbone.pretrained"))
        try:
            encoder.load_library_state(weights)
        except ConfigError as error:
            raise ConfigError(
                f"{config.pretrained}: {error}; choose the backbone and sizes of these weights"
            ) from error
    return encoder


def save_encoder(encoder: Encoder, folder: Path) -> None:
    """Write both files atomically; config.json last, so that its presence implies a complete encoder."""
    folder.mkdir(parents=True, exist_ok=True)
    state = {k: v.detach().cpu().contiguous().clone() for k, v in encoder.library_state().items()}
    config = {
        "format": FORMAT,
        **encoder.library_config(),
        "num_features": encoder.num_features,
        "reads": encoder.reads,
        "inputs": encoder.inputs,
        "backbone": plain(encoder.config) | {"pretrained": None},
    }
    with replacing(folder / "model.safetensors") as path:
        save_file(state, path, metadata={"format": "pt"})
    write_json(folder / "config.json", config)


def load_encoder(path: str | Path, *, inputs: dict[str, Any] | None = None) -> Encoder:
    """Load an encoder from a run folder or an `encoder/` folder, in eval mode on the CPU.

    Args:
        path: the folder; if it has an image and a text encoder, the image encoder is loaded.
        inputs: replaces the inputs it was trained for, e.g. with another `image_size`.

    Returns:
        The encoder: (B, C, H, W) normalised floats, or (B, L) token ids with `attention_mask=`, -> (B, D).
        `encoder.inputs` has channels, image_size, mean and std of the images it was trained on, or vocab_size and
        max_length; the tokenizer is in the same folder.

    Raises:
        ConfigError: there is no encoder, or it does not fit `inputs`.
    """
    folder = Path(path)
    folder = folder / "encoder" if (folder / "encoder").is_dir() else folder
    if not (folder / "config.json").is_file() and (folder / "image" / "config.json").is_file():
        folder = folder / "image"
    config = read_config(folder)
    # `pretrained`: the folder's config.json defines the full architecture of its library, beyond our sizes
    backbone = dataclasses.replace(_backbone(config), pretrained=str(folder))
    encoder = build_encoder(backbone, inputs or config["inputs"])
    encoder.config = dataclasses.replace(encoder.config, pretrained=None)
    return encoder.eval()


def read_config(folder: Path) -> dict[str, Any]:
    """config.json of an encoder folder; ConfigError if there is none."""
    try:
        config: dict[str, Any] = json.loads((folder / "config.json").read_text())
    except (OSError, json.JSONDecodeError) as error:
        raise ConfigError(f"{folder} holds no encoder: {error}") from error
    if config.get("format") != FORMAT:
        raise ConfigError(f"{folder}/config.json is of format {config.get('format')!r}, not {FORMAT!r}")
    return config


def find_weights(path: Path) -> Path:
    """The weights file at a path, or in a run or encoder folder; ConfigError if there is none."""
    names = [f"{stem}{end}" for stem in STEMS for end in ("", ".index.json")]
    candidates = (path / "encoder" / STEMS[0], *(path / name for name in names), path)
    found = next((candidate for candidate in candidates if candidate.is_file()), None)
    if found is None:
        raise ConfigError(f"backbone.pretrained={path}: no such weights file, run or encoder folder")
    return found


def read_weights(path: Path) -> dict[str, Tensor]:
    """Tensors of a safetensors file, a run or encoder folder, or a torch file (read with weights_only=True).

    Raises:
        ConfigError: the file does not exist, is damaged, or holds more than tensors.
    """
    path = find_weights(path)
    if path.suffix == ".json":  # index of a sharded model
        parts = sorted(set(json.loads(path.read_text())["weight_map"].values()))
        return {name: tensor for part in parts for name, tensor in read_weights(path.parent / part).items()}
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ConfigError(
            f"backbone.pretrained={path} holds more than tensors, or no tensors; save the model's state_dict: "
            "torch.save(model.state_dict(), FILE)"
        ) from error
    except (OSError, RuntimeError, EOFError, SafetensorError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ConfigError(f"backbone.pretrained={path} cannot be read ({reason}); copy or save it again") from error
    state = state.get("state_dict", state.get("model", state)) if isinstance(state, dict) else state
    if not (isinstance(state, dict) and all(isinstance(v, Tensor) for v in state.values())):
        raise ConfigError(f"backbone.pretrained={path} holds no flat dict of tensors")
    return state


def _backbone(config: dict[str, Any]) -> BackboneConfig:
    backbone = group_from_plain("backbone", config["backbone"])
    assert isinstance(backbone, BackboneConfig)
    return backbone
