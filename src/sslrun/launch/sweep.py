"""Jobs from Hydra's overrides; all are checked before any of them starts."""

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from hydra.core.utils import JobReturn, JobStatus, filter_overrides
from hydra.types import HydraContext
from omegaconf import DictConfig, OmegaConf, open_dict

from sslrun.config.command.base import CommandConfig
from sslrun.config.compose import differences, load, plain, typed
from sslrun.config.errors import ConfigError, RunError
from sslrun.config.launcher import Launching, SlurmConfig
from sslrun.core.console import say
from sslrun.launch.job import Job, Outcome, job_arguments, outcome
from sslrun.launch.process import ProcessPool
from sslrun.launch.slurm import Slurm
from sslrun.runs import signals
from sslrun.runs.changes import MAY_DIFFER
from sslrun.runs.manifest import read_manifest

_composing = threading.Lock()
"""Hydra composes with singletons, and a sweeper may launch from several threads."""
_NOT_PASSED = (
    "hydra/launcher",
    "hydra.launcher",
    "hydra/sweeper",
    "hydra.sweep",
    "hydra.mode",
    "hydra.run",
    "hydra.job",
)


class Backend(Protocol):
    """Runner of jobs."""

    def run(self, jobs: Sequence[Job], *, folder: Path) -> list[Outcome]:
        """Run jobs and wait for them, unless configured not to wait."""
        ...


def backend_of(hydra: DictConfig) -> Backend:
    """The backend that `hydra.launcher` configures.

    Raises:
        ConfigError: a value out of range.
    """
    settings: Any = OmegaConf.to_object(hydra.launcher)
    signals.uninstall()  # this process does not train
    return Slurm(settings) if isinstance(settings, SlurmConfig) else ProcessPool(settings)


def sweep_job(context: HydraContext, config: DictConfig, overrides: Sequence[str], *, number: int) -> Job:
    """The job of one point of a sweep.

    Raises:
        ConfigError: its configuration is invalid, as for a single run.
    """
    point = _compose(context, config, overrides, number=number)
    return make_job(point.command, point.task, point.checked, point.hydra, folder=point.folder, number=number)


def check_sweep(
    context: HydraContext, config: DictConfig, job_overrides: Sequence[Sequence[str]], *, first: int
) -> None:
    """Check all points of a sweep before the first one runs.

    Raises:
        ConfigError: a configuration is invalid, as for a single run.
    """
    for number, overrides in enumerate(job_overrides, first):
        _compose(context, config, overrides, number=number)


class _Point(NamedTuple):
    command: str
    task: list[str]
    folder: Path
    hydra: DictConfig
    checked: CommandConfig


def _compose(context: HydraContext, config: DictConfig, overrides: Sequence[str], *, number: int) -> _Point:
    with _composing:
        composed = context.config_loader.load_sweep_config(config, list(overrides))
        with open_dict(composed):
            composed.hydra.job.num, composed.hydra.job.id = number, str(number)
        folder = Path(composed.hydra.sweep.dir, composed.hydra.sweep.subdir).absolute()
        command, task = str(composed.hydra.job.name), list(composed.hydra.overrides.task)
        with open_dict(composed):
            settings = composed.pop("hydra")
        return _Point(command, task, folder, settings, typed(command, composed))


def make_job(
    command: str, task: Sequence[str], checked: CommandConfig, hydra: DictConfig, *, folder: Path, number: int = 0
) -> Job:
    """A job of `sslrun <command> <task>` in `folder`.

    Args:
        checked: the typed configuration of `task`.
        hydra: Hydra's configuration.
    """
    launcher: Any = OmegaConf.to_object(hydra.launcher)
    nodes, tasks, shape = _shape(checked, launcher)
    passed = [o for o in hydra.overrides.hydra if not o.lstrip("+~").startswith(_NOT_PASSED)]
    arguments = job_arguments(command, [*task, *shape], folder=folder, config_dirs=config_dirs(hydra), hydra=passed)
    return Job(
        number=number,
        arguments=arguments,
        folder=folder,
        cwd=Path.cwd(),
        nodes=nodes,
        tasks_per_node=tasks,
        done=_is_done(command, checked, folder),
    )


