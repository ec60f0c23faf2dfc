"""The method's part of a Lightning state_dict, in which its tensors have a prefix. No heavy imports."""

import textwrap
from collections.abc import Mapping
from typing import Any

PREFIX = "method."
MISFIT_CHARACTERS = 300


def method_state(state: Mapping[str, Any]) -> dict[str, Any]:
    """The method's tensors without the prefix."""
    return {k.removeprefix(PREFIX): v for k, v in state.items() if k.startswith(PREFIX)}


def first_misfit(error: RuntimeError) -> str:
    """First line of torch's list of mismatches, shortened; the heading above it names only the class."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return textwrap.shorten(lines[min(1, len(lines) - 1)], MISFIT_CHARACTERS, placeholder=" …")
