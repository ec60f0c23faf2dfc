"""wav2vec 2.0 (Baevski et al. 2020, arXiv:2006.11477): mask spans of a recording, identify their quantised latents.

A convolutional encoder's latents are quantised with learned codebooks. A transformer sees the clip with masked spans
and must identify the quantised latent of each masked time step among those of the clip's other masked time steps.

Formula:
    loss = mean over masked time steps t of  -log( exp(sim(c_t, q_t) / kappa) / sum_s exp(sim(c_t, q_s) / kappa) )
           + w (1 - sum over codebooks of exp(H(p)) / GV)

    c: the transformer's outputs; q: quantised latents; s: t and the distractors (eq. 3); H(p): entropy of the usage of
    the V codes of a codebook, G codebooks (eq. 4 as in the authors' code).

When to choose it:
    Minutes to thousands of hours of speech, to be transcribed afterwards from few transcripts. It needs long training;
    on one-second clips and a small machine cpc is better. To continue from a published checkpoint, use
    backbone.pretrained=FOLDER, which also loads its codebooks.
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
from sslrun.losses.distractors import distractor_losses, diversity_loss
from sslrun.methods.base import Method, StepOutput
from sslrun.nn.padding import masked_mean
from sslrun.nn.quantizer import GumbelQuantizer
from sslrun.nn.span_masking import mask_spans


@dataclass(frozen=True)
class MaskedOutputs:
    """Outputs for the M masked time steps of a batch, row by row.

    Attributes:
        losses: (M,).
        rows: (M,) int64, the row of each in the batch.
        probabilities: (M, G, V) of each code.
        embedding: (B, D).
    """

    losses: Tensor
    rows: Tensor
    probabilities: Tensor
    embedding: Tensor


class Wav2Vec2(Method):
    """Sections 2 and 3. Unlike the paper, without a penalty on the norm of the latents, as in transformers' model."""

    batch_type = WaveBatch
    needs_encoder = Wav2Vec2Encoder
    needs_tokens = Tokens.timesteps
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
        self._load_heads(encoder.head_weights)
        encoder.head_weights = {}

    def before_step(self, progress: float) -> None:
        """Anneal the Gumbel temperature (section 4.2)."""
        config = self.config
        self.gumbel_temperature = exponential(config.gumbel_start, config.gumbel_end, progress / config.gumbel_until)

    def forward(self, batch: Mapping[str, Any]) -> StepOutput:
        """Loss on masked time steps only; their number differs between clips and between ranks."""
        seeds = torch.randint(2**31, (len(batch["wave"]) * dist.world_size(),))
        outputs = self._predict(batch, dist.local_rows(seeds, len(batch["wave"])))
        count = dist.gather(outputs.losses.new_tensor([len(outputs.losses)])).mean().clamp(min=1)
        usage = dist.gather(outputs.probabilities.sum(dim=0)[None]).mean(dim=0) / count  # (G, V), over all ranks
        contrast, diversity = outputs.losses.sum() / count, diversity_loss(usage)
        return StepOutput(
            contrast + self.config.diversity_weight * diversity,
            embedding=outputs.embedding.detach(),
            logs={"contrast": contrast.detach(), "codes": (1 - diversity.detach()) * usage.numel()},
        )

    def row_losses(self, batch: Mapping[str, Any]) -> tuple[Tensor, Tensor]:
        """Per clip: sum over its masked time steps, and their number; random draws depend only on the clip's index."""
        outputs = self._predict(batch, batch["index"])
        zeros = outputs.losses.new_zeros(len(batch["wave"]))
        return zeros.index_add(0, outputs.rows, outputs.losses), torch.bincount(outputs.rows, minlength=len(zeros))

    def _predict(self, batch: Mapping[str, Any], seeds: Tensor) -> MaskedOutputs:
        """All random draws for a row come from its seed in (B,), whatever else is in the batch."""
        encoder = self.encoder
        z, projected, is_valid = encoder.local(batch["wave"], **extra_inputs(encoder, batch))
        generators = [torch.Generator(z.device).manual_seed(int(seed)) for seed in seeds]
        lengths = is_valid.sum(dim=1)
        drawn = torch.zeros(is_valid.shape, device=z.device)
        for row, length, generator in zip(drawn, lengths.tolist(), generators, strict=True):
            row[:length] = torch.rand(length, generator=generator, device=z.device)
        is_masked = mask_spans(
            drawn,
            lengths,
            share=self.config.mask_share,
            span=self.config.mask_span,
            at_least=self.config.min_spans,
        )  # (B, N)
        tokens = encoder.context(projected, is_valid, is_masked=is_masked, mask_token=self.mask_token)
        counts = is_masked.sum(dim=1)  # (B,), M in total
        others = self._distractors(counts, generators)
        logits = self.quantizer.logits(z[is_masked])
        targets = self.quantizer(logits, noise=self._noise(counts, generators), temperature=self.gumbel_temperature)
        losses = distractor_losses(
            self.project_hid(tokens[is_masked]), self.project_q(targets), others, temperature=self.config.temperature
        )
        return MaskedOutputs(losses, is_masked.nonzero()[:, 0], F.softmax(logits, dim=2), masked_mean(tokens, is_valid))

    def _distractors(self, counts: Tensor, generators: list[torch.Generator]) -> Tensor:
        """(M, K) indices of other masked time steps of the same clip; its own if it is the only one."""
        found, first = [], 0
        for count, generator in zip(counts.tolist(), generators, strict=True):
            shape = (count, self.config.negatives)
            steps = torch.randint(max(1, count - 1), shape, generator=generator, device=counts.device)
            own = torch.arange(count, device=counts.device)[:, None]
            found.append(
                first + (own + min(1, count - 1) + steps) % max(1, count)
            )  # 1 to count - 1 further, cyclically
            first += count
        return torch.cat(found)

    def _noise(self, counts: Tensor, generators: list[torch.Generator]) -> Tensor | None:
        """(M, G, V) uniform in (0, 1) in training; None in evaluation, which takes the likeliest codes."""
        if not self.training:
            return None
        books, codes = self.config.codebooks, self.config.codes
        drawn = [
            torch.rand(count, books, codes, generator=generator, device=counts.device)
            for count, generator in zip(counts.tolist(), generators, strict=True)
        ]
        tiny = torch.finfo(torch.float32).tiny
        return torch.cat(drawn).clamp(tiny, 1 - torch.finfo(torch.float32).eps)

    def _load_heads(self, heads: Mapping[str, Tensor]) -> None:
        """Load a checkpoint's codebooks, projections and mask token, if all have these shapes."""
        given = {"mask_token" if k == "masked_spec_embed" else k: v for k, v in heads.items()}
        own = {k: v for k, v in self.state_dict().items() if not k.startswith("encoder.")}
        same = {k: v for k, v in given.items() if k in own and own[k].shape == v.shape}
        if same.keys() == own.keys():
            self.load_state_dict(same, strict=False)
