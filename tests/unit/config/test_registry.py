"""Registered kinds."""

import copy
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

import pytest
from hydra.core.config_store import ConfigStore
from omegaconf import OmegaConf

from sslrun.config.compose import compose
from sslrun.config.errors import ConfigError
from sslrun.config.registry import entries, find, register
from sslrun.config.schema import DatasetConfig, MethodConfig
from sslrun.core.batch import BATCH_NAMES
from sslrun.data.audio.forms import FORMS


def test_an_unknown_kind_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match="method kind 'simcrl' is not registered; did you mean 'simclr'"):
        find("method", "simcrl")


def test_every_target_exists_and_its_paper_is_named() -> None:
    for group in ("method", "backbone", "dataset", "optimizer"):
        for entry in entries(group):
            assert callable(entry.load()), entry.target
            assert entry.paper or group == "optimizer", entry.kind


def test_methods_read_what_their_entries_tell() -> None:
    for entry in entries("method"):
        cls = entry.load()
        assert entry.reads == tuple(BATCH_NAMES[kind] for kind in (cls.batch_type, *cls.also_reads)), entry.kind


def test_datasets_give_known_batches() -> None:
    for entry in entries("dataset"):
        assert set(entry.gives) <= set(BATCH_NAMES.values()), entry.kind


@pytest.mark.parametrize("form", ["null", *FORMS])
def test_sound_gives_what_its_form_leaves(form: str) -> None:
    config: Any = compose("pretrain", ["method=simclr", "dataset=tones", f"dataset.form={form}"])
    left = [FORMS[form]] if form in FORMS else FORMS.values()
    assert config.dataset.given == tuple(dict.fromkeys(BATCH_NAMES[kind] for each in left for kind in each.batch_types))
    assert set(config.dataset.given) <= set(find("dataset", "tones").gives)


def test_a_dataset_must_tell_what_it_gives() -> None:
    with pytest.raises(AssertionError, match=r"Mine.gives must name the batch types that it can give"):

        @register(target="mine:Data")
        @dataclass(kw_only=True)
        class Mine(DatasetConfig):
            kind: str = "mine"


def test_a_kind_must_have_a_name() -> None:
    with pytest.raises(AssertionError, match=r"Nameless.kind must default to the registered name"):

        @register(target="mine:Nameless")
        @dataclass(kw_only=True)
        class Nameless(MethodConfig):
            out_dim: int = 1


def test_a_kind_cannot_be_registered_twice() -> None:
    with pytest.raises(ConfigError, match="method 'byol' is registered twice"):

        @register(target="elsewhere:BYOL")
        @dataclass(kw_only=True)
        class Other(MethodConfig):
            kind: str = "byol"


def test_composing_imports_no_torch() -> None:
    code = (
        "import sys; from sslrun.config.compose import compose; compose('pretrain', ['method=byol']);"
        "print([m for m in ('torch', 'pytorch_lightning', 'albumentations', 'numpy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_what_hydra_loads_is_a_copy_though_the_store_itself_is_none() -> None:
    store = ConfigStore.instance()
    assert copy.deepcopy(store) is store
    loaded = store.load("schema/method/simclr.yaml").node
    loaded.temperature = 7.0
    assert OmegaConf.is_missing(store.load("schema/method/simclr.yaml").node, "temperature")
