"""`sslrun sweep FOLDER`: write a sweep's report; also the implementation of `hydra/sweeper=optuna`."""

import argparse
import warnings
from pathlib import Path
from typing import Any

from hydra.core.plugins import Plugins
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

from sslrun.config.errors import ConfigError
from sslrun.config.sweeper import KEY, OptunaConfig
from sslrun.launch.sweep import config_dirs
from sslrun.report.sweep import write_sweep_report
from sslrun.sweeps.best import write_best
from sslrun.sweeps.trials import read_sweep


def main(arguments: list[str]) -> None:
    """Write `FOLDER/report.html` and print the best trials so far."""
    parser = argparse.ArgumentParser(prog="sslrun sweep", description="Write a sweep's report, at any time.")
    parser.add_argument("folder", type=Path, help="folder of a sweep, by Optuna or by plain -m")
    folder = parser.parse_args(arguments).folder.absolute()
    show(folder)


def show(folder: Path) -> None:
    """Write the report and best.yaml; print the best trials with their commands, and the report's path."""
    sweep = read_sweep(folder)
    page = write_sweep_report(sweep)
    for trial in write_best(sweep):
        values = ", ".join(f"{m} {v:.4g}" for m, v in zip(sweep.metric_names, trial.values, strict=False))
        print(f"best     #{trial.number} {values}\n         {sweep.command_of(trial)}")
    print(f"report   {page}", flush=True)


def search(
    settings: OptunaConfig,
    arguments: list[str],
    context: HydraContext,
    task_function: TaskFunction,
    config: DictConfig,
) -> None:
    """Run a study to its end, starting or resuming it."""
    from sslrun.sweeps.run import run
    from sslrun.sweeps.search import Search
    from sslrun.sweeps.space import parse_space

    folder = Path(config.hydra.sweep.dir).absolute()
    launcher = str(config.hydra.runtime.choices["hydra/launcher"])
    _check(settings, launcher, config)
    space = parse_space(settings.params, arguments, config_loader=context.config_loader)
    job: Any = Plugins.instance().instantiate_launcher(
        hydra_context=context, task_function=task_function, config=config
    )

    def show_quietly() -> None:
        try:
            write_sweep_report(read_sweep(folder))
        except Exception as error:  # a failed figure must not end days of work
            warnings.warn(f"{folder / 'report.html'} was not written: {error!r}", stacklevel=2)

    run(
        Search(
            config=settings,
            command=str(config.hydra.job.name),
            space=space,
            folder=folder,
            launcher=launcher,
            launch=lambda overrides, number: job.launch([overrides], number)[0],
            show=show_quietly,
            config_dirs=config_dirs(config.hydra),
        )
    )
    show(folder)


def _check(settings: OptunaConfig, launcher: str, config: DictConfig) -> None:
    if launcher not in ("process", "slurm") and settings.n_jobs > 1:
        raise ConfigError(
            f"{KEY}.n_jobs={settings.n_jobs}: this process runs one trial after the other; add hydra/launcher=process "
            "or slurm"
        )
    if OmegaConf.select(config, "hydra.launcher.wait") is False:
        raise ConfigError("hydra.launcher.wait=false: a search waits for its trials' results; omit it")
    if str(OmegaConf.to_container(config.hydra.sweep, resolve=False)["subdir"]) != "${hydra.job.num}":  # type: ignore[index,call-overload]
        raise ConfigError("hydra.sweep.subdir cannot be set: a trial's folder is its number")
