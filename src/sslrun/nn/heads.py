"""Projection and prediction heads."""

import itertools
from collections.abc import Callable

from torch import nn


def mlp(
    *dims: int,
    batch_norm: bool = True,
    last_batch_norm: bool = False,
    last_bias: bool = True,
    activation: Callable[[], nn.Module] = nn.ReLU,
) -> nn.Sequential:
    """Linear layers from dims[0] to dims[-1] with BatchNorm and an activation between them.

    Args:
        dims: widths, input first; at least two.
        batch_norm: BatchNorm after every hidden layer, whose linear layer then has no bias.
        last_batch_norm: BatchNorm without affine after the output as well, whose linear layer then has no bias.
        last_bias: False leaves out the output's bias, for losses that do not see it.
    """
    assert len(dims) >= 2
    layers: list[nn.Module] = []
    for before, after in itertools.pairwise(dims[:-1]):
        layers += [nn.Linear(before, after, bias=not batch_norm)]
        layers += [nn.BatchNorm1d(after)] if batch_norm else []
        layers += [activation()]
    layers += [nn.Linear(dims[-2], dims[-1], bias=last_bias and not last_batch_norm)]
    layers += [nn.BatchNorm1d(dims[-1], affine=False)] if last_batch_norm else []
    return nn.Sequential(*layers)
