"""Random numbers that are a function of (seed, epoch, position, view), in any process."""

import random

import numpy as np


class Randomness:
    """One NumPy and one Python generator for all transforms, reseeded before each view.

    Setting a Philox counter takes 1 us; Albumentations' own `set_random_seed` makes two generators per transform.
    """

    def __init__(self) -> None:
        self.numpy = np.random.Generator(np.random.Philox(0))
        self.python = random.Random(0)
        self._key = np.zeros(2, np.uint64)
        self._counter = np.zeros(4, np.uint64)
        self._state = {
            "bit_generator": "Philox",
            "state": {"counter": self._counter, "key": self._key},
            "buffer": np.zeros(4, np.uint64),
            "buffer_pos": 4,  # empty buffer: no values left over from the last view
            "has_uint32": 0,
            "uinteger": 0,
        }

    def set(self, *, seed: int, epoch: int, index: int, view: int) -> None:
        """Reseed both generators from these four numbers."""
        self._key[:] = seed, view
        self._counter[1:3] = index, epoch  # word 0 counts draws
        self.numpy.bit_generator.state = self._state
        self.python.seed(seed << 112 | epoch << 80 | index << 16 | view)
