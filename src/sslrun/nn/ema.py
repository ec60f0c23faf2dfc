"""Momentum copies of networks."""

import copy
from typing import TypeVar

import torch
from timm.layers import DropPath
from torch import nn

M = TypeVar("M", bound=nn.Module)


def frozen_copy(network: M) -> M:
    """A copy without gradient; it stays in train mode, so that its BatchNorm follows its own batches.

    Without dropout and stochastic depth too, so that it sees with all of its layers.
    """
    return drop_nothing(copy.deepcopy(network).requires_grad_(False))


def drop_nothing(network: M) -> M:
    """Switch off dropout and stochastic depth for good."""
    for module in network.modules():
        if isinstance(module, DropPath):
            module.drop_prob = 0.0
        elif isinstance(module, nn.Dropout):
            module.p = 0.0
        elif isinstance(module, nn.MultiheadAttention):
            module.dropout = 0.0
    return network


@torch.no_grad()
def ema_update(target: nn.Module, online: nn.Module, *, decay: float) -> None:
    """target <- decay * target + (1 - decay) * online, over parameters; buffers are the target's own."""
    torch._foreach_lerp_(list(target.parameters()), list(online.parameters()), 1 - decay)
