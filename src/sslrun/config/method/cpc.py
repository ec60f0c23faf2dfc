"""Configuration of CPC."""

from dataclasses import dataclass
from enum import Enum

from sslrun.config.node import limited
from sslrun.config.registry import register
from sslrun.config.schema import MethodConfig


class Negatives(Enum):
    """What a moment's future is distinguished from: the moments of its own clip, or those of all clips of the batch."""

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
        steps: how far ahead is predicted, in moments of the encoder; each of 1 to `steps` has its own matrix.
        negatives: `batch` needs memory that grows with the square of all moments of a batch; whatever clips differ
            in, e.g. their voices, then helps to tell them apart.
    """

    kind: str = "cpc"
    steps: int = limited(at_least=1)
    negatives: Negatives = Negatives.clip
