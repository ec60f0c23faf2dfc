"""How clips are handed out: images of log-mel, frames of it, or samples."""

from abc import ABC, abstractmethod
from contextlib import suppress
from typing import Any, Protocol

import numpy as np

from sslrun.config.dataset.audio import AudioDatasetConfig
from sslrun.config.errors import DataError
from sslrun.core.batch import ImageBatch, SeriesBatch, ViewsBatch, WaveBatch

MEASURED = 2000
"""Training clips of which mean and std are taken."""


class Indexed(Protocol):
    """Clips by number, read one at a time."""

    def __getitem__(self, index: int, /) -> np.ndarray: ...


class Form(ABC):
    """One of the forms.

    Attributes:
        name: in the configuration.
        gives: batch types.
        single: of them, that of clips as they are.
        reads: key of a batch that an encoder reads.
        mild: the augmentation of fine-tuning.
        of_waves: whether items are samples; else they are log-mel.
        fixed: whether all items are of one size.
        largest: value of a clip that counts as 1.
    """

    name: str
    gives: tuple[type, ...]
    single: type
    reads: str
    mild = "audio_weak"
    of_waves = False
    fixed = False
    largest = 1

    def room(self, config: AudioDatasetConfig) -> int:
        """Length of an item at most, in frames or samples."""
        return config.frames

    @abstractmethod
    def shape(self, config: AudioDatasetConfig) -> dict[str, Any]:
        """What an encoder must know of an item's size."""

    @abstractmethod
    def told(self, config: AudioDatasetConfig) -> str:
        """In words, for the resolved block."""

    def measured(self, rows: Indexed, positions: np.ndarray, config: AudioDatasetConfig) -> tuple[float, float]:
        """Mean and std of the values that an encoder would see of some clips, evenly out of all.

        Raises:
            DataError: none of them can be read.
        """
        chosen = np.unique(np.linspace(0, len(positions) - 1, min(MEASURED, len(positions))).astype(int))
        seen = []
        for i in chosen:
            with suppress(DataError):  # counted when training meets it
                seen.append(np.ravel(rows[int(positions[i])][: self.room(config)]))
        if not seen:
            raise DataError("none of the recordings that were tried for mean and std can be read")
        values = np.concatenate(seen).astype(np.float64) / self.largest
        std = float(values.std())
        return round(float(values.mean()), 4), round(std, 4) if std > 1e-4 else 1.0


class Spectrogram(Form):
    """(1, mels, frames) of one size."""

    name = "spectrogram"
    gives = (ViewsBatch, ImageBatch)
    single = ImageBatch
    reads = "image"
    fixed = True

    def shape(self, config: AudioDatasetConfig) -> dict[str, Any]:
        return {"channels": 1, "image_size": [config.mels, config.frames]}

    def told(self, config: AudioDatasetConfig) -> str:
        return f"log-mel images of {config.mels} bands x {config.frames} frames"


class Frames(Form):
    """(frames, mels), as long as each clip is."""

    name = "frames"
    gives = (SeriesBatch, ViewsBatch)
    single = SeriesBatch
    reads = "series"

    def shape(self, config: AudioDatasetConfig) -> dict[str, Any]:
        return {"channels": config.mels, "max_length": config.frames}

    def told(self, config: AudioDatasetConfig) -> str:
        return f"log-mel frames of {config.mels} bands, every {config.hop_ms:g} ms"


class Wave(Form):
    """(samples,), as long as each clip is."""

    name = "wave"
    gives = (WaveBatch,)
    single = WaveBatch
    reads = "wave"
    mild = "audio_wave"
    of_waves = True
    largest = 32767

    def room(self, config: AudioDatasetConfig) -> int:
        return config.samples

    def shape(self, config: AudioDatasetConfig) -> dict[str, Any]:
        return {"channels": 1, "max_length": config.samples}

    def told(self, config: AudioDatasetConfig) -> str:
        return "samples"


FORMS: dict[str, Form] = {form.name: form for form in (Spectrogram(), Frames(), Wave())}


def form_for(batch_type: type, config: AudioDatasetConfig) -> Form:
    """The configured one; where that is open, what the method reads settles it."""
    return FORMS[config.form] if config.form else next(f for f in FORMS.values() if batch_type in f.gives)
