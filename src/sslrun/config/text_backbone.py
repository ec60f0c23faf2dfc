"""Configuration of the text backbones."""

from dataclasses import dataclass

from sslrun.config.checks import check_one_of, check_range
from sslrun.config.errors import ConfigError
from sslrun.config.registry import register
from sslrun.config.schema import CheckpointConfig


@register(
    "backbone",
    "transformers",
    target="sslrun.backbones.transformers_text:TransformersEncoder",
    paper="Wolf et al. 2020, transformers",
    modality="text",
)
@dataclass(kw_only=True)
class TransformersConfig(CheckpointConfig):
    """A BERT, GPT-2 or Llama of the library `transformers`, of these sizes or as a checkpoint has them.

    Attributes:
        name: bert, gpt2 or llama; ignored where `pretrained` names a checkpoint folder, which may also hold a CLIP, of
            which the text encoder is taken (clip_text_model).
        width, depth, heads: of the transformer.
        mlp: width of its feed-forward layers.
        dropout: of hidden states and attention; llama has none.
        pool: `mean` over the text's tokens, `last` token, `first` token; a CLIP's own is `last`.
    """

    kind: str = "transformers"
    width: int = 128
    depth: int = 2
    heads: int = 2
    mlp: int = 512
    dropout: float = 0.1
    pool: str = "mean"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_one_of("backbone.name", self.name, ("bert", "gpt2", "llama", "clip_text_model"))
        check_one_of("backbone.pool", self.pool, ("mean", "last", "first"))
        for key in ("width", "depth", "heads", "mlp"):
            check_range(f"backbone.{key}", getattr(self, key), at_least=1)
        check_range("backbone.dropout", self.dropout, at_least=0, below=1)
        if self.width % self.heads:
            raise ConfigError(f"backbone.width={self.width} is no multiple of backbone.heads={self.heads}")
