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
        prompt: text to continue; if empty, a new text is started.
        tokens: maximum number of new tokens.
        temperature: of sampling; 0 is greedy decoding.
        top_k: sample from the k most likely tokens; null from all.
        count: number of continuations.
        stop: whether to stop at the end-of-text token.
    """

    prompt: str = ""
    tokens: int = limited(200, at_least=1)
    temperature: float = limited(0.8, at_least=0)
    top_k: int | None = limited(None, at_least=1)
    count: int = limited(1, at_least=1)
    stop: bool = True
