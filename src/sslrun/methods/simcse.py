"""SimCSE (Gao et al. 2021, arXiv:2104.08821): contrast a text's two encodings under dropout with the rest of the batch.

The unsupervised variant. Dropout is the only augmentation: `backbone.dropout` must be above 0, or both views are equal.
The head of one layer is discarded after pretraining, as in the paper for this variant.

Formula:
    loss = mean over i of  -log( exp(cos(z_i, z'_i) / tau) / sum_j exp(cos(z_i, z'_j) / tau) )     (eq. 4)

    z, z': tanh(W h + b) from two passes of the same batch with independent dropout; h: the encoder's pooled output.

When to choose it:
    To make a pretrained encoder's vectors (`backbone.pretrained=…`) comparable by cosine: search, clustering,
    near-duplicates. Like the paper it refines a pretrained encoder; from random weights start with bert.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from sslrun.backbones.base import Encoder, extra_inputs
from sslrun.config.method.simcse import SimCSEConfig
from sslrun.core import dist
from sslrun.core.batch import TokensBatch
from sslrun.losses.info_nce import info_nce_in_batch
from sslrun.methods.base import Method, StepOutput


class SimCSE(Method):
    """Section 3; negatives are gathered over ranks."""

    batch_type = TokensBatch
    config: SimCSEConfig

    def __init__(self, config: SimCSEConfig, encoder: Encoder) -> None:
        super().__init__(config, encoder)
        self.projector = nn.Sequential(nn.Linear(encoder.num_features, encoder.num_features), nn.Tanh())

    def forward(self, batch: Mapping[str, Any]) -> StepOutput:
        """Both passes run as one batch, as in the authors' code."""
        ids = batch["input_ids"]  # (B, L)
        rest = {key: torch.cat([value, value]) for key, value in extra_inputs(self.encoder, batch).items()}
        h = self.encoder(torch.cat([ids, ids]), **rest)  # (2B, D)
        z1, z2 = self.projector(h).chunk(2)  # 2 x (B, D)
        loss = info_nce_in_batch(
            z1,
            z2,
            temperature=self.config.temperature,
            all_positives=dist.gather(z2),
            offset=dist.rank() * len(z1),
        )
        return StepOutput(loss, embedding=h[: len(ids)].detach())
