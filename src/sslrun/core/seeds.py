"""Seeds of what is drawn anew at each step: functions of progress, so that a resume draws the same without saving."""

import struct

import numpy as np
import torch


def step_seed(progress: float, *further: int) -> np.random.SeedSequence:
    """Seed of the step at `progress`; all of its bits count, in every 32-bit word that is taken from it.

    Args:
        further: what tells apart several draws of one step, each at least 0.
    """
    return np.random.SeedSequence([*struct.unpack("<2I", struct.pack("<d", progress)), *further])


def seed_of_run() -> int:
    """What torch was seeded with: while a method is built the run's `seed`, on all ranks and after each restart,
    whatever was drawn since."""
    return torch.initial_seed()
