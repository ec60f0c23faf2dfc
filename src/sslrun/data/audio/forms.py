"""The form of items: log-mel images, log-mel frames, or waveforms."""

from abc import ABC, abstractmethod
from contextlib import suppress
from typing import Any, Protocol

import numpy as np

from sslrun.config.dataset.audio import AudioDatasetConfig
from sslrun.config.errors import DataError
from sslrun.core.batch import ImageBatch, SeriesBatch, ViewsBatch, WaveBatch

MEASURED = 2000
"""Training clips from which mean and std are estimated."""


class Indexed(Protocol):
    """Clips read one at a time."""

    def __getitem__(self, index: int, /) -> np.ndarray: ...


class Form(ABC):
    """One of the forms.

    Attributes:
        name: in the configuration.
        batch_types: that items of this form can make.
        single: batch type of unaugmented clips.
        reads: batch key that an encoder reads.
        mild: the default augmentation for fine-tuning.
        of_waves: whether items are waveforms; otherwise log-mel.
        fixed: whether all items have the same size.
        full_scale: raw value that corresponds to 1.
    """

    name: str
    batch_types: tuple[type, ...]
    single: type
    reads: str
    mild = "audio_weak"
    of_waves = False
    fixed = False
    full_scale = 1

    def max_length(self, config: AudioDatasetConfig) -> int:
        """Maximum length of an item, in frames or samples."""
        return config.frames

    @abstractmethod
    def shape(self, config: AudioDatasetConfig) -> dict[str, Any]:
        """Entries of `encoder_inputs` for an item's size."""

    @abstractmethod
    def describe(self, config: AudioDatasetConfig) -> str:
        """A phrase for the resolved block."""

    def mean_std(self, rows: Indexed, positions: np.ndarray, config: AudioDatasetConfig) -> tuple[float, float]:
        """Mean and std over evenly spaced clips, each truncated to what an encoder reads.

        Raises:
            DataError: none of them can be read.
        """
        chosen = np.unique(np.linspace(0, len(positions) - 1, min(MEASURED, len(positions))).astype(int))
        read = []
        for i in chosen:
            with suppress(DataError):  # counted when training meets it
                read.append(np.ravel(rows[int(positions[i])][: self.max_length(config)]))
        if not read:
            raise DataError("none of the recordings that were tried for mean and std can be read")
        values = np.concatenate(read).astype(np.float64) / self.full_scale
        std = float(values.std())
        return round(float(values.mean()), 4), round(std, 4) if std > 1e-4 else 1.0


class Spectrogram(Form):
    """(1, mels, frames), all of the same size."""

    name = "spectrogram"
    batch_types = (ViewsBatch, ImageBatch)
    single = ImageBatch
    reads = "image"
    fixed = True

    def shape(self, config: AudioDatasetConfig) -> dict[str, Any]:
        return {"channels": 1, "image_size": [config.mels, config.frames]}

    def describe(self, config: AudioDatasetConfig) -> str:
        return f"log-mel images of {config.mels} bands x {config.frames} frames"


class Frames(Form):
    """(frames, mels), of variable length."""

    name = "frames"
    batch_types = (SeriesBatch, ViewsBatch)
    single = SeriesBatch
    reads = "series"

    def shape(self, config: AudioDatasetConfig) -> dict[str, Any]:
        return {"channels": config.mels, "max_length": config.frames}

    def describe(self, config: AudioDatasetConfig) -> str:
        return f"log-mel frames of {config.mels} bands, every {config.hop_ms:g} ms"


class Wave(Form):
    """(samples,), of variable length."""

    name = "wave"
    batch_types = (WaveBatch,)
    single = WaveBatch
    reads = "wave"
    mild = "audio_wave"
    of_waves = True
    full_scale = 32767

    def max_length(self, config: AudioDatasetConfig) -> int:
        return config.samples

    def shape(self, config: AudioDatasetConfig) -> dict[str, Any]:
        return {"channels": 1, "max_length": config.samples}

    def describe(self, config: AudioDatasetConfig) -> str:
        return "samples"


FORMS: dict[str, Form] = {form.name: form for form in (Spectrogram(), Frames(), Wave())}


def form_for(batch_type: type, config: AudioDatasetConfig) -> Form:
    """The configured form, or by default the first that can make `batch_type`."""
    return FORMS[config.form] if config.form else next(f for f in FORMS.values() if batch_type in f.batch_types)
