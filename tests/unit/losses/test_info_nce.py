"""InfoNCE against eq. 1 of arXiv:1911.05722 and algorithm 1 of arXiv:2104.02057, retyped in NumPy."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from sslrun.losses.info_nce import info_nce, info_nce_in_batch, self_mask


def unit(z: np.ndarray) -> np.ndarray:
    return z / np.linalg.norm(z, axis=1, keepdims=True)


def with_queue(q: np.ndarray, k: np.ndarray, queue: np.ndarray) -> float:
    """MoCo: for each query a softmax over its key and the K entries of the queue, in its own loop."""
    q, k, queue, total = unit(q), unit(k), unit(queue), 0.0
    for i in range(len(q)):
        positive = np.exp(q[i] @ k[i] / 0.2)
        total -= np.log(positive / (positive + sum(np.exp(q[i] @ n / 0.2) for n in queue)))
    return total / len(q)


def in_batch(q: np.ndarray, k: np.ndarray) -> float:
    """MoCo v3: cross-entropy of q @ k.T / tau with the labels 0 … N - 1."""
    logits = unit(q) @ unit(k).T / 0.2
    return float(np.mean(np.log(np.exp(logits).sum(axis=1)) - np.diag(logits)))


def random(*rows: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(n, 5, generator=generator) for n in rows]


CASES: list[tuple[Callable[..., Tensor], Callable[..., float], tuple[int, ...]]] = [
    (info_nce, with_queue, (4, 4, 7)),
    (info_nce_in_batch, in_batch, (6, 6)),
]
both = pytest.mark.parametrize(("loss", "formula", "rows"), CASES)


@both
def test_value_is_the_papers(loss: Callable[..., Tensor], formula: Callable[..., float], rows: tuple[int, ...]) -> None:
    tensors = random(*rows)
    expected = formula(*(z.double().numpy() for z in tensors))
    assert loss(*tensors, temperature=0.2).item() == pytest.approx(expected, rel=1e-5)


@both
def test_gradient_is_the_papers(
    loss: Callable[..., Tensor], formula: Callable[..., float], rows: tuple[int, ...]
) -> None:
    tensors = [z.requires_grad_() for z in random(*rows)]
    loss(*tensors, temperature=0.2).backward()
    arrays, step = [z.detach().double().numpy() for z in tensors], 1e-5
    for tensor, array in zip(tensors, arrays, strict=True):
        assert tensor.grad is not None
        for at in np.ndindex(*array.shape):
            value = array[at]
            array[at] = value + step
            up = formula(*arrays)
            array[at] = value - step
            down = formula(*arrays)
            array[at] = value
            assert tensor.grad[at].item() == pytest.approx((up - down) / (2 * step), abs=1e-5)


def test_by_hand_with_a_queue() -> None:
    """The positive has cosine 1; of two negatives one is orthogonal, the other opposed."""
    q = torch.tensor([[2.0, 0.0]])
    loss = info_nce(q, 3 * q, torch.tensor([[0.0, 1.0], [-1.0, 0.0]]), temperature=1.0)
    assert loss.item() == pytest.approx(-1 + math.log(math.e + 1 + 1 / math.e), rel=1e-6)


def test_by_hand_in_the_batch() -> None:
    z = torch.eye(3)
    assert info_nce_in_batch(z, z, temperature=1.0).item() == pytest.approx(-1 + math.log(math.e + 2), rel=1e-6)


def test_what_is_excluded_is_no_negative() -> None:
    q, k, negatives = random(2, 2, 5)
    is_excluded = torch.zeros(2, 5, dtype=torch.bool)
    is_excluded[:, 3:] = True
    fewer = info_nce(q, k, negatives[:3], temperature=0.2)
    assert info_nce(q, k, negatives, temperature=0.2, is_excluded=is_excluded).item() == pytest.approx(fewer.item())


def test_self_mask_is_at_the_offset() -> None:
    assert self_mask(2, 4, offset=2, device=torch.device("cpu")).int().tolist() == [[0, 0, 1, 0], [0, 0, 0, 1]]


def test_does_not_change_with_scale_or_order() -> None:
    q, k, queue = random(4, 4, 7)
    loss = info_nce(q, k, queue, temperature=0.2).item()
    order, queue_order = torch.tensor([2, 0, 3, 1]), torch.tensor([6, 2, 0, 1, 3, 5, 4])
    assert info_nce(5 * q, 0.1 * k, 3 * queue, temperature=0.2).item() == pytest.approx(loss, rel=1e-5)
    assert info_nce(q[order], k[order], queue[queue_order], temperature=0.2).item() == pytest.approx(loss, rel=1e-5)


def test_halves_of_a_batch_with_gathered_rows_average_to_the_whole() -> None:
    q, k = random(6, 6)
    parts = [
        info_nce_in_batch(q[i : i + 3], k[i : i + 3], temperature=0.2, all_positives=k, offset=i).item() for i in (0, 3)
    ]
    assert sum(parts) / 2 == pytest.approx(info_nce_in_batch(q, k, temperature=0.2).item(), rel=1e-6)


@both
def test_is_float32_under_bf16_autocast(
    loss: Callable[..., Tensor], formula: Callable[..., float], rows: tuple[int, ...]
) -> None:
    tensors = [z.bfloat16() for z in random(*rows)]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value = loss(*tensors, temperature=0.1)
    exact = loss(*(z.float() for z in tensors), temperature=0.1)
    assert value.dtype == torch.float32
    assert value.item() == pytest.approx(exact.item(), rel=1e-6)
