"""Random generator states: saved in checkpoints and restored per rank."""

import random
from typing import Any

import numpy as np
import torch


def random_state() -> dict[str, Any]:
    """States of this process's generators, in types that torch.load(weights_only=True) reads."""
    name, keys, position, has_gauss, gauss = np.random.get_state()
    state = {
        "torch": torch.get_rng_state(),
        "numpy": [str(name), np.asarray(keys).tolist(), int(position), int(has_gauss), float(gauss)],
        "python": random.getstate(),
    }
    return state | ({"cuda": torch.cuda.get_rng_state()} if torch.cuda.is_available() else {})


def set_random_state(state: dict[str, Any]) -> None:
    """Inverse of `random_state`."""
    torch.set_rng_state(state["torch"])
    name, keys, position, has_gauss, gauss = state["numpy"]
    np.random.set_state((name, np.array(keys, dtype=np.uint32), position, has_gauss, gauss))
    random.setstate(state["python"])
    if "cuda" in state and torch.cuda.is_available():
        torch.cuda.set_rng_state(state["cuda"])


def restore_random_state(states: list[dict[str, Any]], *, rank: int, world: int) -> None:
    """Restore this rank's state; if the number of ranks has changed, seed all ranks equally from rank 0's state.

    Ranks start equally seeded too, because some samples, such as TS2Vec's crops, must be equal on all ranks.
    """
    if len(states) == world:
        set_random_state(states[rank])
        return
    set_random_state(states[0])
    seed = int(torch.randint(2**31, ()))
    torch.manual_seed(seed)  # all devices
    np.random.seed(seed)
    random.seed(seed)
