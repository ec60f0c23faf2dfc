"""Small forms of every registered method, for the tiers that run over all of them."""

import copy
import functools
import io
import json
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import soundfile
import torch
import torch.nn.functional as F
from PIL import Image

from sslrun.backbones.base import Encoder
from sslrun.backbones.folder import build_encoder
from sslrun.config.backbone.cpc import CPCEncoderConfig
from sslrun.config.backbone.patchtst import PatchTSTEncoderConfig
from sslrun.config.backbone.small_cnn import SmallCNNConfig
from sslrun.config.backbone.timm import TimmConfig
from sslrun.config.backbone.transformers import TransformersConfig
from sslrun.config.backbone.ts2vec import TS2VecEncoderConfig
from sslrun.config.backbone.wav2vec2 import Wav2Vec2EncoderConfig
from sslrun.config.command.pretrain import PretrainConfig
from sslrun.config.compose import compose
from sslrun.config.registry import entries, find
from sslrun.config.schema import BackboneConfig, MethodConfig
from sslrun.core.batch import (
    NO_TARGET,
    BlocksBatch,
    ImageBatch,
    PairBatch,
    SeriesBatch,
    TokensBatch,
    ViewsBatch,
    WaveBatch,
)
from sslrun.methods.base import Method, build_method

CLASSES = 3
SIZES: dict[str, Any] = {
    "hidden_dim": 64, "out_dim": 32, "bottleneck_dim": 16, "prototypes": 24, "queue_size": 32,
    "mask_patch_size": 4, "decoder_dim": 48, "decoder_depth": 1, "decoder_heads": 3,
    "predictor_dim": 24, "predictor_hidden_dim": 32, "predictor_depth": 1, "predictor_heads": 3,
    "dropout": 0.0, "codes": 8, "code_dim": 16, "negatives": 10, "mask_span": 3,
}  # fmt: skip
"""Numbers of method configurations that are made small wherever a method has them."""
BACKBONES: dict[str, BackboneConfig] = {
    "cnn": SmallCNNConfig(name="small_cnn", width=8),
    "vit": TimmConfig(
        name="vit_tiny_patch16_224", patch_size=4, pool="avg", options={"depth": 2, "embed_dim": 48, "num_heads": 3}
    ),
}


BACKBONES |= {
    name: TransformersConfig(
        name=name, width=32, depth=2, heads=2, mlp=64, dropout=0.0, pool="mean" if name == "bert" else "last"
    )
    for name in ("bert", "gpt2", "llama")
}
BACKBONES |= {
    "ts2vec": TS2VecEncoderConfig(name="ts2vec", width=8, out_dim=24, depth=3, dropout=0.0),
    "cpc": CPCEncoderConfig(name="cpc", width=32, hidden=48, kernels=[2, 1], strides=[2, 1], dropout=0.0),
    "patchtst": PatchTSTEncoderConfig(name="patchtst", patch_size=4, width=16, depth=2, heads=2, mlp=32, dropout=0.0),
}
BACKBONES |= {
    "wav2vec2": Wav2Vec2EncoderConfig(
        name="wav2vec2", width=32, depth=2, heads=2, mlp=64, conv_width=16, kernels=[8, 4], strides=[4, 2],
        conv_norm="layer", pre_norm=True, position_kernel=4, position_groups=2, dropout=0.0,
    ),
}  # fmt: skip
VOCABULARY, LENGTH = 40, 16
CHANNELS = 2
"""Of series."""
SAMPLES = 256
"""Of waves."""
INPUTS: dict[str, dict[str, Any]] = {
    "text": {
        "reads": "input_ids", "vocab_size": VOCABULARY, "max_length": LENGTH, "pad": 0, "end": 3, "classes": CLASSES,
    },
    "series": {"reads": "series", "channels": CHANNELS, "max_length": 4 * LENGTH, "classes": CLASSES},
    "audio": {"reads": "wave", "channels": 1, "max_length": SAMPLES, "sample_rate": 8000, "classes": CLASSES},
}  # fmt: skip
INPUTS["pair"] = {
    "channels": 3, "image_size": 16, "mean": None, "std": None, "classes": CLASSES, "text": INPUTS["text"],
}  # fmt: skip
"""What backbones of a modality are built for; of images, sizes differ between tiers."""
MODALITIES = ("image", *INPUTS)
"""Those that this module can make batches of."""


def method_names(*modalities: str) -> list[str]:
    """Every registered method of some modalities, or of all that are known here."""
    return [e.kind for e in entries("method") if modality(e.kind) in (modalities or MODALITIES)]


def modality(name: str) -> str:
    """Of a method; one of sound that reads series is tried on series."""
    entry = find("method", name)
    if entry.modality == "audio" and entry.load().batch_type is SeriesBatch:
        return "series"
    return entry.modality


