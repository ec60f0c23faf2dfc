"""wandb-sweep.yaml: command line and search space for `wandb sweep`."""

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from sslrun.config.errors import ConfigError
from sslrun.config.overrides import quoted
from sslrun.config.sweeper import KEY, WandbMethod, WandbSweepConfig
from sslrun.core.atomic import write_text
from sslrun.core.console import say
from sslrun.sweeps.record import CONFIG_DIR
from sslrun.sweeps.space import Space, parse_space, text

NAME = "wandb-sweep.yaml"
RUN = "${oc.env:WANDB_RUN_ID}"
"""Makes run folders unique, even if agents start within the same second."""


def write_sweep_file(
    config: WandbSweepConfig, arguments: Sequence[str], *, command: str, folder: Path, config_dirs: Sequence[str] = ()
) -> Path:
    """Write the sweep file and print how to start it; runs nothing."""
    space = parse_space(config.params, arguments)
    path = folder / NAME
    folder.mkdir(parents=True, exist_ok=True)
    content = sweep_file(config, space, command=command, folder=folder, config_dirs=config_dirs)
    write_text(path, yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=120))
    flags = "".join(f" --{k} {v}" for k, v in (("entity", config.entity), ("project", config.project)) if v)
    say(f"{path}\nstart it:     wandb sweep{flags} {shlex.quote(str(path))}")
    say("then, on each machine:  wandb agent <the name that it prints>")
    return path


def sweep_file(
    config: WandbSweepConfig, space: Space, *, command: str, folder: Path, config_dirs: Sequence[str] = ()
) -> dict[str, Any]:
    """The sweep file as a dict.

    Raises:
        ConfigError: method=grid with an interval.
    """
    fixed = [o for o in space.fixed if not o.lstrip("+~").startswith(("run.dir=", "hydra", "logger"))]
    named = {"name": config.name, "project": config.project, "entity": config.entity, "run_cap": config.run_cap}
    return {
        **{key: value for key, value in named.items() if value is not None},
        "method": config.method.value,
        "metric": {"name": config.metric, "goal": config.goal},
        "command": [
            "${env}",
            sys.executable,
            "-m",
            "sslrun",
            command,
            *(f"{CONFIG_DIR}{path}" for path in config_dirs),
            "logger=wandb",
            "logger.wandb=online",
            *fixed,
            f"run.dir={quoted(str(folder / RUN))}",
            "${args_no_hyphens}",
        ],
        "parameters": {key: _parameter(key, d, config.method) for key, d in space.distributions.items()},
    }


def _parameter(key: str, distribution: BaseDistribution, method: WandbMethod) -> dict[str, Any]:
    if isinstance(distribution, CategoricalDistribution):
        return {
            "values": [choice if isinstance(choice, int | float) else text(choice) for choice in distribution.choices]
        }
    assert isinstance(distribution, IntDistribution | FloatDistribution)
    low, high, step = distribution.low, distribution.high, distribution.step
    if step is not None and (isinstance(distribution, FloatDistribution) or step > 1):
        count = round((high - low) / step) + 1
        return {"values": [_tidy(low + i * step) for i in range(count)]}
    if isinstance(distribution, IntDistribution) and method is WandbMethod.grid:
        return {"values": list(range(distribution.low, distribution.high + 1))}
    if method is WandbMethod.grid:
        raise ConfigError(f"{key}: a grid cannot search an interval; give values, or {KEY}.method=random or bayes")
    if isinstance(distribution, IntDistribution):
        if distribution.log:
            return {"distribution": "q_log_uniform_values", "min": low, "max": high, "q": 1}
        return {"distribution": "int_uniform", "min": low, "max": high}
    return {"distribution": "log_uniform_values" if distribution.log else "uniform", "min": low, "max": high}


def _tidy(value: float) -> float:
    return value if isinstance(value, int) else float(f"{value:.10g}")
