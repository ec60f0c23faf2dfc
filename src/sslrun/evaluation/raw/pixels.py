"""Raw baseline of images: the pixels."""

import math

import torch.nn.functional as F
from torch import Tensor, nn

MAX_FEATURES = 3072  # 3 x 32 x 32: CIFAR images are not pooled


class Pixels(nn.Module):
    """Flattened pixels, average-pooled to a square if there are more than 3,072 of them."""

    reads = "image"

    def forward(self, image: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, D), D <= 3,072."""
        channels, height, width = image.shape[1:]
        if channels * height * width > MAX_FEATURES:
            side = math.isqrt(MAX_FEATURES // channels)
            image = F.adaptive_avg_pool2d(image, (min(height, side), min(width, side)))
        return image.flatten(1)


BASELINE = Pixels
