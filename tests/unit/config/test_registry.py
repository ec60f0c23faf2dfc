"""Registered kinds."""

import subprocess
import sys
from dataclasses import dataclass

import pytest

from sslrun.config.errors import ConfigError
from sslrun.config.registry import entries, find, register


def test_an_unknown_kind_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match="method kind 'simcrl' is not registered; did you mean 'simclr'"):
        find("method", "simcrl")


def test_every_target_exists_and_its_paper_is_named() -> None:
    for group in ("method", "backbone", "dataset", "optimizer"):
        for entry in entries(group):
            assert callable(entry.load()), entry.target
            assert entry.paper or group == "optimizer", entry.kind


def test_a_kind_cannot_be_registered_twice() -> None:
    with pytest.raises(ConfigError, match="method 'byol' is registered twice"):

        @register("method", "byol", target="elsewhere:BYOL")
        @dataclass(kw_only=True)
        class Other:
            kind: str = "byol"


def test_composing_imports_no_torch() -> None:
    code = (
        "import sys; from sslrun.config.compose import compose; compose('pretrain', ['method=byol']);"
        "print([m for m in ('torch', 'pytorch_lightning', 'albumentations', 'numpy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
