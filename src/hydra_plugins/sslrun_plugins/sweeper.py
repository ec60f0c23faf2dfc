"""`hydra/sweeper=optuna` and `hydra/sweeper=wandb`: thin wrappers of `sslrun.sweeps`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

from sslrun.config.sweeper import OptunaConfig, WandbSweepConfig


@dataclass(kw_only=True)
class _Optuna(OptunaConfig):
    _target_: str = "hydra_plugins.sslrun_plugins.sweeper.OptunaSweeper"


@dataclass(kw_only=True)
class _Wandb(WandbSweepConfig):
    _target_: str = "hydra_plugins.sslrun_plugins.sweeper.WandbSweeper"


ConfigStore.instance().store(group="hydra/sweeper", name="optuna", node=_Optuna, provider="sslrun")
ConfigStore.instance().store(group="hydra/sweeper", name="wandb", node=_Wandb, provider="sslrun")


class _Search(Sweeper):
    def __init__(self, **_settings: Any) -> None:
        self.config: DictConfig | None = None

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self.hydra_context, self.task_function, self.config = hydra_context, task_function, config
        self.settings: Any = OmegaConf.to_object(config.hydra.sweeper)  # checks the ranges


class OptunaSweeper(_Search):
    """An Optuna study."""

    def sweep(self, arguments: list[str]) -> Any:
        from sslrun.commands.sweep import search  # lazily: Hydra imports this file at every start

        assert self.config is not None
        return search(self.settings, arguments, self.hydra_context, self.task_function, self.config)


class WandbSweeper(_Search):
    """A sweep file for wandb; nothing is run."""

    def sweep(self, arguments: list[str]) -> Any:
        from sslrun.launch.sweep import config_dirs
        from sslrun.sweeps.wandb import write_sweep_file

        assert self.config is not None
        hydra = self.config.hydra
        folder = Path(hydra.sweep.dir).absolute()
        write_sweep_file(
            self.settings, arguments, command=str(hydra.job.name), folder=folder, config_dirs=config_dirs(hydra)
        )
