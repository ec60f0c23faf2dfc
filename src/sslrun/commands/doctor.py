"""`sslrun doctor [--json]`: what this machine has for training, and how to get what is missing."""

import argparse
import json
import netrc
import os
import platform
import re
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from enum import Enum
from importlib import metadata
from pathlib import Path

from sslrun.config.loader import LoaderConfig
from sslrun.config.trainer import Precision
from sslrun.core.machine import cpu_name, usable_cores
from sslrun.data.folders import cache_folder

GIB = 1 << 30
OPTIONAL = {
    "datasets": "dataset=hf",
    "tensorboard": "logger=tensorboard",
    "psycopg": "a sweep's study in PostgreSQL",
}
"""Package -> what it is for."""


class State(Enum):
    """`missing`: optional, or has a remedy; `warn`: costs speed or may break a run."""

    ok = "ok"
    missing = "missing"
    warn = "warn"


@dataclass(frozen=True)
class Finding:
    """One line of the report."""

    state: State
    name: str
    found: str
    remedy: str = ""


def main(arguments: list[str]) -> None:
    """Print the findings; none of them is an error."""
    parser = argparse.ArgumentParser(prog="sslrun doctor", description="What this machine has, and what it lacks.")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args(arguments)
    found = findings()
    if options.json:
        print(json.dumps([asdict(f) | {"state": f.state.value} for f in found], indent=2))
        return
    width = max(len(f.name) for f in found)
    for f in found:
        print(f"{f.state.value:<8}{f.name:<{width}}  {f.found}{f'  -> {f.remedy}' if f.remedy else ''}")


def findings() -> list[Finding]:
    """All findings, in the order of the output."""
    parts = (_python(), _torch(), _cpu(), _memory(), _disks(), _loggers(), _optional(), _cluster())
    return [finding for part in parts for finding in part]


def _python() -> Iterator[Finding]:
    version = platform.python_version()
    supported = (3, 11) <= tuple(map(int, platform.python_version_tuple()[:2])) < (3, 14)
    remedy = "" if supported else "sslrun is tested with Python 3.11 to 3.13"
    yield Finding(State.ok if supported else State.warn, "python", f"{version} on {platform.platform()}", remedy)


def _torch() -> Iterator[Finding]:
    try:
        import torch
    except (ImportError, OSError) as error:  # OSError: a CUDA library that does not load
        yield Finding(State.missing, "torch", f"does not import: {error}", "pip install --force-reinstall torch")
        return
    from sslrun.training.plan import loader_workers
    from sslrun.training.precision import accelerator_name, resolve_precision

    build = f"CUDA {torch.version.cuda}" if torch.version.cuda else "no CUDA"
    yield Finding(State.ok, "torch", f"{torch.__version__}, built with {build}")
    for i in range(torch.cuda.device_count() if torch.cuda.is_available() else 0):
        gpu = torch.cuda.get_device_properties(i)
        capability = f"compute capability {gpu.major}.{gpu.minor}"
        yield Finding(State.ok, f"gpu {i}", f"{gpu.name}, {gpu.total_memory / GIB:.0f} GiB, {capability}")
    if not torch.cuda.is_available():
        yield _no_gpu(built_with_cuda=torch.version.cuda is not None)
    accelerator = accelerator_name("auto")
    precision = resolve_precision(Precision.auto, accelerator=accelerator)
    slow = precision is Precision.fp32
    remedy = f"this {accelerator} has no native bf16; training is about 2 to 4 times slower" if slow else ""
    yield Finding(State.warn if slow else State.ok, "precision=auto", f"{precision.value} on {accelerator}", remedy)
    yield Finding(State.ok, "torch threads", str(torch.get_num_threads()))
    workers = loader_workers(LoaderConfig(), devices=max(1, torch.cuda.device_count()))
    yield Finding(State.ok, "loader.workers=auto", f"{workers} for each device")


def _no_gpu(*, built_with_cuda: bool) -> Finding:
    if not Path("/dev/nvidia0").exists():
        return Finding(State.missing, "gpu", "none; training runs on the CPU")
    remedy = "update the NVIDIA driver" if built_with_cuda else "install a CUDA build: https://pytorch.org/get-started"
    return Finding(State.warn, "gpu", "present, but torch cannot use it", remedy)


