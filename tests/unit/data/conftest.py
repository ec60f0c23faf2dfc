"""Datasets and policies built as the command line builds them, from conf/."""

from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from sslrun.config.registry import find
from sslrun.config.schema import AugmentationConfig
from sslrun.data.build import build_data

CONF = Path(__file__).parents[3] / "conf"


@pytest.fixture(autouse=True)
def cache_folder(tmp_path, monkeypatch) -> Path:
    """Every test has a cache of its own."""
    monkeypatch.setenv("SSLRUN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def policy():
    """conf/augmentation/<name>.yaml as its dataclass."""

    def load(name: str) -> AugmentationConfig:
        loaded = OmegaConf.load(CONF / "augmentation" / f"{name}.yaml")
        config = OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(AugmentationConfig), loaded))
        assert isinstance(config, AugmentationConfig)
        return config

    return load


@pytest.fixture
def dataset():
    """conf/dataset/<name>.yaml with changes, built."""

    def build(name: str, **changes: Any):
        loaded = OmegaConf.load(CONF / "dataset" / f"{name}.yaml")
        kind = loaded.pop("defaults")[0].split("/")[-1].split("@")[0]
        schema = OmegaConf.structured(find("dataset", kind).config)
        return build_data(OmegaConf.to_object(OmegaConf.merge(schema, loaded, changes)))

    return build
