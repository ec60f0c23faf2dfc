"""Raw baseline of audio: mean and standard deviation over time of a clip's log-mel spectrogram."""

import numpy as np
import torch

from sslrun.data.audio.audio import AudioData
from sslrun.data.base import Data
from sslrun.evaluation.features import Features


class LogMelStatistics:
    """Mean and standard deviation of each mel band over a clip."""

    def features(self, data: Data, split: str) -> Features:
        """(N, 2 mels) of the readable clips: means, then standard deviations."""
        assert isinstance(data, AudioData)
        rows = {i: np.concatenate([clip.mean(axis=0), clip.std(axis=0)]) for i, clip in data.readable(split)}
        labels, index = data.labels(split), torch.tensor(list(rows))
        return Features(
            features=torch.from_numpy(np.stack(list(rows.values()))).float(),
            labels=None if labels is None else torch.from_numpy(labels)[index],
            index=index,
        )


BASELINE = LogMelStatistics
