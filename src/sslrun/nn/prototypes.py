"""Heads whose outputs are cosines with learned prototypes."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sslrun.nn.heads import mlp


class Prototypes(nn.Module):
    """Cosines of rows with K directions: a linear layer without bias, weight-normalised with norms fixed at 1."""

    def __init__(self, dim: int, count: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(count, dim) / dim**0.5)  # (K, D), of about norm 1; any norm is the same

    def forward(self, x: Tensor) -> Tensor:
        """(..., D) of any norm -> (..., K) in [-1, 1]."""
        return self._cosines(F.normalize(x.float(), dim=-1))

    def mean(self, x: Tensor) -> Tensor:
        """(N, D) -> (1, K), the mean of forward's outputs, without computing all N rows."""
        return self._cosines(F.normalize(x.float(), dim=-1).mean(dim=0, keepdim=True))

    def _cosines(self, x: Tensor) -> Tensor:
        with torch.autocast(x.device.type, enabled=False):  # a temperature of .04 amplifies bf16's rounding
            return F.linear(x, F.normalize(self.weight.float(), dim=1))


class PrototypeHead(nn.Module):
    """DINO's projection head (arXiv:2104.14294, section 3.1 and appendix C): three layers with GELU, then prototypes.

    Args:
        in_dim, hidden_dim, bottleneck_dim: widths.
        prototypes: K.
        batch_norm: BatchNorm in the hidden layers.
    """

    def __init__(
        self, in_dim: int, *, hidden_dim: int, bottleneck_dim: int, prototypes: int, batch_norm: bool = False
    ) -> None:
        super().__init__()
        self.mlp = mlp(in_dim, hidden_dim, hidden_dim, bottleneck_dim, batch_norm=batch_norm, activation=nn.GELU)
        for layer in self.mlp:
            if isinstance(layer, nn.Linear):
                nn.init.trunc_normal_(layer.weight, std=0.02)
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)
        self.prototypes = Prototypes(bottleneck_dim, prototypes)

    def forward(self, x: Tensor) -> Tensor:
        """(..., D) -> (..., K) in [-1, 1]."""
        return self.prototypes(self.mlp(x))
