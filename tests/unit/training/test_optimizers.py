"""Parameter groups, scaling rules and the learning rate over a run."""

import itertools
import math

import pytest
import torch
from torch import nn

from sslrun.config.command.pretrain import PretrainConfig
from sslrun.config.compose import compose
from sslrun.config.optimizer import AdamWConfig, LARSConfig, LrScaling, SGDConfig
from sslrun.config.schedule import ScheduleConfig, ScheduleShape
from sslrun.training.optimizers import (
    build_optimizer,
    lr_factor,
    move_step_counts,
    parameter_groups,
    scaled_lr,
    set_lr,
    set_weight_decay,
    warmup_steps,
)


@pytest.mark.parametrize(
    ("scaling", "expected"), [(LrScaling.linear, 1.2), (LrScaling.sqrt, 0.6), (LrScaling.none, 0.3)]
)
def test_scaled_lr(scaling: LrScaling, expected: float) -> None:
    assert scaled_lr(SGDConfig(lr=0.3, scaling=scaling), batch_size=1024) == pytest.approx(expected)


def test_biases_and_norms_have_no_decay_and_frozen_ones_no_group() -> None:
    net = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.Linear(3, 2))
    net[2].requires_grad_(False)
    decayed, exempt = parameter_groups(net.named_parameters(), weight_decay=0.1)
    assert [tuple(p.shape) for p in decayed["params"]] == [(3, 4)]
    assert decayed["weight_decay"] == 0.1
    assert [tuple(p.shape) for p in exempt["params"]] == [(3,), (3,), (3,)]
    assert exempt["weight_decay"] == 0.0


def test_biases_and_norms_decay_where_all_do() -> None:
    net = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3))
    special = [{"params": [net[0].bias], "lr_scale": 0.5}]
    groups = parameter_groups(net.named_parameters(), weight_decay=0.1, decay_all=True, special=special)
    optimizer = build_optimizer(SGDConfig(lr=1.0, weight_decay=0.1), groups, lr=1.0, fused=False)
    assert [group["weight_decay"] for group in optimizer.param_groups] == [0.1, 0.1, 0.1]
    assert all(group["decays"] for group in optimizer.param_groups)
    assert [group["full_lr"] for group in optimizer.param_groups] == [1.0, 1.0, 0.5]


@pytest.mark.parametrize(("method", "all_do"), [("mocov2", True), ("mocov3", True), ("swav", True), ("simclr", False)])
def test_what_decays_is_as_in_the_authors_code(method: str, all_do: bool) -> None:
    config = compose("pretrain", [f"method={method}"])
    assert isinstance(config, PretrainConfig)
    assert config.optimizer.decay_all is all_do


def test_special_groups_are_taken_out_of_the_default_ones() -> None:
    net = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2))
    special = [{"params": list(net[1].parameters()), "constant_lr": True}]
    groups = parameter_groups(net.named_parameters(), weight_decay=0.1, special=special)
    counted = [id(p) for group in groups for p in group["params"]]
    assert len(counted) == len(set(counted)) == 4
    assert [group["weight_decay"] for group in groups] == [0.1, 0.0, 0.1, 0.0]


def test_a_special_group_that_decays_as_a_whole_is_not_split() -> None:
    net = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2))
    special = [{"params": list(net[1].parameters()), "decay_all": True, "constant_lr": True}]
    *_, whole = parameter_groups(net.named_parameters(), weight_decay=0.1, special=special)
    assert [p is q for p, q in zip(whole.pop("params"), net[1].parameters(), strict=True)] == [True, True]
    assert whole == {"weight_decay": 0.1, "constant_lr": True}


def test_warmup_then_cosine() -> None:
    schedule = ScheduleConfig(warmup_epochs=1)
    factors = [lr_factor(schedule, step=s, total_steps=100, warmup_steps=10) for s in range(101)]
    assert factors[0] == pytest.approx(0.1)
    assert factors[9] == pytest.approx(1.0)
    assert factors[55] == pytest.approx(0.5)
    assert factors[100] == pytest.approx(0.0, abs=1e-12)
    assert all(a >= b for a, b in itertools.pairwise(factors[10:]))


@pytest.mark.parametrize("shape", [ScheduleShape.linear, ScheduleShape.cosine])
def test_the_rate_rises_from_start_and_falls_to_end(shape: ScheduleShape) -> None:
    def factor(step: int) -> float:
        schedule = ScheduleConfig(shape=shape, start=0.5, end=0.2)
        return lr_factor(schedule, step=step, total_steps=110, warmup_steps=10)

    assert [factor(step) for step in (0, 9, 10, 60, 110)] == pytest.approx([0.55, 1.0, 1.0, 0.6, 0.2])
    quarter = 0.8 if shape is ScheduleShape.linear else 0.6 + 0.4 * math.sqrt(0.5)
    assert factor(35) == pytest.approx(quarter)


def test_step_and_constant() -> None:
    steps = ScheduleConfig(shape=ScheduleShape.step, milestones=[0.5, 0.75], gamma=0.1)
    assert [lr_factor(steps, step=s, total_steps=100, warmup_steps=0) for s in (0, 49, 50, 75)] == pytest.approx(
        [1, 1, 0.1, 0.01]
    )
    constant = ScheduleConfig(shape=ScheduleShape.constant)
    assert lr_factor(constant, step=99, total_steps=100, warmup_steps=0) == 1.0


def test_warmup_is_at_most_a_tenth_of_the_run() -> None:
    assert warmup_steps(ScheduleConfig(warmup_epochs=10), total_steps=100, steps_per_epoch=5) == 10
    assert warmup_steps(ScheduleConfig(warmup_epochs=10), total_steps=5000, steps_per_epoch=5) == 50


