"""Configuration of BERT."""

from dataclasses import dataclass

from sslrun.config.registry import register
from sslrun.config.schema import MethodConfig


@register(
    target="sslrun.methods.bert:BERT",
    paper="Devlin et al. 2019, arXiv:1810.04805",
    modality="text",
    reads=("tokens",),
)
@dataclass(kw_only=True)
class BERTConfig(MethodConfig):
    """No hyperparameters of its own; masking is part of the augmentation policy."""

    kind: str = "bert"
