"""A package of someone else's adds a method by an entry point, with its YAML beside it."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

CONFIG = '''
from dataclasses import dataclass
from sslrun.config.registry import register
from sslrun.config.schema import MethodConfig

@register(target="their_method:Theirs", paper="Someone 2026")
@dataclass(kw_only=True)
class TheirsConfig(MethodConfig):
    """A method of someone else's."""
    kind: str = "theirs"
    strength: float = 1.0
'''
METHOD = """
from sslrun.core.batch import ViewsBatch
from sslrun.methods.base import Method, StepOutput

class Theirs(Method):
    batch_type = ViewsBatch
    views = 2
    def __init__(self, config, encoder):
        super().__init__(config, encoder)
        self.strength = config.strength
    def forward(self, batch):
        h = self.encoder(batch["views"][0])
        return StepOutput(self.strength * h.square().mean(), embedding=h.detach())
"""
YAML = """# @package _global_
defaults:
  - /schema/method/theirs@method
  - _self_
method:
  strength: 0.5
"""


@pytest.fixture
def sslrun(tmp_path: Path) -> Callable[..., "subprocess.CompletedProcess[str]"]:
    """The command line where the plugin is installed."""
    site = tmp_path / "site"
    info = site / "theirs-1.0.dist-info"
    (site / "conf" / "method").mkdir(parents=True)
    info.mkdir()
    (site / "their_config.py").write_text(CONFIG)
    (site / "their_method.py").write_text(METHOD)
    (site / "conf" / "method" / "theirs.yaml").write_text(YAML)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: theirs\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[sslrun.plugins]\ntheirs = their_config\n")
    environment = os.environ | {"PYTHONPATH": f"{site}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}

    def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "sslrun", *arguments],
            cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300,
        )  # fmt: skip

    return run


def test_an_installed_plugin_is_listed_and_composed(
    sslrun: Callable[..., "subprocess.CompletedProcess[str]"],
) -> None:
    listed = sslrun("list", "methods").stdout
    assert "theirs" in listed and "Someone 2026" in listed
    assert "strength: 0.5" in sslrun("pretrain", "method=theirs", "--cfg", "job").stdout


@pytest.mark.slow
def test_an_installed_plugin_is_trained(
    sslrun: Callable[..., "subprocess.CompletedProcess[str]"], tmp_path: Path
) -> None:
    done = sslrun(
        "pretrain", "method=theirs", "trainer.steps=2", "loader.workers=0", "monitor.every_epochs=0",
        "augmentation=digits", "optimizer=sgd", "run.dir=run",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "strength: 0.5" in (tmp_path / "run" / "config.yaml").read_text()
