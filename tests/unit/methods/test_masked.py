"""MAE, SimMIM and I-JEPA: what the encoder sees, what the loss counts, and the errors of their configurations."""

from typing import Any

import pytest
import torch
from torch import Tensor

from small import random_batch, small_config, small_method
from sslrun.backbones.base import Encoder
from sslrun.backbones.folder import build_encoder
from sslrun.config.backbone.timm import TimmConfig
from sslrun.config.errors import ConfigError
from sslrun.config.method.ijepa import IJEPAConfig
from sslrun.config.method.mae import MAEConfig
from sslrun.config.method.simmim import SimMIMConfig
from sslrun.losses.pixels import locally_normalized, masked_l1, normalized_patch_mse
from sslrun.methods.base import Method, build_method
from sslrun.methods.ijepa import IJEPA
from sslrun.nn.masking import context_and_targets, random_cells, random_tokens, take
from sslrun.nn.patches import patchify

CPU = torch.device("cpu")
SEED, GRID, PATCH = 3, (4, 4), (4, 4)
NAMES = ("mae", "simmim", "ijepa")


def is_hidden(method: Any, rows: int) -> Tensor:
    """(B, N): what the method hides from its encoder after `manual_seed(SEED)`."""
    torch.manual_seed(SEED)
    c = method.config
    if isinstance(c, SimMIMConfig):
        return random_cells(rows, GRID, side=1, ratio=c.mask_ratio, device=CPU)
    if isinstance(c, MAEConfig):
        keep, _ = random_tokens(rows, 16, ratio=c.mask_ratio, device=CPU)
    else:
        scales: Any = {k: tuple(getattr(c, k)) for k in ("target_scale", "target_aspect", "context_scale")}
        keep, _ = context_and_targets(rows, GRID, targets=c.targets, **scales, min_context=c.min_context, device=CPU)
    return torch.ones(rows, 16, dtype=torch.bool).scatter_(1, keep, False)


