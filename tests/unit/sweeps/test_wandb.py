"""The sweep file, read back by wandb's own code."""

import sys
from pathlib import Path

import pytest
import yaml
from hydra.core.override_parser.overrides_parser import OverridesParser
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from wandb.sdk.sweeps.scheduler.optuna import sweep_parameter_to_distribution

from sslrun.config.errors import ConfigError
from sslrun.config.sweeper import WandbMethod, WandbSweepConfig
from sslrun.sweeps.wandb import write_sweep_file


def test_wandb_reads_the_same_space(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    space = {
        "optimizer.lr": ("tag(log,interval(1e-3,1))", FloatDistribution(1e-3, 1.0, log=True)),
        "method.temperature": ("interval(0.1,0.5)", FloatDistribution(0.1, 0.5)),
        "method.hidden_dim": ("int(tag(log,interval(16,512)))", IntDistribution(16, 512, log=True)),
        "seed": ("range(0,4)", IntDistribution(0, 3)),
        "trainer.epochs": ("range(10,40,10)", CategoricalDistribution([10, 20, 30])),
        "method": ("byol,simclr", CategoricalDistribution(["byol", "simclr"])),
    }
    arguments = [*(f"{k}={written}" for k, (written, _) in space.items()), "dataset=digits", "run.dir=x"]
    config = WandbSweepConfig(metric="health/rankme", project="p", run_cap=8)
    path = write_sweep_file(config, arguments, command="pretrain", folder=tmp_path, config_dirs=["/c"])
    content = yaml.safe_load(path.read_text())
    read = {k: sweep_parameter_to_distribution(v) for k, v in content["parameters"].items()}
    assert read == {k: distribution for k, (_, distribution) in space.items()}
    assert content["metric"] == {"name": "health/rankme", "goal": "maximize"} and content["run_cap"] == 8
    assert content["command"] == [
        "${env}", sys.executable, "-m", "sslrun", "pretrain", "--config-dir=/c", "logger=wandb", "logger.wandb=online",
        "dataset=digits", f'run.dir="{tmp_path}/${{oc.env:WANDB_RUN_ID}}"', "${args_no_hyphens}",
    ]  # fmt: skip
    printed = capfd.readouterr().err
    assert f"wandb sweep --project p {path}" in printed and "wandb agent" in printed


def test_the_run_folder_keeps_its_name(tmp_path: Path) -> None:
    folder = tmp_path / "josé, \\d"
    path = write_sweep_file(WandbSweepConfig(), ["x=interval(0,1)"], command="pretrain", folder=folder)
    told = next(word for word in yaml.safe_load(path.read_text())["command"] if word.startswith("run.dir="))
    assert OverridesParser.create().parse_override(told).value() == f"{folder}/${{oc.env:WANDB_RUN_ID}}"


def test_a_grid_over_an_interval_is_refused(tmp_path: Path) -> None:
    config = WandbSweepConfig(method=WandbMethod.grid)
    with pytest.raises(ConfigError, match="x: a grid cannot search an interval"):
        write_sweep_file(config, ["x=interval(0,1)"], command="pretrain", folder=tmp_path)
