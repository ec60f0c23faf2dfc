"""SupCon (Khosla et al. 2020, arXiv:2004.11362): pull all views of a class together, push all others in the batch away.

SimCLR with labels: an anchor's positives are all other views of its class, equally weighted.

Formula:
    loss = mean over i of  -1/|P(i)| sum_{p in P(i)} log( exp(z_i . z_p / tau) / sum_{a != i} exp(z_i . z_a / tau) )

    i, a: the 2B views of a batch; P(i): the other views of i's class; z: unit-length projections (eq. 2).

When to choose it:
    If all images are labelled and features should cluster by class, for kNN or retrieval; or as an upper reference for
    self-supervised methods. Without labels sslrun refuses it.
"""

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from sslrun.backbones.base import Encoder
from sslrun.config.method.supcon import SupConConfig
from sslrun.core import dist
from sslrun.core.batch import ViewsBatch
from sslrun.losses.supcon import supcon
from sslrun.methods.base import Method, StepOutput
from sslrun.nn.heads import mlp


class SupCon(Method):
    """Section 3; positives and negatives are gathered over ranks."""

    batch_type = ViewsBatch
    views = max_views = 2
    needs_labels = True
    config: SupConConfig

    def __init__(self, config: SupConConfig, encoder: Encoder) -> None:
        super().__init__(config, encoder)
        self.projector = mlp(encoder.num_features, config.hidden_dim, config.out_dim, batch_norm=False)  # section 3.1

    def forward(self, batch: Mapping[str, Any]) -> StepOutput:
        """Eq. 2; both views go through the encoder in one batch, as in the authors' code."""
        x1, x2 = batch["views"][:2]  # 2 x (B, C, H, W)
        labels = batch["label"].repeat(2)  # (2B,)
        h = self.encoder(torch.cat([x1, x2]))  # (2B, D)
        z = self.project(h)  # (2B, P)
        loss = supcon(
            z,
            labels,
            temperature=self.config.temperature,
            all_z=dist.gather(z),
            all_labels=dist.gather(labels),
            offset=dist.rank() * len(z),
        )
        if self.config.scale_by_temperature:
            loss = self.config.temperature * loss
        return StepOutput(loss, embedding=h[: len(x1)].detach())

    def project(self, features: Tensor) -> Tensor:
        """(B, D) -> (B, P)."""
        return self.projector(F.normalize(features, dim=1) if self.config.normalize_features else features)
