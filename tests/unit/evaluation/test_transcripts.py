"""Word and character error rates by hand, and as torchmetrics has them."""

import pytest
from torchmetrics.functional.text import char_error_rate, word_error_rate

from sslrun.core.rows import RowKey
from sslrun.evaluation.transcripts import character_edits, transcript_rows, word_edits

SAID = ["one two", "three", "one two three four"]
KEY = RowKey(encoder="e", dataset="d", evaluation="finetune", seed=0)
HEARD = ["one too", "three", "two three four five"]


def test_edits_by_hand() -> None:
    edits, lengths = word_edits(HEARD, SAID)
    assert edits.tolist() == [1, 0, 2] and lengths.tolist() == [2, 1, 4]
    edits, lengths = character_edits(HEARD[:2], SAID[:2])
    assert edits.tolist() == [1, 0] and lengths.tolist() == [7, 5]


def test_rates_are_those_of_torchmetrics() -> None:
    wer, cer = transcript_rows(HEARD, SAID, key=KEY)
    assert (wer.metric, wer.n, cer.metric) == ("wer", 3, "cer")
    assert wer.value == pytest.approx(float(word_error_rate(HEARD, SAID))) == pytest.approx(3 / 7)
    assert cer.value == pytest.approx(float(char_error_rate(HEARD, SAID)))
    assert wer.low == 0.0 and wer.high is not None and 3 / 7 < wer.high <= 0.5  # all three resampled alike: 1/2


def test_without_an_error_the_bound_is_that_of_none_in_n() -> None:
    rows = transcript_rows(SAID, SAID, key=KEY)
    assert [(r.value, r.low) for r in rows] == [(0.0, 0.0)] * 2
    assert rows[0].high == pytest.approx(1 - 0.025 ** (1 / 3))


def test_nothing_heard_is_an_error_a_word() -> None:
    assert word_edits([""], ["one two"])[0].tolist() == [2]
