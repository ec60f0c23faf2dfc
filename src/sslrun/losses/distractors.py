"""wav2vec 2.0's losses (arXiv:2006.11477): identify a time step's quantised latent; use all codes equally."""

import torch
import torch.nn.functional as F
from torch import Tensor


def distractor_losses(predictions: Tensor, targets: Tensor, others: Tensor, *, temperature: float) -> Tensor:
    """-log( exp(sim(c, q) / kappa) / sum over q and the distractors of exp(sim(c, .) / kappa) ), eq. 3.

    A distractor that equals the target does not count, as in the authors' code.

    Args:
        predictions: (M, P), c. Cosines are compared.
        targets: (M, P), q.
        others: (M, K) indices into `targets`, the distractors of each.
        temperature: kappa, above 0.

    Returns:
        (M,) float32.
    """
    with torch.autocast(predictions.device.type, enabled=False):
        c, q = F.normalize(predictions.float(), dim=1), F.normalize(targets.float(), dim=1)
        distractors = q[others]  # (M, K, P)
        is_same = (targets[others] == targets[:, None]).all(dim=2)
        to_others = torch.einsum("mp,mkp->mk", c, distractors).masked_fill(is_same, float("-inf"))
        logits = torch.cat([(c * q).sum(dim=1, keepdim=True), to_others], dim=1) / temperature  # (M, 1 + K)
        return F.cross_entropy(logits, logits.new_zeros(len(logits), dtype=torch.int64), reduction="none")


def diversity_loss(usage: Tensor) -> Tensor:
    """() (GV - sum over codebooks of exp(H)) / GV, eq. 4 as in the authors' code; 1 - 1 / V if one code each is used.

    Args:
        usage: (G, V), the share of each code; rows sum to 1.
    """
    perplexity = torch.exp(-torch.xlogy(usage, usage).sum(dim=1)).sum()
    return 1 - perplexity / usage.numel()
