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
    """wav2vec 2.0.

    Attributes:
        mask_share: p, share of a clip's time steps at which masked spans start.
        mask_span: M, time steps per span; in clips shorter than two spans it is half the clip.
        min_spans: minimum number of spans per clip.
        negatives: number of distractors per masked time step, sampled from the clip's other masked time steps.
        temperature: kappa of eq. 3.
        codebooks, codes: G and V.
        code_dim: width of the codes, all codebooks concatenated.
        out_dim: width of the projections that are compared.
        diversity_weight: weight of the diversity loss.
        gumbel_start, gumbel_end: Gumbel-softmax temperature at the start, and from `gumbel_until` on.
        gumbel_until: share of the run over which the temperature falls.
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
