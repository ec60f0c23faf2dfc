"""SwAV's prototypes, queue, multi-crop and configuration."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F

from small import random_batch, small_config, small_method
from sslrun.config.errors import ConfigError
from sslrun.config.method.swav import SwAVConfig
from sslrun.losses.sinkhorn import sinkhorn
from sslrun.methods.base import build_method

GOOD = {
    "hidden_dim": 8, "out_dim": 8, "prototypes": 4, "temperature": 0.1, "epsilon": 0.05, "iterations": 3,
    "queue_size": 16, "queue_start": 0.1, "frozen": 0.1,
}  # fmt: skip


@pytest.mark.parametrize(
    ("key", "value", "limits"),
    [
        ("hidden_dim", 0, r"\[1, inf\)"),
        ("out_dim", 0, r"\[1, inf\)"),
        ("prototypes", 1, r"\[2, inf\)"),
        ("temperature", 0, r"\(0, inf\)"),
        ("epsilon", 0, r"\(0, inf\)"),
        ("iterations", 0, r"\[1, inf\)"),
        ("queue_size", -1, r"\[0, inf\)"),
        ("queue_start", 1.5, r"\[0, 1\]"),
        ("frozen", 1.5, r"\[0, 1\]"),
    ],
)
def test_out_of_range(key: str, value: float, limits: str) -> None:
    with pytest.raises(ConfigError, match=rf"method\.{key} must be in {limits}, got {value}"):
        SwAVConfig(**(GOOD | {key: value}))


@pytest.fixture
def method() -> Any:
    """Queue of 32 rows, that is 4 batches of 8."""
    return small_method("swav", "cnn")


def test_prototypes_stay_on_the_unit_sphere(method: Any) -> None:
    torch.testing.assert_close(method.prototypes.norm(dim=1), torch.ones(24))
    with torch.no_grad():
        method.prototypes.add_(0.5)
    direction = F.normalize(method.prototypes.detach().clone(), dim=1)
    method.after_step(0.5)
    torch.testing.assert_close(method.prototypes.detach(), direction)


def test_prototypes_are_frozen_at_first(method: Any) -> None:
    method.config.frozen = 0.1
    for progress, moves in ((0.0, False), (0.099, False), (0.1, True)):
        method.zero_grad()
        method(random_batch(method)).loss.backward()
        method.after_backward(progress)
        assert (method.prototypes.grad is not None) is moves
        assert all(p.grad is not None for p in method.projector.parameters())


def test_queue_holds_the_projections_of_each_assigned_view_once_a_step(method: Any) -> None:
    batch = random_batch(method)
    method(batch)
    assert int(method.queue.pushed) == 0
    method.after_step(0.0)
    z = F.normalize(method.project(method.encoder(torch.cat(batch["views"]))), dim=1)  # (2 x 8, P)
    assert int(method.queue.pushed) == 8
    torch.testing.assert_close(method.queue.rows[:8], torch.cat(z.detach().chunk(2), dim=1))


def test_queue_is_read_once_due_and_full(method: Any) -> None:
    method.config.queue_start = 0.5
    for step in range(4):  # 32 rows
        method.before_step(0.6)
        assert not method.reads_queue, step
        method(random_batch(method))
        method.after_step(0.6)
    method.before_step(0.4)
    assert not method.reads_queue
    method.before_step(0.5)
    assert method.reads_queue


def test_assignment_is_over_the_batch_and_the_queue(method: Any) -> None:
    z = F.normalize(torch.randn(2, 8, 32, generator=torch.Generator().manual_seed(0)), dim=2)
    alone = [sinkhorn(view @ method.prototypes.T, epsilon=0.05, iterations=3) for view in z]
    torch.testing.assert_close(method.assign(list(z)), alone)
    method.reads_queue = True
    for view, (assigned, past) in enumerate(
        zip(method.assign(list(z)), method.queue.rows.chunk(2, dim=1), strict=True)
    ):
        joint = sinkhorn(torch.cat([z[view], past]) @ method.prototypes.T, epsilon=0.05, iterations=3)[:8]
        torch.testing.assert_close(assigned, joint)
        assert (joint - alone[view]).abs().max() > 0.01


def test_without_a_queue(method: Any) -> None:
    config = small_config("swav", queue_size=0)
    without = build_method(config.method, method.encoder)
    without.before_step(1.0)
    assert without(random_batch(without)).loss.isfinite()
    without.after_step(1.0)
    assert not any("queue" in key for key in without.state_dict())


def test_small_views_predict_and_are_not_assigned(method: Any) -> None:
    """Two large views and two small ones: six predictions, of the assignments of the large ones."""
    batch = random_batch(method, views=4)
    batch["views"][2:] = [view[..., :8, :8] for view in batch["views"][2:]]
    method.eval()
    z = F.normalize(method.project(torch.cat([method.encoder(view) for view in batch["views"]])), dim=1)
    scores = (z @ method.prototypes.T).chunk(4)
    total = 0.0
    for i in range(2):
        q = sinkhorn(scores[i], epsilon=0.05, iterations=3)
        total += sum(-(q * F.log_softmax(scores[v] / 0.1, dim=1)).sum(dim=1).mean().item() for v in range(4) if v != i)
    assert method(batch).loss.item() == pytest.approx(total / 6, rel=1e-5)
