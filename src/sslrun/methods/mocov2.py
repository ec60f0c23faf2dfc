"""MoCo v2 (He et al. 2020, arXiv:1911.05722; Chen et al. 2020, arXiv:2003.04297): contrast with a queue of past keys.

A momentum encoder computes the keys, so that those of many steps ago stay consistent enough to serve as negatives.

Formula:
    loss = -log( exp(q . k / tau) / (exp(q . k / tau) + sum_n exp(q . n / tau)) )

    q: the projection of one view; k: the momentum encoder's projection of the other; n: the queue's rows; all of unit
    length (eq. 1).

When to choose it:
    Contrastive learning with small batches: negatives come from the queue. On one GPU, BatchNorm statistics can leak
    which key is the positive; shuffled keys (`batch_norm: shuffled`, with `bn_splits`) prevent it.
"""

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sslrun.backbones.base import Encoder
from sslrun.config.errors import ConfigError
from sslrun.config.method.mocov2 import MoCoV2Config, ShuffledBatchNorm
from sslrun.core import dist
from sslrun.core.batch import ViewsBatch
from sslrun.core.schedules import cosine
from sslrun.losses.info_nce import info_nce
from sslrun.methods.base import Method, StepOutput
from sslrun.nn.ema import ema_update, frozen_copy
from sslrun.nn.heads import mlp
from sslrun.nn.queue import Queue


class MoCoV2(Method):
    """Algorithm 1 of arXiv:1911.05722 with the head of arXiv:2003.04297."""

    batch_type = ViewsBatch
    views = max_views = 2
    config: MoCoV2Config

    def __init__(self, config: MoCoV2Config, encoder: Encoder) -> None:
        super().__init__(config, encoder)
        # shuffling and splitting rely on statistics of parts of the batch
        self.syncs_batch_norm = config.batch_norm is ShuffledBatchNorm.none and config.bn_splits == 1
        self.projector = mlp(encoder.num_features, config.hidden_dim, config.out_dim, batch_norm=False)
        self.key_encoder = frozen_copy(self.encoder)
        self.key_projector = frozen_copy(self.projector)
        self.queue = Queue(config.queue_size, config.out_dim)

    def forward(self, batch: Mapping[str, Any]) -> StepOutput:
        """Algorithm 1; `symmetric` adds the loss with views swapped, and enqueues both views' keys."""
        x1, x2 = batch["views"][:2]  # 2 x (B, C, H, W)
        y1 = self._in_groups(self.encoder, x1)  # (B, D)
        k2 = self._keys(x2)  # (W*B, P)
        loss = self._contrast(self.projector(y1), k2)
        if self.config.symmetric:
            y2, k1 = self._in_groups(self.encoder, x2), self._keys(x1)
            loss = (loss + self._contrast(self.projector(y2), k1)) / 2
            self.queue.defer(k1)
        self.queue.defer(k2)
        return StepOutput(loss, embedding=y1.detach())

    def after_step(self, progress: float) -> None:
        """Eq. 2; enqueue the keys of all micro-batches of this step, which come from the same key encoder."""
        decay = cosine(self.config.decay_start, self.config.decay_end, progress)
        ema_update(self.key_encoder, self.encoder, decay=decay)
        ema_update(self.key_projector, self.projector, decay=decay)
        self.queue.push_deferred()

    def _contrast(self, q: Tensor, keys: Tensor) -> Tensor:
        return info_nce(q, dist.local_rows(keys, len(q)), self.queue.rows, temperature=self.config.temperature)

    @torch.no_grad()
    def _keys(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (W*B, P), unit-length keys of all ranks' images.

        With shuffling, a key's BatchNorm statistics come from other images than its query's; otherwise they would leak
        which key is the positive (section 3.3 of arXiv:1911.05722).
        """
        if self.config.batch_norm is ShuffledBatchNorm.none:
            return dist.gather(self._encode_keys(x))
        everyone = dist.gather(x)  # (W*B, C, H, W)
        order = dist.gather(torch.randperm(len(everyone), device=x.device))[: len(everyone)]  # rank 0's, on all ranks
        share = order.chunk(dist.world_size())[dist.rank()]  # (B,)
        shuffled = dist.gather(self._encode_keys(everyone[share]))  # (W*B, P)
        return shuffled[order.argsort()]

    def _encode_keys(self, x: Tensor) -> Tensor:
        keys = self.key_projector(self._in_groups(self.key_encoder, x))
        return F.normalize(keys.float(), dim=1)

    def _in_groups(self, encoder: nn.Module, x: Tensor) -> Tensor:
        """Encode `bn_splits` groups with separate BatchNorm statistics, as separate GPUs would."""
        if len(x) < 2 * self.config.bn_splits:
            raise ConfigError(
                f"method.bn_splits={self.config.bn_splits} leaves groups of less than 2 of a device's {len(x)} images; "
                f"choose at most {len(x) // 2}, or a larger loader.batch_size"
            )
        return torch.cat([encoder(group) for group in x.tensor_split(self.config.bn_splits)])
