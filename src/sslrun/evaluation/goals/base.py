"""Interface of fine-tuning goals: head, label subsets, early stopping and test results."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sslrun.backbones.base import Encoder
from sslrun.config.command.finetune import FinetuneConfig
from sslrun.core.rows import Labels, Row
from sslrun.data.base import Data
from sslrun.methods.fine_tuned import FineTuned
from sslrun.training.plan import Plan

HELD_OUT = 0.2
"""Share of a few-label subset that is held out for early stopping."""


@dataclass(frozen=True)
class LabelSplit:
    """Items for training and for early stopping.

    Attributes:
        train: positions in the train split.
        split, validation: split of the held-out items, and their positions in it. With few labels this is the train
            split too, since a full validation set would exceed the label budget.
    """

    train: list[int]
    split: str
    validation: list[int]


@dataclass(frozen=True)
class CheckResult:
    """Result on held-out items during training.

    Attributes:
        score: compared lexicographically; larger is better.
        logs: metrics by name.
        shown: the formatted ones for the progress line.
    """

    score: tuple[float, ...]
    logs: dict[str, float]
    shown: dict[str, str]


class Goal(ABC):
    """One kind of fine-tuning.

    Attributes:
        head: name of the head, also of its weights file.
        has_regression: whether it implements `init_head`.
    """

    head: str
    has_regression = False

    def __init__(self, data: Data) -> None:
        self.data = data

    @abstractmethod
    def method(self, encoder: Encoder, config: FinetuneConfig) -> FineTuned:
        """The encoder with its head."""

    def label_split(self, labels: Labels, *, seed: int) -> LabelSplit:
        """All of train with the validation split; with few labels, a subset of train with a part of it held out."""
        if labels == "all":
            data = self.data
            return LabelSplit(list(range(data.size("train"))), "validation", list(range(data.size("validation"))))
        assert not isinstance(labels, str)
        return self.few_label_split(labels, seed=seed)

    @abstractmethod
    def few_label_split(self, labels: int | float, *, seed: int) -> LabelSplit:
        """Subset of train; ConfigError if train has too few items."""

    def init_head(self, method: FineTuned, positions: Sequence[int], plan: Plan) -> None:
        """Initialise the head by a regression on the features of these training items; only if `has_regression`."""
        raise NotImplementedError(f"no regression to initialise a {self.head}")

    @abstractmethod
    def check(self, method: FineTuned, split: str, positions: Sequence[int], plan: Plan) -> CheckResult:
        """Evaluate the method on some items of a split."""

    @abstractmethod
    def measure(
        self, method: FineTuned, plan: Plan, folder: Path, *, encoder: str, config: FinetuneConfig
    ) -> list[Row]:
        """Test rows; also writes the data of the report's figures into the run folder."""

    def metadata(self, method: FineTuned) -> dict[str, str]:
        """Metadata of the head's weights file."""
        return {}
