"""Where jobs run: `hydra/launcher=process` and `hydra/launcher=slurm`."""

from dataclasses import dataclass, field
from typing import Any, ClassVar

from sslrun.config.checks import check_auto_or_int
from sslrun.config.errors import ConfigError
from sslrun.config.node import Node, limited

KEY = "hydra.launcher"


@dataclass(kw_only=True)
class ProcessConfig(Node):
    """Local subprocesses.

    Attributes:
        jobs: concurrent jobs; `auto` is one per visible GPU, else 1. With several GPUs each job gets `trainer.devices`
            of them (`auto` is one) exclusively, and its share of the cores.
    """

    section: ClassVar[str] = KEY

    jobs: Any = "auto"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_auto_or_int(f"{KEY}.jobs", self.jobs, at_least=1)


@dataclass(kw_only=True)
class SlurmConfig(Node):
    """A SLURM cluster: one array for the jobs of a sweep.

    Attributes:
        time: minutes, or any other time that sbatch accepts; quoted in YAML, `'4:00:00'`.
        nodes: null takes `trainer.num_nodes`; a number sets it.
        tasks_per_node: null takes `trainer.devices` if that is a number, else `gpus_per_node`, else 1; a number sets
            `trainer.devices`.
        signal_seconds: time before the limit at which runs are signalled to save; SLURM may do so a minute earlier.
        array_parallelism: maximum concurrent jobs of a sweep.
        wait: false submits and returns.
        poll_seconds: interval between queries of the queue.
        retries: how often a crashed run is requeued without a newer checkpoint; never after a user error.
        sbatch: any other options of sbatch, without dashes: `{qos: low, gpus: h100:4}`.
        setup: shell lines before the run: modules, environments.
        srun: further arguments of srun, e.g. of a container plugin, or a program that starts the run: `[apptainer, …]`.
    """

    section: ClassVar[str] = KEY

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
    """Refuse what may be an unquoted `h:mm:00`, which YAML reads as a number of seconds."""
    if not isinstance(minutes, int) or minutes < 3600 or minutes % 60:
        return
    as_time = f"'{minutes // 3600}:{minutes // 60 % 60:02}:00'"
    as_minutes = f"'{minutes // 1440}-{minutes // 60 % 24:02}:00:00'"
    raise ConfigError(
        f"{key}={minutes}: YAML reads {as_time} without quotes as this number, which sbatch takes as minutes; write "
        f"{as_time} with quotes, or {as_minutes} for that many minutes"
    )


Launching = ProcessConfig | SlurmConfig
"""Settings of a launcher that runs jobs outside this process."""
