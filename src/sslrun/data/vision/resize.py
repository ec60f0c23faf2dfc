"""Sizes of images: every image that is not augmented goes through `fit`, cached or not."""

import cv2
import numpy as np

# OpenCV's own threads compete with the loader's workers and do not survive a fork.
cv2.setNumThreads(0)

MARGIN = 8 / 7
"""Shorter side before the centre crop, relative to the crop: 256 for 224, as ImageNet is commonly evaluated."""
CHUNK = 4
"""Channels that every interpolation of OpenCV can bear at once."""


def resize(image: np.ndarray, *, height: int, width: int) -> np.ndarray:
    """Resize (H, W, C) to (height, width, C): by area where it shrinks, so that nothing aliases, else cubic."""
    if image.shape[:2] == (height, width):
        return image
    shrinks = height <= image.shape[0] and width <= image.shape[1]
    how = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    parts = [
        cv2.resize(np.ascontiguousarray(image[..., c : c + CHUNK]), (width, height), interpolation=how)
        for c in range(0, image.shape[2], CHUNK)
    ]
    return np.concatenate([p.reshape(height, width, -1) for p in parts], axis=2)  # (height, width, C)


def resize_shorter(image: np.ndarray, *, side: int) -> np.ndarray:
    """Resize (H, W, C) so that the shorter side is `side`; the ratio stays."""
    height, width = image.shape[:2]
    scale = side / min(height, width)
    return resize(image, height=max(side, round(height * scale)), width=max(side, round(width * scale)))


def centre_crop(image: np.ndarray, *, side: int) -> np.ndarray:
    """The middle (side, side, C) of an image that is at least so large."""
    top, left = (image.shape[0] - side) // 2, (image.shape[1] - side) // 2
    return image[top : top + side, left : left + side]


def fit(image: np.ndarray, *, side: int) -> np.ndarray:
    """The image (H, W, C) as (side, side, C): with a margin cut off where it is larger, whole where it is not."""
    height, width = image.shape[:2]
    if (height, width) == (side, side):
        return image
    if min(height, width) > side:
        image = resize_shorter(image, side=min(min(height, width), with_margin(side)))
    else:
        image = resize_shorter(image, side=side)
    return centre_crop(image, side=side)


def with_margin(side: int) -> int:
    """Side of the square that is kept of a larger image, so that crops have something to choose from."""
    return round(side * MARGIN)
