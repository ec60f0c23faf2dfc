"""Composing, saving and loading; what each group may override."""

import dataclasses
import itertools
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from sslrun.config.command.pretrain import PretrainConfig
from sslrun.config.compose import compose, differences, load, plain, save
from sslrun.config.errors import ConfigError
from sslrun.config.folders import conf_dir
from sslrun.config.registry import entries
from sslrun.config.search_path import refuse_absent_group, refuse_null


def pretrain(*overrides: str) -> PretrainConfig:
    config = compose("pretrain", overrides)
    assert isinstance(config, PretrainConfig)
    return config


def test_a_method_brings_its_optimizer_and_augmentation() -> None:
    byol, simclr = pretrain("method=byol"), pretrain("method=simclr")
    assert (byol.augmentation.name, simclr.augmentation.name) == ("byol", "simclr")
    assert (byol.optimizer.lr, simclr.optimizer.lr) == (0.2, 0.3)


def test_the_command_line_wins_over_the_method_and_takes_none_of_its_numbers() -> None:
    config = pretrain("method=byol", "optimizer=adamw", "augmentation=weak")
    assert (config.optimizer.kind, config.optimizer.lr, config.augmentation.name) == ("adamw", 0.001, "weak")


def test_a_dataset_brings_its_backbone_and_the_command_line_wins() -> None:
    assert pretrain().backbone.kind == "small_cnn"
    assert pretrain("backbone=resnet18").backbone.name == "resnet18"


