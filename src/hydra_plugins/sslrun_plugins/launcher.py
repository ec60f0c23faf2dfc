"""`hydra/launcher=basic`, `process` and `slurm`: thin wrappers of `sslrun.launch`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Sequence  # noqa: UP035  (as in Hydra's interface)

from hydra._internal.core_plugins.basic_launcher import BasicLauncher, BasicLauncherConf
from hydra.core.config_store import ConfigStore
from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from sslrun.config.launcher import ProcessConfig, SlurmConfig


@dataclass(kw_only=True)
class _Process(ProcessConfig):
    _target_: str = "hydra_plugins.sslrun_plugins.launcher.ProcessLauncher"


@dataclass(kw_only=True)
class _Slurm(SlurmConfig):
    _target_: str = "hydra_plugins.sslrun_plugins.launcher.SlurmLauncher"


@dataclass
class _Basic(BasicLauncherConf):
    _target_: str = "hydra_plugins.sslrun_plugins.launcher.CheckedLauncher"


ConfigStore.instance().store(group="hydra/launcher", name="basic", node=_Basic, provider="sslrun")
ConfigStore.instance().store(group="hydra/launcher", name="process", node=_Process, provider="sslrun")
ConfigStore.instance().store(group="hydra/launcher", name="slurm", node=_Slurm, provider="sslrun")


class CheckedLauncher(BasicLauncher):
    """Hydra's default: one run after the other in this process, here after a check of all of them."""

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        from sslrun.commands.task import discard_sweep  # lazily: Hydra imports this file at every start
        from sslrun.launch.sweep import check_sweep

        assert self.hydra_context is not None and self.config is not None
        try:
            check_sweep(self.hydra_context, self.config, job_overrides, first=initial_job_idx)
        except Exception:
            discard_sweep(Path(self.config.hydra.sweep.dir).absolute())
            raise
        return super().launch(job_overrides, initial_job_idx)


class _Jobs(Launcher):
    def __init__(self, **_settings: Any) -> None:
        self.context: HydraContext | None = None
        self.config: DictConfig | None = None

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        from sslrun.launch.sweep import backend_of  # lazily: Hydra imports this file at every start

        self.context, self.config = hydra_context, config
        self.backend = backend_of(config.hydra)

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> list[JobReturn]:
        from sslrun.launch.sweep import launch_sweep

        assert self.context is not None and self.config is not None
        return launch_sweep(self.context, self.config, job_overrides, first=initial_job_idx, backend=self.backend)


class ProcessLauncher(_Jobs):
    """Local subprocesses."""


class SlurmLauncher(_Jobs):
    """A SLURM array."""
