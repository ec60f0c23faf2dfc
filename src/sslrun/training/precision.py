"""Precisions and accelerators that the hardware supports."""

from pathlib import Path

import torch

from sslrun.config.errors import ConfigError
from sslrun.config.trainer import Precision

BF16_UNITS = {"amx_bf16": ("AMX", 16), "avx512_bf16": ("AVX512-BF16", 2)}
"""CPU flag -> name of the unit, peak bf16 throughput relative to fp32 in AVX-512; fastest first."""
LIGHTNING_NAMES = {Precision.fp32: "32-true", Precision.bf16: "bf16-mixed", Precision.fp16: "16-mixed"}


def resolve_precision(precision: Precision, *, accelerator: str, key: str = "precision") -> Precision:
    """Resolve `auto`: bf16 on CPUs with AMX or AVX512-BF16 and on GPUs from Ampere on, else fp32.

    Raises:
        ConfigError: fp16 on a CPU, where Lightning would silently train in bf16.
    """
    if precision is Precision.fp16 and accelerator == "cpu":
        raise ConfigError(f"{key}=fp16 needs a GPU, and this runs on the CPU; choose auto, bf16 or fp32")
    if precision is not Precision.auto:
        return precision
    return Precision.bf16 if native_bf16(accelerator) else Precision.fp32


def native_bf16(accelerator: str) -> bool:
    """Whether an accelerator (`cpu`, `cuda`, `mps`) supports bf16 natively."""
    if accelerator == "cuda":
        return torch.cuda.is_available() and torch.cuda.get_device_capability() >= (8, 0)
    return accelerator == "cpu" and cpu_bf16_unit() is not None


def cpu_bf16_unit() -> tuple[str, int] | None:
    """The CPU's fastest bf16 unit and its peak relative to fp32, e.g. ("AMX", 16); None if it has none."""
    flags = cpu_flags()
    return next((unit for flag, unit in BF16_UNITS.items() if flag in flags), None)


def cpu_flags() -> set[str]:
    """CPU flags from /proc/cpuinfo; empty if it does not exist."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return set()
    return next((set(line.split(":", 1)[1].split()) for line in lines if line.startswith("flags")), set())


def autocast_dtype(precision: Precision) -> torch.dtype | None:
    """Autocast dtype for evaluation; None without autocast."""
    return {Precision.bf16: torch.bfloat16, Precision.fp16: torch.float16}.get(precision)


def accelerator_name(asked: str, *, key: str = "accelerator") -> str:
    """Resolve `auto` and `gpu` to an available accelerator: cuda, mps or cpu.

    Raises:
        ConfigError: `asked` names an accelerator that is not available.
    """
    if asked in ("auto", "gpu", "cuda") and torch.cuda.is_available():
        return "cuda"
    if asked in ("auto", "gpu", "mps") and torch.backends.mps.is_available():
        return "mps"
    if asked in ("gpu", "cuda", "mps"):
        raise ConfigError(f"{key}={asked}: none is visible here; choose auto or cpu; see `sslrun doctor`")
    return "cpu"
