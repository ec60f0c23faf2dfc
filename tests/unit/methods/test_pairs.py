"""What is special about the methods of images and captions."""

import math

import pytest
import torch

from small import BACKBONES, random_batch, small_config, small_method
from sslrun.backbones.folder import build_encoder
from sslrun.config.errors import ConfigError
from sslrun.methods.base import build_method, check_fit
from sslrun.methods.two_towers import TwoTowers

both = pytest.mark.parametrize("name", ["clip", "siglip"])


@both
def test_the_scale_is_clamped_after_a_step(name: str) -> None:
    method = small_method(name, "cnn")
    assert isinstance(method, TwoTowers)
    with torch.no_grad():
        method.log_scale.fill_(9.0)
    method.after_step(0.0)
    assert method.log_scale.exp().item() == pytest.approx(100.0, rel=1e-5)
    with torch.no_grad():
        method.log_scale.fill_(-1.0)
    method.after_step(0.0)
    assert method.log_scale.item() == -1.0


@both
def test_it_starts_as_the_paper_does(name: str) -> None:
    method = small_method(name, "cnn")
    assert method(random_batch(method)).logs["scale"].item() == pytest.approx({"clip": 1 / 0.07, "siglip": 10}[name])


def test_encoders_are_of_image_and_text() -> None:
    encoders = small_method("clip", "cnn").encoders()
    assert {name: encoder.reads for name, encoder in encoders.items()} == {"image": "image", "text": "input_ids"}


def test_padding_of_a_caption_changes_nothing() -> None:
    method = small_method("clip", "cnn").eval()
    batch = random_batch(method)
    zeros = torch.zeros(8, 8, dtype=torch.int64)
    longer = batch | {
        key: torch.cat([batch[key], zeros], dim=1)[:, : batch[key].shape[1]] for key in ("input_ids", "attention_mask")
    }
    shorter = {key: longer[key][:, : int(longer["attention_mask"].sum(dim=1).max())] for key in longer if "_" in key}
    assert method(batch).loss.item() == pytest.approx(method({**batch, **shorter}).loss.item(), rel=1e-6)


def test_images_without_captions_are_refused() -> None:
    config = small_config("clip", ["dataset=digits"])
    with pytest.raises(ConfigError, match="method=clip reads image-text pairs; dataset=digits gives views or images"):
        check_fit(config.method, config.augmentation, config.dataset)
    inputs = {"channels": 1, "image_size": 8, "mean": None, "std": None, "classes": 10}
    with pytest.raises(ConfigError, match=r"method=clip reads images with captions; choose e.g. dataset=pairs"):
        build_method(config.method, build_encoder(BACKBONES["cnn"], inputs))


def test_the_scale_is_checked() -> None:
    with pytest.raises(ConfigError, match=r"method.scale must be in \(0, 100\], got 200"):
        small_config("clip", ["method.scale=200"])


def test_equal_captions_are_no_negatives() -> None:
    method = small_method("clip", "cnn").eval()
    batch = random_batch(method)
    with torch.no_grad():
        told = method(batch).loss
        untold = method(batch | {"caption": torch.arange(8)}).loss
    assert told.item() != pytest.approx(untold.item(), rel=1e-4)
    alike = {k: v[:1].expand_as(v) for k, v in batch.items()}
    assert method(alike).loss.item() == pytest.approx(math.log(8), rel=1e-5)  # eight right answers out of eight
