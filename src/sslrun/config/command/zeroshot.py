"""`sslrun zeroshot`."""

from dataclasses import dataclass, field

from omegaconf import MISSING

from sslrun.config.checks import check_one_of, check_range
from sslrun.config.command.base import FrozenConfig, command
from sslrun.config.errors import ConfigError
from sslrun.config.loader import LoaderConfig
from sslrun.config.schema import BackboneConfig, DatasetConfig
from sslrun.config.trainer import Precision


@dataclass(kw_only=True)
class PromptsConfig:
    """How classes are said in words.

    Attributes:
        classes: a name for each class, in the dataset's order; null takes the dataset's own, `_` read as a blank.
        templates: texts with `{}` where the name stands; the first stands alone beside the mean of all.
    """

    name: str = MISSING
    classes: list[str] | None = None
    templates: list[str] = MISSING

    def __post_init__(self) -> None:
        if not self.templates:
            raise ConfigError("prompts.templates is empty; name at least one, e.g. 'a photo of a {}.'")
        for template in self.templates:
            if template.count("{}") != 1:
                raise ConfigError(f"prompts.templates: '{template}' must have one {{}} where the class stands")


@command("zeroshot")
@dataclass(kw_only=True)
class ZeroshotConfig(FrozenConfig):
    """`sslrun zeroshot`.

    Attributes:
        encoder: a run of method=clip or siglip, its encoder folder or a checkpoint of it.
        backbone: stays null; the encoder has its own.
        dataset: null takes the run's; classes are told by their names where it has labels, captions and images find
            each other where it has captions.
        split: test, validation or train.
        recalls: K of R@K.
    """

    backbone: BackboneConfig | None = None
    dataset: DatasetConfig | None = None
    prompts: PromptsConfig = MISSING
    split: str = "test"
    recalls: list[int] = field(default_factory=lambda: [1, 5, 10])
    loader: LoaderConfig = field(default_factory=LoaderConfig)
    precision: Precision = Precision.auto

    def __post_init__(self) -> None:
        super().__post_init__()
        check_one_of("split", self.split, ("train", "validation", "test"))
        for k in self.recalls:
            check_range("recalls", k, at_least=1)
