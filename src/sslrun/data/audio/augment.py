"""Augmentation policies for normalised log-mel and waveforms.

Masks are from SpecAugment (Park et al. 2019, arXiv:1904.08779, section 2), Mixup and ResizedCrop from BYOL-A (Niizumi
et al. 2021, arXiv:2103.06695, section 3.2).
"""

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import cv2
import numpy as np

from sslrun.config.checks import check_interval, check_range
from sslrun.config.errors import ConfigError
from sslrun.config.schema import AugmentationConfig
from sslrun.data.policy import Views, build_transform, name_and_arguments


@dataclass(frozen=True)
class Facts:
    """Properties of the dataset that transforms depend on.

    Attributes:
        std: of log energy over train, before normalisation.
        max_length: frames or samples that the encoder reads.
        silence: normalised value of silence.
        fixed: whether every item has `max_length` frames.
        random_clip: draws a training clip, (mels, frames) normalised; None for waveforms.
        of_waves: whether items are waveforms, (1, T), to which only the transforms in OF_WAVES apply.
    """

    std: float
    max_length: int
    silence: float
    fixed: bool
    random_clip: Callable[[np.random.Generator], np.ndarray] | None = None
    of_waves: bool = False


class Transform(Protocol):
    """One step of a policy."""

    def __call__(self, x: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """(F, T) -> (F, T')."""
        ...


class Crop:
    """A random contiguous crop; share: minimum length, as a share of min(length, max_length)."""

    def __init__(self, facts: Facts, *, share: float = 1.0) -> None:
        check_range("Crop.share", share, above=0, at_most=1)
        self.max_length, self.share = facts.max_length, share

    def __call__(self, x: np.ndarray, random: np.random.Generator) -> np.ndarray:
        longest = min(self.max_length, x.shape[1])
        shortest = min(longest, max(1, round(self.share * longest)))
        size = int(random.integers(shortest, longest + 1))
        start = int(random.integers(x.shape[1] - size + 1))
        return x[:, start : start + size]


class Place:
    """Pad a short clip with silence on both sides at random; without it, padding is at the end."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts

    def __call__(self, x: np.ndarray, random: np.random.Generator) -> np.ndarray:
        space = self.facts.max_length - x.shape[1]
        if space <= 0 or not self.facts.fixed:
            return x
        before = int(random.integers(space + 1))
        return np.pad(x, ((0, 0), (before, space - before)), constant_values=self.facts.silence)


class TimeStretch:
    """Change of duration at constant pitch; factor: range of the log-uniform length factor."""

    def __init__(self, facts: Facts, *, factor: tuple[float, float] = (0.8, 1.25)) -> None:
        check_interval("TimeStretch.factor", factor, above=0)
        self.low, self.high = factor

    def __call__(self, x: np.ndarray, random: np.random.Generator) -> np.ndarray:
        factor = math.exp(random.uniform(math.log(self.low), math.log(self.high)))
        return resized(x, x.shape[0], max(1, round(x.shape[1] * factor)))


class _Mask:
    """Set stripes to the mean; width: maximum, as a share of the axis; count: number of stripes."""

    axis: int

    def __init__(self, facts: Facts, *, width: float = 0.2, count: int = 1) -> None:
        name = type(self).__name__
        check_range(f"{name}.width", width, above=0, below=1)
        check_range(f"{name}.count", count, at_least=1)
        self.width, self.count = width, count

    def __call__(self, x: np.ndarray, random: np.random.Generator) -> np.ndarray:
        x, side = x.copy(), x.shape[self.axis]
        for _ in range(self.count):
            size = int(random.integers(round(self.width * side) + 1))
            start = int(random.integers(side - size + 1))
            stripe = slice(start, start + size)
            x[(stripe, slice(None)) if self.axis == 0 else (slice(None), stripe)] = 0
        return x


class FrequencyMask(_Mask):
    """Set consecutive bands to the mean; width: maximum share of bands; count: number of stripes."""

    axis = 0


class TimeMask(_Mask):
    """Set consecutive frames to the mean; width: maximum share of frames; count: number of stripes."""

    axis = 1


class Noise:
    """Gaussian noise; std: in units of the standard deviation over train."""

    def __init__(self, facts: Facts, *, std: float = 0.1) -> None:
        check_range("Noise.std", std, at_least=0)
        self.std = std

    def __call__(self, x: np.ndarray, random: np.random.Generator) -> np.ndarray:
        return x + self.std * random.standard_normal(x.shape, dtype=np.float32)


class Gain:
    """Random change of volume; decibel: maximum, in either direction."""

    def __init__(self, facts: Facts, *, decibel: float = 6.0) -> None:
        check_range("Gain.decibel", decibel, at_least=0)
        self.decibel, self.facts = decibel, facts

    def __call__(self, x: np.ndarray, random: np.random.Generator) -> np.ndarray:
        decibel = random.uniform(-self.decibel, self.decibel)
        if self.facts.of_waves:
            return x * np.float32(10 ** (decibel / 20))
        return x + np.float32(decibel * math.log(10) / 10 / self.facts.std)


class Mixup:
    """Mix in the energy of another clip; share: its maximum share. BYOL-A, eq. 2."""

    def __init__(self, facts: Facts, *, share: float = 0.4) -> None:
        check_range("Mixup.share", share, at_least=0, below=1)
        self.facts, self.share = facts, share

    def __call__(self, x: np.ndarray, random: np.random.Generator) -> np.ndarray:
        share, frames = random.uniform(0, self.share), x.shape[1]
        assert self.facts.random_clip is not None
        other = self.facts.random_clip(random)
        start = int(random.integers(max(1, other.shape[1] - frames + 1)))
        other = pad_or_crop(other[:, start : start + frames], frames, self.facts.silence)
        std = self.facts.std
        with np.errstate(divide="ignore"):
            mixed = np.logaddexp(std * x + np.log1p(-share), std * other + np.log(share)) / std
        return mixed.astype(np.float32)


class ResizedCrop:
    """Crop a random rectangle, possibly beyond the clip's ends, and resize it back: shifts pitch and tempo.

    Args:
        frequency, time: range of the crop's sides, relative to the spectrogram's.
    """

    def __init__(
        self, facts: Facts, *, frequency: tuple[float, float] = (0.6, 1.5), time: tuple[float, float] = (0.6, 1.5)
    ) -> None:
        check_interval("ResizedCrop.frequency", frequency, above=0)
        check_interval("ResizedCrop.time", time, above=0)
        self.frequency, self.time, self.silence = frequency, time, facts.silence

    def __call__(self, x: np.ndarray, random: np.random.Generator) -> np.ndarray:
        bands, frames = x.shape
        high = max(1, min(bands, round(bands * random.uniform(*self.frequency))))  # as in the authors' code
        wide = max(1, round(frames * random.uniform(*self.time)))
        bottom = int(random.integers(bands - high + 1))
        margin = max(0, wide - frames)
        x = np.pad(x, ((0, 0), (margin, margin)), constant_values=self.silence) if margin else x
        start = int(random.integers(x.shape[1] - wide + 1))
        return resized(x[bottom : bottom + high, start : start + wide], bands, frames)


TRANSFORMS: dict[str, type] = {
    cls.__name__: cls for cls in (Crop, Place, TimeStretch, FrequencyMask, TimeMask, Noise, Gain, Mixup, ResizedCrop)
}
OF_WAVES = ("Crop", "Place", "TimeMask", "Noise", "Gain")


class Policy(Views):
    """All views of a clip.

    Raises:
        ConfigError: no such transform or argument.
    """

    def __init__(self, config: AugmentationConfig, facts: Facts) -> None:
        super().__init__(config, functools.partial(_build, facts=facts, policy=config.name))

    @property
    def keeps_all(self) -> bool:
        """Whether no view crops what the encoder would read of a clip, or mixes in another clip."""
        steps = [step for view in self._views for step in view]
        return not any(isinstance(s, ResizedCrop | Mixup) or (isinstance(s, Crop) and s.share < 1) for s in steps)


def pad_or_crop(x: np.ndarray, frames: int, silence: float) -> np.ndarray:
    """(F, T) -> (F, frames): truncated, or padded with silence at the end."""
    short = max(0, frames - x.shape[1])
    return np.pad(x, ((0, 0), (0, short)), constant_values=silence) if short else x[:, :frames]


def resized(x: np.ndarray, bands: int, frames: int) -> np.ndarray:
    """Linear interpolation to (bands, frames)."""
    return cv2.resize(np.ascontiguousarray(x), (frames, bands), interpolation=cv2.INTER_LINEAR).reshape(bands, frames)


def _build(entry: Any, facts: Facts, *, policy: str) -> Transform:
    name, _ = name_and_arguments(entry, key=f"augmentation={policy}")
    if facts.of_waves and name in TRANSFORMS and name not in OF_WAVES:
        raise ConfigError(
            f"augmentation={policy}: {name} does not apply to waveforms; these take {', '.join(OF_WAVES)}; choose e.g. "
            "augmentation=audio_crop, audio_wave, or none"
        )
    remedy = "; choose e.g. augmentation=audio_views, audio_crop, or none"
    built: Transform = build_transform(entry, TRANSFORMS, facts, policy=policy, modality="sound", remedy=remedy)
    return built
