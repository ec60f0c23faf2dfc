"""Read recordings as mono at a given sample rate."""

import math
from pathlib import Path
from typing import BinaryIO

import numpy as np
import soundfile
from scipy.signal import resample_poly

from sslrun.config.errors import DataError

ENDINGS = frozenset({".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".au", ".caf", ".w64"})
SHORTEST = 0.01
"""Minimum duration in seconds; shorter counts as unreadable."""


def read_wave(path: Path | BinaryIO, *, sample_rate: int, name: str = "") -> np.ndarray:
    """(n,) int16, channels averaged.

    Args:
        path: a file, or its bytes.
        name: for messages; the path by default.

    Raises:
        DataError: it cannot be read, or is shorter than SHORTEST.
    """
    try:
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)  # (n, channels)
    except (OSError, RuntimeError) as error:  # soundfile's own errors are RuntimeErrors
        reason = getattr(error, "error_string", error)  # the reason without the path
        raise DataError(f"{name or path}: cannot be read: {reason}") from error
    if len(samples) < SHORTEST * rate:
        raise DataError(f"{name or path}: holds {len(samples)} samples, too few to hear")
    return as_int16(resample(samples.mean(axis=1), rate, sample_rate))


def resample(wave: np.ndarray, rate: int, wanted: int) -> np.ndarray:
    """(n,) samples at another rate, by polyphase filtering."""
    if rate == wanted:
        return wave
    common = math.gcd(rate, wanted)
    return resample_poly(wave, wanted // common, rate // common)


def as_int16(wave: np.ndarray) -> np.ndarray:
    """Samples in [-1, 1] as int16; values outside are clipped."""
    return np.round(np.clip(wave, -1.0, 1.0) * 32767).astype(np.int16)
