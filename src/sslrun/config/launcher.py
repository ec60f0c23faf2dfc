"""Where jobs run: `hydra/launcher=process` and `hydra/launcher=slurm`."""

from dataclasses import dataclass, field
from typing import Any

from sslrun.config.checks import check_range
from sslrun.config.errors import ConfigError

KEY = "hydra.launcher"


@dataclass(kw_only=True)
class ProcessConfig:
    """Local subprocesses.

    Attributes:
        jobs: at a time; `auto` is one for each GPU that is visible, else 1. Where there are several GPUs, each gets as
            many of its own as `trainer.devices` says (`auto` is one), and its share of the cores.
    """

    jobs: Any = "auto"

    def __post_init__(self) -> None:
        if self.jobs != "auto":
            if isinstance(self.jobs, bool) or not isinstance(self.jobs, int):
                raise ConfigError(f"{KEY}.jobs must be 'auto' or a whole number, got {self.jobs!r}")
            check_range(f"{KEY}.jobs", self.jobs, at_least=1)


@dataclass(kw_only=True)
class SlurmConfig:
    """A SLURM cluster: one array for the jobs of a sweep.

    Attributes:
        time: minutes, or anything that sbatch takes; in YAML with quotes, `'4:00:00'`.
        nodes: null takes `trainer.num_nodes`; a number sets it.
        tasks_per_node: null takes `trainer.devices` where that is a number, else `gpus_per_node`, else 1; a number sets
            `trainer.devices`.
        signal_seconds: how long before the time limit a run is asked to save; SLURM may ask up to a minute earlier.
        array_parallelism: jobs of a sweep that may run at a time.
        wait: false submits and returns.
        poll_seconds: between two looks at the queue.
        retries: how often a run that crashed is put into the queue again before it has a newer checkpoint; one that
            ends by a user's error never is.
        sbatch: any other option of sbatch, without its dashes: `{qos: low, gpus: h100:4}`.
        setup: shell lines before the run: modules, environments.
        srun: further arguments of srun, as of a container plugin, or a program that starts the run: `[apptainer, …]`.
    """

    partition: str | None = None
    account: str | None = None
    time: Any = 60
    nodes: int | None = None
    tasks_per_node: int | None = None
    gpus_per_node: int | None = None
    cpus_per_task: int | None = None
    mem: str | None = None
    signal_seconds: int = 120
    array_parallelism: int = 64
    wait: bool = True
    poll_seconds: float = 5.0
    retries: int = 2
    sbatch: Any = None  # a typed dict would refuse {qos: low} on the command line
    setup: list[str] = field(default_factory=list)
    srun: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        for name in (
            "nodes",
            "tasks_per_node",
            "gpus_per_node",
            "cpus_per_task",
            "signal_seconds",
            "array_parallelism",
        ):
            check_range(f"{KEY}.{name}", getattr(self, name), at_least=1)
        _refuse_unquoted(f"{KEY}.time", self.time)
        check_range(f"{KEY}.poll_seconds", self.poll_seconds, above=0)
        check_range(f"{KEY}.retries", self.retries, at_least=0)
        self.sbatch = {} if self.sbatch is None else self.sbatch
        if not isinstance(self.sbatch, dict):
            raise ConfigError(f"{KEY}.sbatch must be {{option: value}}, got {self.sbatch!r}")
        for option in self.sbatch:
            if option.replace("-", "_") in ("time", "time_min"):
                _refuse_unquoted(f"{KEY}.sbatch.{option}", self.sbatch[option])
            if option.replace("-", "_") in ("array", "output", "error", "open_mode", "requeue", "signal", "parsable"):
                raise ConfigError(f"{KEY}.sbatch.{option} cannot be set: restarts and logs depend on it")


def _refuse_unquoted(key: str, minutes: Any) -> None:
    """Refuse what may be YAML's reading of `h:mm:00` without quotes, a number of seconds."""
    if not isinstance(minutes, int) or minutes < 3600 or minutes % 60:
        return
    as_time = f"'{minutes // 3600}:{minutes // 60 % 60:02}:00'"
    as_minutes = f"'{minutes // 1440}-{minutes // 60 % 24:02}:00:00'"
    raise ConfigError(
        f"{key}={minutes}: YAML makes this number of {as_time} without its quotes, and sbatch takes it for minutes; "
        f"write {as_time} with them, or {as_minutes} for so many minutes"
    )


Launching = ProcessConfig | SlurmConfig
"""Settings of a launcher that runs jobs outside this process."""
