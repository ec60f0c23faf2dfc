"""When a run has gone without a better score for long enough."""

from types import SimpleNamespace
from typing import Any

from sslrun.monitors.check import Patience


def test_checks_in_a_row_without_a_better_score_count() -> None:
    trainer: Any = SimpleNamespace(strategy=SimpleNamespace(reduce_boolean_decision=lambda decision, all: decision))
    patience = Patience(2)
    found = [(score, patience.update(trainer, (score,)), patience.is_over) for score in (1.0, 1.0, 0.0, 2.0, 2.0)]
    assert found == [
        (1.0, True, False), (1.0, False, False), (0.0, False, True), (2.0, True, False), (2.0, False, False),
    ]  # fmt: skip
