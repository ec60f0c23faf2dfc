"""iBOT: its two losses by hand, what the student and the teacher see, centring, KoLeo, heads."""

from typing import Any

import pytest
import torch

from small import BACKBONES, random_batch, small_config, small_method
from sslrun.backbones.base import Encoder
from sslrun.backbones.folder import build_encoder
from sslrun.config.errors import ConfigError
from sslrun.config.method.ibot import Centering, IBOTConfig
from sslrun.losses.koleo import koleo
from sslrun.losses.sinkhorn import sinkhorn
from sslrun.methods.ibot import IBOT


def ibot(**changes: Any) -> IBOT:
    """On patches of 4 of 16 px: a grid of 4 x 4."""
    config = small_config("ibot").method
    assert isinstance(config, IBOTConfig)
    for key, value in changes.items():
        setattr(config, key, value)
    torch.manual_seed(0)
    inputs = {"channels": 3, "image_size": 16, "mean": None, "std": None, "classes": None}
    encoder: Encoder = build_encoder(BACKBONES["vit"], inputs)
    return IBOT(config, encoder)


def masks_of(method: IBOT, rows: int = 8) -> torch.Tensor:
    """(2B, N), the masks that the next forward pass takes."""
    return method.masks.draw(2, rows, method.encoder.grid)[0]


@pytest.mark.parametrize("shared", [True, False])
def test_losses_by_hand(shared: bool) -> None:
    """Softmax centring with a centre of 0: cross-entropy of views, and of masked patches per image."""
    method = ibot(shared_head=shared, teacher_temperature_warmup=0.0)
    method.before_step(0.0)
    batch = random_batch(method)
    is_masked = masks_of(method)
    assert is_masked.any() and not is_masked.any(dim=1).all()
    with torch.no_grad():
        x = torch.cat(batch["views"])
        pooled, tokens = method.encoder.pooled_and_tokens(x, is_masked=is_masked, mask_token=method.mask_token)
        pooled_seen, seen = method.teacher_encoder.pooled_and_tokens(x)
        targets = (method.teacher_head(pooled_seen) / 0.07).softmax(dim=1)
        log_p = (method.head(pooled) / 0.1).log_softmax(dim=1)
        views = -(targets * log_p.roll(8, dims=0)).sum(dim=1).mean()  # each view predicts the other
        head = method.head if shared else method.patch_head
        teacher_head = method.teacher_head if shared else method.teacher_patch_head
        assert head is not None and teacher_head is not None
        each = -((teacher_head(seen) / 0.07).softmax(dim=2) * (head(tokens) / 0.1).log_softmax(dim=2)).sum(dim=2)
        patches = [each[i][is_masked[i]].mean() if is_masked[i].any() else torch.zeros(()) for i in range(16)]
    output = method(batch)
    assert output.logs["view_loss"].item() == pytest.approx(views.item(), rel=1e-4)
    assert output.logs["patch_loss"].item() == pytest.approx(torch.stack(patches).mean().item(), rel=1e-4)
    assert output.loss.item() == pytest.approx(sum(v.item() for v in output.logs.values()), rel=1e-5)


def test_what_is_hidden_does_not_reach_the_student() -> None:
    """A hidden patch's pixels move targets alone; a visible one's move the student's outputs as well."""
    method = ibot(mask_share=1.0)
    is_masked = masks_of(method)
    x = torch.cat(random_batch(method)["views"])
    changed = x.clone()
    for image in range(len(x)):
        row, column = divmod(int(is_masked[image].nonzero()[0]), 4)
        changed[image, :, 4 * row : 4 * row + 4, 4 * column : 4 * column + 4] += 1.0

    def student(pixels: torch.Tensor) -> torch.Tensor:
        return method.encoder.pooled_and_tokens(pixels, is_masked=is_masked, mask_token=method.mask_token)[1]

    torch.testing.assert_close(student(changed), student(x), rtol=0, atol=0)
    assert not torch.allclose(method.teacher_encoder(changed), method.teacher_encoder(x))
    assert not torch.allclose(student(x + 1), student(x))


def test_local_crops_are_seen_whole_and_by_the_student_only() -> None:
    method = ibot()
    small = [torch.randn(8, 3, 8, 8) for _ in range(3)]
    seen: list[tuple[int, ...]] = []
    method.encoder.register_forward_hook(lambda module, args, output: seen.append(tuple(args[0].shape)))
    assert method({"views": [*random_batch(method)["views"], *small]}).loss.isfinite()
    assert seen == [(24, 3, 8, 8)]  # large ones go through pooled_and_tokens


