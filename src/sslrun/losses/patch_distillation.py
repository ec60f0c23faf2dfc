"""The masked-patch loss of iBOT."""

import torch
import torch.nn.functional as F
from torch import Tensor


def patch_distillation(outputs: Tensor, targets: Tensor, *, weights: Tensor, temperature: float) -> Tensor:
    """Cross-entropy of masked patches with what the teacher sees there (Zhou et al. 2022, arXiv:2111.07832, eq. 3).

    Args:
        outputs: (M, K) of the student at masked patches.
        targets: (M, K), rows sum to 1; no gradient flows into them.
        weights: (M,); 1 / (images x masked patches of this image) gives the mean over images of their means.
        temperature: the student's, above 0.

    Returns:
        () float32; 0 if nothing is masked.
    """
    with torch.autocast(outputs.device.type, enabled=False):
        log_p = F.log_softmax(outputs.float() / temperature, dim=1)  # (M, K)
        return -(weights * (targets.detach() * log_p).sum(dim=1)).sum()
