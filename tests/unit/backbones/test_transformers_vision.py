"""Image encoders of transformers: features equal to its own forward, at other sizes too, and after export."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModel

from checkpoints import save_clip, save_vision
from small import small_config
from sslrun.backbones.base import Encoder
from sslrun.backbones.folder import build_encoder, load_encoder
from sslrun.config.backbone.hf import HFConfig
from sslrun.config.errors import ConfigError
from sslrun.methods.base import build_method

INPUTS: dict[str, Any] = {"channels": 3, "image_size": 8, "mean": [0.5] * 3, "std": [0.5] * 3, "classes": None}
KINDS = (
    "ViTForImageClassification", "ViTMAEForPreTraining", "Dinov2Model", "Dinov2WithRegistersModel", "CLIPVisionModel",
)  # fmt: skip


def build(folder: Path, **options: Any) -> Encoder:
    torch.manual_seed(0)
    return build_encoder(HFConfig(pretrained=str(folder), **options), INPUTS).eval()


def theirs(folder: Path, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """What transformers itself makes of images: the class token normalised, and last_hidden_state."""
    model = AutoModel.from_pretrained(folder, local_files_only=True).eval()
    kind, options = model.config.model_type, {}
    if not kind.startswith("dinov2"):  # which always resamples its positions
        options["interpolate_pos_encoding"] = True
    if kind == "vit_mae":  # it hides and shuffles patches unless it is told not to
        model.config.mask_ratio = 0.0
        options["noise"] = torch.linspace(0, 1, (x.shape[-1] // 4) ** 2).expand(len(x), -1)
    out = model(x, **options)
    pooled = out.last_hidden_state[:, 0] if kind in ("vit", "vit_mae") else out.pooler_output
    return pooled, out.last_hidden_state


@torch.no_grad()
@pytest.mark.parametrize("kind", KINDS)
def test_features_are_transformers_own(kind: str, tmp_path: Path) -> None:
    save_vision(kind, tmp_path / "theirs")
    encoder = build(tmp_path / "theirs")
    encoder.save(tmp_path / "ours")
    for side in (8, 16):  # 16: positions are resampled
        x = torch.randn(2, 3, side, side, generator=torch.Generator().manual_seed(side))
        pooled, tokens = encoder.pooled_and_tokens(x)
        expected, hidden = theirs(tmp_path / "theirs", x)
        torch.testing.assert_close(pooled, expected, rtol=0, atol=1e-5)
        torch.testing.assert_close(tokens, hidden[:, -tokens.shape[1] :], rtol=0, atol=1e-5)
        assert tokens.shape == (2, (side // 4) ** 2, 16)
        exported, _ = theirs(tmp_path / "ours", x)
        torch.testing.assert_close(exported, expected, rtol=0, atol=1e-5)
        assert torch.equal(load_encoder(tmp_path / "ours")(x), pooled)
    without = build_encoder(dataclasses.replace(encoder.config, pretrained=None), INPUTS)
    without.load_state_dict(encoder.state_dict())
    assert torch.equal(without.eval()(x), pooled)
    counted = [id(p) for layer in encoder.layers() for p in layer]
    assert len(encoder.layers()) == 4 and set(counted) == {id(p) for p in encoder.parameters()}


@torch.no_grad()
def test_hidden_patches_are_hidden_as_in_vit_mae(tmp_path: Path) -> None:
    model = save_vision("ViTMAEForPreTraining", tmp_path, image_size=16)
    encoder = build(tmp_path)
    x = torch.randn(3, 3, 16, 16)
    noise = torch.rand(3, 16, generator=torch.Generator().manual_seed(0))
    keep = noise.argsort(dim=1)[:, :4]
    expected = model.vit(x, noise=noise).last_hidden_state[:, 1:]
    torch.testing.assert_close(encoder.tokens(x, keep), expected, rtol=0, atol=1e-5)


def test_mae_goes_on_from_it(tmp_path: Path) -> None:
    save_vision("ViTMAEForPreTraining", tmp_path)
    encoder = build(tmp_path).train()
    method = build_method(small_config("mae").method, encoder)
    method({"image": torch.randn(4, 3, 8, 8)}).loss.backward()
    without = [name for name, p in encoder.named_parameters() if p.grad is None or not p.grad.any()]
    assert without == ["network.embeddings.position_embeddings"]  # fixed in the paper
    assert not encoder.network.embeddings.position_embeddings.requires_grad  # type: ignore[union-attr]


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert"}))
    with pytest.raises(ConfigError, match=r"is a bert; vit, vit_mae, dinov2, dinov2_with_registers and clip_vision_m"):
        build(tmp_path)
    with pytest.raises(ConfigError, match=r"pretrained=None is not a folder with a config.json of transformers"):
        build_encoder(HFConfig(), INPUTS)
    save_clip(tmp_path, channels=1)
    with pytest.raises(ConfigError, match=r"reads 1 channels, the dataset gives 3: dataset.channels=1"):
        build(tmp_path)
    with pytest.raises(ConfigError, match=r"dataset.image_size=10 is not a multiple of the 4 pixels of a patch"):
        build_encoder(HFConfig(pretrained=str(tmp_path)), {**INPUTS, "channels": 1, "image_size": 10})
