"""Augmentation policies for images; randomness is a function of (seed, epoch, position, view)."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from sslrun.config.errors import ConfigError
from sslrun.config.schema import AugmentationConfig, ViewConfig
from sslrun.data.randomness import Randomness
from sslrun.data.vision.resize import fit
from sslrun.data.vision.transforms import Builder, ImageFacts, try_out

PATCH = 4
"""Relative view sizes of small images are rounded to a multiple of it, so that a small ViT gets whole patches."""
SMALL = 64
"""Views below this side are small; on larger ones policies choose shares that fit their patches (96 = 6 x 16)."""


@dataclass
class View:
    """One kind of view: from an image (H, W, C) to (side, side, C), uint8."""

    side: int
    transforms: list[Any]

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """Raises what the transforms raise; `try_out` has checked them."""
        data = {"image": image}
        for transform in self.transforms:
            data = transform(**data)
        return fit(data["image"], side=self.side)


class Policy:
    """All views of an image.

    Args:
        facts: of the dataset; transforms unsuitable for its images are skipped.

    Attributes:
        left_out: skipped transforms and raised limits, for the resolved block.

    Raises:
        ConfigError: no such transform or argument, a value that the transform rejects, a transform that fails on this
            number of channels, or views not ordered from large to small.
    """

    def __init__(self, config: AugmentationConfig, facts: ImageFacts) -> None:
        self.name = config.name
        self._randomness = Randomness()
        self._views: list[View] = []
        left_out: list[str] = []
        for kind in config.views:
            side = side_of(kind, image_size=facts.image_size)
            build = Builder(facts=facts, side=side, left_out=left_out)
            view = View(side, build.transforms(kind.transforms))
            for transform in view.transforms:
                transform.set_random_state(self._randomness.numpy, self._randomness.python)
            view(try_out(view.transforms, side=side, facts=facts))  # each alone, then all in sequence
            self._views += [view] * kind.count
        self.left_out = tuple(dict.fromkeys(left_out))
        if list(self.sides) != sorted(self.sides, reverse=True):
            raise ConfigError(
                f"augmentation.views must come largest first, got sides of {', '.join(map(str, self.sides))} pixels"
            )

    def __len__(self) -> int:
        return len(self._views)

    @property
    def sides(self) -> tuple[int, ...]:
        """Side of each view in pixels."""
        return tuple(v.side for v in self._views)

    def view(self, image: np.ndarray, view: int, *, seed: int, epoch: int, index: int) -> np.ndarray:
        """View number `view` of an image (H, W, C) as (side, side, C); deterministic given the four numbers."""
        self._randomness.set(seed=seed, epoch=epoch, index=index, view=view)
        return self._views[view](image)

    def views(self, image: np.ndarray, *, seed: int, epoch: int, index: int) -> list[np.ndarray]:
        """All views of an image (H, W, C): V arrays of (side, side, C)."""
        return [self.view(image, v, seed=seed, epoch=epoch, index=index) for v in range(len(self._views))]


def side_of(view: ViewConfig, *, image_size: int) -> int:
    """A view's side in pixels."""
    if view.size is None:
        return image_size
    if view.size >= 1:
        return round(view.size)
    side = image_size * view.size
    return max(1, round(side / PATCH)) * PATCH if side < SMALL else round(side)
