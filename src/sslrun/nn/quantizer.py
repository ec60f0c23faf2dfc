"""A product quantiser with Gumbel noise (Baevski et al. 2020, arXiv:2006.11477, section 2)."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class GumbelQuantizer(nn.Module):
    """One code from each of G codebooks of V, concatenated; names and starting weights are transformers'.

    Args:
        dim: of what is quantised.
        codebooks, codes: G and V.
        code_dim: of the concatenated codes of all codebooks.
    """

    def __init__(self, dim: int, *, codebooks: int, codes: int, code_dim: int) -> None:
        super().__init__()
        self.codebooks, self.codes = codebooks, codes
        self.codevectors = nn.Parameter(torch.rand(1, codebooks * codes, code_dim // codebooks))
        self.weight_proj = nn.Linear(dim, codebooks * codes)
        nn.init.normal_(self.weight_proj.weight)
        nn.init.zeros_(self.weight_proj.bias)

    def logits(self, x: Tensor) -> Tensor:
        """(M, D) -> (M, G, V) float32."""
        with torch.autocast(x.device.type, enabled=False):
            return self.weight_proj(x.float()).view(-1, self.codebooks, self.codes)

    def forward(self, logits: Tensor, *, noise: Tensor | None, temperature: float) -> Tensor:
        """(M, G, V) -> (M, code_dim): each codebook's likeliest code, with the gradient of the softmax (eq. 1).

        Args:
            noise: (M, G, V) uniform in (0, 1), transformed to Gumbel noise; None adds none.
            temperature: tau, of that softmax.
        """
        if noise is not None:
            logits = logits - torch.log(-torch.log(noise))
        soft = F.softmax(logits / temperature, dim=2)
        hard = F.one_hot(soft.argmax(dim=2), self.codes).to(soft.dtype)
        chosen = hard - soft.detach() + soft  # (M, G, V): hard forward, soft backward
        codebooks = self.codevectors.view(self.codebooks, self.codes, -1)  # (G, V, code_dim / G)
        return torch.einsum("mgv,gvd->mgd", chosen, codebooks.float()).flatten(1)
