"""The baseline of sound that learns nothing: mean and deviation of each band's log energy over a clip."""

from collections.abc import Sequence

import numpy as np
import torch

from sslrun.data.audio.audio import AudioData
from sslrun.data.base import Data
from sslrun.evaluation.features import Features
from sslrun.evaluation.few_labels import Budget
from sslrun.evaluation.groups import group_rows
from sslrun.evaluation.table import ProbeResult, probe_rows


class LogMelStatistics:
    """Whole clips; a logistic regression, and neighbours, as of all encoders."""

    def probe(self, data: Data, *, encoder: str, seed: int, budgets: Sequence[Budget], draws: int) -> ProbeResult:
        """All rows of `probe_rows`, and those of groups where the dataset has some."""
        assert isinstance(data, AudioData) and data.classes is not None
        splits = {split: statistics(data, split) for split in ("train", "validation", "test")}
        result = probe_rows(
            splits["train"],
            splits["validation"],
            splits["test"],
            encoder=encoder,
            dataset=data.name,
            num_classes=len(data.classes),
            seed=seed,
            budgets=budgets,
            draws=draws,
        )
        result.rows.extend(group_rows(splits, data, encoder=encoder, seed=seed))
        return result


def statistics(data: AudioData, split: str) -> Features:
    """(N, 2 mels) of the clips that can be read: means, then deviations."""
    rows = {i: np.concatenate([clip.mean(axis=0), clip.std(axis=0)]) for i, clip in data.readable(split)}
    labels, index = data.labels(split), torch.tensor(list(rows))
    return Features(
        features=torch.from_numpy(np.stack(list(rows.values()))).float(),
        labels=None if labels is None else torch.from_numpy(labels)[index],
        index=index,
    )


BASELINE = LogMelStatistics
