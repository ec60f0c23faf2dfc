"""Schedules as pure functions of progress in [0, 1]: stateless, so that a resumed run cannot drift."""

import math


def cosine(start: float, end: float, progress: float) -> float:
    """Half-cosine from `start` to `end`."""
    return end + (start - end) * 0.5 * (1 + math.cos(math.pi * min(max(progress, 0.0), 1.0)))


def linear(start: float, end: float, progress: float) -> float:
    """Linear from `start` to `end`."""
    return start + (end - start) * min(max(progress, 0.0), 1.0)


def exponential(start: float, end: float, progress: float) -> float:
    """Exponential from `start` to `end`, both positive."""
    return float(start * (end / start) ** min(max(progress, 0.0), 1.0))
