"""Transforms from the YAML of an augmentation policy, for any modality."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from sslrun.config.checks import did_you_mean
from sslrun.config.errors import ConfigError
from sslrun.config.schema import AugmentationConfig
from sslrun.data.randomness import Randomness


class Views:
    """All views of a policy for arrays.

    Args:
        build: makes the transform of a YAML entry; transforms are called with the array and a generator.
    """

    def __init__(self, config: AugmentationConfig, build: Callable[[Any], Callable[..., np.ndarray]]) -> None:
        self.name = config.name
        built = [[build(entry) for entry in kind.transforms] for kind in config.views]
        self._views = [view for view, kind in zip(built, config.views, strict=True) for _ in range(kind.count)]
        self._randomness = Randomness()

    def __len__(self) -> int:
        return len(self._views)

    def view(self, x: np.ndarray, view: int, *, seed: int, epoch: int, index: int, **options: Any) -> np.ndarray:
        """One view of an array; randomness depends on seed, epoch, index and view only.

        Args:
            options: passed to every transform.
        """
        self._randomness.set(seed=seed, epoch=epoch, index=index, view=view)
        for transform in self._views[view]:
            x = transform(x, self._randomness.numpy, **options)
        return x


def name_and_arguments(entry: Any, *, key: str) -> tuple[str, dict[str, Any]]:
    """Parse `Name` or `{Name: {argument: value}}`.

    Raises:
        ConfigError: it is neither; the message starts with `key`.
    """
    if isinstance(entry, str):
        return entry, {}
    if isinstance(entry, dict) and len(entry) == 1:
        ((name, arguments),) = entry.items()
        if arguments is None or isinstance(arguments, dict):
            return str(name), arguments or {}
    raise ConfigError(f"{key}: {entry!r} is neither a transform's name nor {{Name: {{argument: value}}}}")


def build_transform(
    entry: Any, transforms: Mapping[str, type], *given: Any, policy: str, modality: str, remedy: str = ""
) -> Any:
    """Build the transform of a YAML entry.

    Args:
        transforms: classes by name.
        given: positional arguments that precede those of the entry.
        policy: name of the augmentation, for messages.
        modality: for messages.
        remedy: ending of the message for an unknown name.

    Raises:
        ConfigError: no such transform or argument, or a malformed entry.
    """
    key = f"augmentation={policy}"
    name, arguments = name_and_arguments(entry, key=key)
    if name not in transforms:
        raise ConfigError(
            f"{key}: {name} is no transform of {modality}{did_you_mean(name, transforms)}; there are "
            f"{', '.join(transforms)}{remedy}"
        )
    known = list(inspect.signature(transforms[name]).parameters)[len(given) :]
    for argument in arguments:
        if argument not in known:
            raise ConfigError(f"{key}: {name} takes no {argument}{did_you_mean(argument, known)}")
    return transforms[name](*given, **arguments)
