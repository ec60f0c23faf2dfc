"""The configuration of each command, whole."""

from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import MISSING

from sslrun.config.checks import check_accelerator, check_budget, check_one_of, check_range
from sslrun.config.errors import ConfigError
from sslrun.config.loader import LoaderConfig
from sslrun.config.logger import LoggerConfig
from sslrun.config.monitor import MonitorConfig
from sslrun.config.optimizer import OptimizerConfig
from sslrun.config.run import RunConfig
from sslrun.config.schedule import ScheduleConfig
from sslrun.config.schema import AugmentationConfig, BackboneConfig, DatasetConfig, MethodConfig
from sslrun.config.trainer import Precision, TrainerConfig


@dataclass(kw_only=True)
class CommandConfig:
    """What every command has."""

    seed: int = 0
    run: RunConfig = field(default_factory=RunConfig)

    def __post_init__(self) -> None:
        check_range("seed", self.seed, at_least=0, below=2**31)
        check_accelerator("accelerator", getattr(self, "accelerator", "auto"))  # commands that do not train


@dataclass(kw_only=True)
class PretrainConfig(CommandConfig):
    """`sslrun pretrain`."""

    method: MethodConfig = MISSING
    backbone: BackboneConfig = MISSING
    dataset: DatasetConfig = MISSING
    augmentation: AugmentationConfig = MISSING
    optimizer: OptimizerConfig = MISSING
    schedule: ScheduleConfig = MISSING
    trainer: TrainerConfig = MISSING
    loader: LoaderConfig = field(default_factory=LoaderConfig)
    monitor: MonitorConfig = MISSING
    logger: LoggerConfig = MISSING


@dataclass(kw_only=True)
class ProbeConfig(CommandConfig):
    """`sslrun probe`.

    Attributes:
        encoder: a run folder, an encoder folder, a checkpoint, `random`, `pixels`, or `timm:NAME`.
        backbone, dataset: null takes those of the run.
        baselines: rows beside the encoder's; `random` is the same architecture untrained, `raw` what learns nothing
            of the modality: pixels of images, TF-IDF of text.
        labels: budgets of the few-label curve: whole numbers per class, fractions below 1, `all`.
        draws: subsets drawn per budget.
    """

    encoder: str = MISSING
    backbone: BackboneConfig | None = None
    dataset: DatasetConfig | None = None
    loader: LoaderConfig = field(default_factory=LoaderConfig)
    accelerator: str = "auto"
    precision: Precision = Precision.auto
    baselines: list[str] = field(default_factory=lambda: ["random", "raw"])
    labels: list[Any] = field(default_factory=lambda: [1, 5, 10, 50, 0.01, 0.1, "all"])
    draws: int = 5

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range("draws", self.draws, at_least=2)
        for name in self.baselines:
            if name not in ("random", "raw", "pixels") and not name.startswith("timm:"):
                raise ConfigError(f"baselines: '{name}' is none of random, raw, pixels, timm:NAME")
        for budget in self.labels:
            check_budget(budget)


class HeadStart(Enum):
    """Weights of a fine-tuned classifier before the first step."""

    random = "random"
    regression = "regression"


@dataclass(kw_only=True)
class FinetuneConfig(CommandConfig):
    """`sslrun finetune`.

    Attributes:
        encoder: as for probe; `random` is training from scratch, `timm:NAME` starts from supervised weights.
        augmentation: null takes the modality's own: `weak` for images, `audio_weak` or `audio_wave` for sound, `none`
            for the rest.
        labels: `all`, a whole number per class (of transcripts, in all), or a fraction below 1.
        min_steps: shortest run in optimizer steps, where `trainer.epochs` of few labels would make fewer.
        layer_decay: learning rate of each block times this per block below the head; 1 switches it off.
        label_smoothing: of the cross-entropy.
        output_ms: of transcripts, milliseconds for one output: the encoder's moments in them are averaged.
        head: `random` weights, or those of a `regression` on the features before the first step (arXiv:2202.10054).
        patience: stop after so many checks without a better validation top-1 (of transcripts, character error rate);
            a check comes every epoch, or every 20 steps where an epoch is shorter. Null never stops early.
    """

    encoder: str = MISSING
    backbone: BackboneConfig | None = None
    dataset: DatasetConfig | None = None
    augmentation: AugmentationConfig | None = None
    optimizer: OptimizerConfig = MISSING
    schedule: ScheduleConfig = MISSING
    trainer: TrainerConfig = MISSING
    loader: LoaderConfig = field(default_factory=LoaderConfig)
    logger: LoggerConfig = MISSING
    labels: Any = "all"
    min_steps: int = 400
    layer_decay: float = 1.0
    label_smoothing: float = 0.0
    output_ms: float = 40.0
    head: HeadStart = HeadStart.random
    patience: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_budget(self.labels)
        check_range("min_steps", self.min_steps, at_least=1)
        check_range("layer_decay", self.layer_decay, above=0, at_most=1)
        check_range("label_smoothing", self.label_smoothing, at_least=0, below=1)
        check_range("output_ms", self.output_ms, above=0)
        check_range("patience", self.patience, at_least=1)


