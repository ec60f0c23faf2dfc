"""Normalisation of compact batches, on the device."""

from typing import Any

import torch
from torch import Tensor, nn


class Normalize(nn.Module):
    """uint8 `views` or `image` (B, C, H, W) to float32, (x / 255 - mean) / std; other keys are kept.

    Args:
        mean, std: per channel, for values in [0, 1].
        channels_last: memory format of the result; fastest for convolutions in bf16.
    """

    scale: Tensor
    shift: Tensor

    def __init__(self, *, mean: list[float], std: list[float], channels_last: bool = True) -> None:
        super().__init__()
        m, s = torch.tensor(mean), torch.tensor(std)
        # not in checkpoints: mean and std are in an encoder's config.json
        self.register_buffer("scale", 1 / (255 * s), persistent=False)  # (C,)
        self.register_buffer("shift", -m / s, persistent=False)  # (C,)
        self.channels_last = channels_last

    def forward(self, batch: dict[str, Any]) -> dict[str, Any]:
        """A new batch with normalised images."""
        out = dict(batch)
        if "views" in batch:
            out["views"] = [self.normalize(v) for v in batch["views"]]
        if "image" in batch:
            out["image"] = self.normalize(batch["image"])
        return out

    def normalize(self, images: Tensor) -> Tensor:
        """(B, C, H, W) uint8 to float32."""
        b, c, h, w = images.shape
        # Whole rows at a time: with C innermost, broadcasting (C,) over single pixels is eight times slower on a CPU.
        rows = images.permute(0, 2, 3, 1).reshape(b, h, w * c).to(torch.float32)  # (B, H, W * C)
        rows = torch.addcmul(self.shift.repeat(w), rows, self.scale.repeat(w))
        values = rows.view(b, h, w, c).permute(0, 3, 1, 2)  # (B, C, H, W)
        return values if self.channels_last else values.contiguous()