def test_sinkhorn_targets_are_balanced_over_all_masked_patches() -> None:
    method = ibot(centering=Centering.sinkhorn, teacher_temperature_start=0.5)
    x = torch.cat(random_batch(method)["views"])
    at = masks_of(method).flatten().nonzero()[:, 0]
    with torch.no_grad():
        pooled, seen = method.teacher_encoder.pooled_and_tokens(x)
        targets = method.patch_targets(seen, at, [len(at)])
        expected = sinkhorn(method.teacher_head(seen.flatten(0, 1)[at]), epsilon=0.5, iterations=3)
        torch.testing.assert_close(targets, expected)
        outputs = method.teacher_head(pooled)
        torch.testing.assert_close(method.targets(outputs), sinkhorn(outputs, epsilon=0.5, iterations=3))


def test_the_patch_center_follows_all_patches() -> None:
    method = ibot(center_momentum=0.5)
    batch = random_batch(method)
    with torch.no_grad():
        seen = method.teacher_encoder.pooled_and_tokens(torch.cat(batch["views"]))[1]
        mean = method.teacher_head(seen).mean(dim=(0, 1))
    method(batch)
    method.after_step(0.0)
    torch.testing.assert_close(method.patch_center.value, mean / 2)


def test_koleo_is_of_each_view_by_itself() -> None:
    method = ibot(koleo_weight=0.1)
    batch = random_batch(method)
    is_masked = masks_of(method)
    output = method(batch)
    with torch.no_grad():
        pooled, _ = method.encoder.pooled_and_tokens(
            torch.cat(batch["views"]), is_masked=is_masked, mask_token=method.mask_token
        )
        expected = sum(koleo(y) for y in pooled.chunk(2))
    torch.testing.assert_close(output.logs["koleo"], expected, rtol=1e-4, atol=1e-5)
    rest = output.logs["view_loss"] + output.logs["patch_loss"]
    assert output.loss.item() == pytest.approx((rest + 0.1 * expected).item(), rel=1e-4)


def test_the_embedding_is_the_teachers_of_the_first_view() -> None:
    method = ibot()
    batch = random_batch(method)
    with torch.no_grad():
        for parameter in method.teacher_encoder.parameters():
            parameter.mul_(1.1)
        expected = method.teacher_encoder(batch["views"][0])
    torch.testing.assert_close(method(batch).embedding, expected, rtol=1e-4, atol=1e-5)


def test_a_head_of_their_own_rests_and_is_followed() -> None:
    method = ibot(shared_head=False, frozen=0.5, decay_start=0.9)
    assert method.patch_head is not None and method.teacher_patch_head is not None
    method(random_batch(method)).loss.backward()
    method.after_backward(0.4)
    assert method.patch_head.prototypes.weight.grad is None and method.head.prototypes.weight.grad is None
    with torch.no_grad():
        method.patch_head.prototypes.weight.add_(1.0)
    before = method.teacher_patch_head.prototypes.weight.clone()
    method.after_step(0.0)
    torch.testing.assert_close(method.teacher_patch_head.prototypes.weight, before + 0.1)


def test_masks_change_with_the_step() -> None:
    method = small_method("ibot", "vit")
    assert isinstance(method, IBOT)
    method.before_step(0.1)
    first = masks_of(method)
    method.before_step(0.2)
    assert not torch.equal(masks_of(method), first)
    method.before_step(0.1)
    assert torch.equal(masks_of(method), first)


@pytest.mark.parametrize(
    ("key", "value", "text"),
    [
        ("mask_share", 0.0, "must be in (0, 1], got 0"),
        ("mask_ratios", [0.5, 0.1], "must be two numbers, the smaller first, got [0.5, 0.1]"),
        ("mask_ratios", [0.5, 1.0], "must be in (0, 1), got 1"),
        ("sinkhorn_iterations", 0, "must be in [1, inf), got 0"),
        ("patch_weight", -1.0, "must be in [0, inf), got -1"),
        ("koleo_weight", -0.1, "must be in [0, inf), got -0.1"),
        ("prototypes", 1, "must be in [2, inf), got 1"),
    ],
)
def test_ranges(key: str, value: Any, text: str) -> None:
    config = small_config("ibot").method
    setattr(config, key, value)
    with pytest.raises(ConfigError) as error:
        config.__post_init__()  # type: ignore[attr-defined]
    assert str(error.value) == f"method.{key} {text}"
