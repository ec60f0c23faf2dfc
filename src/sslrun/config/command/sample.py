"""`sslrun sample`."""

from dataclasses import dataclass

from sslrun.config.command.base import FrozenConfig, command
from sslrun.config.node import limited


@command("sample")
@dataclass(kw_only=True)
class SampleConfig(FrozenConfig):
    """`sslrun sample`.

    Attributes:
        encoder: a run of method=gpt, its encoder folder or a checkpoint of it.
        prompt: what is continued; empty begins a text.
        tokens: largest number of new ones.
        temperature: of the draws; 0 takes the likeliest token each time.
        top_k: number of the likeliest tokens to draw from; null draws from all.
        count: continuations.
        stop: whether a text ends at the mark that it was trained to end with.
    """

    prompt: str = ""
    tokens: int = limited(200, at_least=1)
    temperature: float = limited(0.8, at_least=0)
    top_k: int | None = limited(None, at_least=1)
    count: int = limited(1, at_least=1)
    stop: bool = True
