"""Image and text encoder with projections into one space, as a folder: image/, text/ and joint.safetensors."""

from pathlib import Path
from typing import Any

import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from sslrun.backbones.base import Encoder
from sslrun.backbones.folder import load_encoder
from sslrun.config.errors import ConfigError
from sslrun.core.atomic import replacing

PROJECTIONS = "joint.safetensors"


class Tower(nn.Module):
    """An encoder and its projection: (B, …) -> (B, P) of unit length, read as an encoder is."""

    def __init__(self, encoder: Encoder, projection: nn.Linear) -> None:
        super().__init__()
        self.encoder, self.projection = encoder, projection
        self.reads, self.extra_keys = encoder.reads, encoder.extra_keys

    def forward(self, x: Tensor, **rest: Any) -> Tensor:
        """(B, …) -> (B, P)."""
        return F.normalize(self.projection(self.encoder(x, **rest)).float(), dim=1)


class Joint(nn.Module):
    """Two towers whose cosines, times `scale`, say what belongs together."""

    def __init__(self, image: Tower, text: Tower, scale: Tensor) -> None:
        super().__init__()
        self.image, self.text = image, text
        self.scale = float(scale)

    def save_projections(self, folder: Path) -> None:
        """Write the projections and the scale, which belong to both encoders."""
        state = {"image": self.image.projection.weight, "text": self.text.projection.weight}
        state["scale"] = state["image"].new_tensor(self.scale)
        folder.mkdir(parents=True, exist_ok=True)
        with replacing(folder / PROJECTIONS) as path:
            save_file({key: value.detach().cpu().contiguous().clone() for key, value in state.items()}, path)


def load_joint(folder: Path) -> Joint:
    """Load what a method of images and texts exported, in eval mode on the CPU.

    Raises:
        ConfigError: the folder holds no encoders of images and texts together.
    """
    if not (folder / PROJECTIONS).is_file():
        raise ConfigError(f"{folder} has no {PROJECTIONS}: no encoders of images and texts together")
    state = load_file(folder / PROJECTIONS)
    towers = {}
    for key in ("image", "text"):
        layer = nn.Linear(state[key].shape[1], state[key].shape[0], bias=False)
        layer.load_state_dict({"weight": state[key]})
        towers[key] = Tower(load_encoder(folder / key), layer)
    return Joint(towers["image"], towers["text"], state["scale"]).eval()
