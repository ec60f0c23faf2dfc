"""Where jobs run: `hydra/launcher=process` and `hydra/launcher=slurm`."""

from dataclasses import dataclass, field
from typing import Any, ClassVar

from sslrun.config.checks import check_auto_or_whole
from sslrun.config.errors import ConfigError
from sslrun.config.node import Node, limited

KEY = "hydra.launcher"


@dataclass(kw_only=True)
class ProcessConfig(Node):
    """Local subprocesses.

    Attributes:
        jobs: at a time; `auto` is one for each visible GPU, else 1. If there are several GPUs, each job gets as many of
            its own as `trainer.devices` says (`auto` is one), and its share of the cores.
    """

    place: ClassVar[str] = KEY

    jobs: Any = "auto"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_auto_or_whole(f"{KEY}.jobs", self.jobs, at_least=1)


@dataclass(kw_only=True)
class SlurmConfig(Node):
    """A SLURM cluster: one array for the jobs of a sweep.

    Attributes:
        time: minutes, or anything that sbatch takes; in YAML with quotes, `'4:00:00'`.
        nodes: null takes `trainer.num_nodes`; a number sets it.
        tasks_per_node: null takes `trainer.devices` if that is a number, else `gpus_per_node`, else 1; a number sets
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

    place: ClassVar[str] = KEY

    partition: str | None = None
    account: str | None = None
    time: Any = 60
    nodes: int | None = limited(None, at_least=1)
    tasks_per_node: int | None = limited(None, at_least=1)
    gpus_per_node: int | None = limited(None, at_least=1)
    cpus_per_task: int | None = limited(None, at_least=1)
    mem: str | None = None
    signal_seconds: int = limited(120, at_least=1)
    array_parallelism: int = limited(64, at_least=1)
    wait: bool = True
    poll_seconds: float = limited(5.0, above=0)
    retries: int = limited(2, at_least=0)
    sbatch: Any = None  # a typed dict would refuse {qos: low} on the command line
    setup: list[str] = field(default_factory=list)
    srun: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__post_init__()
        _refuse_unquoted(f"{KEY}.time", self.time)
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
        f"write {as_time} with them, or {as_minutes} for that many minutes"
    )


Launching = ProcessConfig | SlurmConfig
"""Settings of a launcher that runs jobs outside this process."""
