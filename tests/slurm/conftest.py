"""A real SLURM: `make test-slurm` starts one on this machine; without it these tests are skipped."""

import shutil
import subprocess
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def cluster() -> Iterator[None]:
    """Skip where there is no SLURM; leave no job behind."""
    if shutil.which("sinfo") is None or subprocess.run(["sinfo"], capture_output=True).returncode:
        pytest.skip("no SLURM answers here; `make test-slurm` starts one where it is root")
    yield
    subprocess.run(["scancel", "--me"], check=True)
    while subprocess.run(["squeue", "--me", "--noheader"], capture_output=True, text=True, check=True).stdout:
        pass
