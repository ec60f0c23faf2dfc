"""What a checkpoint folder of the library `transformers` tells: its backbone, and how its inputs are read."""

import json
from pathlib import Path
from typing import Any

from sslrun.config.audio_backbone import Wav2Vec2EncoderConfig
from sslrun.config.errors import ConfigError
from sslrun.config.hf_backbone import MODELS, HFConfig
from sslrun.config.schema import CheckpointConfig
from sslrun.config.text_backbone import TransformersConfig

POOLS = {"bert": "mean", "gpt2": "last", "llama": "last", "clip_text_model": "last"}
"""Of the text encoders."""
PARTS = {"image": "vision_config", "text": "text_config"}


def open_checkpoint(folder: Path, *, encoder: str, tower: str) -> tuple[CheckpointConfig, dict[str, Any]]:
    """The backbone of a checkpoint with its architecture, and fields of a dataset as it must be read for it.

    Args:
        encoder: as the user named it: a folder, or hf:OWNER/NAME.
        tower: `image` or `text`: which encoder of a CLIP is meant.

    Raises:
        ConfigError: a model that is not known here; a text encoder without its tokenizer.
    """
    from transformers import AutoConfig  # heavy

    from sslrun.backbones.checkpoint import plain_architecture

    try:
        whole = AutoConfig.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, KeyError) as error:
        raise ConfigError(f"encoder={encoder} has no config.json that transformers reads: {error}") from error
    found = getattr(whole, PARTS[tower]) if whole.model_type == "clip" else whole
    told: dict[str, Any] = {
        "name": found.model_type,
        "pretrained": encoder,
        "architecture": plain_architecture(found),
    }
    if found.model_type in MODELS:
        inputs = image_inputs(folder, found)
        if whole.model_type == "clip":
            inputs["text"] = text_inputs(whole.text_config)
        return HFConfig(**told), inputs
    if found.model_type in POOLS:
        if not (folder / "tokenizer.json").is_file():
            raise ConfigError(
                f"encoder={encoder} has no tokenizer.json, and other tokens would mean nothing to it; write it by "
                f"transformers: AutoTokenizer.from_pretrained('{folder}').save_pretrained('{folder}')"
            )
        inputs = text_inputs(found) if found.model_type == "clip_text_model" else {}
        return TransformersConfig(pool=POOLS[found.model_type], **told), inputs
    if found.model_type == "wav2vec2":
        rate = _preprocessing(folder).get("sampling_rate")
        return Wav2Vec2EncoderConfig(**told), {"form": "wave", "sample_rate": rate}
    known = [*POOLS, "wav2vec2", *MODELS]
    raise ConfigError(
        f"encoder={encoder} is a {found.model_type}; of transformers' models {', '.join(known)} and clip can be read"
    )


def image_inputs(folder: Path, architecture: Any) -> dict[str, Any]:
    """channels, image_size, mean and std of a checkpoint's images; None where it does not say."""
    told = _preprocessing(folder)
    side = _side(told.get("crop_size")) or _side(told.get("size")) or _side(architecture.image_size)
    channels = architecture.num_channels
    mean, std = told.get("image_mean"), told.get("image_std")
    if told.get("do_normalize", True) is False:  # it was trained on values of 0 to 1
        mean, std = [0.0] * channels, [1.0] * channels
    return {"channels": channels, "image_size": side, "mean": mean, "std": std}


def text_inputs(architecture: Any) -> dict[str, Any]:
    """What a CLIP's text encoder is built for; its texts are as long as its positions reach, others' as one likes."""
    return {
        "reads": "input_ids",
        "vocab_size": architecture.vocab_size,
        "max_length": architecture.max_position_embeddings,
        "pad": 0,  # never seen: what follows the end mark does not enter its vector
        "end": architecture.eos_token_id,
        "classes": None,
    }


def _preprocessing(folder: Path) -> dict[str, Any]:
    """What transformers' processors wrote: older versions into a file of its own, newer ones beside the tokenizer's."""
    for name in ("preprocessor_config.json", "processor_config.json"):
        if (folder / name).is_file():
            told: dict[str, Any] = json.loads((folder / name).read_text(encoding="utf-8"))
            return told.get("image_processor") or told.get("feature_extractor") or told
    return {}


def _side(size: Any) -> int | None:
    if isinstance(size, dict):
        size = size.get("height") or size.get("shortest_edge")
    if isinstance(size, list | tuple):
        size = size[0]
    return None if size is None else int(size)
