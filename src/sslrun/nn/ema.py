"""Momentum copies of networks."""

import copy
from typing import TypeVar

import torch
from torch import nn
from torch.nn.modules.dropout import _DropoutNd

M = TypeVar("M", bound=nn.Module)

RATES = ("drop_prob", "dropout", "attention_dropout")
"""Names under which modules of torch, timm and transformers hold a rate that they pass to a function."""


def frozen_copy(network: M) -> M:
    """A copy without gradient; it stays in train mode, so that its BatchNorm follows its own batches.

    Without dropout and stochastic depth too, so that it sees with all of its layers.
    """
    return drop_nothing(copy.deepcopy(network).requires_grad_(False))


def drop_nothing(network: M) -> M:
    """Switch off dropout and stochastic depth for good."""
    for module in network.modules():
        if isinstance(module, _DropoutNd):
            module.p = 0.0
        for name in RATES:
            if isinstance(getattr(module, name, None), float):
                setattr(module, name, 0.0)
    return network


@torch.no_grad()
def ema_update(target: nn.Module, online: nn.Module, *, decay: float) -> None:
    """target <- decay * target + (1 - decay) * online, over parameters; buffers are the target's own."""
    torch._foreach_lerp_(list(target.parameters()), list(online.parameters()), 1 - decay)
