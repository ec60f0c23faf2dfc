"""NNCLR's support set and heads, from arithmetic; its loss against algorithm 1, retyped in NumPy."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from small import random_batch, small_method
from sslrun.config.compose import compose
from sslrun.config.errors import ConfigError
from sslrun.methods.nnclr import NNCLR


def small() -> NNCLR:
    method = small_method("nnclr", "cnn")
    assert isinstance(method, NNCLR)
    return method


def unit(z: np.ndarray) -> np.ndarray:
    return z / np.linalg.norm(z, axis=1, keepdims=True)


def algorithm_1(z: np.ndarray, p: np.ndarray, support: np.ndarray, temperature: float) -> float:
    """L(NN(z, Q), p): the neighbours are the rows of the softmax, the predictions its columns."""
    neighbours = unit(support)[(unit(z) @ unit(support).T).argmax(axis=1)]
    logits = neighbours @ unit(p).T / temperature
    return float(np.mean(np.log(np.exp(logits).sum(axis=1)) - np.diag(logits)))


def test_the_loss_is_algorithm_1() -> None:
    method = small()
    batch = random_batch(method)
    z1, z2 = (method.projector(method.encoder(x)) for x in batch["views"])
    p1, p2 = (method.predictor(z).detach().double().numpy() for z in (z1, z2))
    support, tau = method.support.rows.double().numpy(), method.config.temperature
    a1, a2 = (z.detach().double().numpy() for z in (z1, z2))
    expected = (algorithm_1(a1, p2, support, tau) + algorithm_1(a2, p1, support, tau)) / 2
    assert method(batch).loss.item() == pytest.approx(expected, rel=1e-5)


def test_gradient_flows_through_the_predictions_alone() -> None:
    method = small()
    z, p = torch.randn(8, 32, requires_grad=True), torch.randn(8, 32, requires_grad=True)
    method._contrast(z, p).backward()
    assert z.grad is None
    assert p.grad is not None and p.grad.abs().sum() > 0


def test_the_support_set_takes_the_first_views_once_per_optimizer_step() -> None:
    method = small()
    batch = random_batch(method)
    before = method.support.rows.clone()
    for half in (slice(0, 4), slice(4, 8)):  # two micro-batches
        method({"views": [view[half] for view in batch["views"]]})
    assert torch.equal(method.support.rows, before)
    method.after_step(0.5)
    first = [method.projector(method.encoder(batch["views"][0][half])) for half in (slice(0, 4), slice(4, 8))]
    torch.testing.assert_close(method.support.rows[:8], F.normalize(torch.cat(first), dim=1), rtol=1e-4, atol=1e-5)
    assert torch.equal(method.support.rows[8:], before[8:])


def test_heads_are_the_papers() -> None:
    """Projector: three layers, BatchNorm after each; predictor: two, BatchNorm after the hidden one."""
    method = small()
    assert [type(m) for m in method.projector].count(nn.Linear) == 3
    assert [type(m) for m in method.projector].count(nn.BatchNorm1d) == 3
    assert [type(m) for m in method.predictor].count(nn.Linear) == 2
    assert [type(m) for m in method.predictor].count(nn.BatchNorm1d) == 1
    assert isinstance(method.predictor[-1], nn.Linear)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("method.queue_size=0", r"method.queue_size must be in \[1, inf\), got 0"),
        ("method.predictor_hidden_dim=0", r"method.predictor_hidden_dim must be in \[1, inf\), got 0"),
        ("method.temperature=-1", r"method.temperature must be in \(0, inf\), got -1"),
    ],
)
def test_what_is_out_of_range_is_named(override: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        compose("pretrain", ["method=nnclr", override])
