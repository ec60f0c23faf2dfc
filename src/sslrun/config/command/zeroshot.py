"""`sslrun zeroshot`."""

from dataclasses import dataclass, field
from typing import ClassVar

from omegaconf import MISSING

from sslrun.config.command.base import FrozenConfig, command
from sslrun.config.dataset.splits import SPLITS
from sslrun.config.errors import ConfigError
from sslrun.config.loader import LoaderConfig
from sslrun.config.node import Node, limited
from sslrun.config.schema import BackboneConfig, DatasetConfig
from sslrun.config.trainer import Precision


@dataclass(kw_only=True)
class PromptsConfig(Node):
    """Prompts for the classes.

    Attributes:
        classes: a name per class, in the dataset's order; null takes the dataset's own, with `_` read as a space.
        templates: prompts with `{}` for the class name; there are rows for the first alone and for the mean of all.
    """

    section: ClassVar[str] = "prompts"

    name: str = MISSING
    classes: list[str] | None = None
    templates: list[str] = MISSING

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.templates:
            raise ConfigError("prompts.templates is empty; name at least one, e.g. 'a photo of a {}.'")
        for template in self.templates:
            if template.count("{}") != 1:
                raise ConfigError(f"prompts.templates: '{template}' must contain {{}} once, for the class name")


@command("zeroshot")
@dataclass(kw_only=True)
class ZeroshotConfig(FrozenConfig):
    """`sslrun zeroshot`.

    Attributes:
        encoder: a run of method=clip or siglip, its encoder folder or a checkpoint of it.
        backbone: must stay null; the encoder has its own.
        dataset: null takes the run's; with labels it measures zero-shot classification, with captions retrieval.
        split: test, validation or train.
        recalls: values of K for R@K.
    """

    backbone: BackboneConfig | None = None
    dataset: DatasetConfig | None = None
    prompts: PromptsConfig = MISSING
    split: str = limited("test", one_of=SPLITS)
    recalls: list[int] = limited([1, 5, 10], at_least=1)
    loader: LoaderConfig = field(default_factory=LoaderConfig)
    precision: Precision = Precision.auto
