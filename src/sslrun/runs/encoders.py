"""What `encoder=` may name, told apart before anything heavy is imported."""

from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from sslrun.config.errors import ConfigError


class Source(Enum):
    """Where an encoder comes from."""

    folder = "folder"
    """An `encoder/` folder: safetensors and config.json."""
    random = "random"
    pixels = "pixels"
    timm = "timm"


@dataclass(frozen=True)
class EncoderRef:
    """A parsed `encoder=`.

    Attributes:
        source: where it comes from.
        name: what tables call it.
        folder: of the weights, where source is `folder`.
        run: the run folder that made it, where there is one.
    """

    source: Source
    name: str
    folder: Path | None = None
    run: Path | None = None


def parse_encoder(text: str) -> EncoderRef:
    """Tell what `encoder=` names.

    Raises:
        ConfigError: neither a keyword nor a path that holds an encoder.
    """
    if text in ("random", "pixels"):
        return EncoderRef(Source[text], text)
    if text.startswith("timm:"):
        return EncoderRef(Source.timm, text)
    path = Path(text).expanduser().absolute()
    if path.name in ("model.safetensors", "config.json", "run.json"):
        path = path.parent
    if (path / "encoder" / "config.json").is_file():
        return EncoderRef(Source.folder, "/".join(path.parts[-2:]), path / "encoder", path)
    if (path / "model.safetensors").is_file() and (path / "config.json").is_file():
        run = path.parent if (path.parent / "run.json").is_file() else None
        return EncoderRef(Source.folder, "/".join((run or path).parts[-2:]), path, run)
    if path.suffix == ".ckpt" and path.is_file():
        run = path.parent.parent
        raise ConfigError(
            f"encoder={text} is a checkpoint; `sslrun export {run} --checkpoint {path.name}` makes an encoder of it"
        )
    if (path / "run.json").is_file():
        raise ConfigError(f"encoder={text} has no encoder yet: the run has not finished; `sslrun resume {text}`")
    raise ConfigError(
        f"encoder={text}: no such run or encoder folder; give a run folder, an encoder folder, random, pixels or timm:NAME"
    )
