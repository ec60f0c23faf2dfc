"""SimCLR (Chen et al. 2020, arXiv:2002.05709): pull two views of an image together, push all others in the batch away.

The loss compares the outputs of a projection head, which is discarded after pretraining.

Formula:
    loss = mean over i of  -log( exp(z_i . z_j / tau) / sum_{k != i} exp(z_i . z_k / tau) )

    i, k: the 2B views of a batch; j: the other view of i's image; z: unit-length projections (eq. 1).

When to choose it:
    As the first try: it does not collapse to a point (still, watch health/rankme), the temperature is its only
    hyperparameter, and it learns quickly. It needs batches of a few hundred; if memory does not allow that, choose a
    queue (MoCo) or a method without negatives.
"""

from collections.abc import Mapping
from typing import Any

import torch

from sslrun.backbones.base import Encoder
from sslrun.config.method.simclr import SimCLRConfig
from sslrun.core import dist
from sslrun.core.batch import ViewsBatch
from sslrun.losses.nt_xent import nt_xent
from sslrun.methods.base import Method, StepOutput
from sslrun.nn.heads import mlp


class SimCLR(Method):
    """Algorithm 1; negatives are gathered over ranks."""

    batch_type = ViewsBatch
    views = max_views = 2
    config: SimCLRConfig

    def __init__(self, config: SimCLRConfig, encoder: Encoder) -> None:
        super().__init__(config, encoder)
        dims = (encoder.num_features, config.hidden_dim, config.out_dim)
        self.projector = mlp(*dims, last_batch_norm=config.output_batch_norm)  # g, section 2.3

    def forward(self, batch: Mapping[str, Any]) -> StepOutput:
        """Algorithm 1; both views go through the encoder in one batch, as in the authors' code."""
        x1, x2 = batch["views"][:2]  # 2 x (B, C, H, W)
        h = self.encoder(torch.cat([x1, x2]))  # (2B, D)
        z1, z2 = self.projector(h).chunk(2)  # 2 x (B, P)
        loss = nt_xent(
            z1,
            z2,
            temperature=self.config.temperature,
            all_z1=dist.gather(z1),
            all_z2=dist.gather(z2),
            offset=dist.rank() * len(z1),
        )
        return StepOutput(loss, embedding=h[: len(x1)].detach())
