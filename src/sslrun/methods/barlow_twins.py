"""Barlow Twins (Zbontar et al. 2021, arXiv:2103.03230): turn the cross-correlation of two views into the identity.

Each dimension becomes invariant to the augmentation, and different dimensions become decorrelated.

Formula:
    loss = sum_i (1 - C_ii)^2 + lambda sum_i sum_{j != i} C_ij^2

    C: (D, D), the correlation over the batch of dimension i in one view with dimension j in the other (eq. 1 and 2).

When to choose it:
    It needs no negatives, momentum encoder or predictor, and a batch of 256 suffices. It gains from a projector much
    wider than the features; the D x D matrix is then what it costs.
"""

from collections.abc import Mapping
from typing import Any

from sslrun.backbones.base import Encoder
from sslrun.config.method.barlow_twins import BarlowTwinsConfig
from sslrun.core import dist
from sslrun.core.batch import ViewsBatch
from sslrun.losses.barlow_twins import barlow_twins
from sslrun.methods.base import Method, StepOutput
from sslrun.nn.heads import mlp
from sslrun.nn.views import encode_views


class BarlowTwins(Method):
    """Algorithm 1; correlations are over the batch of all ranks.

    Gathering embeddings moves 2 x N x D numbers (batch 2048, projector 8192: 128 MB); the D x D matrix, which the
    authors sum over ranks, would be 256 MB.
    """

    batch_type = ViewsBatch
    views = max_views = 2
    config: BarlowTwinsConfig

    def __init__(self, config: BarlowTwinsConfig, encoder: Encoder) -> None:
        super().__init__(config, encoder)
        dims = (encoder.num_features, config.hidden_dim, config.hidden_dim, config.out_dim)
        self.projector = mlp(*dims, last_bias=False)

    def forward(self, batch: Mapping[str, Any]) -> StepOutput:
        """Eq. 1."""
        h1, h2 = encode_views(self.encoder, batch["views"][:2], joint=self.config.joint_views)  # 2 x (B, D)
        z1, z2 = self.projector(h1), self.projector(h2)  # 2 x (B, P)
        loss = barlow_twins(dist.gather(z1), dist.gather(z2), off_diagonal=self.config.off_diagonal)
        return StepOutput(loss, embedding=h1.detach())

    def param_groups(self) -> list[dict[str, Any]]:
        """Own learning rate for biases and norms: LARS does not rescale them, and this loss is not normalised."""
        if self.config.bias_lr_scale == 1:
            return []
        vectors = [p for p in self.parameters() if p.ndim <= 1]
        return [{"params": vectors, "lr_scale": self.config.bias_lr_scale}]
