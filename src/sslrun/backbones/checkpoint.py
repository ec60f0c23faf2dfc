"""Checkpoint folders of the library `transformers`, and what an exported encoder tells it."""

import json
from typing import Any

from torch import Tensor, nn
from transformers import AutoConfig

from sslrun.config.errors import ConfigError
from sslrun.config.schema import CheckpointConfig
from sslrun.core.hub import local_path

OF_NO_ENCODER = ("architectures", "transformers_version", "id2label", "label2id", "dtype")
"""Entries of transformers' configurations that an encoder is not built by."""

CLIP_HEADS = ("visual_projection.weight", "text_projection.weight", "logit_scale")
"""What a CLIP has beside its two encoders."""


def architecture_of(config: CheckpointConfig, *, known: tuple[str, ...], part: str | None = None) -> Any | None:
    """transformers' configuration in the folder that `pretrained` names, or as an earlier such folder told it.

    Args:
        known: its `model_type` is one of these.
        part: of a model of several encoders, such as a CLIP, the one that is meant: `vision_config`.

    Returns:
        The configuration; None where no checkpoint tells it.

    Raises:
        ConfigError: none that transformers reads, or of another type.
    """
    folder = None
    if isinstance(config.pretrained, str):
        path = local_path(config.pretrained, key="backbone.pretrained")
        folder = next((f for f in (path / "encoder", path) if (f / "config.json").is_file()), None)
    if folder is None:
        return AutoConfig.for_model(**config.architecture) if config.architecture else None
    try:
        found = AutoConfig.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, KeyError) as error:
        raise ConfigError(f"backbone.pretrained={folder} has no config.json of transformers: {error}") from error
    if part is not None:
        found = getattr(found, part, found)
    if found.model_type not in known:
        readable = " and ".join(filter(None, (", ".join(known[:-1]), known[-1])))
        raise ConfigError(f"backbone.pretrained={folder} is a {found.model_type}; {readable} can be read")
    return found


def plain_architecture(found: Any) -> dict[str, Any]:
    """What builds it again without the checkpoint."""
    told: dict[str, Any] = json.loads(found.to_json_string(use_diff=True))
    return {key: value for key, value in told.items() if key not in OF_NO_ENCODER}


def without_prefix(state: dict[str, Tensor], own: dict[str, Tensor], *, prefixes: tuple[str, ...]) -> dict[str, Tensor]:
    """The encoder's part of a model with heads, under the encoder's own names."""
    for prefix in prefixes:
        if any(k.startswith(prefix) for k in state) and not any(k.startswith(prefix) for k in own):
            state = {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
    return state


def described(network: nn.Module) -> dict[str, Any]:
    """Entries of config.json by which `AutoModel.from_pretrained(FOLDER)` finds the architecture."""
    told: dict[str, Any] = json.loads(network.config.to_json_string(use_diff=False))  # type: ignore[operator, union-attr]
    return {"library": "transformers", **told, "architectures": [type(network).__name__]}
