"""What `encoder=` may name, told apart before anything heavy is imported."""

import json
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from sslrun.config.errors import ConfigError


class Source(Enum):
    """Where an encoder comes from."""

    folder = "folder"
    """An `encoder/` folder: safetensors and config.json."""
    checkpoint = "checkpoint"
    """A file in a run's `checkpoints/`."""
    random = "random"
    pixels = "pixels"
    timm = "timm"
    transformers = "transformers"
    """A checkpoint of that library: a folder, or hf:OWNER/NAME."""


@dataclass(frozen=True)
class EncoderRef:
    """A parsed `encoder=`.

    Attributes:
        source: where it comes from.
        name: what tables call it.
        folder: of the weights, where source is `folder`, or `transformers` and they lie here.
        checkpoint: the file, where source is `checkpoint`.
        run: the run folder that made it, where there is one.
        pair: the folder that holds the encoders of images and texts together, where this is one of them.
    """

    source: Source
    name: str
    folder: Path | None = None
    run: Path | None = None
    checkpoint: Path | None = None
    pair: Path | None = None


def parse_encoder(text: str, *, tower: str = "image") -> EncoderRef:
    """Tell what `encoder=` names.

    Args:
        tower: `image` or `text`: which one is meant by a folder that holds both.

    Raises:
        ConfigError: neither a keyword nor a path that holds an encoder.
    """
    if text in ("random", "pixels"):
        return EncoderRef(Source[text], text)
    if text.startswith("timm:"):
        return EncoderRef(Source.timm, text)
    if text.startswith("hf:"):
        return EncoderRef(Source.transformers, text)
    path = Path(text).expanduser().absolute()
    if path.name in ("model.safetensors", "config.json", "run.json"):
        path = path.parent
    if (pair := _pair_folder(path)) is not None:
        run = pair.parent if (pair.parent / "run.json").is_file() else None
        folder = pair / (path.name if path.parent == pair else tower)
        return EncoderRef(Source.folder, "/".join((run or pair).parts[-2:]), folder, run, pair=pair)
    if (path / "encoder" / "config.json").is_file():
        return EncoderRef(Source.folder, "/".join(path.parts[-2:]), path / "encoder", path)
    if _is_of_transformers(path):
        return EncoderRef(Source.transformers, "/".join(path.parts[-2:]), path)
    if (path / "model.safetensors").is_file() and (path / "config.json").is_file():
        if (path.parents[1] / "run.json").is_file():  # one of a run's further encoders
            run = path.parents[1]
            return EncoderRef(Source.folder, "/".join((*run.parts[-2:], path.name)), path, run)
        known = path.parent if (path.parent / "run.json").is_file() else None
        return EncoderRef(Source.folder, "/".join((known or path).parts[-2:]), path, known)
    if path.suffix == ".ckpt" and path.is_file():
        run = path.parent.parent
        if (run / "run.json").is_file():
            name = f"{'/'.join(run.parts[-2:])}/{path.stem}"
            return EncoderRef(Source.checkpoint, name, run=run, checkpoint=path)
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
    """The run folder that `path` is, or lies in."""
    path = path.expanduser().absolute()
    return next((folder for folder in (path, *path.parents) if (folder / "run.json").is_file()), None)


def _is_of_transformers(folder: Path) -> bool:
    """Whether config.json is transformers' alone; that of an `encoder/` folder has a format of ours beside it."""
    try:
        told = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(told, dict) and "model_type" in told and "format" not in told


def _pair_folder(path: Path) -> Path | None:
    """Of a run, its `encoder/`, or one of the two in it, where that holds encoders of images and texts."""
    for folder in (path / "encoder", path, path.parent):
        if (folder / "image" / "config.json").is_file() and (folder / "text" / "config.json").is_file():
            return folder if folder != path.parent or path.name in ("image", "text") else None
    return None
