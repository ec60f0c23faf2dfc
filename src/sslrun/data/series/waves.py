"""Synthetic waveforms for tests, demonstrations and first runs; not a benchmark."""

from collections.abc import Callable

import numpy as np

from sslrun.config.dataset.series import WavesConfig
from sslrun.data.series.series import SeriesData
from sslrun.data.series.source import Recordings, items_of, whole

CHANNELS = 3
SHORTEST, LONGEST = 64, 96


class Waves(SeriesData):
    """Five classes of waveform; channels share their frequency and differ in phase."""

    def __init__(self, config: WavesConfig) -> None:
        recordings = draw(config.items, noise=config.noise, missing=config.missing)
        train = items_of(recordings, whole(recordings), window=None, stride=None, where="waves")
        super().__init__(config, {"train": train})


def draw(items: int, *, noise: float, missing: float) -> Recordings:
    """The waves, from a fixed seed."""
    random = np.random.Generator(np.random.Philox(20261))
    values, labels = [], []
    for i in range(items):
        name = sorted(FORMS)[i % len(FORMS)]
        length = int(random.integers(SHORTEST, LONGEST + 1))
        cycles = random.uniform(2.0, 6.0) * np.arange(length)[:, None] / LONGEST + random.random((1, CHANNELS))
        wave = random.uniform(0.5, 1.5, (1, CHANNELS)) * FORMS[name](cycles % 1)  # (T, C)
        wave = (wave + noise * random.standard_normal(wave.shape)).astype(np.float32)
        wave[random.random(wave.shape) < missing] = np.nan
        values.append(wave)
        labels.append(name)
    return Recordings(values, [f"waves[{i}]" for i in range(items)], labels)


FORMS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "sine": lambda phase: np.sin(2 * np.pi * phase),
    "square": lambda phase: np.where(phase < 0.5, 1.0, -1.0),
    "sawtooth": lambda phase: 2 * phase - 1,
    "triangle": lambda phase: 4 * np.abs(phase - 0.5) - 1,
    "pulse": lambda phase: np.where(phase < 0.15, 1.5, -0.3),
}
"""Functions of the phase in [0, 1)."""
