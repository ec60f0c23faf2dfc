"""Configuration of wav2vec 2.0."""

from dataclasses import dataclass

from omegaconf import MISSING

from sslrun.config.checks import check_multiple, check_range
from sslrun.config.node import limited
from sslrun.config.registry import register
from sslrun.config.schema import MethodConfig


@register(
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
    mask_share: float = limited(above=0, below=1)
    mask_span: int = limited(at_least=1)
    min_spans: int = limited(at_least=1)
    negatives: int = limited(at_least=1)
    temperature: float = limited(above=0)
    codebooks: int = limited(at_least=1)
    codes: int = limited(at_least=2)
    code_dim: int = limited(at_least=1)
    out_dim: int = limited(at_least=1)
    diversity_weight: float = limited(at_least=0)
    gumbel_start: float = MISSING
    gumbel_end: float = limited(above=0)
    gumbel_until: float = limited(above=0, at_most=1)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range("method.gumbel_start", self.gumbel_start, at_least=self.gumbel_end)
        check_multiple("method.code_dim", self.code_dim, of_key="method.codebooks", of=self.codebooks)
