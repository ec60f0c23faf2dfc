"""DINO: algorithm 1 with multi-crop retyped in NumPy, and its schedules from arithmetic."""

import math
from typing import Any

import numpy as np
import pytest
import torch

from small import random_batch, small_config, small_method
from sslrun.backbones.folder import build_encoder
from sslrun.config.backbone.timm import TimmConfig
from sslrun.config.errors import ConfigError
from sslrun.config.method.dino import DINOConfig
from sslrun.methods.dino import DINO

GOOD: dict[str, Any] = {
    "hidden_dim": 8, "bottleneck_dim": 4, "prototypes": 6, "student_temperature": 0.1, "teacher_temperature": 0.07,
    "teacher_temperature_start": 0.04, "teacher_temperature_warmup": 0.5, "center_momentum": 0.9, "frozen": 0.25,
    "decay_start": 0.9,
}  # fmt: skip


def dino(**changes: Any) -> DINO:
    method = small_method("dino", "vit")
    assert isinstance(method, DINO)
    for key, value in changes.items():
        setattr(method.config, key, value)
    return method


def crops() -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    return [torch.randn(5, 3, side, side, generator=generator) for side in (16, 16, 8, 8, 8)]


def algorithm_1(student: np.ndarray, teacher: np.ndarray, center: np.ndarray, tau_s: float, tau_t: float) -> float:
    """Eq. 3 over (V, B, K) student and (G, B, K) teacher outputs."""

    def softmax(x: np.ndarray) -> np.ndarray:
        return np.exp(x) / np.exp(x).sum(axis=-1, keepdims=True)

    terms = []
    for g in range(len(teacher)):
        for v in range(len(student)):
            if v != g:
                target = softmax((teacher[g] - center) / tau_t)
                terms.append(-(target * np.log(softmax(student[v] / tau_s))).sum(axis=-1).mean())
    return float(np.mean(terms))


def test_loss_is_algorithm_1_over_all_crops() -> None:
    method, views = dino(), crops()
    with torch.no_grad():
        for p in method.teacher_head.parameters():
            p.add_(0.1 * torch.randn(p.shape, generator=torch.Generator().manual_seed(4)))
        method.center.value.uniform_(-0.05, 0.05, generator=torch.Generator().manual_seed(5))
        student = torch.stack([method.head(method.encoder(x)) for x in views])  # (V, B, K)
        teacher = torch.stack([method.teacher_head(method.teacher_encoder(x)) for x in views[:2]])  # (G, B, K)
    method.before_step(0.0)
    loss = method({"views": views}).loss
    center = method.center.value.double().numpy()
    expected = algorithm_1(student.double().numpy(), teacher.double().numpy(), center, 0.1, 0.04)
    assert loss.item() == pytest.approx(expected, rel=1e-4)
    method.config.center_momentum = 0.5
    before = method.center.value.clone()
    method.after_step(0.0)
    torch.testing.assert_close(method.center.value, before / 2 + teacher.mean(dim=(0, 1)) / 2)  # eq. 4


def test_the_teacher_sees_large_crops_only() -> None:
    method, seen = dino(), []
    method.teacher_encoder.register_forward_hook(lambda module, args, output: seen.append(args[0].shape))
    method({"views": crops()})
    assert seen == [(10, 3, 16, 16)]


def test_teacher_temperature_rises_in_the_first_part_of_the_run() -> None:
    method = dino(teacher_temperature_warmup=0.5, teacher_temperature_start=0.04, teacher_temperature=0.07)
    found = []
    for progress in (0.0, 0.25, 0.5, 0.75):
        method.before_step(progress)
        found.append(method.teacher_temperature)
    assert found == pytest.approx([0.04, 0.055, 0.07, 0.07])
    method.config.teacher_temperature_warmup = 0.0
    method.before_step(0.0)
    assert method.teacher_temperature == 0.07


def test_prototypes_rest_at_first() -> None:
    method = dino(frozen=0.25)
    optimizer = torch.optim.AdamW([p for p in method.parameters() if p.requires_grad], lr=0.01, weight_decay=0.1)
    before = method.head.prototypes.weight.detach().clone()
    for progress, moves in ((0.0, False), (0.24, False), (0.25, True)):
        optimizer.zero_grad()
        method(random_batch(method)).loss.backward()
        method.after_backward(progress)
        optimizer.step()
        assert torch.equal(method.head.prototypes.weight, before) is not moves


@pytest.mark.parametrize(("progress", "decay"), [(0.0, 0.9), (0.5, 0.95), (1.0, 1.0)])
def test_teacher_is_a_moving_average(progress: float, decay: float) -> None:
    method = dino(decay_start=0.9)
    old = [p.clone() for p in (*method.teacher_encoder.parameters(), *method.teacher_head.parameters())]
    with torch.no_grad():
        for p in (*method.encoder.parameters(), *method.head.parameters()):
            p.add_(1.0)
    method.after_step(progress)
    new = (*method.teacher_encoder.parameters(), *method.teacher_head.parameters())
    for before, after in zip(old, new, strict=True):
        torch.testing.assert_close(after, before + (1 - decay))


def test_the_teacher_is_exported_and_has_no_stochastic_depth() -> None:
    options = {"depth": 2, "embed_dim": 48, "num_heads": 3}
    backbone = TimmConfig(name="vit_tiny_patch16_224", patch_size=4, drop_path=0.5, options=options)
    inputs = {"channels": 3, "image_size": 16, "mean": None, "std": None, "classes": None}
    config = small_config("dino").method
    assert isinstance(config, DINOConfig)
    method = DINO(config, build_encoder(backbone, inputs))
    assert method.encoders() == {"encoder": method.teacher_encoder}
    x = torch.randn(32, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    assert torch.equal(method.teacher_encoder(x), method.teacher_encoder(x))
    assert not torch.equal(method.encoder(x), method.encoder(x))


def test_a_uniform_teacher_and_student_have_log_k() -> None:
    method = dino()
    with torch.no_grad():
        method.head.prototypes.weight.copy_(method.head.prototypes.weight[:1].clone())
    method.teacher_head.load_state_dict(method.head.state_dict())
    assert method(random_batch(method)).loss.item() == pytest.approx(math.log(24), rel=1e-5)


@pytest.mark.parametrize(
    ("key", "value", "limits"),
    [
        ("hidden_dim", 0, "[1, inf)"),
        ("bottleneck_dim", 0, "[1, inf)"),
        ("prototypes", 1, "[2, inf)"),
        ("student_temperature", 0.0, "(0, inf)"),
        ("teacher_temperature", 0.0, "(0, inf)"),
        ("teacher_temperature_start", -1.0, "(0, inf)"),
        ("teacher_temperature_warmup", 1.5, "[0, 1]"),
        ("center_momentum", 1.5, "[0, 1]"),
        ("frozen", 1.0, "[0, 1)"),
        ("decay_start", 1.5, "[0, 1]"),
    ],
)
def test_ranges(key: str, value: float, limits: str) -> None:
    DINOConfig(**GOOD)
    with pytest.raises(ConfigError) as error:
        DINOConfig(**(GOOD | {key: value}))
    assert str(error.value) == f"method.{key} must be in {limits}, got {value:g}"
