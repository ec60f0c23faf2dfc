"""Parsing of `encoder=`, without heavy imports."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from sslrun.config.errors import ConfigError


@dataclass(frozen=True)
class FolderRef:
    """An `encoder/` folder: safetensors and config.json.

    Attributes:
        name: for tables, as in every reference.
        run: the run folder that produced it, or None, as in every reference.
        pair: the folder with both encoders of an image-text model, if this is one of them.
    """

    name: str
    folder: Path
    run: Path | None = None
    pair: Path | None = None


@dataclass(frozen=True)
class CheckpointRef:
    """A file in a run's `checkpoints/`."""

    name: str
    file: Path
    run: Path


@dataclass(frozen=True)
class TransformersRef:
    """A checkpoint of the library `transformers`; `source` is a folder, or hf:OWNER/NAME."""

    name: str
    source: str
    run: ClassVar[None] = None


@dataclass(frozen=True)
class TimmRef:
    """timm:NAME, with timm's weights."""

    name: str
    run: ClassVar[None] = None


@dataclass(frozen=True)
class RandomRef:
    """An untrained network."""

    name: ClassVar[str] = "random"
    run: ClassVar[None] = None


@dataclass(frozen=True)
class PixelsRef:
    """Raw pixels, without a network."""

    name: ClassVar[str] = "pixels"
    run: ClassVar[None] = None


EncoderRef = FolderRef | CheckpointRef | TransformersRef | TimmRef | RandomRef | PixelsRef


def parse_encoder(text: str, *, tower: str = "image") -> EncoderRef:
    """Parse `encoder=`.

    Args:
        tower: `image` or `text`: encoder to take from a folder with both.

    Raises:
        ConfigError: neither a keyword nor the path of an encoder.
    """
    if text == "random":
        return RandomRef()
    if text == "pixels":
        return PixelsRef()
    if text.startswith("timm:"):
        return TimmRef(text)
    if text.startswith("hf:"):
        return TransformersRef(text, text)
    path = Path(text).expanduser().absolute()
    if path.name in ("model.safetensors", "config.json", "run.json"):
        path = path.parent
    if (pair := _pair_folder(path)) is not None:
        run = pair.parent if (pair.parent / "run.json").is_file() else None
        folder = pair / (path.name if path.parent == pair else tower)
        return FolderRef("/".join((run or pair).parts[-2:]), folder, run, pair=pair)
    if (path / "encoder" / "config.json").is_file():
        return FolderRef("/".join(path.parts[-2:]), path / "encoder", path)
    if _is_of_transformers(path):
        return TransformersRef("/".join(path.parts[-2:]), str(path))
    if (path / "model.safetensors").is_file() and (path / "config.json").is_file():
        if (path.parent / "run.json").is_file():
            return FolderRef("/".join(path.parts[-3:-1]), path, path.parent)
        if (path.parents[1] / "run.json").is_file():  # an additional encoder of a run
            run = path.parents[1]
            return FolderRef("/".join((*run.parts[-2:], path.name)), path, run)
        return FolderRef("/".join(path.parts[-2:]), path)
    if path.suffix == ".ckpt" and path.is_file():
        run = path.parent.parent
        if (run / "run.json").is_file():
            name = f"{'/'.join(run.parts[-2:])}/{path.stem}"
            return CheckpointRef(name, path, run)
        raise ConfigError(
            f"encoder={text} is a checkpoint outside a run folder; its configuration is needed to read it"
        )
    if (path / "run.json").is_file():
        raise ConfigError(f"encoder={text} has no encoder yet: the run has not finished; `sslrun resume {text}`")
    raise ConfigError(
        f"encoder={text}: no such run or encoder folder; give a run folder, an encoder folder, a checkpoint, random, "
        "pixels, timm:NAME, a folder that transformers wrote, or hf:OWNER/NAME"
    )


def run_of(path: Path) -> Path | None:
    """The run folder that `path` is, or is in."""
    path = path.expanduser().absolute()
    return next((folder for folder in (path, *path.parents) if (folder / "run.json").is_file()), None)


def _is_of_transformers(folder: Path) -> bool:
    """Whether config.json is transformers' and not ours; that of an `encoder/` folder has both formats."""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(config, dict) and "model_type" in config and "format" not in config


def _pair_folder(path: Path) -> Path | None:
    """The folder of both encoders, if `path` is an image-text run, its `encoder/`, or one of the two encoders."""
    for folder in (path / "encoder", path, path.parent):
        if (folder / "image" / "config.json").is_file() and (folder / "text" / "config.json").is_file():
            return folder if folder != path.parent or path.name in ("image", "text") else None
    return None
