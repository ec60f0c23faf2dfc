"""Which transcripts are trained on, and which stop the run."""

from types import SimpleNamespace
from typing import Any

import pytest

from sslrun.config.errors import ConfigError
from sslrun.evaluation.goals.transcription import MIN_HELD_OUT, Transcription

DATA: Any = SimpleNamespace(name="made", size=lambda split: 200)


def test_budgets_are_nested_and_their_parts_disjoint() -> None:
    smaller: set[int] = set()
    for labels in (10, 30, 0.5, 1.0):
        split = Transcription(DATA).few_label_split(labels, seed=0)
        train, validation = set(split.train), set(split.validation)
        count = labels if isinstance(labels, int) else round(labels * 200)
        assert len(train) + len(validation) == len(train | validation) == count and split.split == "train"
        assert smaller < train | validation <= set(range(200))
        smaller = train | validation
    assert smaller == set(range(200))


def test_a_fifth_is_held_out_but_not_too_few() -> None:
    few = Transcription(DATA).few_label_split
    assert [len(few(labels, seed=0).validation) for labels in (10, 20, 25, 100)] == [0, 0, MIN_HELD_OUT, 20]


def test_more_than_there_are_is_an_error() -> None:
    with pytest.raises(ConfigError, match=r"^labels=201: dataset=made has 200 transcripts to train on"):
        Transcription(DATA).few_label_split(201, seed=0)
