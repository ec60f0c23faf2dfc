"""Seeds for per-step sampling: functions of progress, so that a resumed run samples the same without saved state."""

import struct

import numpy as np
import torch


def step_seed(progress: float, *further: int) -> np.random.SeedSequence:
    """Seed of the step at `progress`; depends on all 64 bits of it.

    Args:
        further: non-negative integers that distinguish several samples within a step.
    """
    return np.random.SeedSequence([*struct.unpack("<2I", struct.pack("<d", progress)), *further])


def seed_of_run() -> int:
    """torch's initial seed: during construction of a method this is the run's `seed`, on all ranks and after each
    restart, however many numbers have been generated since."""
    return torch.initial_seed()
