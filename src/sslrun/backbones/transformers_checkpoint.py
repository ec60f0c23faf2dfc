"""Checkpoint folders of the library `transformers`: which backbone they hold, and how its inputs are read.

The library itself is imported only where a folder is opened: it is heavy.
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
"""How text encoders are pooled."""
PARTS = {"image": "vision_config", "text": "text_config"}
NOT_ARCHITECTURE = ("architectures", "transformers_version", "id2label", "label2id", "dtype")
"""Entries of transformers' configurations that do not describe an encoder."""
CLIP_HEADS = ("visual_projection.weight", "text_projection.weight", "logit_scale")
"""A CLIP's weights outside its two encoders."""


def open_checkpoint(folder: Path, *, encoder: str, tower: str) -> tuple[CheckpointConfig, dict[str, Any]]:
    """The backbone of a checkpoint with its architecture, and fields of a dataset as it must be read for it.

    Args:
        encoder: as the user named it: a folder, or hf:OWNER/NAME.
        tower: `image` or `text`: which encoder of a CLIP to take.

    Raises:
        ConfigError: an unknown model; a text encoder without its tokenizer.
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
                f"encoder={encoder} has no tokenizer.json, and other tokens would mean nothing to it; write it by "
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
    """transformers' configuration: from the folder that `pretrained` names, or kept from an earlier one.

    Args:
        known: its `model_type` is one of these.
        part: of a model with several encoders, such as a CLIP, the one to take: `vision_config`.

    Returns:
        The configuration; None if no checkpoint gives one.

    Raises:
        ConfigError: transformers cannot read it, or it is of another type.
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


def plain_architecture(found: Any) -> dict[str, Any]:
    """What builds it again without the checkpoint."""
    entries: dict[str, Any] = json.loads(found.to_json_string(use_diff=True))
    return {key: value for key, value in entries.items() if key not in NOT_ARCHITECTURE}


def without_prefix(state: dict[str, Tensor], own: dict[str, Tensor], *, prefixes: tuple[str, ...]) -> dict[str, Tensor]:
    """The encoder's part of a model with heads, under the encoder's own names."""
    for prefix in prefixes:
        if any(k.startswith(prefix) for k in state) and not any(k.startswith(prefix) for k in own):
            state = {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
    return state


def described(network: nn.Module) -> dict[str, Any]:
    """Entries of config.json by which `AutoModel.from_pretrained(FOLDER)` finds the architecture."""
    config: Any = network.config
    entries: dict[str, Any] = json.loads(config.to_json_string(use_diff=False))
    return {"library": "transformers", **entries, "architectures": [type(network).__name__]}


def image_inputs(folder: Path, architecture: Any) -> dict[str, Any]:
    """channels, image_size, mean and std of a checkpoint's images; None for what it does not say."""
    steps = _preprocessing(folder)
    side = _side(steps.get("crop_size")) or _side(steps.get("size")) or _side(architecture.image_size)
    channels = architecture.num_channels
    mean, std = steps.get("image_mean"), steps.get("image_std")
    if steps.get("do_normalize", True) is False:  # it was trained on values of 0 to 1
        mean, std = [0.0] * channels, [1.0] * channels
    return {"channels": channels, "image_size": side, "mean": mean, "std": std}


def text_inputs(architecture: Any) -> dict[str, Any]:
    """What a CLIP's text encoder is built for: texts as long as it has positions."""
    return {
        "reads": "input_ids",
        "vocab_size": architecture.vocab_size,
        "max_length": architecture.max_position_embeddings,
        "pad": 0,  # never seen: what follows the end mark does not enter its vector
        "end": architecture.eos_token_id,
        "classes": None,
    }


def _preprocessing(folder: Path) -> dict[str, Any]:
    """What transformers' processors wrote: older versions to a file of their own, newer ones to one for all inputs."""
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
