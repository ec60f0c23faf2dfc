"""Transcripts against what was said: word and character error rates."""

import functools
from collections.abc import Sequence

import torch
from torch import Tensor
from torchmetrics.functional.text import edit_distance

from sslrun.core.rows import Row
from sslrun.evaluation.intervals import ratio_interval


def transcript_rows(
    heard: Sequence[str],
    said: Sequence[str],
    *,
    encoder: str,
    dataset: str,
    split: str,
    evaluation: str,
    seed: int,
    labels_used: int | float | str = "all",
) -> list[Row]:
    """Rows wer and cer: edits over all items / words or characters that were said; above 1 where much is made up.

    Intervals are percentile bootstraps over items.
    """
    row = functools.partial(
        Row,
        encoder=encoder,
        dataset=dataset,
        split=split,
        evaluation=evaluation,
        n=len(said),
        seed=seed,
        labels=labels_used,
    )
    rows = []
    for metric, (edits, lengths) in {"wer": word_edits(heard, said), "cer": character_edits(heard, said)}.items():
        low, high = ratio_interval(edits, lengths, seed=seed)
        rows.append(row(metric=metric, value=float(edits.sum() / lengths.sum()), low=low, high=high))
    return rows


def character_edits(heard: Sequence[str], said: Sequence[str]) -> tuple[Tensor, Tensor]:
    """(N,) characters put in, left out or changed, and (N,) characters that were said; float64."""
    edits = edit_distance(list(heard), list(said), reduction="none")
    return edits.double(), torch.tensor([len(text) for text in said], dtype=torch.float64)


def word_edits(heard: Sequence[str], said: Sequence[str]) -> tuple[Tensor, Tensor]:
    """The same of words between spaces."""
    words = sorted({word for text in (*heard, *said) for word in text.split()})
    letter = {word: chr(0x4E00 + i) for i, word in enumerate(words)}  # a letter a word, and words are characters
    heard, said = (["".join(letter[word] for word in text.split()) for text in texts] for texts in (heard, said))
    return character_edits(heard, said)