def backbones_of(name: str) -> list[str]:
    """Kinds of backbone that a method takes, the first of them the one that shows it best."""
    cls = find("method", name).load()
    if modality(name) == "text":
        both_ways, causal = ["bert"], ["gpt2", "llama"]
        return {True: causal, False: both_ways, None: [*both_ways, *causal]}[cls.needs_causal]
    if modality(name) in ("series", "audio"):
        return [name]
    return ["vit"] if cls.needs_tokens else ["cnn", "vit"]


def write_texts(path: Path, *, count: int = 240) -> Path:
    """A table of made sentences with two classes, the same wherever it is written."""
    random = np.random.Generator(np.random.Philox(0))
    words = {
        "sea": ["ship", "sail", "wave", "harbour", "rope", "deck"],
        "land": ["field", "plough", "cow", "barn", "wheel", "fence"],
    }
    rows = []
    for i in range(count):
        label = ("sea", "land")[i % 2]
        chosen = [words[label][int(k)] for k in random.integers(6, size=int(random.integers(3, 9)))]
        rows.append(json.dumps({"text": f"The {' and the '.join(chosen)} are here. So it is.", "label": label}))
    path.write_text("\n".join(rows) + "\n")
    return path


def write_hours(path: Path, *, rows: int = 600) -> Path:
    """A table of two daily waves with a column of time, the same wherever it is written."""
    start, hours = np.datetime64("2020-01-01T00"), np.arange(rows)
    lines = [f"{str(start + h).replace('T', ' ')}:00:00,{np.sin(h / 4):.4f},{np.cos(h / 4):.4f}" for h in hours]
    path.write_text("date,load,cold\n" + "\n".join(lines) + "\n")
    return path


def write_recordings(folder: Path, *, count: int = 80) -> Path:
    """Tones of half a second named <digit>_<speaker>_<take>.wav, the same wherever they are written."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.Generator(np.random.Philox(0))
    for i in range(count):
        time = np.arange(4000) / 8000
        wave = 0.3 * np.sin(2 * np.pi * (300 + 200 * (i % 4)) * time) + 0.01 * random.standard_normal(4000)
        soundfile.write(folder / f"{i % 4}_{'ab'[i // 4 % 2]}_{i // 8}.wav", wave, 8000)
    return folder


def write_pairs(path: Path, *, count: int = 80) -> Path:
    """A table of small pictures with a name and two captions, of two makers, the same wherever it is written."""
    random = np.random.Generator(np.random.Philox(0))
    columns: dict[str, list[Any]] = {"image": [], "text": [], "captions": [], "vendor": []}
    for i in range(count):
        encoded = io.BytesIO()
        Image.fromarray(random.integers(0, 256, (16, 16, 3), np.uint8)).save(encoded, format="PNG")
        columns["image"].append({"bytes": encoded.getvalue(), "path": None})
        columns["text"].append(f"picture number {i}")
        columns["captions"].append([f"picture number {i}", f"the {i}th of many"])
        columns["vendor"].append(("twemoji", "emojione")[i % 2])
    pq.write_table(pa.table(columns), path)
    return path


def needs_tokens(name: str) -> bool:
    """Whether a method refuses CNNs."""
    return bool(find("method", name).load().needs_tokens)


def small_config(name: str, overrides: list[str] | None = None, **sizes: Any) -> PretrainConfig:
    """The method as `method=NAME` composes it, with small heads, queues and decoders."""
    config = copy.deepcopy(_composed(f"method={name}", *(overrides or [])))
    shrink(config.method, **sizes)
    return config


@functools.lru_cache(maxsize=64)
def _composed(*overrides: str) -> PretrainConfig:
    """Composing takes longer than most small methods' steps."""
    config = compose("pretrain", overrides)
    assert isinstance(config, PretrainConfig)
    return config


def shrink(config: MethodConfig, **sizes: Any) -> None:
    """Set `SIZES`, and `sizes` over them, wherever the method has such a field."""
    numbers = {k: v for k, v in SIZES.items() if not isinstance(getattr(config, k, None), Enum)}  # cpc's negatives
    for key, value in (numbers | sizes).items():
        if hasattr(config, key):
            setattr(config, key, value)
    if hasattr(config, "text"):
        config.text = BACKBONES["gpt2"]


def small_method(name: str, backbone: str, *, size: int = 16, channels: int = 3) -> Method:
    """The small method on a small backbone, seeded."""
    inputs: dict[str, Any] = {"channels": channels, "image_size": size, "mean": None, "std": None, "classes": CLASSES}
    inputs = INPUTS.get(modality(name), inputs)
    config = small_config(name)
    torch.manual_seed(0)
    encoder: Encoder = build_encoder(BACKBONES[backbone], inputs)
    return build_method(config.method, encoder)