@dataclass(kw_only=True)
class PreviewConfig(CommandConfig):
    """`sslrun preview`: the first `count` training images and their views as one picture."""

    method: MethodConfig = MISSING
    backbone: BackboneConfig = MISSING
    dataset: DatasetConfig = MISSING
    augmentation: AugmentationConfig = MISSING
    optimizer: OptimizerConfig = MISSING
    schedule: ScheduleConfig = MISSING
    trainer: TrainerConfig = MISSING
    count: int = 8

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range("count", self.count, at_least=1, at_most=64)


@dataclass(kw_only=True)
class AnomaliesConfig(CommandConfig):
    """`sslrun anomalies`.

    Attributes:
        encoder: a run of a method that rebuilds series, or a checkpoint of it.
        backbone: of no use but for datasets that name one; the run's is taken.
        dataset: null takes the run's.
        split: what is scored: `test`, `validation` or `train`.
        baselines: rows beside it: `random`, the same net untrained; `deviation`, distance from train's mean.
        batch_size: windows at once.
    """

    encoder: str = MISSING
    backbone: BackboneConfig | None = None
    dataset: DatasetConfig | None = None
    split: str = "test"
    baselines: list[str] = field(default_factory=lambda: ["random", "deviation"])
    batch_size: int = 64
    accelerator: str = "auto"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range("batch_size", self.batch_size, at_least=1)
        if self.split not in ("train", "validation", "test"):
            raise ConfigError(f"split={self.split} is none of test, validation, train")
        for name in self.baselines:
            if name not in ("random", "deviation"):
                raise ConfigError(f"baselines: '{name}' is none of random, deviation")


@dataclass(kw_only=True)
class SampleConfig(CommandConfig):
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

    encoder: str = MISSING
    prompt: str = ""
    tokens: int = 200
    temperature: float = 0.8
    top_k: int | None = None
    count: int = 1
    stop: bool = True
    accelerator: str = "auto"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range("tokens", self.tokens, at_least=1)
        check_range("temperature", self.temperature, at_least=0)
        check_range("top_k", self.top_k, at_least=1)
        check_range("count", self.count, at_least=1)


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


@dataclass(kw_only=True)
class ZeroshotConfig(CommandConfig):
    """`sslrun zeroshot`.

    Attributes:
        encoder: a run of method=clip or siglip, its encoder folder or a checkpoint of it.
        backbone: stays null; the encoder has its own.
        dataset: null takes the run's; classes are told by their names where it has labels, captions and images find
            each other where it has captions.
        split: test, validation or train.
        recalls: K of R@K.
    """

    encoder: str = MISSING
    backbone: BackboneConfig | None = None
    dataset: DatasetConfig | None = None
    prompts: PromptsConfig = MISSING
    split: str = "test"
    recalls: list[int] = field(default_factory=lambda: [1, 5, 10])
    loader: LoaderConfig = field(default_factory=LoaderConfig)
    accelerator: str = "auto"
    precision: Precision = Precision.auto

    def __post_init__(self) -> None:
        super().__post_init__()
        check_one_of("split", self.split, ("train", "validation", "test"))
        for k in self.recalls:
            check_range("recalls", k, at_least=1)


@dataclass(kw_only=True)
class SearchConfig(CommandConfig):
    """`sslrun search`.

    Attributes:
        encoder: as for zeroshot.
        images: a folder of pictures, nested or flat.
        text: what is looked for.
        count: pictures shown.
    """

    encoder: str = MISSING
    images: str = MISSING
    text: str = MISSING
    count: int = 10
    batch_size: int = 64
    accelerator: str = "auto"
    precision: Precision = Precision.auto

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range("count", self.count, at_least=1)
        check_range("batch_size", self.batch_size, at_least=1)
        if not self.text.strip():
            raise ConfigError("text is empty; say what is looked for: text='a dog in the snow'")


COMMANDS: dict[str, type[CommandConfig]] = {
    "pretrain": PretrainConfig,
    "probe": ProbeConfig,
    "finetune": FinetuneConfig,
    "preview": PreviewConfig,
    "anomalies": AnomaliesConfig,
    "zeroshot": ZeroshotConfig,
    "search": SearchConfig,
    "sample": SampleConfig,
}

for _name, _config in COMMANDS.items():
    ConfigStore.instance().store(group="schema/command", name=_name, node=_config, provider="sslrun")
