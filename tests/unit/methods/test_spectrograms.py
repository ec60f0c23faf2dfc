"""Methods of masked images on images that are wider than high, as spectrograms are."""

from typing import Any

import pytest
import torch

from small import BACKBONES, small_config
from sslrun.backbones.folder import build_encoder, load_encoder
from sslrun.methods.base import build_method

INPUTS: dict[str, Any] = {"channels": 1, "image_size": [8, 24], "mean": [0.0], "std": [1.0], "classes": None}


@pytest.mark.parametrize("name", ["mae", "simmim"])
def test_every_patch_of_the_grid_gets_a_gradient(name: str) -> None:
    torch.manual_seed(0)
    method = build_method(small_config(name).method, build_encoder(BACKBONES["vit"], INPUTS))
    assert method.encoder.grid == (2, 6)
    image = torch.randn(16, 1, 8, 24, requires_grad=True)
    method({"image": image}).loss.backward()
    assert image.grad is not None
    assert (image.grad.abs().sum(dim=(0, 1)).reshape(2, 4, 6, 4).sum(dim=(1, 3)) > 0).all()


def test_an_exported_encoder_loads_at_its_size(tmp_path: Any) -> None:
    encoder = build_encoder(BACKBONES["vit"], INPUTS).eval()
    encoder.save(tmp_path)
    image = torch.randn(1, 1, 8, 24)
    assert torch.equal(load_encoder(tmp_path)(image), encoder(image))
