"""Policies of augmentation: lists of Albumentations transforms, each view's randomness fixed by where it stands.

The one file that knows Albumentations.
"""

import inspect
import os
import random
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sslrun.config.checks import did_you_mean
from sslrun.config.errors import ConfigError
from sslrun.config.schema import AugmentationConfig, ViewConfig
from sslrun.data.vision.resize import fit, with_margin

os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"  # else the import asks the package index for a newer release
import albumentations as A

KEY = "augmentation.views"
PATCH = 4
"""Shares of the image's side come to a multiple of it, so that small crops are whole patches of a small ViT."""
SIZE_ARGUMENTS = ("height", "width", "min_height", "min_width", "max_size")
"""Arguments, beside `size`, that take the view's side where the policy gives none."""
BLUR_KERNEL = 0.1
"""GaussianBlur's kernel relative to the side where the policy gives no `blur_limit`: appendix A of arXiv:2002.05709."""
BLUR_ABOVE = 32
"""No such blur on views of this side or less: the paper's CIFAR-10 policy has none (appendix B.9)."""


@dataclass(kw_only=True)
class ImageFacts:
    """What a dataset says about its images.

    Attributes:
        unsuitable: transforms that they cannot bear.
        min_crop_scale: smallest share of the area that a random crop may keep.
    """

    image_size: int
    channels: int
    unsuitable: Sequence[str] = ()
    min_crop_scale: float = 0.0


class Randomness:
    """One numpy and one Python generator for all transforms, set anew before each view.

    Setting a Philox counter takes 1 us; Albumentations' own `set_random_seed` makes two generators per transform.
    """

    def __init__(self) -> None:
        self.numpy = np.random.Generator(np.random.Philox(0))
        self.python = random.Random(0)
        self._key = np.zeros(2, np.uint64)
        self._counter = np.zeros(4, np.uint64)
        self._state = {
            "bit_generator": "Philox",
            "state": {"counter": self._counter, "key": self._key},
            "buffer": np.zeros(4, np.uint64),
            "buffer_pos": 4,  # nothing drawn yet: left-overs of the last view must not reach this one
            "has_uint32": 0,
            "uinteger": 0,
        }

    def set(self, *, seed: int, epoch: int, index: int, view: int) -> None:
        """Make what follows a function of these four alone."""
        self._key[:] = seed, view
        self._counter[1:3] = index, epoch  # word 0 counts the draws
        self.numpy.bit_generator.state = self._state
        self.python.seed(seed << 112 | epoch << 80 | index << 16 | view)


@dataclass
class View:
    """One kind of view: from an image (H, W, C) to (side, side, C), uint8."""

    side: int
    transforms: list[Any]

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """Raises whatever a transform raises; the dry run of `Policy` met it first."""
        data = {"image": image}
        for transform in self.transforms:
            data = transform(**data)
        return fit(data["image"], side=self.side)


class Policy:
    """All views of an image.

    Args:
        config: the kinds of views.
        facts: of the dataset; transforms that its images cannot bear are left out.

    Attributes:
        left_out: what was left out or raised, for the resolved block.

    Raises:
        ConfigError: no such transform or argument, a value that the transform refuses, or a transform that fails on
            images of so many channels.
    """

    def __init__(self, config: AugmentationConfig, facts: ImageFacts) -> None:
        self.name = config.name
        self._randomness = Randomness()
        self._views: list[View] = []
        left_out: list[str] = []
        for kind in config.views:
            build = _Build(facts=facts, side=side_of(kind, image_size=facts.image_size), left_out=left_out)
            view = View(build.side, build.transforms(kind.transforms))
            for transform in view.transforms:
                transform.set_random_state(self._randomness.numpy, self._randomness.python)
            _dry_run(view, facts)
            self._views += [view] * kind.count
        self.left_out = tuple(dict.fromkeys(left_out))

    def __len__(self) -> int:
        return len(self._views)

    @property
    def sides(self) -> tuple[int, ...]:
        """Side of each view in pixels."""
        return tuple(v.side for v in self._views)

    def view(self, image: np.ndarray, view: int, *, seed: int, epoch: int, index: int) -> np.ndarray:
        """View number `view` of an image (H, W, C): (side, side, C), the same for the same four numbers."""
        self._randomness.set(seed=seed, epoch=epoch, index=index, view=view)
        return self._views[view](image)

    def views(self, image: np.ndarray, *, seed: int, epoch: int, index: int) -> list[np.ndarray]:
        """All views of an image (H, W, C): V arrays of (side, side, C)."""
        return [self.view(image, v, seed=seed, epoch=epoch, index=index) for v in range(len(self._views))]


