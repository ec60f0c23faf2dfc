"""Image and text encoder with projections into one space, as a folder: image/, text/ and joint.safetensors."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from sslrun.backbones.base import Encoder, encode
from sslrun.backbones.folder import load_encoder
from sslrun.config.errors import ConfigError
from sslrun.core.atomic import replacing

PROJECTIONS = "joint.safetensors"


class Joint(nn.Module):
    """Unit-length vectors of images and texts whose cosines tell what belongs together."""

    def __init__(self, image: Encoder, text: Encoder, image_projection: nn.Linear, text_projection: nn.Linear) -> None:
        super().__init__()
        self.image, self.text = image, text
        self.image_projection, self.text_projection = image_projection, text_projection

    def encode_images(self, batch: Mapping[str, Any]) -> Tensor:
        """(B, P) of a prepared batch."""
        return F.normalize(self.image_projection(encode(self.image, batch)).float(), dim=1)

    def encode_texts(self, batch: Mapping[str, Any]) -> Tensor:
        """(B, P) of a batch of tokens."""
        return F.normalize(self.text_projection(encode(self.text, batch)).float(), dim=1)

    def save_projections(self, folder: Path) -> None:
        """Write what stands beside the two encoders."""
        state = {"image": self.image_projection.weight, "text": self.text_projection.weight}
        folder.mkdir(parents=True, exist_ok=True)
        with replacing(folder / PROJECTIONS) as path:
            save_file({key: value.detach().cpu().contiguous().clone() for key, value in state.items()}, path)


def load_joint(folder: Path) -> Joint:
    """Load what a method of images and texts exported, in eval mode on the CPU.

    Raises:
        ConfigError: the folder holds no encoders of images and texts together.
    """
    if not (folder / PROJECTIONS).is_file():
        raise ConfigError(f"{folder} has no {PROJECTIONS}: no encoder of images and texts together")
    state = load_file(folder / PROJECTIONS)
    projections = {}
    for key, weight in state.items():
        layer = nn.Linear(weight.shape[1], weight.shape[0], bias=False)
        layer.load_state_dict({"weight": weight})
        projections[key] = layer
    image, text = load_encoder(folder / "image"), load_encoder(folder / "text")
    return Joint(image, text, projections["image"], projections["text"]).eval()
