"""Augmentation policies for series, applied to normalised values.

Jitter, Scaling and Permutation are those of Um et al. 2017, arXiv:1706.00527, section 3.2.
"""

import functools
from typing import Any, Protocol

import numpy as np

from sslrun.config.checks import check_range
from sslrun.config.schema import AugmentationConfig
from sslrun.data.policy import Views, build_transform


class Transform(Protocol):
    """One step of a policy."""

    def __call__(self, series: np.ndarray, random: np.random.Generator, *, max_length: int) -> np.ndarray:
        """(T, C) -> (T', C); the encoder reads at most `max_length` timestamps."""
        ...


class Jitter:
    """Gaussian noise; std: in units of a channel's standard deviation over train."""

    def __init__(self, *, std: float = 0.1) -> None:
        check_range("Jitter.std", std, at_least=0)
        self.std = std

    def __call__(self, series: np.ndarray, random: np.random.Generator, *, max_length: int) -> np.ndarray:
        return series + self.std * random.standard_normal(series.shape, dtype=np.float32)


class Scaling:
    """A random factor per channel, normal around 1; std: of the factors."""

    def __init__(self, *, std: float = 0.2) -> None:
        check_range("Scaling.std", std, at_least=0)
        self.std = std

    def __call__(self, series: np.ndarray, random: np.random.Generator, *, max_length: int) -> np.ndarray:
        factors = 1 + self.std * random.standard_normal((1, series.shape[1]), dtype=np.float32)
        return series * factors


class Permutation:
    """Split at random positions and shuffle the pieces; segments: maximum number of pieces."""

    def __init__(self, *, segments: int = 4) -> None:
        check_range("Permutation.segments", segments, at_least=2)
        self.segments = segments

    def __call__(self, series: np.ndarray, random: np.random.Generator, *, max_length: int) -> np.ndarray:
        count = int(random.integers(1, self.segments + 1))
        if count == 1 or len(series) <= count:
            return series
        cuts = np.sort(random.choice(np.arange(1, len(series)), size=count - 1, replace=False))
        pieces = np.split(series, cuts)
        return np.concatenate([pieces[i] for i in random.permutation(count)])


class Crop:
    """A random contiguous crop; share: minimum length, as a share of min(length, max_length)."""

    def __init__(self, *, share: float = 1.0) -> None:
        check_range("Crop.share", share, above=0, at_most=1)
        self.share = share

    def __call__(self, series: np.ndarray, random: np.random.Generator, *, max_length: int) -> np.ndarray:
        longest = min(max_length, len(series))
        shortest = min(longest, max(1, round(self.share * longest)))
        size = int(random.integers(shortest, longest + 1))
        start = int(random.integers(len(series) - size + 1))
        return series[start : start + size]


TRANSFORMS: dict[str, type] = {cls.__name__: cls for cls in (Jitter, Scaling, Permutation, Crop)}


class Policy(Views):
    """All views of a series.

    Raises:
        ConfigError: no such transform or argument.
    """

    def __init__(self, config: AugmentationConfig) -> None:
        super().__init__(config, functools.partial(_build, policy=config.name))


def _build(entry: Any, *, policy: str) -> Transform:
    remedy = "; choose e.g. augmentation=series_views, or none"
    built: Transform = build_transform(entry, TRANSFORMS, policy=policy, modality="series", remedy=remedy)
    return built
