"""Cross-entropy of predicted tokens: BERT's hidden ones, GPT's next ones."""

import torch
import torch.nn.functional as F
from torch import Tensor

from sslrun.core.batch import NO_TARGET


def token_losses(logits: Tensor, targets: Tensor) -> Tensor:
    """(M,) float32 negative log probabilities of (M,) int64 targets under (M, V) logits, whatever autocast says.

    0 if the target is NO_TARGET.
    """
    with torch.autocast(logits.device.type, enabled=False):
        return F.cross_entropy(logits.float(), targets, ignore_index=NO_TARGET, reduction="none")


def mean_token_loss(logits: Tensor, targets: Tensor, *, count: Tensor) -> Tensor:
    """() float32 sum over the targets, divided by `count`; 0 if there are none.

    Args:
        count: () targets to divide by: with several ranks their mean, since ranks may have unequal numbers.
    """
    return token_losses(logits, targets).sum() / count.clamp(min=1)


def target_count(targets: Tensor) -> Tensor:
    """() float32 number of targets."""
    return (targets != NO_TARGET).sum().float()