def run(method: Method, batch: dict[str, Any]) -> tuple[Tensor, Tensor]:
    """Loss, and the tokens that the trained encoder gives."""
    seen: list[Tensor] = []
    inner = method.encoder.pooled_and_tokens

    def spy(*args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        pooled, tokens = inner(*args, **kwargs)
        seen.append(tokens)
        return pooled, tokens

    method.encoder.pooled_and_tokens = spy  # type: ignore[method-assign]
    torch.manual_seed(SEED)
    loss = method(batch).loss
    method.encoder.pooled_and_tokens = inner  # type: ignore[method-assign]
    return loss, seen[0]


def changed(batch: dict[str, Any], where: Tensor) -> dict[str, Any]:
    """The batch with other pixels in the patches where `where` (B, N) is True."""
    patches = patchify(batch["image"], patch=PATCH)
    noise = torch.randn(patches.shape, generator=torch.Generator().manual_seed(9))
    patches = torch.where(where[..., None], noise, patches)  # (B, N, h * w * C)
    rows, columns = GRID
    x = patches.reshape(len(patches), rows, columns, *PATCH, -1).permute(0, 5, 1, 3, 2, 4)
    return {**batch, "image": x.reshape(batch["image"].shape)}


@pytest.mark.parametrize("name", NAMES)
def test_hidden_pixels_never_reach_the_encoder_and_visible_ones_do(name: str) -> None:
    method = small_method(name, "vit")
    batch = random_batch(method)
    hidden = is_hidden(method, 8)
    loss, tokens = run(method, batch)
    other_loss, other_tokens = run(method, changed(batch, hidden))
    assert torch.equal(tokens, other_tokens)
    assert other_loss != loss  # they are what is to be predicted
    first = torch.zeros_like(hidden).scatter_(1, (~hidden).int().argmax(dim=1, keepdim=True), True)  # one visible patch
    assert not torch.equal(run(method, changed(batch, first))[1], tokens)


@pytest.mark.parametrize("name", ["mae", "simmim"])
def test_the_loss_counts_hidden_patches_only(name: str) -> None:
    """A net that predicts 0 everywhere: the loss is a function of the hidden pixels alone."""
    method: Any = small_method(name, "vit")
    batch = random_batch(method)
    hidden = is_hidden(method, 8)
    head = method.decoder.head if name == "mae" else method.head
    torch.nn.init.zeros_(head.weight)
    torch.nn.init.zeros_(head.bias)
    patches = patchify(batch["image"], patch=PATCH)
    loss, _ = run(method, batch)
    zero = torch.zeros_like(patches)
    if name == "mae":
        expected = normalized_patch_mse(zero[hidden][None], patches[hidden][None])
    else:
        expected = masked_l1(zero, patches, is_masked=hidden)
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(run(method, changed(batch, ~hidden))[0], expected)


@pytest.mark.parametrize("name", ["mae", "simmim"])
def test_held_out_loss_is_the_loss_and_a_function_of_the_position(name: str) -> None:
    """Every image by itself, whatever stands beside it; nothing is drawn from the global generator."""
    method: Any = small_method(name, "vit").eval()
    batch = random_batch(method)
    state = torch.get_rng_state()
    sums, counts = method.row_losses(batch)
    assert torch.equal(torch.get_rng_state(), state)
    alone = method.row_losses({key: value[5:6] for key, value in batch.items()})
    torch.testing.assert_close(alone[0], sums[5:6])
    assert torch.equal(alone[1], counts[5:6])
    assert not torch.allclose(method.row_losses(batch | {"index": batch["index"] + 1})[0], sums)

    generators = (torch.Generator().manual_seed(i) for i in range(8))
    order = torch.stack([torch.rand(16, generator=generator) for generator in generators]).argsort(dim=1)
    visible = {"mae": 4, "simmim": 6}[name]  # ratios of .75 and .6 of 16, rounded up
    hidden = torch.ones(8, 16, dtype=torch.bool).scatter_(1, order[:, :visible], False)
    assert counts.tolist() == [16 - visible] * 8
    patches = patchify(batch["image"], patch=PATCH)
    if name == "mae":
        tokens = method.encoder.pooled_and_tokens(batch["image"], order[:, :visible])[1]
        predicted = method.decoder(tokens, at=order[:, :visible], predict_at=order[:, visible:])
        expected = normalized_patch_mse(predicted, take(patches, order[:, visible:]))
    else:
        told = method.encoder.pooled_and_tokens(batch["image"], is_masked=hidden, mask_token=method.mask_token)
        expected = masked_l1(method.head(told[1]), patches, is_masked=hidden)
    torch.testing.assert_close(sums.sum() / counts.sum(), expected)


def test_simmim_predicts_normalised_pixels() -> None:
    """The target is normalised; what the encoder reads is not."""
    inputs = {"channels": 3, "image_size": 16, "mean": None, "std": None, "classes": 3}
    config = small_config("simmim", mask_patch_size=4, target_window=5)
    method: Any = build_method(config.method, build_encoder(vit(), inputs))
    raw: Any = build_method(small_config("simmim", mask_patch_size=4).method, build_encoder(vit(), inputs))
    raw.load_state_dict(method.state_dict())
    batch = random_batch(method)
    hidden = is_hidden(method, 8)
    loss, tokens = run(method, batch)
    torch.testing.assert_close(tokens, run(raw, batch)[1])
    target = patchify(locally_normalized(batch["image"], window=5), patch=PATCH)
    torch.testing.assert_close(loss, masked_l1(method.head(tokens), target, is_masked=hidden))


def test_the_window_of_simmims_targets_has_a_centre() -> None:
    with pytest.raises(ConfigError, match=r"method.target_window must be odd, so that a pixel is its centre, got 8"):
        small_config("simmim", ["method.target_window=8"])


def test_simmim_hides_cells_of_several_patches() -> None:
    config = small_config("simmim", mask_patch_size=8)
    inputs = {"channels": 3, "image_size": 16, "mean": None, "std": None, "classes": 3}
    method: Any = build_method(config.method, build_encoder(vit(), inputs))
    assert method.side == 2


@pytest.mark.parametrize("size", [6, 12, 16, 32])
def test_simmim_names_the_cells_that_fit(size: int) -> None:
    config = small_config("simmim", mask_patch_size=size)
    inputs = {"channels": 3, "image_size": 16, "mean": None, "std": None, "classes": 3}
    with pytest.raises(ConfigError, match=rf"divides images of 16x16: one of 4, 8; got {size}"):
        build_method(config.method, build_encoder(vit(), inputs))


def vit() -> TimmConfig:
    return TimmConfig(
        name="vit_tiny_patch16_224", patch_size=4, pool="avg", options={"depth": 1, "embed_dim": 24, "num_heads": 3}
    )


@pytest.mark.parametrize("name", NAMES)
def test_spectrograms_of_one_channel_and_any_shape(name: str) -> None:
    """Nothing assumes 3 channels or a square."""
    options = {"depth": 1, "embed_dim": 24, "num_heads": 3, "img_size": (8, 24)}
    backbone = TimmConfig(name="vit_tiny_patch16_224", patch_size=4, pool="avg", options=options)
    inputs = {"channels": 1, "image_size": 24, "mean": None, "std": None, "classes": None}
    encoder: Encoder = build_encoder(backbone, inputs)
    assert encoder.grid == (2, 6)
    method = build_method(small_config(name).method, encoder)
    output = method({"image": torch.randn(4, 1, 8, 24)})
    output.loss.backward()
    assert output.loss.isfinite()


@pytest.mark.parametrize("name", ["mae", "ijepa"])
def test_patches_may_be_whole_frames(name: str) -> None:
    options = {"depth": 1, "embed_dim": 24, "num_heads": 3}
    backbone = TimmConfig(name="vit_tiny_patch16_224", patch_size=[8, 2], pool="avg", options=options)
    inputs = {"channels": 1, "image_size": [8, 24], "mean": None, "std": None, "classes": None}
    encoder: Encoder = build_encoder(backbone, inputs)
    assert (encoder.grid, encoder.patch) == ((1, 12), (8, 2))
    batch = {"image": torch.randn(4, 1, 8, 24)}
    method = build_method(small_config(name).method, encoder)
    method(batch).loss.backward()


def test_simmim_wants_square_patches() -> None:
    backbone = TimmConfig(name="vit_tiny_patch16_224", patch_size=[8, 2])
    inputs = {"channels": 1, "image_size": [8, 24], "mean": None, "std": None, "classes": None}
    with pytest.raises(ConfigError, match=r"masks square cells; backbone.patch_size=\[8,2\] is not square"):
        build_method(small_config("simmim").method, build_encoder(backbone, inputs))


@pytest.mark.parametrize("sides", [0, [8, 0], [1, 2, 3], 2.5, "8"])
def test_a_patch_has_one_side_or_two(sides: Any) -> None:
    with pytest.raises(ConfigError, match=r"backbone.patch_size is a whole number of pixels, or two"):
        TimmConfig(name="vit_tiny_patch16_224", patch_size=sides)


def test_ijepa_targets_are_the_slow_copys_tokens() -> None:
    """A predictor that gives 0: the loss is smooth L1 of the layer-normalised target tokens."""
    method = small_method("ijepa", "vit")
    assert isinstance(method, IJEPA)
    torch.nn.init.zeros_(method.predictor.head.weight)
    with torch.no_grad():
        for p in method.encoder.parameters():
            p.add_(0.1)
    batch = random_batch(method)
    torch.manual_seed(SEED)
    c = method.config
    scales: Any = {k: tuple(getattr(c, k)) for k in ("target_scale", "target_aspect", "context_scale")}
    _, targets = context_and_targets(8, GRID, targets=4, **scales, min_context=c.min_context, device=CPU)
    tokens = take(method.target_encoder.tokens(batch["image"]), targets.flatten(1))
    tokens = torch.nn.functional.layer_norm(tokens, tokens.shape[-1:])
    expected = torch.nn.functional.smooth_l1_loss(torch.zeros_like(tokens), tokens)
    torch.testing.assert_close(run(method, batch)[0], expected)


@pytest.mark.parametrize(("progress", "decay"), [(0.0, 0.996), (0.5, 0.998), (0.999, 0.999996)])
def test_ijepa_target_follows_along_a_line(progress: float, decay: float) -> None:
    method = small_method("ijepa", "vit")
    assert isinstance(method, IJEPA)
    with torch.no_grad():
        for p in method.encoder.parameters():
            p.add_(1.0)
    before = [p.clone() for p in method.target_encoder.parameters()]
    method.after_step(progress)
    for old, new in zip(before, method.target_encoder.parameters(), strict=True):
        torch.testing.assert_close(new - old, torch.full_like(old, 1 - decay), rtol=1e-2, atol=1e-6)


def test_ijepa_gives_its_target_encoder() -> None:
    method = small_method("ijepa", "vit")
    assert isinstance(method, IJEPA)
    assert method.encoders() == {"encoder": method.target_encoder}


MAE_FIELDS: dict[str, Any] = {"mask_ratio": 0.75, "decoder_dim": 64, "decoder_depth": 1, "decoder_heads": 4}
SIMMIM_FIELDS: dict[str, Any] = {"mask_ratio": 0.6, "mask_patch_size": 8}
IJEPA_FIELDS: dict[str, Any] = {
    "targets": 4, "target_scale": [0.15, 0.2], "target_aspect": [0.75, 1.5], "context_scale": [0.85, 1.0],
    "min_context": 0.04, "predictor_dim": 64, "predictor_depth": 1, "predictor_heads": 4, "decay_start": 0.996,
}  # fmt: skip


@pytest.mark.parametrize(
    ("cls", "wrong", "message"),
    [
        (MAEConfig, {"mask_ratio": 1.5}, r"method.mask_ratio must be in \(0, 1\), got 1.5"),
        (MAEConfig, {"decoder_depth": 0}, r"method.decoder_depth must be in \[1, inf\), got 0"),
        (MAEConfig, {"decoder_dim": 62}, "method.decoder_dim must be a multiple of 4 and of method.decoder_heads=4"),
        (SimMIMConfig, {"mask_ratio": 0}, r"method.mask_ratio must be in \(0, 1\), got 0"),
        (SimMIMConfig, {"mask_patch_size": 0}, r"method.mask_patch_size must be in \[1, inf\), got 0"),
        (IJEPAConfig, {"targets": 0}, r"method.targets must be in \[1, inf\), got 0"),
        (IJEPAConfig, {"target_scale": [0.2, 0.15]}, "method.target_scale must be two numbers, the smaller first"),
        (IJEPAConfig, {"target_aspect": [1.0]}, "method.target_aspect must be two numbers, the smaller first"),
        (IJEPAConfig, {"context_scale": [0.9, 1.1]}, r"method.context_scale must be in \(0, 1\], got 1.1"),
        (IJEPAConfig, {"min_context": 1}, r"method.min_context must be in \[0, 1\), got 1"),
        (IJEPAConfig, {"predictor_heads": 5}, "method.predictor_dim must be a multiple of 4 and of"),
        (IJEPAConfig, {"decay_start": 1.1}, r"method.decay_start must be in \[0, 1\], got 1.1"),
    ],
)
def test_values_out_of_range(cls: Any, wrong: dict[str, Any], message: str) -> None:
    fields = {MAEConfig: MAE_FIELDS, SimMIMConfig: SIMMIM_FIELDS, IJEPAConfig: IJEPA_FIELDS}[cls]
    cls(**fields)
    with pytest.raises(ConfigError, match=message):
        cls(**fields | wrong)
