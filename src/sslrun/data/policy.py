"""From a policy's YAML to transforms, whatever they transform."""

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
        build: makes the transform of an entry; it is called with the array and a generator.
    """

    def __init__(self, config: AugmentationConfig, build: Callable[[Any], Callable[..., np.ndarray]]) -> None:
        self.name = config.name
        built = [[build(entry) for entry in kind.transforms] for kind in config.views]
        self._views = [view for view, kind in zip(built, config.views, strict=True) for _ in range(kind.count)]
        self._randomness = Randomness()

    def __len__(self) -> int:
        return len(self._views)

    def view(self, x: np.ndarray, view: int, *, seed: int, epoch: int, index: int, **given: Any) -> np.ndarray:
        """One view of an array; what is drawn is a function of seed, epoch, index and view alone.

        Args:
            given: to every transform.
        """
        self._randomness.set(seed=seed, epoch=epoch, index=index, view=view)
        for transform in self._views[view]:
            x = transform(x, self._randomness.numpy, **given)
        return x


def name_and_arguments(entry: Any, *, key: str) -> tuple[str, dict[str, Any]]:
    """Of `Name` or `{Name: {argument: value}}`.

    Raises:
        ConfigError: it is neither; `key` says where it stands.
    """
    if isinstance(entry, str):
        return entry, {}
    if isinstance(entry, dict) and len(entry) == 1:
        ((name, arguments),) = entry.items()
        if arguments is None or isinstance(arguments, dict):
            return str(name), arguments or {}
    raise ConfigError(f"{key}: {entry!r} is neither a transform's name nor {{Name: {{argument: value}}}}")


def build_transform(
    entry: Any, transforms: Mapping[str, type], *given: Any, policy: str, of: str, remedy: str = ""
) -> Any:
    """The transform that an entry asks for.

    Args:
        transforms: those that there are, by name.
        given: what each is built with before the arguments of the entry.
        policy: name of the augmentation.
        of: what they transform, for messages.
        remedy: what to choose instead, for a name that is none.

    Raises:
        ConfigError: no such transform or argument, or no entry.
    """
    key = f"augmentation={policy}"
    name, arguments = name_and_arguments(entry, key=key)
    if name not in transforms:
        raise ConfigError(
            f"{key}: {name} is no transform of {of}{did_you_mean(name, transforms)}; there are "
            f"{', '.join(transforms)}{remedy}"
        )
    known = list(inspect.signature(transforms[name]).parameters)[len(given) :]
    for argument in arguments:
        if argument not in known:
            raise ConfigError(f"{key}: {name} takes no {argument}{did_you_mean(argument, known)}")
    return transforms[name](*given, **arguments)
