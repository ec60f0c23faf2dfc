"""VICReg (Bardes et al. 2022, arXiv:2105.04906): invariance between views, with variance and covariance regularisation.

Two views of an image get the same embedding; every dimension keeps its variance over the batch, and dimensions are
decorrelated.

Formula:
    loss = a |z - z'|^2 / D + b sum_j max(0, 1 - std(z_j)) / D + c sum_{i != j} cov_ij^2 / D,  b and c for either view

    j: dimensions of the embedding; std, cov: over the batch (eq. 1 to 6, scaled as in algorithm 1).

When to choose it:
    No negatives, momentum encoder or predictor; its three terms can be monitored separately, which helps where another
    method collapsed. It gains from a wide expander, and allows two different branches (other networks or inputs).
"""

from collections.abc import Mapping
from typing import Any

from sslrun.backbones.base import Encoder
from sslrun.config.method.vicreg import VICRegConfig
from sslrun.core import dist
from sslrun.core.batch import ViewsBatch
from sslrun.losses.vicreg import vicreg
from sslrun.methods.base import Method, StepOutput
from sslrun.nn.heads import mlp
from sslrun.nn.views import encode_views


class VICReg(Method):
    """Algorithm 1; statistics are over the batch of all ranks.

    Gathering embeddings moves 2 x N x D numbers (batch 2048, expander 8192: 128 MB), less than the two covariance
    matrices (512 MB) as long as N < D.
    """

    batch_type = ViewsBatch
    views = max_views = 2
    config: VICRegConfig

    def __init__(self, config: VICRegConfig, encoder: Encoder) -> None:
        super().__init__(config, encoder)
        dims = (encoder.num_features, config.hidden_dim, config.hidden_dim, config.out_dim)
        self.projector = mlp(*dims, last_bias=False)  # the expander

    def forward(self, batch: Mapping[str, Any]) -> StepOutput:
        """Eq. 6."""
        h1, h2 = encode_views(self.encoder, batch["views"][:2], joint=self.config.joint_views)  # 2 x (B, D)
        z1, z2 = self.projector(h1), self.projector(h2)  # 2 x (B, P)
        loss = vicreg(
            dist.gather(z1),
            dist.gather(z2),
            invariance=self.config.invariance,
            variance=self.config.variance,
            covariance=self.config.covariance,
        )
        return StepOutput(loss, embedding=h1.detach())
