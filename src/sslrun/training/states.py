"""The method's part of a Lightning state_dict, where each of its tensors has a prefix. Imports nothing heavy."""

import textwrap
from collections.abc import Mapping
from typing import Any

PREFIX = "method."
MISFIT_CHARACTERS = 300


def method_state(state: Mapping[str, Any]) -> dict[str, Any]:
    """The method's tensors under the names that the method itself gives them."""
    return {k.removeprefix(PREFIX): v for k, v in state.items() if k.startswith(PREFIX)}


def first_misfit(error: RuntimeError) -> str:
    """The first line of torch's list of misfits, cut if it names many tensors; its heading names only the class."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return textwrap.shorten(lines[min(1, len(lines) - 1)], MISFIT_CHARACTERS, placeholder=" …")
