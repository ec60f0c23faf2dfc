"""Which arithmetic the hardware has natively."""

from pathlib import Path

import torch

from sslrun.config.errors import ConfigError
from sslrun.config.trainer import Precision

BF16_UNITS = {"amx_bf16": ("AMX", 16), "avx512_bf16": ("AVX512-BF16", 2)}
"""Flag of the processor: its unit, and the peak of bf16 arithmetic relative to fp32 in AVX-512; the fastest first."""
LIGHTNING_NAMES = {Precision.fp32: "32-true", Precision.bf16: "bf16-mixed", Precision.fp16: "16-mixed"}


def resolve_precision(precision: Precision, *, accelerator: str) -> Precision:
    """`auto` becomes bf16 where the hardware multiplies it natively: CPUs with AMX or AVX512-BF16, GPUs from Ampere."""
    if precision is not Precision.auto:
        return precision
    return Precision.bf16 if native_bf16(accelerator) else Precision.fp32


def native_bf16(accelerator: str) -> bool:
    """Whether bf16 pays on this accelerator (`cpu`, `cuda`, `mps`)."""
    if accelerator == "cuda":
        return torch.cuda.is_available() and torch.cuda.get_device_capability() >= (8, 0)
    return accelerator == "cpu" and cpu_bf16_unit() is not None


def cpu_bf16_unit() -> tuple[str, int] | None:
    """The processor's fastest unit for bf16 and its peak relative to fp32, e.g. ("AMX", 16); None where it has none."""
    flags = cpu_flags()
    return next((unit for flag, unit in BF16_UNITS.items() if flag in flags), None)


def cpu_flags() -> set[str]:
    """Flags of the processor; empty where Linux does not tell."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return set()
    return next((set(line.split(":", 1)[1].split()) for line in lines if line.startswith("flags")), set())


def autocast_dtype(precision: Precision) -> torch.dtype | None:
    """dtype of autocast in evaluation; None without autocast."""
    return {Precision.bf16: torch.bfloat16, Precision.fp16: torch.float16}.get(precision)


def accelerator_name(asked: str) -> str:
    """`auto`, `gpu` -> what is here: cuda, mps or cpu.

    Raises:
        ConfigError: the one that was asked for by name is not here.
    """
    if asked in ("auto", "gpu", "cuda") and torch.cuda.is_available():
        return "cuda"
    if asked in ("auto", "gpu", "mps") and torch.backends.mps.is_available():
        return "mps"
    if asked in ("cuda", "mps"):
        raise ConfigError(f"accelerator={asked}: none is visible here; choose auto or cpu; `sslrun doctor` tells more")
    return "cpu" if asked in ("auto", "gpu") else asked
