"""Rank of this process from the environment, before a process group exists."""

import os


def global_rank() -> int:
    """Rank set by torchrun (RANK), SLURM (SLURM_PROCID under srun) or Lightning's relaunch (LOCAL_RANK); else 0."""
    if "RANK" in os.environ:
        return int(os.environ["RANK"])
    if "SLURM_PROCID" in os.environ and "SLURM_STEP_ID" in os.environ:
        return int(os.environ["SLURM_PROCID"])
    return int(os.environ.get("LOCAL_RANK", "0"))


def local_rank() -> int:
    """Rank among the processes on this machine, from the same sources."""
    if "LOCAL_RANK" in os.environ:
        return int(os.environ["LOCAL_RANK"])
    return int(os.environ.get("SLURM_LOCALID", "0")) if "SLURM_STEP_ID" in os.environ else 0
