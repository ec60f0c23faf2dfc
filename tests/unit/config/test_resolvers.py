"""Names of run folders."""

import pytest
from omegaconf import OmegaConf

from sslrun.config.resolvers import run_name


@pytest.mark.parametrize(
    ("config", "name"),
    [
        ({"method": {"kind": "byol"}, "dataset": {"name": "digits"}}, "byol-digits"),
        ({"encoder": "runs/pretrain/byol-digits/1", "dataset": {"name": "cifar10"}}, "byol-digits-1-cifar10"),
        ({"encoder": "runs/byol/1/checkpoints/last.ckpt", "dataset": None}, "1-last"),
        ({"encoder": "random", "dataset": {"name": "digits"}, "labels": 10}, "random-digits-labels10"),
        ({"encoder": "timm:vit_tiny", "dataset": {"name": "digits"}, "labels": "all"}, "timm_vit_tiny-digits"),
    ],
)
def test_run_folders_are_named_by_what_they_do(config: dict[str, object], name: str) -> None:
    assert run_name(OmegaConf.create(config)) == name
