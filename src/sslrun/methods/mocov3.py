"""MoCo v3 (Chen et al. 2021, arXiv:2104.02057): MoCo for ViTs, with a predictor and without a queue.

The query of each view is contrasted with the momentum encoder's keys of the other view, for a large batch.

Formula:
    loss = 2 tau (ce(q_1 . k_2 / tau) + ce(q_2 . k_1 / tau))

    q: predictions for one view; k: the momentum encoder's projections of the other view, for the whole batch; the
    positive is the same image's key (algorithm 1).

When to choose it:
    ViTs with large batches, where SimCLR is unstable; with ResNets too it is among the best contrastive methods. It
    needs a second forward pass for the momentum encoder.
"""

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from sslrun.backbones.base import Encoder
from sslrun.config.method.mocov3 import MoCoV3Config
from sslrun.core import dist
from sslrun.core.batch import ViewsBatch
from sslrun.core.schedules import cosine
from sslrun.losses.info_nce import info_nce_in_batch
from sslrun.methods.base import Method, StepOutput
from sslrun.nn.ema import ema_update, frozen_copy
from sslrun.nn.heads import mlp
from sslrun.nn.views import encode_views


class MoCoV3(Method):
    """Algorithm 1; each view has its own BatchNorm statistics in the heads."""

    batch_type = ViewsBatch
    views = max_views = 2
    config: MoCoV3Config

    def __init__(self, config: MoCoV3Config, encoder: Encoder) -> None:
        super().__init__(config, encoder)
        if config.freeze_patch_embed:
            _freeze_patch_embed(encoder)
        hidden = [config.hidden_dim] * (config.projector_layers - 1)
        self.projector = mlp(encoder.num_features, *hidden, config.out_dim, last_batch_norm=True)
        self.predictor = mlp(
            config.out_dim, config.hidden_dim, config.out_dim, last_batch_norm=config.predictor_last_batch_norm
        )
        self.target_encoder = frozen_copy(self.encoder)
        self.target_projector = frozen_copy(self.projector)

    def forward(self, batch: Mapping[str, Any]) -> StepOutput:
        """Algorithm 1: ctr(q1, k2) + ctr(q2, k1)."""
        views = batch["views"][:2]  # 2 x (B, C, H, W)
        y1, y2 = encode_views(self.encoder, views, joint=self.config.joint_views)  # 2 x (B, D)
        q1, q2 = (self.predictor(self.projector(y)) for y in (y1, y2))  # 2 x (B, P)
        with torch.no_grad():
            t1, t2 = encode_views(self.target_encoder, views, joint=self.config.joint_views)  # 2 x (B, D)
            k1, k2 = (self.target_projector(t) for t in (t1, t2))  # 2 x (B, P)
        return StepOutput(self._contrast(q1, k2) + self._contrast(q2, k1), embedding=y1.detach())

    def after_step(self, progress: float) -> None:
        """Update the target; the decay rises from decay_start to 1 along a cosine."""
        decay = cosine(self.config.decay_start, 1.0, progress)
        ema_update(self.target_encoder, self.encoder, decay=decay)
        ema_update(self.target_projector, self.projector, decay=decay)

    def _contrast(self, q: Tensor, k: Tensor) -> Tensor:
        """InfoNCE x 2 tau, which makes the learning rate independent of the temperature."""
        tau = self.config.temperature
        offset = dist.rank() * len(k)
        return 2 * tau * info_nce_in_batch(q, k, temperature=tau, all_positives=dist.gather(k), offset=offset)


def _freeze_patch_embed(encoder: Encoder) -> None:
    """Freeze a ViT's patch projection at its random initialisation (section 4.2); a CNN has none.

    Initialised as in the authors' code: relative to positions, twice as large as timm's. Pretrained weights are kept.
    """
    for name, module in encoder.named_modules():
        if name.split(".")[-1] == "patch_embed":
            module.requires_grad_(False)
            for projection in module.modules():
                if isinstance(projection, nn.Conv2d) and encoder.config.pretrained in (None, False):
                    bound = math.sqrt(6 / (projection.weight[0].numel() + projection.out_channels))
                    nn.init.uniform_(projection.weight, -bound, bound)
                    if projection.bias is not None:
                        nn.init.zeros_(projection.bias)
