"""A goal of fine-tuning: which head it trains, which items it may see, how it is stopped and measured."""

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
    """The items to train on and those to stop by.

    Attributes:
        train: positions in the train split.
        split, validation: the held-out items: their split and their positions in it. With few labels they are of the
            train split too, because a full validation set would be hidden labels.
    """

    train: list[int]
    split: str
    validation: list[int]


@dataclass(frozen=True)
class CheckResult:
    """How well a net does on held-out items during training.

    Attributes:
        score: compared element by element; larger is better.
        logs: numbers by name.
        shown: some of them as text, for the progress line.
    """

    score: tuple[float, ...]
    logs: dict[str, float]
    shown: dict[str, str]


class Goal(ABC):
    """One kind of fine-tuning.

    Attributes:
        head: name of the file of the head's weights.
        has_regression: whether it has a `start_head`.
    """

    head: str
    has_regression = False

    def __init__(self, data: Data) -> None:
        self.data = data

    @abstractmethod
    def method(self, encoder: Encoder, config: FinetuneConfig) -> FineTuned:
        """The encoder with its head."""

    def label_split(self, labels: Labels, *, seed: int) -> LabelSplit:
        """All of train with the validation split, or a subset of train with a part of it held out."""
        if labels == "all":
            data = self.data
            return LabelSplit(list(range(data.size("train"))), "validation", list(range(data.size("validation"))))
        assert not isinstance(labels, str)
        return self.few(labels, seed=seed)

    @abstractmethod
    def few(self, labels: int | float, *, seed: int) -> LabelSplit:
        """A subset of train; ConfigError if train is too small for it."""

    def start_head(self, method: FineTuned, positions: Sequence[int], plan: Plan) -> None:
        """Set the head to a regression on the features of these items of train; only if `has_regression`."""
        raise NotImplementedError(f"no regression to start a {self.head} on")

    @abstractmethod
    def check(self, method: FineTuned, split: str, positions: Sequence[int], plan: Plan) -> CheckResult:
        """How well the method does on some items of a split."""

    @abstractmethod
    def measure(
        self, method: FineTuned, plan: Plan, folder: Path, *, encoder: str, config: FinetuneConfig
    ) -> list[Row]:
        """Test rows; writes into the run's folder what its report draws."""

    def metadata(self, method: FineTuned) -> dict[str, str]:
        """Metadata of the head's file."""
        return {}
