"""What does not fit is told before the dataset is read: the folders that these name are not there."""

import random
from pathlib import Path

import numpy as np
import pytest
import torch

from sslrun.commands import dry_run, pretrain
from sslrun.config.command.pretrain import PretrainConfig
from sslrun.config.compose import compose
from sslrun.config.errors import ConfigError

IMAGES = ("dataset=imagefolder", "dataset.root=/nowhere")
TEXTS = ("dataset=text", "dataset.path=/nowhere")
SOUNDS = ("dataset=audio", "dataset.path=/nowhere")


def configured(*overrides: str) -> PretrainConfig:
    config = compose("pretrain", list(overrides))
    assert isinstance(config, PretrainConfig)
    return config


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ((*IMAGES, "method=mae", "backbone=resnet18"), "method=mae needs a ViT backbone; resnet18 has no patch tokens"),
        ((*IMAGES, "backbone=timm", "backbone.name=vit_smal_patch16_224"), "vit_smal_patch16_224"),
        ((*IMAGES, "backbone.pretrained=/no/weights.safetensors"), "backbone.pretrained=/no/weights.safetensors: no"),
        ((*IMAGES, "augmentation.views.0.transforms=[HorizontalFlop]"), "HorizontalFlop"),
        ((*IMAGES, "method=mae", "backbone=vit_tiny", "dataset.image_size=30"), "30"),
        ((*TEXTS, "method=bert", "backbone=gpt2_tiny"), "method=bert needs one that reads both ways"),
        ((*SOUNDS, "method=byol", "augmentation=audio_views", "augmentation.views.0.transforms=[Crob]"), "Crob"),
        ((*SOUNDS, "method=mae", "augmentation=audio_crop", "backbone=resnet18"), "method=mae needs a ViT backbone"),
    ],
)
def test_before_the_dataset_is_read(overrides: tuple[str, ...], message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=message):
        pretrain.run(configured(*overrides, f"run.dir={tmp_path / 'run'}"))
    assert not (tmp_path / "run").exists()


def test_draws_nothing() -> None:
    before = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()
    dry_run.dry_run(configured("method=ibot", "backbone=vit_tiny", "dataset=digits", "augmentation=dino"))
    assert torch.equal(torch.get_rng_state(), before[0])
    assert np.array_equal(np.random.get_state()[1], before[1])
    assert random.getstate() == before[2]


def test_a_net_that_reads_its_weights_while_it_is_built(monkeypatch: pytest.MonkeyPatch) -> None:
    built = []

    def build(config: object, encoder: torch.nn.Module) -> float:
        built.append(encoder)
        return next(encoder.parameters()).sum().item()

    monkeypatch.setattr(dry_run, "build_method", build)
    dry_run.dry_run(configured("dataset=digits"))
    assert all(p.is_meta for p in built[0].parameters())
