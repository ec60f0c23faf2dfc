"""From `encoder=` and its neighbours to what is measured."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import timm
import torch

from sslrun.backbones.folder import build_encoder
from sslrun.backbones.small_cnn import SmallCNN
from sslrun.backbones.timm import TimmEncoder
from sslrun.commands.encoders import find_subject
from sslrun.commands.probe import encoders
from sslrun.config.backbone.small_cnn import SmallCNNConfig
from sslrun.config.compose import compose, save
from sslrun.config.errors import ConfigError
from sslrun.data.build import build_data

CNN = ["encoder=random", "backbone=small_cnn", "dataset=digits"]
OTHER = SimpleNamespace(input_size=(3, 16, 16), mean=(0.1, 0.2, 0.3), std=(0.4, 0.5, 0.6), fixed_input_size=False)


def test_a_baseline_of_timm_is_that_model_and_reads_as_it_was_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, bool]] = []
    create = timm.create_model

    def without_download(name: str, *, pretrained: bool, **arguments: Any) -> Any:
        asked.append((name, pretrained))
        return create(name, **arguments)

    monkeypatch.setattr(timm, "create_model", without_download)
    monkeypatch.setattr(timm, "get_pretrained_cfg", lambda name: OTHER)
    inputs = {"channels": 1, "image_size": 8, "mean": [0.5], "std": [0.25]}
    build_encoder(SmallCNNConfig(name="small_cnn", width=8), inputs).save(tmp_path / "run" / "encoder")
    config: Any = compose(
        "probe", [f"encoder={tmp_path}/run", "dataset=digits", "baselines=[random,'timm:resnet10t.c3_in1k']"]
    )
    subject = find_subject(config.encoder, None, config.dataset)
    data = build_data(subject.dataset)
    (_, own, own_data), (_, _, random_data), (name, other, read) = encoders(config, subject, data)
    assert isinstance(own, SmallCNN) and own_data is random_data is data
    assert name == "timm:resnet10t.c3_in1k" and isinstance(other, TimmEncoder)
    assert asked == [("resnet10t.c3_in1k", True)]
    expected = {"image_size": 16, "channels": 3, "mean": [0.1, 0.2, 0.3], "std": [0.4, 0.5, 0.6]}
    assert expected.items() <= read.encoder_inputs().items()
    assert read.fingerprint == data.fingerprint
    image = read.prepare()(read.collate([read.evaluation("test")[0, 0]]))["image"]
    assert other.eval()(image).shape == (1, 512) and torch.isfinite(image).all()


@pytest.mark.parametrize(
    ("pretrained", "remedy"), [("true", "encoder=timm:NAME"), ("/runs/mine", "encoder=/runs/mine")]
)
@pytest.mark.parametrize("command", ["probe", "finetune"])
def test_an_untrained_net_takes_no_weights(command: str, pretrained: str, remedy: str) -> None:
    config: Any = compose(
        command, ["encoder=random", "backbone=resnet18", "dataset=digits", f"backbone.pretrained={pretrained}"]
    )
    with pytest.raises(ConfigError, match=r"^backbone.pretrained=.*: with encoder=random the backbone") as error:
        find_subject(config.encoder, config.backbone, config.dataset)
    assert str(error.value).endswith(remedy)


def test_a_checkpoint_of_finetune_is_refused(tmp_path: Path) -> None:
    checkpoint = tmp_path / "checkpoints" / "last.ckpt"
    checkpoint.parent.mkdir()
    checkpoint.touch()
    (tmp_path / "run.json").write_text(json.dumps({"command": "finetune", "inputs": {}}))
    (tmp_path / "config.yaml").write_text(save(compose("finetune", CNN)))
    with pytest.raises(
        ConfigError, match=rf"^encoder={checkpoint} is not from a pretraining run; use the run's encoder/ folder"
    ):
        find_subject(str(checkpoint), None, None)


def test_weights_that_timm_does_not_know_are_one_line() -> None:
    with pytest.raises(ConfigError, match=r"^encoder=timm:resnet18.typo: timm has no pretrained weights of that name"):
        find_subject("timm:resnet18.typo", None, compose("probe", CNN).dataset)  # type: ignore[attr-defined]
