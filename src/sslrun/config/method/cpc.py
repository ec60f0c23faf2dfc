"""Configuration of CPC."""

from dataclasses import dataclass
from enum import Enum

from sslrun.config.node import limited
from sslrun.config.registry import register
from sslrun.config.schema import MethodConfig


class Negatives(Enum):
    """Source of the negatives of a future time step: its own clip, or all clips of the batch."""

    clip = "clip"
    batch = "batch"


@register(
    target="sslrun.methods.cpc:CPC",
    paper="van den Oord et al. 2018, arXiv:1807.03748",
    modality="audio",
    reads=("series", "waves"),
)
@dataclass(kw_only=True)
class CPCConfig(MethodConfig):
    """CPC.

    Attributes:
        steps: K, the prediction horizon in time steps of the encoder; each k in 1..K has its own matrix W_k.
        negatives: `batch` needs memory quadratic in the time steps of a batch, and lets the model use any difference
            between clips, e.g. the speaker, to identify negatives.
    """

    kind: str = "cpc"
    steps: int = limited(at_least=1)
    negatives: Negatives = Negatives.clip
