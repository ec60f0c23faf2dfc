"""Optimizers, their parameter groups, and the learning rate as a pure function of the step."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from timm.optim import Lars
from torch import Tensor, nn
from torch.distributed.tensor import DTensor
from torch.optim import SGD, AdamW, Optimizer

from sslrun.config.optimizer import AdamWConfig, LARSConfig, LrScaling, OptimizerConfig, SGDConfig
from sslrun.config.registry import target_of
from sslrun.config.schedule import ScheduleConfig, ScheduleShape
from sslrun.core.schedules import cosine, linear

Groups = list[dict[str, Any]]
REFERENCE_BATCH = 256


def build_optimizer(config: OptimizerConfig, groups: Groups, *, lr: float, fused: bool) -> Optimizer:
    """Build the optimizer of `config`; `fused` is ignored by optimizers without a fused implementation."""
    optimizer: Optimizer = target_of("optimizer", config)(config, groups, lr=lr, fused=fused)
    for group in optimizer.param_groups:
        group["full_lr"] = lr * group.get("lr_scale", 1.0)
        group["decays"] = group["weight_decay"] == config.weight_decay and not group.get("exempt", False)
    return optimizer


def build_sgd(config: SGDConfig, groups: Groups, *, lr: float, fused: bool) -> Optimizer:
    """torch.optim.SGD."""
    return SGD(groups, lr=lr, momentum=config.momentum, nesterov=config.nesterov, fused=fused or None)


def build_adamw(config: AdamWConfig, groups: Groups, *, lr: float, fused: bool) -> Optimizer:
    """torch.optim.AdamW."""
    return AdamW(groups, lr=lr, betas=(config.betas[0], config.betas[1]), eps=config.eps, fused=fused or None)


def build_lars(config: LARSConfig, groups: Groups, *, lr: float, fused: bool) -> Optimizer:
    """timm's LARS; groups exempt from weight decay are not adapted, all others are, even if their decay is 0."""
    groups = [{"always_adapt": not group.get("exempt", False), **group} for group in groups]
    return Lars(groups, lr=lr, momentum=config.momentum, trust_coeff=config.trust, trust_clip=config.clip)


def scaled_lr(config: OptimizerConfig, *, batch_size: int) -> float:
    """Learning rate for the global batch size B by `config.scaling`: lr x B/256, lr x sqrt(B/256), or lr."""
    ratio = batch_size / REFERENCE_BATCH
    factor = {LrScaling.none: 1.0, LrScaling.linear: ratio, LrScaling.sqrt: math.sqrt(ratio)}[config.scaling]
    return config.lr * factor


def parameter_groups(
    parameters: Iterable[tuple[str, nn.Parameter]],
    *,
    weight_decay: float,
    decay_all: bool = False,
    special: Sequence[dict[str, Any]] = (),
) -> Groups:
    """Groups with weight decay, and without for biases, norms and other vectors: of the remaining parameters, then of
    each special group.

    The order must not change: it numbers the optimizer's state in checkpoints.

    Args:
        parameters: named; frozen ones are omitted.
        weight_decay: of tensors with two or more dimensions.
        decay_all: whether vectors decay too, also in special groups.
        special: a method's groups with their own options; one with `decay_all` is not divided, and all of it decays.
    """
    taken = {id(p) for group in special for p in group["params"]}
    groups: Groups = []
    for group in ({"params": [p for _, p in parameters if id(p) not in taken]}, *special):
        options = {k: v for k, v in group.items() if k not in ("params", "decay_all")}
        options.setdefault("weight_decay", weight_decay)
        if group.get("decay_all"):
            groups.append({"params": group["params"], **options})
            continue
        trained = [p for p in group["params"] if p.requires_grad]
        groups.append({"params": [p for p in trained if p.ndim > 1], **options})
        exemption = {} if decay_all else {"weight_decay": 0.0, "exempt": True}
        groups.append({"params": [p for p in trained if p.ndim <= 1], **options, **exemption})
    return [group for group in groups if group["params"]]


def lr_factor(config: ScheduleConfig, *, step: int, total_steps: int, warmup_steps: int) -> float:
    """Learning rate at an optimizer step, counted from 0, relative to its peak.

    Linear warm-up over `warmup_steps`; then the shape over the remaining steps.
    """
    if step < warmup_steps:
        return config.start + (1 - config.start) * (step + 1) / warmup_steps
    progress = (step - warmup_steps) / max(1, total_steps - warmup_steps)
    if config.shape is ScheduleShape.cosine:
        return cosine(1.0, config.end, progress)
    if config.shape is ScheduleShape.linear:
        return linear(1.0, config.end, progress)
    if config.shape is ScheduleShape.step:
        return config.gamma ** sum(step / total_steps >= m for m in config.milestones)
    return 1.0


def warmup_steps(config: ScheduleConfig, *, total_steps: int, steps_per_epoch: int) -> int:
    """Steps of warm-up: `warmup_epochs`, but at most `warmup_share` of the run."""
    return min(round(config.warmup_epochs * steps_per_epoch), math.floor(total_steps * config.warmup_share + 1e-9))


def set_lr(optimizer: Optimizer, factor: float) -> None:
    """Set each group's learning rate; groups with `constant_lr` (SimSiam's predictor) keep the peak."""
    for group in optimizer.param_groups:
        group["lr"] = group["full_lr"] * (1.0 if group.get("constant_lr") else factor)


def set_weight_decay(optimizer: Optimizer, config: OptimizerConfig, *, progress: float) -> None:
    """Schedule weight decay towards `weight_decay_end` in groups that decay (DINO: arXiv:2104.14294, section 3.2)."""
    if config.weight_decay_end is None:
        return
    for group in optimizer.param_groups:
        if group["decays"]:
            group["weight_decay"] = cosine(config.weight_decay, config.weight_decay_end, progress)


def gradient_norm(parameters: Iterable[nn.Parameter]) -> float:
    """L2 norm of all gradients."""
    gradients = [p.grad for p in parameters if p.grad is not None]
    return float(torch.nn.utils.get_total_norm(gradients)) if gradients else 0.0


def are_finite(parameters: Iterable[nn.Parameter]) -> bool:
    """Whether all parameters are finite; of sharded ones, this rank's shard."""
    local = (p.to_local() if isinstance(p, DTensor) else p for p in parameters)
    return bool(torch.stack([p.detach().isfinite().all() for p in local]).all())


def move_step_counts(optimizer: Optimizer) -> None:
    """Move Adam's step counts to where its kernels need them: on the device if fused, else on the CPU.

    A checkpoint has them where its own options needed them.
    """
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            state = optimizer.state.get(parameter, {})
            if isinstance(state.get("step"), Tensor):
                state["step"] = state["step"].to(parameter.device if group.get("fused") else "cpu")
