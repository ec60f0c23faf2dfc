"""Configuration of the text backbones."""

from dataclasses import dataclass

from sslrun.config.checks import check_multiple
from sslrun.config.node import limited
from sslrun.config.registry import register
from sslrun.config.schema import CheckpointConfig


@register(
    target="sslrun.backbones.transformers_text:TransformersEncoder",
    paper="Wolf et al. 2020, transformers",
    modality="text",
)
@dataclass(kw_only=True)
class TransformersConfig(CheckpointConfig):
    """A BERT, GPT-2 or Llama of the library `transformers`, with these sizes or a checkpoint's.

    Attributes:
        name: bert, gpt2 or llama; ignored if `pretrained` names a checkpoint folder. Of a CLIP checkpoint the text
            encoder is used (clip_text_model).
        width, depth, heads: of the transformer.
        mlp: width of its feed-forward layers.
        dropout: of hidden states and attention; llama has none.
        pool: `mean` over the text's tokens, `last` token or `first` token; CLIP uses `last`.
    """

    kind: str = "transformers"
    name: str = limited(one_of=("bert", "gpt2", "llama", "clip_text_model"))
    width: int = limited(128, at_least=1)
    depth: int = limited(2, at_least=1)
    heads: int = limited(2, at_least=1)
    mlp: int = limited(512, at_least=1)
    dropout: float = limited(0.1, at_least=0, below=1)
    pool: str = limited("mean", one_of=("mean", "last", "first"))

    def __post_init__(self) -> None:
        super().__post_init__()
        check_multiple(self.key_of("width"), self.width, of_key=self.key_of("heads"), of=self.heads)
