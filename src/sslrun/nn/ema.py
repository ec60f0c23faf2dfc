"""Momentum networks: exponential moving averages of weights."""

import copy
from typing import TypeVar

import torch
from torch import nn
from torch.nn.modules.dropout import _DropoutNd

M = TypeVar("M", bound=nn.Module)

RATES = ("drop_prob", "dropout", "attention_dropout")
"""Attributes in which modules of torch, timm and transformers keep a dropout rate for a functional call."""


def frozen_copy(network: M) -> M:
    """A copy without gradients, dropout and stochastic depth.

    It stays in train mode, so that its BatchNorm uses the statistics of its own batches.
    """
    return disable_dropout(copy.deepcopy(network).requires_grad_(False))


def disable_dropout(network: M) -> M:
    """Switch off dropout and stochastic depth permanently."""
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
