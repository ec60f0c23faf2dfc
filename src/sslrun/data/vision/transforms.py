"""Albumentations transforms from the YAML of a policy, with precise errors.

The only file that depends on Albumentations.
"""

import inspect
import os
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sslrun.config.checks import did_you_mean
from sslrun.config.errors import ConfigError
from sslrun.data.policy import name_and_arguments
from sslrun.data.vision.resize import with_margin

os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"  # else the import queries the package index for updates
import albumentations as A

KEY = "augmentation.views"
RGB = 3
SIZE_ARGUMENTS = ("height", "width", "min_height", "min_width", "max_size")
"""Arguments, besides `size`, that default to the view's side."""
BLUR_KERNEL = 0.1
"""GaussianBlur's default kernel size relative to the side: appendix A of arXiv:2002.05709."""
BLUR_ABOVE = 32
"""No default blur on views of this side or less: the paper's CIFAR-10 policy has none (appendix B.9)."""


@dataclass(kw_only=True)
class ImageFacts:
    """Properties of a dataset's images.

    Attributes:
        unsuitable: names of transforms to skip.
        min_crop_scale: minimum share of the area that a random crop keeps.
    """

    image_size: int
    channels: int
    unsuitable: Sequence[str] = ()
    min_crop_scale: float = 0.0


@dataclass
class Builder:
    """Builds the transforms of views of one size.

    Attributes:
        left_out: skipped transforms (unsuitable ones, colour transforms on non-RGB images) and raised limits.
    """

    facts: ImageFacts
    side: int
    left_out: list[str] = field(default_factory=list)

    def transforms(self, entries: Sequence[Any]) -> list[Any]:
        """Build transforms from entries `Name` or `{Name: {argument: value}}`.

        Raises:
            ConfigError: no such transform or argument, or a value that the transform rejects.
        """
        for name in self.facts.unsuitable:
            _transform_class(name, key="dataset.unsuitable")
        built = [self._transform(*name_and_arguments(e, key=KEY)) for e in entries]
        return [t for t in built if t is not None]

    def _transform(self, name: str, given: dict[str, Any]) -> Any:
        cls = _transform_class(name, key=KEY)
        arguments = dict(given)
        known = [p for p in inspect.signature(cls).parameters if p not in ("self", "args", "kwargs")]
        for argument in arguments:
            if argument not in known:
                raise ConfigError(f"{KEY}: {name} has no argument '{argument}'{did_you_mean(argument, known)}")
        if name in self.facts.unsuitable:
            self.left_out.append(name)
            return None
        if "transforms" in known:
            arguments["transforms"] = self.transforms(arguments.get("transforms") or [])
            return _construct(cls, arguments) if arguments["transforms"] else None
        if name == "GaussianBlur" and "blur_limit" not in arguments:
            if self.side <= BLUR_ABOVE:
                self.left_out.append(f"GaussianBlur at {self.side} px")
                return None
            arguments["blur_limit"] = [round(self.side * BLUR_KERNEL) | 1] * 2  # odd
        if name == "RandomResizedCrop":
            self._raise_scale(arguments)
        if "area_for_downscale" in known:
            arguments.setdefault("area_for_downscale", "image")  # else downscaling aliases
        transform = _construct(cls, self._sizes(known) | arguments)
        if self._needs_rgb(transform):
            self.left_out.append(f"{name} on {self.facts.channels} channel(s)")
            return None
        return transform

    def _needs_rgb(self, transform: Any) -> bool:
        """Whether it works on RGB images, but not on the dataset's number of channels."""
        side, channels = with_margin(max(self.facts.image_size, self.side)), self.facts.channels
        return (
            channels != RGB
            and _problem(transform, _noise(side, channels)) is not None
            and _problem(transform, _noise(side, RGB)) is None
        )

    def _raise_scale(self, arguments: dict[str, Any]) -> None:
        low, high = arguments.get("scale", (0.08, 1.0))
        floor = self.facts.min_crop_scale
        if low < floor:
            arguments["scale"] = [floor, max(high, floor)]
            self.left_out.append(f"crops below {floor:g} of the area")

    def _sizes(self, known: list[str]) -> dict[str, Any]:
        sizes: dict[str, Any] = {name: self.side for name in SIZE_ARGUMENTS if name in known}
        return sizes | ({"size": (self.side, self.side)} if "size" in known else {})


def try_out(transforms: Sequence[Any], *, side: int, facts: ImageFacts) -> np.ndarray:
    """Apply each transform once, so that failures show before training.

    Returns:
        The random image (H, W, C) that was used.

    Raises:
        ConfigError: a transform that fails on a view of `side` pixels, or does not return an image.
    """
    image = _noise(with_margin(max(facts.image_size, side)), facts.channels)
    for transform in _leaves(transforms):
        problem = _problem(transform, image)
        if problem is not None:
            name = type(transform).__name__
            raise ConfigError(
                f"{KEY}: {name} fails on images of {facts.channels} channel(s): {problem}; "
                f"say dataset.unsuitable=[{','.join([*facts.unsuitable, name])}] or choose augmentation=weak"
            )
    return image


def _noise(side: int, channels: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (side, side, channels), np.uint8)


def _problem(transform: Any, image: np.ndarray) -> str | None:
    """Why a transform cannot be applied to an image (H, W, C), or None."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            out = transform(image=image, force_apply=True)["image"]
        except Exception as error:  # whatever OpenCV, numpy or a transform raises
            return str(error).splitlines()[0]
    return None if _is_image(out, image.shape[2]) else f"gives {out.dtype} of shape {out.shape}"


def _transform_class(name: str, *, key: str) -> Any:
    names = [n for n, c in vars(A).items() if isinstance(c, type) and issubclass(c, A.BasicTransform | A.BaseCompose)]
    if name not in names:
        raise ConfigError(f"{key}: '{name}' is not an Albumentations transform{did_you_mean(name, names)}")
    return getattr(A, name)


def _construct(cls: Any, arguments: dict[str, Any]) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # Albumentations only warns, and falls back to defaults
        try:
            return cls(**arguments)
        except (ValueError, TypeError, AttributeError, Warning) as error:
            raise ConfigError(f"{KEY}: {cls.__name__}: {_reason(error)}") from error


def _reason(error: BaseException) -> str:
    """A one-line summary of a pydantic error."""
    details = getattr(error.__cause__, "errors", None)
    if details is None:
        return str(error).splitlines()[0]
    first = details()[0]
    where = ".".join(str(part) for part in first["loc"]) or "arguments"
    if first["type"] == "missing":
        return f"{where} is required"
    return f"{where}={first.get('input')!r}: {first['msg']}"


def _leaves(transforms: Sequence[Any]) -> Iterator[Any]:
    for transform in transforms:
        if isinstance(transform, A.BaseCompose):
            yield from _leaves(transform.transforms)
        else:
            yield transform


def _is_image(out: np.ndarray, channels: int) -> bool:
    return out.dtype == np.uint8 and out.ndim == 3 and out.shape[2] == channels
