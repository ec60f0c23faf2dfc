"""Resizing and cropping; every unaugmented image passes through `fit`, cached or not."""

import cv2
import numpy as np

# OpenCV's threads compete with loader workers and do not survive a fork.
cv2.setNumThreads(0)

MARGIN = 8 / 7
"""Shorter side before the centre crop, relative to the crop: 256 for 224, as ImageNet is commonly evaluated."""
CHUNK = 4
"""Maximum number of channels that all of OpenCV's interpolations support."""


def resize(image: np.ndarray, *, height: int, width: int) -> np.ndarray:
    """Resize (H, W, C) to (height, width, C): area interpolation to shrink, without aliasing, else cubic."""
    if image.shape[:2] == (height, width):
        return image
    shrinks = height <= image.shape[0] and width <= image.shape[1]
    interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    parts = [
        cv2.resize(np.ascontiguousarray(image[..., c : c + CHUNK]), (width, height), interpolation=interpolation)
        for c in range(0, image.shape[2], CHUNK)
    ]
    return np.concatenate([p.reshape(height, width, -1) for p in parts], axis=2)  # (height, width, C)


def resize_shorter(image: np.ndarray, *, side: int) -> np.ndarray:
    """Resize (H, W, C) so that the shorter side is `side`, keeping the aspect ratio."""
    height, width = image.shape[:2]
    scale = side / min(height, width)
    return resize(image, height=max(side, round(height * scale)), width=max(side, round(width * scale)))


def centre_crop(image: np.ndarray, *, side: int) -> np.ndarray:
    """The central (side, side, C) of an image that is at least that large."""
    top, left = (image.shape[0] - side) // 2, (image.shape[1] - side) // 2
    return image[top : top + side, left : left + side]


def fit(image: np.ndarray, *, side: int) -> np.ndarray:
    """Resize and centre-crop (H, W, C) to (side, side, C); only larger images lose a margin on the shorter side."""
    height, width = image.shape[:2]
    if (height, width) == (side, side):
        return image
    if min(height, width) > side:
        image = resize_shorter(image, side=min(min(height, width), with_margin(side)))
    else:
        image = resize_shorter(image, side=side)
    return centre_crop(image, side=side)


def with_margin(side: int) -> int:
    """`side` with the margin that larger images keep, so that random crops can vary."""
    return round(side * MARGIN)
