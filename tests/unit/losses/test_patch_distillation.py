"""iBOT's patch loss against eq. 3 of arXiv:2111.07832, retyped in NumPy."""

import math

import numpy as np
import pytest
import torch

from sslrun.losses.patch_distillation import patch_distillation

IS_MASKED = np.array([[1, 0, 1, 1], [0, 0, 0, 0], [0, 1, 0, 0]], dtype=bool)  # three images of four patches


def equation_3(outputs: np.ndarray, targets: np.ndarray, temperature: float) -> float:
    """Mean over images of the mean over their masked patches of -P_teacher log P_student, for all patches of all."""
    total = 0.0
    for image in range(3):
        masked = [i for i in range(4) if IS_MASKED[image, i]]
        for patch in masked:
            logits = outputs[image, patch] / temperature
            log_p = logits - np.log(np.exp(logits).sum())
            total -= (targets[image, patch] * log_p).sum() / len(masked)
    return total / 3


@pytest.fixture
def everything() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    outputs = torch.randn(3, 4, 5, generator=generator)
    return outputs, torch.randn(3, 4, 5, generator=generator).softmax(dim=2)


def of_masked(outputs: torch.Tensor, targets: torch.Tensor, temperature: float) -> torch.Tensor:
    masked = torch.from_numpy(IS_MASKED)
    weights = (masked / masked.sum(dim=1, keepdim=True).clamp(min=1) / 3)[masked]
    return patch_distillation(outputs[masked], targets[masked], weights=weights, temperature=temperature)


@pytest.mark.parametrize("temperature", [0.1, 1.0])
def test_value_is_the_papers(everything: tuple[torch.Tensor, torch.Tensor], temperature: float) -> None:
    outputs, targets = everything
    expected = equation_3(outputs.double().numpy(), targets.double().numpy(), temperature)
    assert of_masked(outputs, targets, temperature).item() == pytest.approx(expected, rel=1e-5)


def test_gradient_is_the_papers_and_spares_the_teacher(everything: tuple[torch.Tensor, torch.Tensor]) -> None:
    outputs, targets = (t.requires_grad_() for t in everything)
    of_masked(outputs, targets, 0.5).backward()
    assert targets.grad is None and outputs.grad is not None
    a, q, step = outputs.detach().double().numpy(), targets.detach().double().numpy(), 1e-5
    for at in np.ndindex(3, 4, 5):
        up, down = a.copy(), a.copy()
        up[at] += step
        down[at] -= step
        slope = (equation_3(up, q, 0.5) - equation_3(down, q, 0.5)) / (2 * step)
        assert outputs.grad[at].item() == pytest.approx(slope, abs=1e-5)


def test_by_hand() -> None:
    """Equal outputs: log K whatever the target, times the sum of the weights."""
    targets = torch.tensor([[1.0, 0, 0], [0.5, 0.5, 0]])
    loss = patch_distillation(torch.zeros(2, 3), targets, weights=torch.tensor([0.5, 0.25]), temperature=0.1)
    assert loss.item() == pytest.approx(0.75 * math.log(3), rel=1e-6)


def test_nothing_masked_is_zero_with_a_gradient() -> None:
    outputs = torch.zeros(0, 3, requires_grad=True)
    loss = patch_distillation(outputs, torch.zeros(0, 3), weights=torch.zeros(0), temperature=0.1)
    loss.backward()
    assert loss.item() == 0


def test_is_float32_under_bf16_autocast(everything: tuple[torch.Tensor, torch.Tensor]) -> None:
    outputs, targets = everything
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = of_masked(outputs.bfloat16(), targets, 0.1)
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(of_masked(outputs.bfloat16().float(), targets, 0.1).item(), rel=1e-6)
