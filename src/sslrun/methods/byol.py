"""BYOL (Grill et al. 2020, arXiv:2006.07733): predict a momentum encoder's projection of another view.

No negatives: the predictor and the momentum encoder prevent collapse.

Formula:
    loss = |q(z_1) - z'_2|^2 + |q(z_2) - z'_1|^2,  both sides of unit length;  xi <- tau xi + (1 - tau) theta

    z, z': projections by the online network (weights theta) and the target network (weights xi); q: the predictor;
    1, 2: the two views (eq. 2).

When to choose it:
    Small batches and long runs: it is good where SimCLR lacks negatives, and among the best at hundreds of epochs. It
    starts slowly, needs a second forward pass, and loses accuracy if the target follows too fast or too slowly.
"""

from collections.abc import Mapping
from typing import Any

import torch

from sslrun.backbones.base import Encoder
from sslrun.config.method.byol import BYOLConfig
from sslrun.core.batch import ViewsBatch
from sslrun.core.schedules import cosine
from sslrun.losses.regression import normalized_mse
from sslrun.methods.base import Method, StepOutput
from sslrun.nn.ema import ema_update, frozen_copy
from sslrun.nn.heads import mlp
from sslrun.nn.views import encode_views


class BYOL(Method):
    """Section 3.1; each view has its own BatchNorm statistics in the heads, as in the authors' code."""

    batch_type = ViewsBatch
    views = max_views = 2
    config: BYOLConfig

    def __init__(self, config: BYOLConfig, encoder: Encoder) -> None:
        super().__init__(config, encoder)
        dims = (encoder.num_features, config.hidden_dim, config.out_dim)
        self.projector = mlp(*dims, last_batch_norm=config.output_batch_norm)
        self.predictor = mlp(config.out_dim, config.hidden_dim, config.out_dim)
        self.target_encoder = frozen_copy(self.encoder)
        self.target_projector = frozen_copy(self.projector)

    def forward(self, batch: Mapping[str, Any]) -> StepOutput:
        """Eq. 2 in both directions."""
        views = batch["views"][:2]  # 2 x (B, C, H, W)
        y1, y2 = encode_views(self.encoder, views, joint=self.config.joint_views)  # 2 x (B, D)
        p1, p2 = (self.predictor(self.projector(y)) for y in (y1, y2))  # 2 x (B, P)
        with torch.no_grad():
            seen = encode_views(self.target_encoder, views, joint=self.config.joint_views)  # 2 x (B, D)
            t1, t2 = (self.target_projector(y) for y in seen)  # 2 x (B, P)
        loss = normalized_mse(p1, t2) + normalized_mse(p2, t1)
        return StepOutput(loss, embedding=y1.detach())

    def after_step(self, progress: float) -> None:
        """Update the target; tau rises from decay_start to 1 along a cosine (section 3.3)."""
        decay = cosine(self.config.decay_start, 1.0, progress)
        ema_update(self.target_encoder, self.encoder, decay=decay)
        ema_update(self.target_projector, self.projector, decay=decay)
