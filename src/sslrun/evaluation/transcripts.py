"""Word and character error rates of transcripts."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torchmetrics.functional.text import edit_distance

from sslrun.core.rows import Row, RowKey
from sslrun.evaluation.intervals import ratio_interval


def transcript_rows(hypotheses: Sequence[str], references: Sequence[str], *, key: RowKey) -> list[Row]:
    """Rows wer and cer: edits / words or characters in the references, over all items; insertions can push it above 1.

    Intervals are percentile bootstraps over items.
    """
    rows = []
    for metric, count in {"wer": word_edits, "cer": character_edits}.items():
        edits, lengths = count(hypotheses, references)
        interval = ratio_interval(edits, lengths, seed=key.seed)
        rows.append(key.row(metric, float(edits.sum() / lengths.sum()), n=len(references), interval=interval))
    return rows


def character_edits(hypotheses: Sequence[str], references: Sequence[str]) -> tuple[Tensor, Tensor]:
    """(N,) characters inserted, deleted or substituted, and (N,) characters of the reference; float64."""
    edits = edit_distance(list(hypotheses), list(references), reduction="none")
    return edits.double(), torch.tensor([len(text) for text in references], dtype=torch.float64)


def word_edits(hypotheses: Sequence[str], references: Sequence[str]) -> tuple[Tensor, Tensor]:
    """The same for words, split at spaces."""
    words = sorted({word for text in (*hypotheses, *references) for word in text.split()})
    letter = {word: chr(0x4E00 + i) for i, word in enumerate(words)}  # each word becomes one character
    encoded = (["".join(letter[word] for word in text.split()) for text in texts] for texts in (hypotheses, references))
    return character_edits(*encoded)
