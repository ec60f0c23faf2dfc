"""Schedules as pure functions of progress in [0, 1]: nothing of them needs saving, and a resume cannot drift."""

import math


def cosine(start: float, end: float, progress: float) -> float:
    """From `start` to `end` along half a cosine."""
    return end + (start - end) * 0.5 * (1 + math.cos(math.pi * min(max(progress, 0.0), 1.0)))


def linear(start: float, end: float, progress: float) -> float:
    """From `start` to `end` along a line."""
    return start + (end - start) * min(max(progress, 0.0), 1.0)


def exponential(start: float, end: float, progress: float) -> float:
    """From `start` to `end`, both above 0, by the same factor in equal parts."""
    return float(start * (end / start) ** min(max(progress, 0.0), 1.0))
