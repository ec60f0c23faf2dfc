"""TS2Vec (Yue et al. 2022, arXiv:2106.10466): contrast the representation of a timestamp in two overlapping crops.

Two overlapping crops of each series are encoded with some timestamps masked. Where they overlap their representations
must agree, against other timestamps of the series and other series of the batch, at several temporal scales.

Formula:
    loss = mean over scales of  alpha l_inst + (1 - alpha) l_temp

    l_temp = -log( exp(r_t . r'_t) / sum_{s in overlap} (exp(r_t . r'_s) + [s != t] exp(r_t . r_s)) )       eq. 1
    l_inst = -log( exp(r_i . r'_i) / sum_{j in batch} (exp(r_i . r'_j) + [j != i] exp(r_i . r_j)) )         eq. 2

    r, r': vectors of a timestamp in the two crops, max-pooled by 2 from each scale to the next (algorithm 1).

When to choose it:
    The first try on sensors, machine logs and other series: no augmentation that could change a class, minutes of
    training, and a vector per timestamp as well as per series. Its encoder is strong even untrained: compare with that
    row before crediting the training.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

from sslrun.backbones.base import Encoder, Tokens
from sslrun.backbones.ts2vec import TS2VecEncoder
from sslrun.config.method.ts2vec import TS2VecConfig
from sslrun.core import dist
from sslrun.core.batch import SeriesBatch
from sslrun.losses.hierarchical import hierarchical_contrast
from sslrun.methods.base import Method, StepOutput
from sslrun.nn.ema import frozen_copy
from sslrun.nn.padding import not_padding


class Crops(NamedTuple):
    """Two overlapping crops: the end of the first is the beginning of the second.

    Attributes:
        first, second: lengths of the crops.
        starts: (B,) start of each row's first crop.
        lag: start of the second crop relative to the first.
    """

    first: int
    second: int
    overlap: int
    starts: Tensor
    lag: int


class TS2Vec(Method):
    """Section 3. Also keeps the average of the weights over all steps, which the authors' code evaluates."""

    batch_type = SeriesBatch
    needs_encoder = TS2VecEncoder
    needs_tokens = Tokens.timesteps
    config: TS2VecConfig

    def __init__(self, config: TS2VecConfig, encoder: Encoder) -> None:
        super().__init__(config, encoder)
        self.average = frozen_copy(encoder)
        self.register_buffer("averaged", torch.ones((), dtype=torch.int64))
        self.averaged: Tensor

    def forward(self, batch: Mapping[str, Any]) -> StepOutput:
        """Two random overlapping crops with independent timestamp masks: sections 3.2 and 3.3."""
        series = _as_long_on_all_ranks(batch["series"])  # (B, T, C)
        crops = draw_crops(len(series), series.shape[1])
        rows = []
        for start, length in ((crops.starts, crops.first), (crops.starts + crops.lag, crops.second)):
            crop = take_stretch(series, start.to(series.device), length)  # (B, L, C)
            drawn = dist.local_rows(torch.rand(len(series) * dist.world_size(), length), len(series))
            is_masked = drawn < self.config.mask_share
            rows.append(self.encoder.pooled_and_tokens(crop, is_masked=is_masked.to(series.device)))
        (pooled, z1), (_, z2) = rows
        z1, z2 = z1[:, -crops.overlap :], z2[:, : crops.overlap]  # (B, O, D)
        shared = take_stretch(not_padding(series)[..., None], (crops.starts + crops.lag).to(z1.device), crops.overlap)
        is_valid = shared[..., 0]  # (B, O)
        loss = hierarchical_contrast(
            z1,
            z2,
            alpha=self.config.alpha,
            is_valid=is_valid,
            all_z1=dist.gather(z1) if dist.world_size() > 1 else None,
            all_z2=dist.gather(z2) if dist.world_size() > 1 else None,
            all_is_valid=dist.gather(is_valid.float()).bool() if dist.world_size() > 1 else None,
            offset=dist.rank() * len(z1),
        )
        return StepOutput(loss, embedding=pooled.detach())

    @torch.no_grad()
    def after_step(self, progress: float) -> None:
        """Update the average: all steps and the initial weights count equally."""
        self.averaged += 1
        share = 1 / float(self.averaged)
        torch._foreach_lerp_(list(self.average.parameters()), list(self.encoder.parameters()), share)

    def encoders(self) -> dict[str, Encoder]:
        """The last weights and their average; `config.average` decides which is `encoder`."""
        if self.config.average:
            return {"encoder": self.average, "last": self.encoder}
        return {"encoder": self.encoder, "average": self.average}


def draw_crops(rows: int, length: int) -> Crops:
    """Random crops [a1, b1) and [a2, b2) with a1 <= a2 < b1 <= b2 (section 3.3), equal on all ranks.

    All rows share the lengths; the starts differ. The overlap has at least two timestamps, as in the authors' code.
    """
    overlap = _integer(min(2, length), length + 1)
    left = _integer(0, length - overlap + 1)
    first = _integer(0, left + 1)
    last = _integer(left + overlap, length + 1)
    starts = torch.randint(0, length - (last - first) + 1, (rows * dist.world_size(),))
    return Crops(left + overlap - first, last - left, overlap, dist.local_rows(starts, rows), left - first)


def take_stretch(series: Tensor, starts: Tensor, length: int) -> Tensor:
    """(B, T, C) -> (B, length, C), each row from its start in (B,)."""
    places = starts[:, None] + torch.arange(length, device=series.device)  # (B, length)
    return series.gather(1, places[..., None].expand(-1, -1, series.shape[2]))


def _integer(low: int, high: int) -> int:
    return int(torch.randint(low, high, ()))


def _as_long_on_all_ranks(series: Tensor) -> Tensor:
    """Pad to the longest series of all ranks, so that all draw the same crops."""
    if dist.world_size() == 1:
        return series
    more = dist.max_over_ranks(series.shape[1], device=series.device) - series.shape[1]
    return torch.nn.functional.pad(series, (0, 0, 0, more), value=torch.nan)
