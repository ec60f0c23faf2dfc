"""A picture of training images next to their views, to inspect an augmentation policy."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from sslrun.config.schema import AugmentationConfig
from sslrun.core.atomic import replacing
from sslrun.core.batch import ImageBatch, ViewsBatch
from sslrun.data.vision.images import ImageData
from sslrun.data.vision.items import TrainingImages

CELL = 112
"""Side of a displayed image in pixels."""
GAP = 6
CAPTION = 16


def preview(
    data: ImageData, augmentation: AugmentationConfig, *, batch_type: type, seed: int, count: int, path: Path
) -> None:
    """Write a PNG with one row for each of the first `count` training images: the image, then its views in epoch 0.

    Raises:
        ConfigError: the policy cannot be built, as in training.
        DataError: an image cannot be read.
    """
    kind = ViewsBatch if batch_type is ViewsBatch else ImageBatch  # without captions
    items = data.training(augmentation, batch_type=kind, seed=seed)
    assert isinstance(items, TrainingImages)
    rows = []
    for position in range(min(count, len(items))):
        item = items[0, position]
        views = [item["image"]] if kind is ImageBatch else item["views"]
        rows.append([items.split.read(item["index"]), *views])
    captions = [f"stored {size_of(rows[0][0])}", *(f"view {v} {size_of(i)}" for v, i in enumerate(rows[0][1:], 1))]
    with replacing(path) as temporary:
        grid(rows, captions=captions).save(temporary, format="PNG")


def grid(rows: list[list[np.ndarray]], *, captions: list[str]) -> Image.Image:
    """Rows of images (H, W, C) uint8 under a line of captions."""
    step = CELL + GAP
    picture = Image.new("RGB", (GAP + step * len(captions), CAPTION + step * len(rows)), "white")
    draw = ImageDraw.Draw(picture)
    for column, caption in enumerate(captions):
        draw.text((GAP + step * column, 2), caption, fill="black")
    for r, row in enumerate(rows):
        for c, image in enumerate(row):
            picture.paste(shown(image), (GAP + step * c, CAPTION + step * r))
    return picture


def shown(image: np.ndarray) -> Image.Image:
    """An image for display: small ones enlarged without smoothing; the first of 2 channels, the first 3 of more."""
    channels = image.shape[2]
    visible = image[..., 0] if channels in (1, 2) else np.ascontiguousarray(image[..., :3])
    picture = Image.fromarray(visible).convert("RGB")
    scale = CELL / max(picture.size)
    size = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
    return picture.resize(size, Image.Resampling.NEAREST if scale > 1 else Image.Resampling.LANCZOS)


def size_of(image: np.ndarray) -> str:
    """`32x32`: width and height in pixels."""
    return f"{image.shape[1]}x{image.shape[0]}"
