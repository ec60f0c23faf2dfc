"""Checks of a stack of convolutions over time."""

from collections.abc import Callable

from sslrun.config.checks import check_range
from sslrun.config.errors import ConfigError


def check_convolutions(kernels: list[int], strides: list[int], *, key_of: Callable[[str], str]) -> None:
    """Raise ConfigError unless each kernel has a stride, no larger than the kernel."""
    if len(kernels) != len(strides) or not kernels:
        raise ConfigError(
            f"{key_of('kernels')} and {key_of('strides')} must be equally long, got {len(kernels)} and {len(strides)}"
        )
    for kernel, stride in zip(kernels, strides, strict=True):
        check_range(key_of("strides"), stride, at_least=1, at_most=kernel)
