"""Resolves `encoder=` to a pair of image and text encoders, for zeroshot and search."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sslrun.backbones.clip import load_clip
from sslrun.backbones.joint import Joint, load_joint
from sslrun.commands.restore import restore_method
from sslrun.config.errors import ConfigError
from sslrun.config.trainer import Precision
from sslrun.core.hub import local_path
from sslrun.data.pairs.items import token_items
from sslrun.data.text.items import collate
from sslrun.data.text.tokenizer import Tokenizer, read_tokenizer
from sslrun.evaluation.batches import Batch, Batches
from sslrun.evaluation.features import Features, extract
from sslrun.methods.two_towers import TwoTowers
from sslrun.runs.encoders import CheckpointRef, EncoderRef, FolderRef, TransformersRef, parse_encoder
from sslrun.runs.load import load_run
from sslrun.training.precision import autocast_dtype


@dataclass(frozen=True)
class Towers:
    """Image and text encoder on their device, with the tokenizer.

    Attributes:
        inputs: of the image encoder: channels, image_size, mean, std.
    """

    ref: EncoderRef
    joint: Joint
    tokenizer: Tokenizer
    max_length: int
    inputs: dict[str, Any]
    device: str
    precision: Precision

    def text_vectors(self, texts: list[str], *, batch_size: int) -> Tensor:
        """(T, P) of unit length."""
        items = token_items(texts, self.tokenizer, max_length=self.max_length)
        chunks = [range(i, min(i + batch_size, len(texts))) for i in range(0, len(texts), batch_size)]
        loader = (collate([items[0, i] for i in chunk], pad=self.tokenizer.pad) for chunk in chunks)
        return extract(self.joint.text, self.batches(loader, lambda batch: batch)).features

    def batches(self, loader: Iterable[Batch], prepare: Callable[[Batch], Batch]) -> Batches:
        """Batches for either tower."""
        autocast = autocast_dtype(self.precision)
        return Batches(loader=loader, prepare=prepare, device=self.device, autocast=autocast)


def find_towers(encoder: str, *, device: str, precision: Precision) -> Towers:
    """Load both towers from a run, an encoder folder, a checkpoint, or a CLIP of transformers.

    Raises:
        ConfigError: there is no text encoder.
    """
    ref = parse_encoder(encoder)
    match ref:
        case FolderRef(pair=Path() as pair):
            joint, tokenizer = load_joint(pair), pair / "text"
        case CheckpointRef():
            joint, tokenizer = _of_checkpoint(ref, encoder), ref.run / "inputs"
        case TransformersRef(source=source):
            tokenizer = local_path(source, key="encoder")
            joint = load_clip(tokenizer, encoder=encoder)
        case _:
            raise _no_text(encoder)
    image, text = joint.image.encoder, joint.text.encoder
    return Towers(
        ref=ref,
        joint=joint.eval().to(device),
        tokenizer=read_tokenizer(tokenizer),
        max_length=int(text.inputs["max_length"]),
        inputs=image.inputs,
        device=device,
        precision=precision,
    )


def _of_checkpoint(ref: CheckpointRef, encoder: str) -> Joint:
    manifest, config = load_run(ref.run)
    if "text" not in manifest.get("inputs", {}):
        raise _no_text(encoder)
    method, _ = restore_method(config, manifest, ref.file)
    if not isinstance(method, TwoTowers):
        raise _no_text(encoder)
    return method.joint()


def _no_text(encoder: str) -> ConfigError:
    return ConfigError(
        f"encoder={encoder} has no text encoder; name a run of method=clip or method=siglip, or a CLIP of transformers"
    )


def image_vectors(towers: Towers, loader: Iterable[Batch], prepare: torch.nn.Module) -> Features:
    """Unit-length features of every image, with positions and labels."""
    tower = towers.joint.image.to(memory_format=torch.channels_last)
    return extract(tower, towers.batches(loader, prepare.to(towers.device)))
