"""What fine-tuning is for: which head it trains, which items it may see, what it is stopped and measured by."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sslrun.backbones.base import Encoder
from sslrun.config.command.finetune import FinetuneConfig
from sslrun.core.rows import Row
from sslrun.data.base import Data
from sslrun.methods.fine_tuned import FineTuned
from sslrun.training.plan import Plan

HELD_OUT = 0.2
"""Share of a few-label subset that is held out for early stopping."""


@dataclass(frozen=True)
class Budget:
    """Which items are trained and validated on.

    Attributes:
        train: positions in the train split.
        split, validation: held-out positions and the split that they count in; the train split itself for few labels,
            because a full validation set would be hidden labels.
    """

    train: list[int]
    split: str
    validation: list[int]


@dataclass(frozen=True)
class Check:
    """A look at held-out items while it trains.

    Attributes:
        score: compared element by element; the larger is the better.
        logs: numbers by name.
        shown: of them, for the progress line, as text.
    """

    score: tuple[float, ...]
    logs: dict[str, float]
    shown: dict[str, str]


class Goal(ABC):
    """One kind of fine-tuning.

    Attributes:
        head: name of the file that the head's weights are written to.
        has_regression: whether `start_head` is for it.
    """

    head: str
    has_regression = False

    def __init__(self, data: Data) -> None:
        self.data = data

    @abstractmethod
    def method(self, encoder: Encoder, config: FinetuneConfig) -> FineTuned:
        """What is trained."""

    def budget(self, labels: Any, *, seed: int) -> Budget:
        """All labels with the validation split, or a subset of train with a part of itself held out."""
        if labels == "all":
            data = self.data
            return Budget(list(range(data.size("train"))), "validation", list(range(data.size("validation"))))
        return self.few(labels, seed=seed)

    @abstractmethod
    def few(self, labels: int | float, *, seed: int) -> Budget:
        """A subset of train; ConfigError where there is no such."""

    def start_head(self, method: FineTuned, budget: Budget, plan: Plan) -> None:
        """Set the head to what a regression on the features before the first step gives; for goals that have one."""
        raise NotImplementedError(f"no regression to start a {self.head} on")

    @abstractmethod
    def check(self, method: FineTuned, split: str, positions: Sequence[int], plan: Plan) -> Check:
        """How well it does on some items of a split."""

    @abstractmethod
    def measure(
        self, method: FineTuned, plan: Plan, folder: Path, *, encoder: str, config: FinetuneConfig
    ) -> list[Row]:
        """Test rows; writes what a report draws into the run's folder."""

    def about(self, method: FineTuned) -> dict[str, str]:
        """What the head's file tells beside its weights."""
        return {}
