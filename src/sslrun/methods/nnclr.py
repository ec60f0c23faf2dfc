"""NNCLR (Dwibedi et al. 2021, arXiv:2104.14548): contrastive learning with nearest neighbours as positives.

A view's nearest neighbour, from a queue of past projections, must find the other view among the rest of the batch.

Formula:
    loss = -log( exp(nn(z_1) . p_2 / tau) / sum_j exp(nn(z_1) . p_2j / tau) ),  and with the views swapped

    nn(z): the queue's row nearest to the projection z; p: predictions; j: the batch (eq. 3). Section 3.3 adds the
    softmax over the batch's neighbours, which this omits, as solo-learn does.

When to choose it:
    Contrastive learning with weaker augmentations: a neighbour varies in ways that no augmentation does. It takes some
    epochs until neighbours are meaningful, and a queue large enough to cover the classes.
"""

from collections.abc import Mapping
from typing import Any

import torch.nn.functional as F
from torch import Tensor

from sslrun.backbones.base import Encoder
from sslrun.config.method.nnclr import NNCLRConfig
from sslrun.core import dist
from sslrun.core.batch import ViewsBatch
from sslrun.losses.info_nce import info_nce_in_batch
from sslrun.methods.base import Method, StepOutput
from sslrun.nn.heads import mlp
from sslrun.nn.queue import Queue
from sslrun.nn.views import encode_views


class NNCLR(Method):
    """Section 3; no gradient flows into the neighbours."""

    batch_type = ViewsBatch
    views = max_views = 2
    config: NNCLRConfig

    def __init__(self, config: NNCLRConfig, encoder: Encoder) -> None:
        super().__init__(config, encoder)
        self.projector = mlp(
            encoder.num_features, config.hidden_dim, config.hidden_dim, config.out_dim, last_batch_norm=True
        )
        self.predictor = mlp(config.out_dim, config.predictor_hidden_dim, config.out_dim)
        self.support = Queue(config.queue_size, config.out_dim)  # Q

    def forward(self, batch: Mapping[str, Any]) -> StepOutput:
        """Eq. 3 both ways; the first view's projections go to the support set."""
        y1, y2 = encode_views(self.encoder, batch["views"][:2], joint=self.config.joint_views)  # 2 x (B, D)
        z1, z2 = (self.projector(y) for y in (y1, y2))  # 2 x (B, P)
        p1, p2 = (self.predictor(z) for z in (z1, z2))  # 2 x (B, P)
        loss = (self._contrast(z1, p2) + self._contrast(z2, p1)) / 2
        self.support.defer(dist.gather(F.normalize(z1.detach().float(), dim=1)))
        return StepOutput(loss, embedding=y1.detach())

    def after_step(self, progress: float) -> None:
        """Enqueue this step's projections."""
        self.support.push_deferred()

    def _contrast(self, z: Tensor, p: Tensor) -> Tensor:
        """NN(z, Q) against the predictions of all ranks; the positive is the same image's other view."""
        return info_nce_in_batch(
            self.support.nearest(z),
            p,
            temperature=self.config.temperature,
            all_positives=dist.gather(p),
            offset=dist.rank() * len(p),
        )