def _cpu() -> Iterator[Finding]:
    from sslrun.training.precision import cpu_bf16_unit

    usable, limit = usable_cores(), cgroup_cores()
    cores = f"{os.cpu_count()} cores, {usable} usable" + (f", cgroup limit {limit:g}" if limit else "")
    short = limit is not None and limit < usable
    remedy = (
        f"set OMP_NUM_THREADS={max(int(limit or 1), 1)}: more threads than the limit slow each other" if short else ""
    )
    yield Finding(State.warn if short else State.ok, "cpu", f"{cpu_name()}; {cores}", remedy)
    unit = cpu_bf16_unit()
    found = "neither AMX nor AVX512-BF16" if unit is None else f"{unit[0]}: at most {unit[1]} times the peak of fp32"
    yield Finding(State.missing if unit is None else State.ok, "cpu bf16", found)
    threads = os.environ.get("OMP_NUM_THREADS")
    yield Finding(State.ok, "OMP_NUM_THREADS", threads or "not set: torch takes all cores")


def cgroup_cores() -> float | None:
    """CPU limit of the container, in cores; None if there is none or it cannot be read."""
    quota, _, period = _read("/sys/fs/cgroup/cpu.max").partition(" ")
    if not period:  # cgroup v1
        quota, period = (_read(f"/sys/fs/cgroup/cpu/cpu.cfs_{name}_us") for name in ("quota", "period"))
    return int(quota) / int(period) if quota.isdigit() and period.isdigit() else None


def _memory() -> Iterator[Finding]:
    sizes = {
        k: int(v) * 1024 for k, v in re.findall(r"^(MemTotal|MemAvailable):\s+(\d+) kB", _read("/proc/meminfo"), re.M)
    }
    limit = next((v for v in map(_read, ("/sys/fs/cgroup/memory.max",)) if v.isdigit()), None)
    parts = [
        f"{sizes[k] / GIB:.1f} GiB {word}"
        for k, word in (("MemTotal", "in all"), ("MemAvailable", "free"))
        if k in sizes
    ]
    parts += [f"cgroup limit {int(limit) / GIB:.1f} GiB"] if limit else []
    yield Finding(State.ok if parts else State.warn, "memory", ", ".join(parts) or "not known on this system")


def _disks() -> Iterator[Finding]:
    cache = cache_folder(None)
    remedies = {
        "runs": (Path("runs"), 5, "name a roomier place: run.dir=/elsewhere/…"),
        "cache": (cache, 5, "name a roomier place: SSLRUN_CACHE=/elsewhere"),
        "/dev/shm": (
            Path("/dev/shm"),
            1,
            "loaders pass batches through it: docker run --shm-size=8g, or loader.workers=0",
        ),
    }
    for name, (path, least, remedy) in remedies.items():
        existing = next(p for p in (path.absolute(), *path.absolute().parents) if p.exists())
        free = shutil.disk_usage(existing).free / GIB
        writable = os.access(existing, os.W_OK)
        good = free >= least and writable
        found = f"{free:.1f} GiB free at {path.absolute()}{'' if writable else ', not writable'}"
        yield Finding(State.ok if good else State.warn, name, found, "" if good else remedy)


def _loggers() -> Iterator[Finding]:
    yield Finding(State.ok, "metrics.csv", "always written")
    version = installed("wandb")
    if version is None:
        yield Finding(State.missing, "wandb", "not installed", "pip install wandb")
    elif has_wandb_key():
        yield Finding(State.ok, "wandb", f"{version}, with a key")
    else:
        yield Finding(State.ok, "wandb", f"{version}, no key: offline only", "wandb login, for logger.wandb=online")


def has_wandb_key() -> bool:
    """Whether a wandb key is set; the key is neither stored nor shown."""
    if os.environ.get("WANDB_API_KEY"):
        return True
    try:
        return netrc.netrc().authenticators("api.wandb.ai") is not None
    except (OSError, netrc.NetrcParseError, RuntimeError):  # RuntimeError: no home folder
        return False


def _optional() -> Iterator[Finding]:
    for package, use in OPTIONAL.items():
        version = installed(package)
        if version is None:
            yield Finding(State.missing, package, f"not installed; for {use}", f"pip install {extra_of(package)}")
        else:
            yield Finding(State.ok, package, f"{version}; for {use}")


def installed(package: str) -> str | None:
    """Version of a package; None if it is not installed."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def extra_of(package: str) -> str:
    """`'sslrun[hf]'` if one of our extras installs the package, else its name."""
    try:
        requirements = metadata.requires("sslrun") or []
    except metadata.PackageNotFoundError:
        requirements = []
    for requirement in requirements:
        extra = re.search(r"extra == ['\"]([\w-]+)['\"]", requirement)
        if extra and extra.group(1) != "dev" and re.match(rf"{re.escape(package)}\b", requirement):
            return f"'sslrun[{extra.group(1)}]'"
    return package


def _cluster() -> Iterator[Finding]:
    slurm = shutil.which("sbatch")
    state = State.ok if slurm else State.missing
    yield Finding(state, "slurm", slurm or "no sbatch on PATH", "" if slurm else "needed on a cluster only")


def _read(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""