def config_dirs(hydra: DictConfig) -> list[str]:
    """Absolute paths given by --config-dir."""
    return [str(s.path) for s in hydra.runtime.config_sources if s.provider == "command-line"]


def launch_sweep(
    context: HydraContext, config: DictConfig, job_overrides: Sequence[Sequence[str]], *, first: int, backend: Backend
) -> list[JobReturn]:
    """Run a batch of a sweep; implements `launch` of Hydra's launchers."""
    jobs = [sweep_job(context, config, o, number=n) for n, o in enumerate(job_overrides, first)]
    for job, overrides in zip(jobs, job_overrides, strict=True):
        say(f"#{job.number} {' '.join(filter_overrides(overrides))}  {job.folder}")
    missing = [job for job in jobs if not job.done]
    ended = backend.run(missing, folder=Path(config.hydra.sweep.dir).absolute()) if missing else []
    outcomes = {o.job: o for o in [*ended, *(outcome(job) for job in jobs if job.done)]}
    for job in jobs:
        if outcomes[job].status != "submitted":
            say(f"#{job.number} {describe(outcomes[job])}")
    return [_job_return(outcomes[job], list(overrides)) for job, overrides in zip(jobs, job_overrides, strict=True)]


def launch_single(job: Job, backend: Backend) -> float | None:
    """Run one job outside a sweep.

    Returns:
        Its main metric; None if it has none or was only submitted.

    Raises:
        RunError: it failed or was stopped.
    """
    ended = outcome(job) if job.done else backend.run([job], folder=job.folder)[0]
    if ended.status == "submitted":
        say(f"submitted; `sslrun runs {job.folder}` and `sslrun logs {job.folder}` show its progress")
        return None
    if ended.error is not None:
        raise RunError(f"{job.folder}: {describe(ended)}")
    say(f"{job.folder}: {describe(ended)}")
    return ended.value


def describe(ended: Outcome) -> str:
    """`finished 0.931`, `failed: …`."""
    value = "" if ended.value is None else f" {ended.value:.4g}"
    return f"{ended.status}{value}" + ("" if ended.error is None else f": {ended.error}")


def _shape(checked: CommandConfig, launcher: Launching) -> tuple[int, int, list[str]]:
    """Nodes, processes per node, and the overrides that set them in the run; `checked` is updated too."""
    trainer = getattr(checked, "trainer", None)
    if trainer is None:
        return 1, 1, []
    devices = trainer.devices if isinstance(trainer.devices, int) else None
    if not isinstance(launcher, SlurmConfig):
        return 1, devices or 1, []
    nodes = launcher.nodes or trainer.num_nodes
    tasks = launcher.tasks_per_node or devices or launcher.gpus_per_node or 1
    if launcher.tasks_per_node and devices and launcher.tasks_per_node != devices:
        raise ConfigError(
            f"hydra.launcher.tasks_per_node={launcher.tasks_per_node}, but trainer.devices={devices}; omit one"
        )
    trainer.num_nodes, trainer.devices = nodes, tasks
    return nodes, tasks, [f"trainer.num_nodes={nodes}", f"trainer.devices={tasks}"]


def _is_done(command: str, checked: CommandConfig, folder: Path) -> bool:
    """Whether the folder has exactly this run, finished with its report; the job refuses folders of other runs."""
    if not all((folder / name).is_file() for name in ("run.json", "report.html")):
        return False
    if read_manifest(folder)["status"] != "finished":
        return False
    old = plain(load(command, folder / "config.yaml"))
    return not differences(old, plain(checked), ignore=MAY_DIFFER)


class _Return(JobReturn):
    @property
    def return_value(self) -> Any:
        """As Hydra's, without printing to stderr: outcomes have been printed already."""
        if self.status is JobStatus.FAILED:
            raise self._return_value
        return self._return_value

    @return_value.setter
    def return_value(self, value: Any) -> None:
        self._return_value = value


def _job_return(ended: Outcome, overrides: list[str]) -> JobReturn:
    job = ended.job
    result = _Return(overrides=overrides, working_dir=str(job.folder), task_name=job.arguments[0], cfg=None)
    failed = ended.error is not None
    result.status = JobStatus.FAILED if failed else JobStatus.COMPLETED
    result.return_value = RunError(f"job #{job.number} {describe(ended)}") if failed else ended.value
    return result