def test_constant_lr_groups_ignore_the_schedule() -> None:
    net = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2))
    special = [{"params": list(net[1].parameters()), "constant_lr": True}]
    groups = parameter_groups(net.named_parameters(), weight_decay=0.0, special=special)
    optimizer = build_optimizer(SGDConfig(lr=1.0), groups, lr=0.5, fused=False)
    set_lr(optimizer, 0.1)
    assert [g["lr"] for g in optimizer.param_groups] == pytest.approx([0.05, 0.05, 0.5, 0.5])


def test_lr_scale_of_layer_decay() -> None:
    weight = nn.Parameter(torch.ones(2, 2))
    groups = [{"params": [weight], "lr_scale": 0.25}]
    optimizer = build_optimizer(AdamWConfig(lr=1.0), groups, lr=0.4, fused=False)
    set_lr(optimizer, 0.5)
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.05)


def test_lars_step_by_hand() -> None:
    """One step on a weight: lr x trust x |w| / |g + wd w| x (g + wd w); biases take a plain SGD step."""
    weight, bias = nn.Parameter(torch.tensor([[3.0, 4.0]])), nn.Parameter(torch.tensor([1.0]))
    groups = parameter_groups([("w", weight), ("b", bias)], weight_decay=0.1)
    optimizer = build_optimizer(LARSConfig(lr=1.0, trust=0.02, momentum=0.0), groups, lr=2.0, fused=False)
    weight.grad, bias.grad = torch.tensor([[0.6, 0.8]]), torch.tensor([0.5])
    update = torch.tensor([[0.6, 0.8]]) + 0.1 * torch.tensor([[3.0, 4.0]])
    ratio = 0.02 * 5.0 / (1.0 + 0.1 * 5.0)  # |w| = 5, |g| = 1, as in eq. 6 of arXiv:1708.03888
    optimizer.step()
    torch.testing.assert_close(weight.data, torch.tensor([[3.0, 4.0]]) - 2.0 * ratio * update)
    torch.testing.assert_close(bias.data, torch.tensor([0.0]))


@pytest.mark.parametrize(("lr", "rate"), [(2.0, 0.1 / 1.5), (0.01, 0.01)])
def test_clipped_lars_by_hand(lr: float, rate: float) -> None:
    """The rate of a weight is trust x |w| / |g + wd w|, at most lr."""
    weight, bias = nn.Parameter(torch.tensor([[3.0, 4.0]])), nn.Parameter(torch.tensor([1.0]))
    groups = parameter_groups([("w", weight), ("b", bias)], weight_decay=0.1)
    optimizer = build_optimizer(LARSConfig(lr=1.0, trust=0.02, momentum=0.0, clip=True), groups, lr=lr, fused=False)
    weight.grad, bias.grad = torch.tensor([[0.6, 0.8]]), torch.tensor([0.5])
    optimizer.step()
    update = torch.tensor([[0.6, 0.8]]) + 0.1 * torch.tensor([[3.0, 4.0]])
    torch.testing.assert_close(weight.data, torch.tensor([[3.0, 4.0]]) - rate * update)
    torch.testing.assert_close(bias.data, torch.tensor([1.0 - lr * 0.5]))


def test_lars_adapts_biases_where_all_decay() -> None:
    bias = nn.Parameter(torch.tensor([3.0, 4.0]))
    groups = parameter_groups([("b", bias)], weight_decay=0.0, decay_all=True)
    optimizer = build_optimizer(LARSConfig(lr=1.0, trust=0.02, momentum=0.0), groups, lr=1.0, fused=False)
    bias.grad = torch.tensor([0.6, 0.8])
    optimizer.step()
    torch.testing.assert_close(bias.data, torch.tensor([3.0 - 0.06, 4.0 - 0.08]))


def test_lars_adapts_weights_even_without_decay() -> None:
    weight = nn.Parameter(torch.tensor([[3.0, 4.0]]))
    groups = parameter_groups([("w", weight)], weight_decay=0.0)
    optimizer = build_optimizer(LARSConfig(lr=1.0, trust=0.02, momentum=0.0), groups, lr=1.0, fused=False)
    weight.grad = torch.tensor([[0.6, 0.8]])
    optimizer.step()
    torch.testing.assert_close(weight.data, torch.tensor([[3.0 - 0.06, 4.0 - 0.08]]))


def test_weight_decay_moves_along_a_cosine_and_spares_biases() -> None:
    config = AdamWConfig(lr=0.1, weight_decay=0.04, weight_decay_end=0.4)
    groups = parameter_groups(nn.Linear(2, 2).named_parameters(), weight_decay=0.04)
    optimizer = build_optimizer(config, groups, lr=0.1, fused=False)
    seen = []
    for progress in (0.0, 0.5, 1.0):
        set_weight_decay(optimizer, config, progress=progress)
        seen.append([group["weight_decay"] for group in optimizer.param_groups])
    assert [w for w, _ in seen] == pytest.approx([0.04, 0.22, 0.4])
    assert [b for _, b in seen] == [0.0, 0.0, 0.0]


def test_step_counts_lie_where_the_kernels_want_them() -> None:
    """The device is torch's meta device: a checkpoint of a CPU, or of kernels that are not fused, goes on fused."""
    weight = nn.Parameter(torch.empty(3, device="meta"))
    optimizer = torch.optim.AdamW([weight], fused=False)
    optimizer.state[weight] = {"step": torch.tensor(7.0)}
    move_step_counts(optimizer)
    assert optimizer.state[weight]["step"] == 7
    optimizer.param_groups[0]["fused"] = True
    move_step_counts(optimizer)
    assert optimizer.state[weight]["step"].is_meta
