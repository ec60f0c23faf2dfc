"""Encoders: shapes, stems, saving, and loading in their own libraries."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from safetensors.torch import load_file
from torch import nn
from torchvision.models import resnet18, resnet50

import sslrun
from sslrun.backbones.base import Tokens
from sslrun.backbones.folder import build_encoder, read_weights
from sslrun.config.backbone.resnet import ResNetConfig, Stem
from sslrun.config.backbone.small_cnn import SmallCNNConfig
from sslrun.config.backbone.timm import Positions, TimmConfig
from sslrun.config.errors import ConfigError
from sslrun.config.schema import BackboneConfig
from sslrun.nn.positions import sincos_2d

INPUTS: dict[str, Any] = {"channels": 3, "image_size": 32, "mean": [0.5] * 3, "std": [0.2] * 3}
CASES: list[tuple[BackboneConfig, int]] = [
    (ResNetConfig(name="resnet18"), 512),
    (ResNetConfig(name="resnet18", stem=Stem.small, width=16), 128),
    (ResNetConfig(name="resnet50", width=16), 512),
    (SmallCNNConfig(name="small_cnn", width=8), 128),
    (TimmConfig(name="vit_tiny_patch16_224", patch_size=8), 192),
    (TimmConfig(name="convnext_atto"), 320),
]
IDS = [f"{c.name}-{features}" for c, features in CASES]


@pytest.mark.parametrize(("config", "features"), CASES, ids=IDS)
def test_one_vector_an_image(config: BackboneConfig, features: int) -> None:
    encoder = build_encoder(config, INPUTS).eval()
    assert encoder(torch.randn(2, 3, 32, 32)).shape == (2, features)
    assert encoder.num_features == features


@pytest.mark.parametrize(("config", "features"), CASES, ids=IDS)
def test_saved_and_loaded_features_are_equal(config: BackboneConfig, features: int, tmp_path: Path) -> None:
    encoder = build_encoder(config, INPUTS).eval()
    encoder.save(tmp_path)
    loaded = sslrun.load_encoder(tmp_path)
    x = torch.randn(2, 3, 32, 32)
    torch.testing.assert_close(loaded(x), encoder(x), rtol=0, atol=0)
    assert loaded.inputs == INPUTS


@pytest.mark.parametrize(("name", "torchvisions"), [("resnet18", resnet18), ("resnet50", resnet50)])
def test_blocks_start_as_their_shortcuts_where_it_is_asked_for(name: str, torchvisions: Any) -> None:
    def zeros(state: dict[str, torch.Tensor]) -> set[str]:
        return {key for key, value in state.items() if key.endswith("weight") and not value.any()}

    config = ResNetConfig(name=name, width=8, stem=Stem.small)
    assert not zeros(build_encoder(config, INPUTS).library_state())
    encoder = build_encoder(dataclasses.replace(config, zero_init_residual=True), INPUTS)
    assert zeros(encoder.library_state()) == zeros(torchvisions(zero_init_residual=True).state_dict())
    block: Any = encoder.network.layer1[1]  # type: ignore[union-attr, index]
    x = torch.rand(2, encoder.num_features // 8, 4, 4)
    torch.testing.assert_close(block(x), x)


def test_sincos_positions_are_fixed_and_move_to_a_plain_timm_model(tmp_path: Path) -> None:
    config = TimmConfig(name="vit_tiny_patch16_224", patch_size=8, positions=Positions.sincos)
    encoder = build_encoder(config, {**INPUTS, "image_size": [16, 32]}).eval()
    encoder.save(tmp_path)
    plain = timm.create_model(f"local-dir:{tmp_path}", pretrained=True).eval()
    positions = plain.pos_embed[0]  # (1 + 2 x 4, 192): the class token, then row by row
    torch.testing.assert_close(positions[0], torch.zeros(192))
    torch.testing.assert_close(positions[1:5, :96], sincos_2d(192, (1, 4))[:, :96])  # the first row
    torch.testing.assert_close(positions[[4, 8], 96:], sincos_2d(192, (1, 4))[[3, 3], 96:])  # the last column
    assert "network.pos_embed" not in {n for n, p in encoder.named_parameters() if p.requires_grad}
    x = torch.randn(2, 3, 16, 32)
    torch.testing.assert_close(plain(x), encoder(x), rtol=0, atol=0)


def test_patches_tile_the_input() -> None:
    config = TimmConfig(name="vit_tiny_patch16_224", patch_size=8)
    with pytest.raises(
        ConfigError, match=r"patches of 8x8, which do not tile inputs of 64x100; backbone.patch_size takes"
    ):
        build_encoder(config, {**INPUTS, "image_size": [64, 100]})


def test_sincos_positions_need_positions() -> None:
    with pytest.raises(ConfigError, match="convnext_atto adds no positions to patches"):
        build_encoder(TimmConfig(name="convnext_atto", positions=Positions.sincos), INPUTS)


@pytest.mark.parametrize("build", [resnet18, resnet50])
def test_a_resnet_loads_in_plain_torchvision(build: Any, tmp_path: Path) -> None:
    encoder = build_encoder(ResNetConfig(name=build.__name__), INPUTS).eval()
    encoder.save(tmp_path)
    plain = build(weights=None)
    missing, unexpected = plain.load_state_dict(load_file(tmp_path / "model.safetensors"), strict=False)
    assert (missing, unexpected) == (["fc.weight", "fc.bias"], [])
    plain.fc = nn.Identity()
    x = torch.randn(2, 3, 32, 32)
    torch.testing.assert_close(plain.eval()(x), encoder(x), rtol=0, atol=0)


def test_a_vit_loads_in_plain_timm(tmp_path: Path) -> None:
    encoder = build_encoder(TimmConfig(name="vit_tiny_patch16_224", patch_size=8), INPUTS).eval()
    encoder.save(tmp_path)
    plain = timm.create_model(f"local-dir:{tmp_path}", pretrained=True).eval()
    x = torch.randn(2, 3, 32, 32)
    torch.testing.assert_close(plain(x), encoder(x), rtol=0, atol=0)


def test_grey_and_many_channels() -> None:
    for channels in (1, 5):
        inputs = INPUTS | {"channels": channels}
        for config, features in CASES:
            assert build_encoder(config, inputs).eval()(torch.randn(2, channels, 32, 32)).shape == (2, features)


def test_width_and_weights_follow_torchvisions_initialisation() -> None:
    torch.manual_seed(0)
    ours = build_encoder(ResNetConfig(name="resnet18", width=32), INPUTS)
    for name, weight in ours.library_state().items():
        if name.endswith("conv1.weight") and name.startswith("layer"):
            fan_out = weight.shape[0] * 9
            assert weight.std().item() == pytest.approx((2 / fan_out) ** 0.5, rel=0.1), name


def test_pretrained_from_a_run_a_folder_and_a_torch_file(tmp_path: Path) -> None:
    config = SmallCNNConfig(name="small_cnn", width=8)
    source = build_encoder(config, INPUTS)
    source.save(tmp_path / "run" / "encoder")
    torch.save(source.library_state(), tmp_path / "weights.pth")
    for path in (tmp_path / "run", tmp_path / "run" / "encoder", tmp_path / "weights.pth"):
        loaded = build_encoder(dataclasses.replace(config, pretrained=str(path)), INPUTS)
        for a, b in zip(loaded.parameters(), source.parameters(), strict=True):
            assert torch.equal(a, b)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (SmallCNNConfig(name="small_cnn", pretrained="/nope"), "no such weights file"),
        (TimmConfig(name="vit_tini_patch16_224"), "timm has no such model; did you mean 'vit_tiny_patch16_224'"),
        (ResNetConfig(name="resnet18", width=32, pretrained=True), "needs width=64, stem=large and 3 channels"),
    ],
)
def test_what_cannot_be_built_says_why(config: BackboneConfig, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build_encoder(config, INPUTS)


def test_weights_of_another_width_are_refused(tmp_path: Path) -> None:
    build_encoder(SmallCNNConfig(name="small_cnn", width=16), INPUTS).save(tmp_path)
    with pytest.raises(ConfigError, match=rf"^{tmp_path}: .* does not fit the backbone: .*choose"):
        build_encoder(SmallCNNConfig(name="small_cnn", width=8, pretrained=str(tmp_path)), INPUTS)


def test_files_that_are_no_weights_say_so_in_one_line(tmp_path: Path) -> None:
    torch.save(torch.nn.Linear(2, 2), tmp_path / "whole.pth")
    (tmp_path / "text.pth").write_text("weights")
    (tmp_path / "empty.pth").touch()
    (tmp_path / "torn.safetensors").write_bytes(b"\x40\0\0\0\0\0\0\0{")
    told = {
        "whole.pth": "holds more than tensors, or no tensors; save the model's state_dict",
        "text.pth": "holds more than tensors, or no tensors; save the model's state_dict",
        "empty.pth": "cannot be read (EOFError)",
        "torn.safetensors": "cannot be read (",
    }
    for name, message in told.items():
        with pytest.raises(ConfigError) as error:
            read_weights(tmp_path / name)
        assert str(error.value).startswith(f"backbone.pretrained={tmp_path / name} {message}")
        assert "\n" not in str(error.value)


def test_a_convolutional_net_has_no_tokens() -> None:
    with pytest.raises(ConfigError, match="backbone=resnet18 has no patch tokens"):
        build_encoder(ResNetConfig(name="resnet18"), INPUTS).tokens(torch.randn(1, 3, 32, 32))


@pytest.mark.parametrize(("config", "features"), CASES, ids=IDS)
def test_layers_hold_every_parameter_once(config: BackboneConfig, features: int) -> None:
    encoder = build_encoder(config, INPUTS)
    counted = [id(p) for layer in encoder.layers() for p in layer]
    assert len(counted) == len(set(counted))
    assert set(counted) == {id(p) for p in encoder.parameters()}


VIT = TimmConfig(name="vit_tiny_patch16_224", patch_size=8, pool="avg", options={"depth": 2})


def test_tokens_stand_row_by_row_on_the_grid() -> None:
    encoder = build_encoder(VIT, INPUTS).eval()
    assert (encoder.tokens_are, encoder.patch, encoder.grid) == (Tokens.patches, (8, 8), (4, 4))
    x = torch.randn(2, 3, 32, 32)
    pooled, tokens = encoder.pooled_and_tokens(x)
    assert tokens.shape == (2, 16, 192)
    torch.testing.assert_close(pooled, encoder(x))
    torch.testing.assert_close(tokens.mean(dim=1), pooled)


def test_only_kept_tokens_are_seen() -> None:
    encoder = build_encoder(VIT, INPUTS).eval()
    x = torch.randn(1, 3, 32, 32)
    changed = x.clone()
    changed[:, :, :8, 8:16] = 7.0  # token 1
    without, with_it = torch.tensor([[0, 5, 9]]), torch.tensor([[0, 1, 9]])
    assert torch.equal(encoder.tokens(x, without), encoder.tokens(changed, without))
    assert not torch.equal(encoder.tokens(x, with_it), encoder.tokens(changed, with_it))


def test_a_masked_token_hides_its_pixels_and_keeps_its_place() -> None:
    encoder = build_encoder(VIT, INPUTS).eval()
    x = torch.randn(1, 3, 32, 32)
    changed = x.clone()
    changed[:, :, :8, 8:16] = 7.0
    is_masked = torch.arange(16)[None] == 1
    token = torch.randn(192)
    hidden = encoder.tokens(x, is_masked=is_masked, mask_token=token)
    assert torch.equal(hidden, encoder.tokens(changed, is_masked=is_masked, mask_token=token))
    elsewhere = encoder.tokens(x, is_masked=is_masked.roll(1, dims=1), mask_token=token)
    assert not torch.equal(hidden, elsewhere)


def test_a_vit_takes_smaller_views() -> None:
    encoder = build_encoder(VIT, INPUTS).eval()
    assert encoder(torch.randn(2, 3, 16, 16)).shape == (2, 192)


def test_a_cnn_has_no_tokens() -> None:
    encoder = build_encoder(ResNetConfig(name="resnet18", width=8), INPUTS)
    with pytest.raises(ConfigError, match="resnet18 has no patch tokens; choose a ViT"):
        encoder.tokens(torch.randn(1, 3, 32, 32))
