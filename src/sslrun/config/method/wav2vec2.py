"""Configuration of wav2vec 2.0."""

from dataclasses import dataclass

from omegaconf import MISSING

from sslrun.config.checks import check_range
from sslrun.config.errors import ConfigError
from sslrun.config.registry import register
from sslrun.config.schema import MethodConfig


@register(
    "method",
    "wav2vec2",
    target="sslrun.methods.wav2vec2:Wav2Vec2",
    paper="Baevski et al. 2020, arXiv:2006.11477",
    modality="audio",
    reads=("waves",),
)
@dataclass(kw_only=True)
class Wav2Vec2Config(MethodConfig):
    """Numbers of the masks, the codes and the loss.

    Attributes:
        mask_share: of a clip's moments, at which hidden spans begin.
        mask_span: moments of a span; in clips of less than two spans it is half the clip.
        min_spans: of a clip.
        negatives: distractors of each hidden moment, drawn among the clip's other hidden moments.
        temperature: of the cosines.
        codebooks, codes: G and V.
        code_dim: of the codes of all books together.
        out_dim: of what is compared.
        diversity_weight: of the loss that asks for all codes.
        gumbel_start, gumbel_end: temperature of the draw of codes, at the beginning and from `gumbel_until` on.
        gumbel_until: share of the run.
    """

    kind: str = "wav2vec2"
    mask_share: float = MISSING
    mask_span: int = MISSING
    min_spans: int = MISSING
    negatives: int = MISSING
    temperature: float = MISSING
    codebooks: int = MISSING
    codes: int = MISSING
    code_dim: int = MISSING
    out_dim: int = MISSING
    diversity_weight: float = MISSING
    gumbel_start: float = MISSING
    gumbel_end: float = MISSING
    gumbel_until: float = MISSING

    def __post_init__(self) -> None:
        check_range("method.mask_share", self.mask_share, above=0, below=1)
        for key in ("mask_span", "min_spans", "negatives", "codebooks", "out_dim"):
            check_range(f"method.{key}", getattr(self, key), at_least=1)
        check_range("method.codes", self.codes, at_least=2)
        check_range("method.temperature", self.temperature, above=0)
        check_range("method.diversity_weight", self.diversity_weight, at_least=0)
        check_range("method.gumbel_end", self.gumbel_end, above=0)
        check_range("method.gumbel_start", self.gumbel_start, at_least=self.gumbel_end)
        check_range("method.gumbel_until", self.gumbel_until, above=0, at_most=1)
        if self.code_dim < 1 or self.code_dim % self.codebooks:
            raise ConfigError(f"method.code_dim={self.code_dim} is no multiple of method.codebooks={self.codebooks}")
