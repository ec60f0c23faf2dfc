"""`sslrun sample`."""

from dataclasses import dataclass

from sslrun.config.checks import check_range
from sslrun.config.command.base import FrozenConfig, command


@command("sample")
@dataclass(kw_only=True)
class SampleConfig(FrozenConfig):
    """`sslrun sample`.

    Attributes:
        encoder: a run of method=gpt, its encoder folder or a checkpoint of it.
        prompt: what is continued; empty begins a text.
        tokens: at most so many new ones.
        temperature: of the draws; 0 takes the likeliest token each time.
        top_k: draw among so many of the likeliest; null among all.
        count: continuations.
        stop: whether a text ends at the mark that it was trained to end with.
    """

    prompt: str = ""
    tokens: int = 200
    temperature: float = 0.8
    top_k: int | None = None
    count: int = 1
    stop: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range("tokens", self.tokens, at_least=1)
        check_range("temperature", self.temperature, at_least=0)
        check_range("top_k", self.top_k, at_least=1)
        check_range("count", self.count, at_least=1)
