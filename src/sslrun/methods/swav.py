"""SwAV (Caron et al. 2020, arXiv:2006.09882): predict the cluster assignment of one view from another view.

Assignments to learned prototypes are balanced over the batch by Sinkhorn-Knopp, which prevents collapse.

Formula:
    loss = mean over views s, and assigned views t != s, of  -sum_k q_t(k) log softmax(z_s . C / tau)(k)

    C: K prototypes; q_t: the assignment of view t, equally many rows per prototype (eq. 2 to 6).

When to choose it:
    Large, roughly balanced datasets, and features that cluster by content. Small crops improve it at little cost. With
    batches below a few hundred it needs the queue; use several times as many prototypes as classes.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sslrun.backbones.base import Encoder
from sslrun.config.method.swav import SwAVConfig
from sslrun.core import dist
from sslrun.core.batch import ViewsBatch
from sslrun.losses.sinkhorn import sinkhorn
from sslrun.losses.swapped import swapped_prediction
from sslrun.methods.base import Method, StepOutput
from sslrun.nn.heads import mlp
from sslrun.nn.queue import Queue
from sslrun.nn.views import encode_views

ASSIGNED = 2
"""Views that get an assignment: the two global crops, section 3.2."""


class SwAV(Method):
    """Section 3 and appendix A.1; assignments are over the batch of all ranks and the queue.

    Ranks exchange the projections of the two assigned views (128 numbers per row) and compute all scores themselves;
    the scores would be 3000 numbers per row.
    """

    batch_type = ViewsBatch
    views = 2
    config: SwAVConfig

    def __init__(self, config: SwAVConfig, encoder: Encoder) -> None:
        super().__init__(config, encoder)
        dims = (encoder.num_features, config.hidden_dim, config.out_dim)
        self.projector = mlp(*dims, last_batch_norm=config.output_batch_norm)
        self.prototypes = nn.Parameter(F.normalize(torch.randn(config.prototypes, config.out_dim), dim=1))  # (K, P)
        size = config.queue_size
        self.queue = Queue(size, ASSIGNED * config.out_dim) if size else None  # both projections of an image in a row
        self.reads_queue = False

    def before_step(self, progress: float) -> None:
        """Start to use the queue once it is due and full."""
        if self.queue is None or progress < self.config.queue_start:
            self.reads_queue = False
        elif not self.reads_queue:  # asks the device only until the queue is full
            self.reads_queue = int(self.queue.pushed) >= self.config.queue_size

    def forward(self, batch: Mapping[str, Any]) -> StepOutput:
        """Eq. 6; views of one size share an encoder pass, all views share the head's, as in the authors' code."""
        encoded = encode_views(self.encoder, batch["views"])  # V x (B, D)
        z = self.projector(torch.cat(encoded))  # (V * B, P)
        with torch.autocast(z.device.type, enabled=False):
            z = F.normalize(z.float(), dim=1)
            scores = (z @ self.prototypes.T).chunk(len(encoded))  # V x (B, K)
            assignments = self.assign(z.chunk(len(encoded))[:ASSIGNED])  # 2 x (B, K)
        loss = swapped_prediction(scores, assignments, temperature=self.config.temperature)
        return StepOutput(loss, embedding=encoded[0].detach())

    @torch.no_grad()
    def assign(self, z: Sequence[Tensor]) -> list[Tensor]:
        """2 x (B, P) -> 2 x (B, K): this rank's rows of the assignments over all ranks."""
        rows = dist.gather(torch.cat(list(z), dim=1))  # (N, 2P)
        if self.queue is not None:
            self.queue.defer(rows)
            if self.reads_queue:
                rows = torch.cat([rows, self.queue.rows])  # (N + queue_size, 2P)
        epsilon, iterations = self.config.epsilon, self.config.iterations
        of_all = [
            sinkhorn(view @ self.prototypes.T, epsilon=epsilon, iterations=iterations)
            for view in rows.chunk(ASSIGNED, dim=1)
        ]
        return [dist.local_rows(q, len(z[0])) for q in of_all]

    def after_backward(self, progress: float) -> None:
        """Prototypes are frozen at first (appendix A.1)."""
        if progress < self.config.frozen:
            self.prototypes.grad = None

    def after_step(self, progress: float) -> None:
        """Normalise the prototypes; enqueue the batch."""
        with torch.no_grad():
            self.prototypes.copy_(F.normalize(self.prototypes, dim=1))
        if self.queue is not None:
            self.queue.push_deferred()
