"""Configuration of GPT."""

from dataclasses import dataclass

from sslrun.config.registry import register
from sslrun.config.schema import MethodConfig


@register(
    target="sslrun.methods.gpt:GPT",
    paper="Radford et al. 2018 and 2019",
    modality="text",
    reads=("blocks of tokens",),
)
@dataclass(kw_only=True)
class GPTConfig(MethodConfig):
    """No hyperparameters of its own."""

    kind: str = "gpt"
