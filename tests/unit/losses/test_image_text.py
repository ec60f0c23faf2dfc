"""clip_loss and siglip_loss against figure 3 of arXiv:2103.00020, UniCL's targets and eq. 1 of arXiv:2303.15343."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from sslrun.losses.clip import clip_loss
from sslrun.losses.siglip import siglip_loss

CAPTIONS = [0, 1, 2, 1, 4, 5]
"""The second and the fourth are equal."""
SCALE, BIAS = 7.0, -2.0


def cosines(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    x, y = (z / np.linalg.norm(z, axis=1, keepdims=True) for z in (x, y))
    return x @ y.T


def clip(x: np.ndarray, y: np.ndarray, scale: np.ndarray, bias: np.ndarray) -> float:
    """Row by row: the mean over equal captions of -log softmax, from images to texts and back."""
    total = 0.0
    for logits in (scale * cosines(x, y), scale * cosines(y, x)):
        for i, caption in enumerate(CAPTIONS):
            right = [j for j, other in enumerate(CAPTIONS) if other == caption]
            total += np.mean([np.log(np.exp(logits[i]).sum()) - logits[i, j] for j in right]) / len(CAPTIONS) / 2
    return float(total)


def siglip(x: np.ndarray, y: np.ndarray, scale: np.ndarray, bias: np.ndarray) -> float:
    """Algorithm 1's double sum."""
    logits, total = scale * cosines(x, y) + bias, 0.0
    for i, caption in enumerate(CAPTIONS):
        for j, other in enumerate(CAPTIONS):
            z = 1 if caption == other else -1
            total -= np.log(1 / (1 + np.exp(-z * logits[i, j])))
    return float(total / len(CAPTIONS))


def ours(name: str, x: Tensor, y: Tensor, scale: Tensor, bias: Tensor) -> Tensor:
    captions = torch.tensor(CAPTIONS)
    if name == "clip":
        return clip_loss(x, y, scale=scale, captions=captions) + 0 * bias
    return siglip_loss(x, y, scale=scale, bias=bias, captions=captions)


def tensors() -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    x, y = torch.randn(6, 5, generator=generator), torch.randn(6, 5, generator=generator)
    return [t.requires_grad_() for t in (x, y, torch.tensor(SCALE), torch.tensor(BIAS))]


both = pytest.mark.parametrize(("name", "formula"), [("clip", clip), ("siglip", siglip)])


@both
def test_value_is_the_papers(name: str, formula: Callable[..., float]) -> None:
    given = tensors()
    expected = formula(*(t.detach().double().numpy() for t in given))
    assert ours(name, *given).item() == pytest.approx(expected, rel=1e-5)


@both
def test_gradient_is_the_papers(name: str, formula: Callable[..., float]) -> None:
    given, step = tensors(), 1e-5
    ours(name, *given).backward()
    arrays = [t.detach().double().numpy() for t in given]
    for tensor, array in zip(given, arrays, strict=True):
        assert tensor.grad is not None
        for at in np.ndindex(*array.shape):
            value = array[at].copy()
            array[at] = value + step
            up = formula(*arrays)
            array[at] = value - step
            down = formula(*arrays)
            array[at] = value
            assert tensor.grad[at].item() == pytest.approx((up - down) / (2 * step), rel=1e-4, abs=1e-5)


def test_clip_of_orthogonal_pairs_is_known() -> None:
    eye, captions = torch.eye(4), torch.arange(4)
    loss = clip_loss(eye, 3 * eye, scale=torch.tensor(math.log(5.0)), captions=captions)
    assert loss.item() == pytest.approx(math.log((5 + 3) / 5), rel=1e-6)  # softmax of (log 5, 0, 0, 0)


def test_without_equal_captions_clip_is_figure_3() -> None:
    x, y, scale, _ = (t.detach() for t in tensors())
    logits = scale * torch.nn.functional.normalize(x) @ torch.nn.functional.normalize(y).T
    labels = torch.arange(6)
    figure = (
        torch.nn.functional.cross_entropy(logits, labels) + torch.nn.functional.cross_entropy(logits.T, labels)
    ) / 2
    assert clip_loss(x, y, scale=scale, captions=labels).item() == pytest.approx(figure.item(), rel=1e-6)