@pytest.mark.parametrize("command", ["pretrain", "preview"])
def test_saved_configs_load_as_they_were(command: str, tmp_path: Path) -> None:
    config = compose(command, ["method=byol", "seed=3"])
    (tmp_path / "config.yaml").write_text(save(config))
    assert load(command, tmp_path / "config.yaml") == config


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("method.decay_strat=1", "method.decay_strat: no such key in SimCLRConfig"),
        ("trainer.epoch=3", "trainer.epoch: no such key in TrainerConfig; did you mean 'epochs'?"),
        ("+method.foo=1", "method.foo: no such key in SimCLRConfig"),
        ("backbone.stem=small", "backbone.stem: no such key in SmallCNNConfig; it has "),
        ("optimizer.lr=inf", "optimizer.lr must be in (0, inf), got inf"),
        ("monitor.collapse_rank=-5", "monitor.collapse_rank must be in [0, inf), got -5"),
        ("+foo=1", "foo: no such key in PretrainConfig"),
        ("method=boyl", "method=boyl: no such method; did you mean 'byol'?; choose from "),
        ("method.temperature=-1", "method.temperature must be in (0, inf), got -1"),
        (
            "method.temperature=hot",
            "method.temperature=hot: Value 'hot' of type 'str' could not be converted to Float",
        ),
        (
            "trainer.precision=bf17",
            "trainer.precision=bf17: Invalid value 'bf17', expected one of [auto, fp32, bf16, fp16]",
        ),
        ("loader.workers=many", "loader.workers must be 'auto' or a whole number, got 'many'"),
        ("backbone=timm", "backbone.name is not set; say backbone.name=…"),
        ("experiment=mae", "experiment=mae: no such experiment; did you mean 'cifar10-small/mae'?; choose from "),
        ("experiment=cifar10/simclt", "experiment=cifar10/simclt: no such experiment; did you mean 'cifar10/simclr'?"),
        ("seed=-1", "seed must be in [0, 2147483648), got -1"),
        ("trainer.strategy=foo", "trainer.strategy=foo: no such choice; choose from auto, ddp, fsdp"),
        ("trainer.accelerator=cud", "trainer.accelerator=cud: no such choice; did you mean 'cuda'?; choose from auto"),
        (
            "method=byol,simclr",
            "method=byol,simclr: several values are a sweep, say -m; a text with commas needs quotes",
        ),
        ("logger.tags=a", "logger.tags=a: a list is required; say logger.tags=[a]"),
        ("backbone.pretrained=true", "backbone.pretrained=true: no library has weights of small_cnn; name a run"),
        ("foo", "'foo' is not a setting; say group=name or key=value"),
        (
            "augmentation.views[0].count=2",
            "'augmentation.views[0].count=2' is not a setting; say group=name or key=value",
        ),
        ("run.dir=/é=1", "run.dir=/é=1: Hydra cannot read this value without quotes; say 'run.dir=\"/é=1\"'"),
        ("logger.tags=[a", "logger.tags=[a: Hydra cannot read this value; a bracket or a quote is missing"),
        ("schedule.milestones=[0.5,2]", "schedule.milestones must be in (0, 1), got 2"),
        ("dataset=imagefolder", "dataset.root is not set; say where the images are, e.g. dataset.root=/data/images"),
    ],
)
def test_what_a_user_gets_wrong_is_one_line(override: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        pretrain(override)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("method.text.mlp=0", "method.text.mlp must be in [1, inf), got 0"),
        (
            "method.text.pool=max",
            "method.text.pool=max: no such choice; did you mean 'mean'?; choose from first, last, mean",
        ),
        ("method.text.heads=3", "method.text.width=128 is not a multiple of method.text.heads=3"),
        ("method.text.pretrained=true", "method.text.pretrained=true: name a folder"),
        ("backbone.width=0", "backbone.width must be in [1, inf), got 0"),
    ],
)
def test_a_backbone_inside_a_method_is_named_by_its_full_key(override: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        pretrain("method=clip", "dataset=digit_sentences", override)
    assert str(caught.value).startswith(message)


def test_a_mapping_of_any_keys_says_how_one_is_added() -> None:
    with pytest.raises(
        ConfigError, match=r"^backbone.options.depth: no such key so far; to add it, say \+backbone.opt"
    ):
        pretrain("backbone=vit_tiny", "backbone.options.depth=4")
    assert pretrain("backbone=vit_tiny", "+backbone.options.depth=4").backbone.options == {"depth": 4}


def test_a_wrong_key_in_a_users_file_is_not_advised_to_be_added(tmp_path: Path) -> None:
    (tmp_path / "conf" / "augmentation").mkdir(parents=True)
    (tmp_path / "conf" / "augmentation" / "mine.yaml").write_text("name: mine\nviews: []\nwrong: 3\n")
    done = subprocess.run(
        [sys.executable, "-m", "sslrun", "pretrain", "augmentation=mine", "--cfg", "job"],
        cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 2 and "augmentation.wrong: no such key" in done.stderr and "+" not in done.stderr


def test_a_group_that_is_null_is_refused_and_a_key_is_not() -> None:
    refuse_null(["run.dir=null", "dataset.label=null", "backbone=resnet18"])
    with pytest.raises(ConfigError, match="experiment=null: a group takes a name; omit it"):
        refuse_null(["seed=1", "experiment=null"])


def test_a_key_of_a_group_that_nobody_chose_is_refused() -> None:
    refuse_absent_group("probe", ["encoder=runs/x.y", "dataset=imagefolder", "dataset.root=/d", "backbone.width=8"])
    refuse_absent_group("pretrain", ["dataset.root=/d", "trainer.steps=3"])
    with pytest.raises(ConfigError, match="probe takes the run's own dataset if none is chosen; say dataset=NAME"):
        refuse_absent_group("probe", ["encoder=runs/x", "dataset.root=/d"])


def test_every_kind_has_a_file_and_every_file_composes() -> None:
    required = {"timm": ["backbone.name=resnet18"], "hf_text": ["backbone.pretrained=bert"]}
    groups = ("method", "backbone", "optimizer")
    names = [sorted(path.stem for path in (conf_dir() / group).glob("*.yaml")) for group in groups]
    for chosen in itertools.zip_longest(*names):  # one composition takes a third of a second
        asked = [f"{group}={name}" for group, name in zip(groups, chosen, strict=True) if name]
        config = pretrain(*asked, *(more for name in chosen for more in required.get(name, [])))
        for group in groups:
            assert getattr(config, group).kind in [e.kind for e in entries(group)]


def test_differences_names_what_changed() -> None:
    old, new = plain(pretrain()), plain(pretrain("seed=1", "run.dir=/x"))
    assert differences(old, new, ignore=("run",)) == ["seed: 0 -> 1"]


def test_configs_are_keyword_only() -> None:
    for group in ("method", "backbone", "dataset", "optimizer"):
        for entry in entries(group):
            assert all(f.kw_only for f in dataclasses.fields(entry.config)), entry.kind


def test_a_file_with_a_former_key_is_read(tmp_path: Path) -> None:
    config = compose("finetune", ["encoder=random", "backbone=small_cnn", "dataset=digits", "patience=7"])
    saved = plain(config)
    saved["patience_epochs"] = saved.pop("patience")
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(saved))
    assert load("finetune", tmp_path / "config.yaml") == config


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("trainer:\n\tepochs: 3\n", r"conf/experiment/own.yaml, line 3: found character '\\t'"),
        ("trainer: {epochs: ten}\n", r"^experiment/own.yaml: trainer.epochs: Value 'ten' .* could not be converted"),
        ("method: {temprature: 3}\n", r"^experiment/own.yaml: method.temprature: .* did you mean 'temperature'\?"),
        ("optimzer: {lr: 3}\n", r"^experiment/own.yaml: optimzer: no such key .* did you mean 'optimizer'\?"),
        ("defaults: [override /method: bylo]\n", r"^method=bylo: .* did you mean 'byol'\?"),
    ],
)
def test_errors_of_a_file_of_ones_own_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str, told: str
) -> None:
    write_own(tmp_path, f"# @package _global_\n{content}")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=told) as error:
        pretrain("experiment=own")
    assert "\n" not in str(error.value)


def test_a_file_of_ones_own_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_own(tmp_path, "# @package _global_\ndefaults: [override /method: byol]\ntrainer: {epochs: 3}\n")
    assert pretrain("experiment=own").trainer.epochs == 3
    with pytest.raises(ConfigError, match="experiment=own is a recipe of method=byol, but method=simclr is set"):
        pretrain("experiment=own", "method=simclr")
    write_own(tmp_path, "# @package _global_\ndefaults: [/experiment/cifar10/byol, _self_]\n")
    with pytest.raises(ConfigError, match="experiment=own is a recipe of method=byol, but method=simclr is set"):
        pretrain("experiment=own", "method=simclr")
    write_own(tmp_path, "defaults: [override /method: byol]\n")
    with pytest.raises(
        ConfigError, match=r"^experiment/own.yaml: override /method works in a file that begins with `#"
    ):
        pretrain("experiment=own")


def write_own(folder: Path, content: str) -> None:
    path = folder / "conf" / "experiment" / "own.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
