"""Every recipe composes; those whose data is here take steps."""

import dataclasses
import functools
from pathlib import Path

import pytest
import yaml

from small import BACKBONES, backbones_of, modality, shrink, write_hours, write_pairs, write_recordings, write_texts
from sslrun.commands.pretrain import run
from sslrun.config.backbone.timm import TimmConfig
from sslrun.config.command.pretrain import PretrainConfig
from sslrun.config.compose import compose, plain
from sslrun.config.folders import conf_dir

EXPERIMENTS = sorted(
    str(p.relative_to(conf_dir() / "experiment").with_suffix("")) for p in (conf_dir() / "experiment").rglob("*.yaml")
)
DATA = {
    "imagefolder": ["dataset.root=/nowhere"],
    "parquet": ["dataset.train=/nowhere.parquet"],
    "imagenet": ["dataset.root=/nowhere"],
    "text": ["dataset.path=/nowhere"],
    "series": ["dataset.path=/nowhere"],
    "audio": ["dataset.path=/nowhere"],
    "pairs": ["dataset.path=/nowhere"],
}


def defaults_of(name: str) -> dict[str, str]:
    """Groups that an experiment chooses."""
    text = (conf_dir() / "experiment" / f"{name}.yaml").read_text()
    return {k: v for item in yaml.safe_load(text)["defaults"] if isinstance(item, dict) for k, v in item.items()}


def there(name: str) -> list[str]:
    """Paths that an experiment's dataset must be told, to nowhere."""
    return DATA.get(defaults_of(name)["override /dataset"], [])


@functools.cache
def composed(name: str) -> PretrainConfig:
    """The experiment, on data that nobody reads."""
    config = compose("pretrain", [f"experiment={name}", *there(name)])
    assert isinstance(config, PretrainConfig)
    return config


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_it_composes_and_its_header_says_what_to_expect(name: str) -> None:
    path = conf_dir() / "experiment" / f"{name}.yaml"
    text = path.read_text()
    defaults = defaults_of(name)
    config = composed(name)
    assert config.method.kind == defaults["override /method"]
    stated = yaml.safe_load(text)
    for key, value in stated.get("loader", {}).items():
        assert getattr(config.loader, key) == value
    for key, value in stated.get("trainer", {}).items():
        assert plain(config.trainer)[key] == value
    header = "\n".join(line for line in text.splitlines() if line.startswith("#"))
    assert f"sslrun pretrain experiment={name}" in header
    assert "Not run here" in header or "minutes" in header, "say what was measured, or that it was not run"


def small_data(experiment: str, folder: Path) -> list[str]:
    """Choices of data that are there, of the experiment's modality."""
    config = composed(experiment)
    if defaults_of(experiment)["override /dataset"] == "audio":
        return [f"dataset.path={write_recordings(folder / 'recordings')}"]
    if modality(config.method.kind) == "pair":
        return [f"dataset.path={write_pairs(folder / 'pairs.parquet')}", "dataset.image_size=16"]
    if modality(config.method.kind) == "text":
        return ["dataset=text", f"dataset.path={write_texts(folder / 'texts.jsonl')}", "dataset.label=label"]
    if modality(config.method.kind) == "series":
        if getattr(config.dataset, "window", None) is None:
            return ["dataset=waves"]
        path = write_hours(folder / "hours.csv")
        return [f"dataset.path={path}", "dataset.window=48", "dataset.stride=8", "dataset.borders=[400,500,600]"]
    return ["dataset=digits"]


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_it_takes_a_step_on_small_data(name: str, tmp_path: Path) -> None:
    """Its method, optimizer, schedule and augmentation, on data that is always there; heads and backbone small."""
    overrides = [
        f"experiment={name}", *small_data(name, tmp_path), "loader.batch_size=32", "loader.workers=0",
        "trainer.steps=2", "trainer.devices=1",
        "monitor.every_epochs=0", "monitor.items=64", f"run.dir={tmp_path}/run",
    ]  # fmt: skip
    config = compose("pretrain", overrides)
    assert isinstance(config, PretrainConfig)
    shrink(config.method, mask_patch_size=4)
    config.backbone = dataclasses.replace(BACKBONES[backbones_of(config.method.kind)[0]])
    if isinstance(config.backbone, TimmConfig):
        config.backbone.patch_size = 2
    run(config)
    assert list((tmp_path / "run" / "encoder").rglob("model.safetensors"))


@pytest.mark.parametrize("name", ["digits/simclr", "cifar10-small/dino", "text/bert_pydocs"])
def test_a_preview_takes_any_recipe(name: str) -> None:
    config = compose("preview", [f"experiment={name}", *there(name)])
    assert config.method.kind == defaults_of(name)["override /method"]  # type: ignore[attr-defined]
