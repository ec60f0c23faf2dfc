"""From Hydra's overrides to jobs: each is checked before any of them starts."""

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from hydra.core.utils import JobReturn, JobStatus, filter_overrides
from hydra.types import HydraContext
from omegaconf import DictConfig, OmegaConf, open_dict

from sslrun.config.command import CommandConfig
from sslrun.config.compose import typed
from sslrun.config.errors import ConfigError, RunError
from sslrun.config.launcher import Launching, SlurmConfig
from sslrun.launch.job import Job, Outcome, job_arguments, say
from sslrun.launch.process import ProcessPool
from sslrun.launch.slurm import Slurm

_composing = threading.Lock()
"""Hydra's composition keeps state in singletons; a sweeper may launch from several threads."""
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
    """What runs jobs."""

    def run(self, jobs: Sequence[Job], *, folder: Path) -> list[Outcome]:
        """Run them and, where that is wanted, wait for them."""
        ...


def backend_of(hydra: DictConfig) -> Backend:
    """The runner that `hydra.launcher` asks for.

    Raises:
        ConfigError: a value out of range.
    """
    settings: Any = OmegaConf.to_object(hydra.launcher)
    return Slurm(settings) if isinstance(settings, SlurmConfig) else ProcessPool(settings)


def sweep_job(context: HydraContext, config: DictConfig, overrides: Sequence[str], *, number: int) -> Job:
    """The job of one point of a sweep.

    Raises:
        ConfigError: its configuration is refused, as it would be by a single run.
    """
    with _composing:
        composed = context.config_loader.load_sweep_config(config, list(overrides))
        with open_dict(composed):
            composed.hydra.job.num, composed.hydra.job.id = number, str(number)
        folder = Path(composed.hydra.sweep.dir, composed.hydra.sweep.subdir).absolute()
        command, task = str(composed.hydra.job.name), list(composed.hydra.overrides.task)
        with open_dict(composed):
            settings = composed.pop("hydra")
        checked = typed(command, composed)
    return make_job(command, task, checked, settings, folder=folder, number=number)


def make_job(
    command: str, task: Sequence[str], checked: CommandConfig, hydra: DictConfig, *, folder: Path, number: int = 0
) -> Job:
    """A job of `sslrun <command> <task>` in `folder`.

    Args:
        checked: the configuration that `task` comes to.
        hydra: Hydra's own.
    """
    launcher: Any = OmegaConf.to_object(hydra.launcher)
    nodes, tasks, shape = _shape(checked, launcher)
    sources = [s.path for s in hydra.runtime.config_sources if s.provider == "command-line"]
    passed = [o for o in hydra.overrides.hydra if not o.lstrip("+~").startswith(_NOT_PASSED)]
    arguments = job_arguments(command, [*task, *shape], folder=folder, config_dirs=sources, hydra=passed)
    return Job(number=number, arguments=arguments, folder=folder, cwd=Path.cwd(), nodes=nodes, tasks_per_node=tasks)


def launch_sweep(
    context: HydraContext, config: DictConfig, job_overrides: Sequence[Sequence[str]], *, first: int, backend: Backend
) -> list[JobReturn]:
    """Run a batch of a sweep; what Hydra's sweepers ask of a launcher."""
    jobs = [sweep_job(context, config, o, number=n) for n, o in enumerate(job_overrides, first)]
    for job, overrides in zip(jobs, job_overrides, strict=True):
        say(f"#{job.number} {' '.join(filter_overrides(overrides))}  {job.folder}")
    outcomes = backend.run(jobs, folder=Path(config.hydra.sweep.dir).absolute())
    for outcome in outcomes:
        if outcome.status != "submitted":
            say(f"#{outcome.job.number} {tell(outcome)}")
    return [_job_return(o, list(overrides)) for o, overrides in zip(outcomes, job_overrides, strict=True)]


def launch_single(job: Job, backend: Backend) -> float | None:
    """Run one job outside a sweep.

    Returns:
        Its number, where it has one and somebody waited.

    Raises:
        RunError: it failed, or was stopped.
    """
    outcome = backend.run([job], folder=job.folder)[0]
    if outcome.status == "submitted":
        say(f"submitted; `sslrun runs {job.folder}` and `sslrun logs {job.folder}` tell how it goes")
        return None
    if outcome.error is not None:
        raise RunError(f"{job.folder}: {tell(outcome)}")
    say(f"{job.folder}: {tell(outcome)}")
    return outcome.value


def tell(outcome: Outcome) -> str:
    """`finished 0.931`, `failed: …`."""
    value = "" if outcome.value is None else f" {outcome.value:.4g}"
    return f"{outcome.status}{value}" + ("" if outcome.error is None else f": {outcome.error}")


def _shape(checked: CommandConfig, launcher: Launching) -> tuple[int, int, list[str]]:
    """Nodes, processes on each, and the overrides that say so to the run."""
    trainer = getattr(checked, "trainer", None)
    if trainer is None or not isinstance(launcher, SlurmConfig):
        return 1, 1, []
    devices = trainer.devices if isinstance(trainer.devices, int) else None
    nodes = launcher.nodes or trainer.num_nodes
    tasks = launcher.tasks_per_node or devices or launcher.gpus_per_node or 1
    if launcher.tasks_per_node and devices and launcher.tasks_per_node != devices:
        raise ConfigError(
            f"hydra.launcher.tasks_per_node={launcher.tasks_per_node}, but trainer.devices={devices}; leave one away"
        )
    return nodes, tasks, [f"trainer.num_nodes={nodes}", f"trainer.devices={tasks}"]


def _job_return(outcome: Outcome, overrides: list[str]) -> JobReturn:
    result = JobReturn(
        overrides=overrides, working_dir=str(outcome.job.folder), task_name=outcome.job.arguments[0], cfg=None
    )
    failed = outcome.error is not None
    result.status = JobStatus.FAILED if failed else JobStatus.COMPLETED
    result.return_value = RunError(f"job #{outcome.job.number} {tell(outcome)}") if failed else outcome.value
    return result
