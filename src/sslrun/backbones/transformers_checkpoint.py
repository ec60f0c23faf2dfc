"""Checkpoint folders of the library `transformers`: backbone, architecture and preprocessing.

The library is heavy and imported only to open a folder.
"""

import json
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from sslrun.config.backbone.hf import MODELS, HFConfig
from sslrun.config.backbone.transformers import TransformersConfig
from sslrun.config.backbone.wav2vec2 import Wav2Vec2EncoderConfig
from sslrun.config.errors import ConfigError
from sslrun.config.schema import CheckpointConfig
from sslrun.core.hub import local_path

POOLS = {"bert": "mean", "gpt2": "last", "llama": "last", "clip_text_model": "last"}
"""Pooling of text encoders by model type."""
PARTS = {"image": "vision_config", "text": "text_config"}
NOT_ARCHITECTURE = ("architectures", "transformers_version", "id2label", "label2id", "dtype")
"""Entries of transformers' configurations that do not describe an encoder."""
CLIP_HEADS = ("visual_projection.weight", "text_projection.weight", "logit_scale")
"""A CLIP's weights outside of its two encoders."""


def open_checkpoint(folder: Path, *, encoder: str, tower: str) -> tuple[CheckpointConfig, dict[str, Any]]:
    """The backbone config of a checkpoint, and the dataset fields that match its preprocessing.

    Args:
        encoder: as given by the user: a folder, or hf:OWNER/NAME.
        tower: `image` or `text`: which encoder of a CLIP to use.

    Raises:
        ConfigError: unknown model type; a text encoder without its tokenizer.
    """
    from transformers import AutoConfig

    try:
        whole = AutoConfig.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, KeyError) as error:
        raise ConfigError(f"encoder={encoder} has no config.json that transformers reads: {error}") from error
    found = getattr(whole, PARTS[tower]) if whole.model_type == "clip" else whole
    architecture: dict[str, Any] = {
        "name": found.model_type,
        "pretrained": encoder,
        "architecture": plain_architecture(found),
    }
    if found.model_type in MODELS:
        inputs = image_inputs(folder, found)
        if whole.model_type == "clip":
            inputs["text"] = text_inputs(whole.text_config)
        return HFConfig(**architecture), inputs
    if found.model_type in POOLS:
        if not (folder / "tokenizer.json").is_file():
            raise ConfigError(
                f"encoder={encoder} has no tokenizer.json, without which texts cannot be tokenized; write it with "
                f"transformers: AutoTokenizer.from_pretrained('{folder}').save_pretrained('{folder}')"
            )
        inputs = text_inputs(found) if found.model_type == "clip_text_model" else {}
        return TransformersConfig(pool=POOLS[found.model_type], **architecture), inputs
    if found.model_type == "wav2vec2":
        rate = _preprocessing(folder).get("sampling_rate")
        return Wav2Vec2EncoderConfig(**architecture), {"form": "wave", "sample_rate": rate}
    known = [*POOLS, "wav2vec2", *MODELS]
    raise ConfigError(
        f"encoder={encoder} is a {found.model_type}; of transformers' models {', '.join(known)} and clip can be read"
    )


def architecture_of(config: CheckpointConfig, *, known: tuple[str, ...], part: str | None = None) -> Any | None:
    """transformers' configuration: from the folder `pretrained`, or from `config.architecture`.

    Args:
        known: accepted values of `model_type`.
        part: the sub-configuration to use of a model with several encoders, such as a CLIP: `vision_config`.

    Returns:
        The configuration; None if there is no checkpoint.

    Raises:
        ConfigError: transformers cannot read it, or its type is not in `known`.
    """
    from transformers import AutoConfig

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


def plain_architecture(architecture: Any) -> dict[str, Any]:
    """Entries that rebuild an architecture without its checkpoint."""
    entries: dict[str, Any] = json.loads(architecture.to_json_string(use_diff=True))
    return {key: value for key, value in entries.items() if key not in NOT_ARCHITECTURE}


def without_prefix(state: dict[str, Tensor], own: dict[str, Tensor], *, prefixes: tuple[str, ...]) -> dict[str, Tensor]:
    """The encoder's weights out of a model with heads, with name prefixes removed."""
    for prefix in prefixes:
        if any(k.startswith(prefix) for k in state) and not any(k.startswith(prefix) for k in own):
            state = {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
    return state


def library_entries(network: nn.Module) -> dict[str, Any]:
    """Entries of config.json for `AutoModel.from_pretrained(FOLDER)`."""
    config: Any = network.config
    entries: dict[str, Any] = json.loads(config.to_json_string(use_diff=False))
    return {"library": "transformers", **entries, "architectures": [type(network).__name__]}


def image_inputs(folder: Path, architecture: Any) -> dict[str, Any]:
    """channels, image_size, mean and std of a checkpoint's images; None if unknown."""
    steps = _preprocessing(folder)
    side = _side(steps.get("crop_size")) or _side(steps.get("size")) or _side(architecture.image_size)
    channels = architecture.num_channels
    mean, std = steps.get("image_mean"), steps.get("image_std")
    if steps.get("do_normalize", True) is False:  # trained on values in [0, 1]
        mean, std = [0.0] * channels, [1.0] * channels
    return {"channels": channels, "image_size": side, "mean": mean, "std": std}


def text_inputs(architecture: Any) -> dict[str, Any]:
    """Inputs of a CLIP's text encoder; max_length is its number of positions."""
    return {
        "reads": "input_ids",
        "vocab_size": architecture.vocab_size,
        "max_length": architecture.max_position_embeddings,
        "pad": 0,  # irrelevant: tokens after the end token do not affect its vector
        "end": architecture.eos_token_id,
        "classes": None,
    }


def _preprocessing(folder: Path) -> dict[str, Any]:
    """Preprocessing settings: a file per input type in older versions of transformers, one file in newer ones."""
    for name in ("preprocessor_config.json", "processor_config.json"):
        if (folder / name).is_file():
            steps: dict[str, Any] = json.loads((folder / name).read_text(encoding="utf-8"))
            return steps.get("image_processor") or steps.get("feature_extractor") or steps
    return {}


def _side(size: Any) -> int | None:
    if isinstance(size, dict):
        size = size.get("height") or size.get("shortest_edge")
    if isinstance(size, list | tuple):
        size = size[0]
    return None if size is None else int(size)
