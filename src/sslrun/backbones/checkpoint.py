"""Local checkpoint folders of the library `transformers`, and what an exported encoder tells it."""

import json
from pathlib import Path
from typing import Any

from torch import Tensor, nn
from transformers import AutoConfig

from sslrun.config.errors import ConfigError
from sslrun.config.schema import BackboneConfig


def checkpoint_folder(config: BackboneConfig) -> Path | None:
    """Folder of a local checkpoint that tells its architecture; None where `pretrained` names none."""
    if not isinstance(config.pretrained, str):
        return None
    path = Path(config.pretrained).expanduser()
    return next((folder for folder in (path / "encoder", path) if (folder / "config.json").is_file()), None)


def architecture_of(folder: Path, *, known: tuple[str, ...]) -> Any:
    """transformers' configuration in a folder.

    Args:
        known: its `model_type` is one of these.

    Raises:
        ConfigError: none that transformers reads, or of another type.
    """
    try:
        found = AutoConfig.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, KeyError) as error:
        raise ConfigError(f"backbone.pretrained={folder} has no config.json of transformers: {error}") from error
    if found.model_type not in known:
        readable = " and ".join(filter(None, (", ".join(known[:-1]), known[-1])))
        raise ConfigError(f"backbone.pretrained={folder} is a {found.model_type}; {readable} can be read")
    return found


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
