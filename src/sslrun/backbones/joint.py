"""Image and text encoders with projections into a joint space; as a folder: image/, text/, joint.safetensors."""

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
    """An encoder with its projection: (B, …) -> (B, P) of unit length; used like an encoder."""

    def __init__(self, encoder: Encoder, projection: nn.Linear) -> None:
        super().__init__()
        self.encoder, self.projection = encoder, projection
        self.reads, self.extra_keys = encoder.reads, encoder.extra_keys

    def forward(self, x: Tensor, **rest: Any) -> Tensor:
        """(B, …) -> (B, P)."""
        return F.normalize(self.projection(self.encoder(x, **rest)).float(), dim=1)


class Joint(nn.Module):
    """Image and text towers; logits are cosine similarities times `scale`."""

    def __init__(self, image: Tower, text: Tower, scale: Tensor) -> None:
        super().__init__()
        self.image, self.text = image, text
        self.scale = float(scale)

    def save_projections(self, folder: Path) -> None:
        """Write the projections and the scale."""
        state = {"image": self.image.projection.weight, "text": self.text.projection.weight}
        state["scale"] = state["image"].new_tensor(self.scale)
        folder.mkdir(parents=True, exist_ok=True)
        with replacing(folder / PROJECTIONS) as path:
            save_file({key: value.detach().cpu().contiguous().clone() for key, value in state.items()}, path)


def load_joint(folder: Path) -> Joint:
    """Load the folder that an image-text method exported, in eval mode on the CPU.

    Raises:
        ConfigError: the folder has no pair of image and text encoders.
    """
    if not (folder / PROJECTIONS).is_file():
        raise ConfigError(f"{folder} has no {PROJECTIONS}, so no pair of image and text encoders")
    state = load_file(folder / PROJECTIONS)
    towers = {}
    for key in ("image", "text"):
        layer = nn.Linear(state[key].shape[1], state[key].shape[0], bias=False)
        layer.load_state_dict({"weight": state[key]})
        towers[key] = Tower(load_encoder(folder / key), layer)
    return Joint(towers["image"], towers["text"], state["scale"]).eval()