def random_batch(
    method: Method, *, rows: int = 8, size: int = 16, views: int | None = None, seed: int = 1
) -> dict[str, Any]:
    """A seeded batch of the type that the method reads: noisy copies of random images, with labels."""
    generator = torch.Generator().manual_seed(seed)
    if method.batch_type in (TokensBatch, BlocksBatch):
        return random_tokens(rows, blocks=method.batch_type is BlocksBatch, generator=generator)
    if method.batch_type is SeriesBatch:
        return random_series(rows, generator=generator)
    if method.batch_type is WaveBatch:
        return random_waves(rows, generator=generator)
    coarse = torch.randn(rows, 3, 4, 4, generator=generator)
    image = F.interpolate(coarse, size=(size, size), mode="bilinear")  # (B, 3, H, W), smooth as photographs are
    facts = {"index": torch.arange(rows), "label": torch.arange(rows) % CLASSES}
    if method.batch_type is ViewsBatch:
        count = max(2, views or method.views)
        return {"views": [image + 0.2 * torch.randn(image.shape, generator=generator) for _ in range(count)], **facts}
    if method.batch_type is PairBatch:
        tokens = random_tokens(rows, blocks=False, generator=generator)
        caption = torch.arange(rows).clamp(max=rows - 2)  # the last two are equal
        return {**tokens, "image": image, "caption": caption, **facts}
    assert method.batch_type is ImageBatch, method.batch_type
    return {"image": image, **facts}


def random_tokens(rows: int, *, blocks: bool, generator: torch.Generator) -> dict[str, Any]:
    """Texts of unequal lengths with some tokens asked for, or whole blocks with the next tokens."""
    facts = {"index": torch.arange(rows), "label": torch.arange(rows) % CLASSES}
    ids = torch.randint(5, VOCABULARY, (rows, LENGTH + 1), generator=generator)
    if blocks:
        whole = torch.ones(rows, LENGTH, dtype=torch.int64)
        return {"input_ids": ids[:, :-1], "attention_mask": whole, "targets": ids[:, 1:], **facts}
    lengths = torch.randint(LENGTH // 2, LENGTH + 1, (rows, 1), generator=generator)
    is_token = torch.arange(LENGTH) < lengths  # (B, L)
    is_target = (torch.rand(rows, LENGTH, generator=generator) < 0.3) & is_token
    is_target[:, 0] = True
    return {
        "input_ids": torch.where(is_token, ids[:, 1:], 0),
        "attention_mask": is_token.long(),
        "targets": torch.where(is_target, ids[:, :-1], NO_TARGET),
        **facts,
    }


def random_series(rows: int, *, generator: torch.Generator) -> dict[str, Any]:
    """Sines of unequal lengths, NaN behind their ends and at some places within."""
    time = torch.arange(4 * LENGTH)[None, :, None]  # (1, T, 1)
    turns = 0.02 + 0.08 * torch.rand(rows, 1, CHANNELS, generator=generator)
    series = torch.sin(6.283 * (turns * time + torch.rand(rows, 1, CHANNELS, generator=generator)))
    lengths = torch.randint(3 * LENGTH, 4 * LENGTH + 1, (rows, 1, 1), generator=generator)
    is_missing = torch.rand(series.shape, generator=generator) < 0.02
    series = series.masked_fill(is_missing | (time >= lengths), torch.nan)
    return {"series": series, "index": torch.arange(rows), "label": torch.arange(rows) % CLASSES}


def random_waves(rows: int, *, generator: torch.Generator) -> dict[str, Any]:
    """Tones of unequal lengths that rise or fall, in noise, silence behind their ends."""
    time = torch.arange(SAMPLES) / SAMPLES  # (T,)
    low, rise = (torch.rand(rows, 1, generator=generator) for _ in range(2))
    waves = torch.sin(6.283 * (20 + 40 * low + 30 * (rise - 0.5) * time) * time)
    waves += 0.1 * torch.randn(waves.shape, generator=generator)
    lengths = torch.randint(SAMPLES // 2, SAMPLES + 1, (rows,), generator=generator)
    lengths[-1] = SAMPLES  # what ranks share out is padded alike
    return {
        "wave": waves.masked_fill(torch.arange(SAMPLES) >= lengths[:, None], 0.0), "lengths": lengths,
        "index": torch.arange(rows), "label": torch.arange(rows) % CLASSES,
    }  # fmt: skip


def encoder_batch(encoder: Encoder) -> dict[str, Any]:
    """Two inputs of the kind that an encoder reads."""
    generator = torch.Generator().manual_seed(0)
    if encoder.reads == "input_ids":
        return random_tokens(2, blocks=False, generator=generator)
    if encoder.reads == "series":
        return random_series(2, generator=generator)
    if encoder.reads == "wave":
        return random_waves(2, generator=generator)
    return {"image": torch.randn(2, 3, 16, 16, generator=generator)}
