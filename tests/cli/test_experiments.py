"""Every recipe composes; those whose data is here take steps."""

import dataclasses
from pathlib import Path

import pytest
import yaml

from small import BACKBONES, needs_tokens, shrink
from sslrun.commands.pretrain import run
from sslrun.config.backbone import TimmConfig
from sslrun.config.command import PretrainConfig
from sslrun.config.compose import compose, conf_dir

EXPERIMENTS = sorted(
    str(p.relative_to(conf_dir() / "experiment").with_suffix("")) for p in (conf_dir() / "experiment").rglob("*.yaml")
)
DATA = {
    "imagefolder": ["dataset.root=/nowhere"],
    "parquet": ["dataset.train=/nowhere.parquet"],
    "imagenet": ["dataset.root=/nowhere"],
}


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_it_composes_and_its_header_says_what_to_expect(name: str) -> None:
    path = conf_dir() / "experiment" / f"{name}.yaml"
    text = path.read_text()
    defaults = {k: v for item in yaml.safe_load(text)["defaults"] if isinstance(item, dict) for k, v in item.items()}
    config = compose("pretrain", [f"experiment={name}", *DATA.get(defaults["override /dataset"], [])])
    assert isinstance(config, PretrainConfig)
    assert config.method.kind == defaults["override /method"]
    stated = yaml.safe_load(text)
    for key, value in stated.get("loader", {}).items():
        assert getattr(config.loader, key) == value
    for key, value in stated.get("trainer", {}).items():
        assert getattr(config.trainer, key) == value
    header = "\n".join(line for line in text.splitlines() if line.startswith("#"))
    assert f"sslrun pretrain experiment={name}" in header
    assert "Not run here" in header or "minutes" in header, "say what was measured, or that it was not run"


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_it_takes_a_step_on_digits(name: str, tmp_path: Path) -> None:
    """Its method, optimizer, schedule and augmentation, on images that are always there; heads and backbone small."""
    overrides = [
        f"experiment={name}", "dataset=digits", "loader.batch_size=32", "loader.workers=0", "trainer.steps=2",
        "trainer.sync_batchnorm=false", "trainer.devices=1", "monitor.every_epochs=0", f"run.dir={tmp_path}/run",
    ]  # fmt: skip
    config = compose("pretrain", overrides)
    assert isinstance(config, PretrainConfig)
    shrink(config.method, mask_patch_size=4)
    config.backbone = dataclasses.replace(BACKBONES["vit" if needs_tokens(config.method.kind) else "cnn"])
    if isinstance(config.backbone, TimmConfig):
        config.backbone.patch_size = 2
    run(config)
    assert (tmp_path / "run" / "encoder" / "model.safetensors").is_file()
