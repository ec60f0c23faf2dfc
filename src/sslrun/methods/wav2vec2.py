"""wav2vec 2.0 (Baevski et al. 2020, arXiv:2006.11477): hide spans of a recording, and pick the code of what was there.

A moment's own vector is turned into a code from learned books; a transformer that sees the clip with holes must tell
the code of a hidden moment from those of the clip's other hidden moments.

Formula:
    loss = mean over hidden moments t of  -log( exp(sim(c_t, q_t) / kappa) / sum_s exp(sim(c_t, q_s) / kappa) )
           + w (1 - sum over books of exp(H(p)) / GV)

    c: the transformer's tokens; q: codes; s: t and the distractors (eq. 3); H(p): entropy of how often each of a book's
    V codes is used, G books (eq. 4 as the authors' code has it).

When to choose it:
    Speech, minutes to thousands of hours of it, that is to be transcribed afterwards with few transcripts. It wants
    long trainings; on clips of a second and a small machine cpc is better. To go on from a published checkpoint:
    backbone.pretrained=FOLDER, whose codes are taken over too.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sslrun.backbones.base import Tokens, extra_inputs
from sslrun.backbones.wav2vec2 import Wav2Vec2Encoder
from sslrun.config.method.wav2vec2 import Wav2Vec2Config
from sslrun.core import dist
from sslrun.core.batch import WaveBatch
from sslrun.core.schedules import exponential
from sslrun.losses.distractors import distractor_losses, unused_share
from sslrun.methods.base import Method, StepOutput
from sslrun.nn.padding import masked_mean
from sslrun.nn.quantizer import GumbelQuantizer
from sslrun.nn.span_masking import hide_spans


@dataclass(frozen=True)
class MaskedOutputs:
    """Of the hidden moments of a batch, M in all and row by row.

    Attributes:
        losses: (M,).
        rows: (M,) int64, of the batch.
        shares: (M, G, V) probability of each code.
        embedding: (B, D).
    """

    losses: Tensor
    rows: Tensor
    shares: Tensor
    embedding: Tensor


class Wav2Vec2(Method):
    """Sections 2 and 3. Differs from the paper: no penalty on the latents' size, as in transformers' model."""

    batch_type = WaveBatch
    needs_encoder = Wav2Vec2Encoder
    needs_tokens = Tokens.moments
    config: Wav2Vec2Config
    encoder: Wav2Vec2Encoder

    def __init__(self, config: Wav2Vec2Config, encoder: Wav2Vec2Encoder) -> None:
        super().__init__(config, encoder)
        self.mask_token = nn.Parameter(torch.rand(encoder.num_features))
        self.quantizer = GumbelQuantizer(
            encoder.local_dim, codebooks=config.codebooks, codes=config.codes, code_dim=config.code_dim
        )
        self.project_hid = nn.Linear(encoder.num_features, config.out_dim)
        self.project_q = nn.Linear(config.code_dim, config.out_dim)
        self.gumbel_temperature = config.gumbel_start
        self._take_over(encoder.head_weights)
        encoder.head_weights = {}

    def before_step(self, progress: float) -> None:
        """Section 4.2: the draw of codes becomes sharper."""
        config = self.config
        self.gumbel_temperature = exponential(config.gumbel_start, config.gumbel_end, progress / config.gumbel_until)

    def forward(self, batch: Mapping[str, Any]) -> StepOutput:
        """Loss on hidden moments only; clips have unequal numbers of them, and so have ranks."""
        seeds = torch.randint(2**31, (len(batch["wave"]) * dist.world_size(),))
        hidden = self._predict(batch, dist.own(seeds, len(batch["wave"])))
        count = dist.gather(hidden.losses.new_tensor([len(hidden.losses)])).mean().clamp(min=1)
        shares = dist.gather(hidden.shares.sum(dim=0)[None]).mean(dim=0) / count  # (G, V), of all ranks
        contrast, diversity = hidden.losses.sum() / count, unused_share(shares)
        return StepOutput(
            contrast + self.config.diversity_weight * diversity,
            embedding=hidden.embedding.detach(),
            logs={"contrast": contrast.detach(), "codes": (1 - diversity.detach()) * shares.numel()},
        )

    def row_losses(self, batch: Mapping[str, Any]) -> tuple[Tensor, Tensor]:
        """By clip: sum over its hidden moments, and their number; what is drawn is a function of its position."""
        hidden = self._predict(batch, batch["index"])
        zeros = hidden.losses.new_zeros(len(batch["wave"]))
        return zeros.index_add(0, hidden.rows, hidden.losses), torch.bincount(hidden.rows, minlength=len(zeros))

    def _predict(self, batch: Mapping[str, Any], seeds: Tensor) -> MaskedOutputs:
        """All that is drawn for a row comes from its seed, (B,), whatever else is in the batch."""
        encoder = self.encoder
        z, projected, is_valid = encoder.local(batch["wave"], **extra_inputs(encoder, batch))
        generators = [torch.Generator(z.device).manual_seed(int(seed)) for seed in seeds]
        lengths = is_valid.sum(dim=1)
        drawn = torch.zeros(is_valid.shape, device=z.device)
        for row, length, generator in zip(drawn, lengths.tolist(), generators, strict=True):
            row[:length] = torch.rand(length, generator=generator, device=z.device)
        is_masked = hide_spans(
            drawn,
            lengths,
            share=self.config.mask_share,
            span=self.config.mask_span,
            at_least=self.config.min_spans,
        )  # (B, N)
        tokens = encoder.context(projected, is_valid, is_masked=is_masked, mask_token=self.mask_token)
        counts = is_masked.sum(dim=1)  # (B,), M together
        others = self._distractors(counts, generators)
        logits = self.quantizer.logits(z[is_masked])
        targets = self.quantizer(logits, noise=self._noise(counts, generators), temperature=self.gumbel_temperature)
        losses = distractor_losses(
            self.project_hid(tokens[is_masked]), self.project_q(targets), others, temperature=self.config.temperature
        )
        return MaskedOutputs(losses, is_masked.nonzero()[:, 0], F.softmax(logits, dim=2), masked_mean(tokens, is_valid))

    def _distractors(self, counts: Tensor, generators: list[torch.Generator]) -> Tensor:
        """(M, K) of the M hidden moments: others of the same clip; itself if it is the only one."""
        found, first = [], 0
        for count, generator in zip(counts.tolist(), generators, strict=True):
            shape = (count, self.config.negatives)
            steps = torch.randint(max(1, count - 1), shape, generator=generator, device=counts.device)
            own = torch.arange(count, device=counts.device)[:, None]
            found.append(first + (own + min(1, count - 1) + steps) % max(1, count))  # 1 to count - 1 further, around
            first += count
        return torch.cat(found)

    def _noise(self, counts: Tensor, generators: list[torch.Generator]) -> Tensor | None:
        """(M, G, V) uniform in (0, 1) in training; evaluation takes the likeliest codes."""
        if not self.training:
            return None
        books, codes = self.config.codebooks, self.config.codes
        drawn = [
            torch.rand(count, books, codes, generator=generator, device=counts.device)
            for count, generator in zip(counts.tolist(), generators, strict=True)
        ]
        tiny = torch.finfo(torch.float32).tiny
        return torch.cat(drawn).clamp(tiny, 1 - torch.finfo(torch.float32).eps)

    def _take_over(self, heads: Mapping[str, Tensor]) -> None:
        """A checkpoint's codes, projections and mask token, if they have these sizes."""
        given = {"mask_token" if k == "masked_spec_embed" else k: v for k, v in heads.items()}
        own = {k: v for k, v in self.state_dict().items() if not k.startswith("encoder.")}
        same = {k: v for k, v in given.items() if k in own and own[k].shape == v.shape}
        if same.keys() == own.keys():
            self.load_state_dict(same, strict=False)