def side_of(view: ViewConfig, *, image_size: int) -> int:
    """A view's side in pixels."""
    if view.size is None:
        return image_size
    return max(1, round(image_size * view.size / PATCH)) * PATCH if view.size < 1 else round(view.size)


@dataclass
class _Build:
    """From the YAML of one kind of view to its transforms; what is dropped is told to `left_out`."""

    facts: ImageFacts
    side: int
    left_out: list[str] = field(default_factory=list)

    def transforms(self, entries: Sequence[Any]) -> list[Any]:
        built = [self._transform(*_name_and_arguments(e)) for e in entries]
        return [t for t in built if t is not None]

    def _transform(self, name: str, given: dict[str, Any]) -> Any:
        cls = _transform_class(name)
        if name in self.facts.unsuitable:
            self.left_out.append(name)
            return None
        arguments = dict(given)
        known = [p for p in inspect.signature(cls).parameters if p not in ("self", "args", "kwargs")]
        for argument in arguments:
            if argument not in known:
                raise ConfigError(f"{KEY}: {name} has no argument '{argument}'{did_you_mean(argument, known)}")
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
        return _construct(cls, self._sizes(known) | arguments)

    def _raise_scale(self, arguments: dict[str, Any]) -> None:
        low, high = arguments.get("scale", (0.08, 1.0))
        floor = self.facts.min_crop_scale
        if low < floor:
            arguments["scale"] = [floor, max(high, floor)]
            self.left_out.append(f"crops below {floor:g} of the area")

    def _sizes(self, known: list[str]) -> dict[str, Any]:
        sizes: dict[str, Any] = {name: self.side for name in SIZE_ARGUMENTS if name in known}
        return sizes | ({"size": (self.side, self.side)} if "size" in known else {})


def _name_and_arguments(entry: Any) -> tuple[str, dict[str, Any]]:
    if isinstance(entry, str):
        return entry, {}
    if isinstance(entry, dict) and len(entry) == 1:
        ((name, arguments),) = entry.items()
        if arguments is None or isinstance(arguments, dict):
            return str(name), arguments or {}
    raise ConfigError(f"{KEY}: {entry!r} is neither a transform's name nor {{Name: {{argument: value}}}}")


def _transform_class(name: str) -> Any:
    names = [n for n, c in vars(A).items() if isinstance(c, type) and issubclass(c, A.BasicTransform | A.BaseCompose)]
    if name not in names:
        raise ConfigError(f"{KEY}: '{name}' is not an Albumentations transform{did_you_mean(name, names)}")
    return getattr(A, name)


def _construct(cls: Any, arguments: dict[str, Any]) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # Albumentations warns and goes on with its defaults
        try:
            return cls(**arguments)
        except (ValueError, TypeError, AttributeError, Warning) as error:
            raise ConfigError(f"{KEY}: {cls.__name__}: {_reason(error)}") from error


def _reason(error: BaseException) -> str:
    """One line out of pydantic's many."""
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


def _dry_run(view: View, facts: ImageFacts) -> None:
    """Meet a transform that cannot bear so many channels before any work is done."""
    side = with_margin(max(facts.image_size, view.side))
    image = np.random.default_rng(0).integers(0, 256, (side, side, facts.channels), np.uint8)
    for transform in _leaves(view.transforms):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            try:
                out = transform(image=image, force_apply=True)["image"]
                problem = None if _is_image(out, facts.channels) else f"gives {out.dtype} of shape {out.shape}"
            except Exception as error:  # whatever OpenCV, numpy or a transform raises
                problem = str(error).splitlines()[0]
        if problem is not None:
            name = type(transform).__name__
            raise ConfigError(
                f"{KEY}: {name} fails on images of {facts.channels} channel(s): {problem}; "
                f"say dataset.unsuitable=[{','.join([*facts.unsuitable, name])}] or choose augmentation=weak"
            )
    view(image)


def _is_image(out: np.ndarray, channels: int) -> bool:
    return out.dtype == np.uint8 and out.ndim == 3 and out.shape[2] == channels
