"""Transcripts against what was said: word and character error rates."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torchmetrics.functional.text import edit_distance

from sslrun.core.rows import Row, RowKey
from sslrun.evaluation.intervals import ratio_interval


def transcript_rows(heard: Sequence[str], said: Sequence[str], *, key: RowKey) -> list[Row]:
    """Rows wer and cer: edits over all items / words or characters that were said; above 1 if much is made up.

    Intervals are percentile bootstraps over items.
    """
    rows = []
    for metric, (edits, lengths) in {"wer": word_edits(heard, said), "cer": character_edits(heard, said)}.items():
        interval = ratio_interval(edits, lengths, seed=key.seed)
        rows.append(key.row(metric, float(edits.sum() / lengths.sum()), n=len(said), interval=interval))
    return rows


def character_edits(heard: Sequence[str], said: Sequence[str]) -> tuple[Tensor, Tensor]:
    """(N,) characters inserted, omitted or changed, and (N,) characters that were said; float64."""
    edits = edit_distance(list(heard), list(said), reduction="none")
    return edits.double(), torch.tensor([len(text) for text in said], dtype=torch.float64)


def word_edits(heard: Sequence[str], said: Sequence[str]) -> tuple[Tensor, Tensor]:
    """The same of words between spaces."""
    words = sorted({word for text in (*heard, *said) for word in text.split()})
    letter = {word: chr(0x4E00 + i) for i, word in enumerate(words)}  # each word becomes one character
    heard, said = (["".join(letter[word] for word in text.split()) for text in texts] for texts in (heard, said))
    return character_edits(heard, said)
