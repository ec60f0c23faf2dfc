"""Which normalisation layers a network has."""

from weakref import WeakKeyDictionary

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

_answers: WeakKeyDictionary[nn.Module, bool] = WeakKeyDictionary()
"""Traversing a ViT-S takes 0.2 ms, too long for every step on a GPU."""


def has_batch_norm(network: nn.Module) -> bool:
    """Whether outputs may depend on the rest of the batch: any BatchNorm, including SyncBatchNorm.

    The answer is cached: a network must not gain or lose norms afterwards.
    """
    if network not in _answers:
        _answers[network] = any(isinstance(module, _BatchNorm) for module in network.modules())
    return _answers[network]
