"""What norms a network holds."""

from weakref import WeakKeyDictionary

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

_answers: WeakKeyDictionary[nn.Module, bool] = WeakKeyDictionary()
"""The walk takes 0.2 ms over a ViT-S, too long for every step of a GPU."""


def has_batch_norm(network: nn.Module) -> bool:
    """Whether an output may depend on the rest of the batch: any BatchNorm, SyncBatchNorm among them.

    A network is looked through once: it must not lose or gain its norms afterwards.
    """
    if network not in _answers:
        _answers[network] = any(isinstance(module, _BatchNorm) for module in network.modules())
    return _answers[network]
