"""The base of all audio datasets: splits, log-mel, normalisation, items."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from torch import nn

from sslrun.config.dataset.audio import AudioDatasetConfig
from sslrun.config.errors import ConfigError
from sslrun.config.schema import AugmentationConfig
from sslrun.core.batch import ViewsBatch
from sslrun.data.audio.augment import Facts, Policy
from sslrun.data.audio.clips import Clips, Ragged, Rows
from sslrun.data.audio.forms import FORMS, Form, form_for
from sslrun.data.audio.items import Layout, LogMelItems, RandomClip, WaveItems, collate
from sslrun.data.audio.join import joined_sources
from sslrun.data.audio.logmel import FLOOR, logmel_of
from sslrun.data.base import Items
from sslrun.data.labels import code_labels, digest
from sslrun.data.sources import SourcesData


class AudioData(SourcesData):
    """A dataset of clips.

    Args:
        config: of any kind of audio dataset.
        sources: `train`, and `validation` and `test` if the dataset has them.
        corrupt: names of unreadable files.

    Raises:
        DataError: too few clips to split, or a label that train does not have.
    """

    config: AudioDatasetConfig
    raw = "logmel"

    def __init__(self, config: AudioDatasetConfig, sources: Mapping[str, Clips], *, corrupt: list[str]) -> None:
        self.name, self.config, self.corrupt = config.name, config, corrupt
        self.form: Form = FORMS[config.form or "spectrogram"]
        self._sources = dict(sources)
        coded = code_labels({name: source.labels for name, source in sources.items()})
        self.cut({name: len(source) for name, source in sources.items()}, coded)
        self._alphabet: tuple[str, ...] = ()
        if config.join is not None:
            self._sources, self._parts, self._alphabet = joined_sources(
                self._sources, self._parts, self.classes, config
            )
            self._labels, self.classes = dict.fromkeys(self._sources), None
        content = ((n, s.fingerprint, s.names, self._labels[n]) for n, s in self._sources.items())
        self.fingerprint = digest(*(digest(*parts) for parts in content))
        self._logmel: dict[str, Rows] = {}
        self._measured: dict[bool, tuple[float, float]] = {}

    def training(self, augmentation: AugmentationConfig, *, batch_type: type, seed: int) -> Items:
        """All views of the policy for `ViewsBatch`, only the first for other batch types."""
        self.form = form_for(batch_type, self.config)
        policy = Policy(augmentation, self._facts())
        if self.config.join is not None and not policy.keeps_all:
            raise ConfigError(
                f"augmentation={augmentation.name} cuts or mixes recordings, and dataset.join gives them transcripts; "
                f"choose e.g. augmentation={self.mild}"
            )
        if self.form.of_waves:
            return self._wave_items("train", policy=policy, seed=seed)
        return self._logmel_items("train", policy=policy, seed=seed, views=batch_type is ViewsBatch)

    def held_out(self, augmentation: AugmentationConfig, *, batch_type: type) -> Items | None:
        """Unaugmented validation items; the method draws any mask by position."""
        return None if batch_type is ViewsBatch else self.evaluation("validation")

    def evaluation(self, split: str) -> Items:
        """Each clip, truncated to what the encoder reads."""
        return self._wave_items(split) if self.form.of_waves else self._logmel_items(split)

    def transcripts(self, split: str) -> list[str] | None:
        """Transcripts of joined clips, or None."""
        part = self._parts[split]
        transcripts = self._sources[part.source].transcripts
        return None if transcripts is None else [transcripts[i] for i in part.positions]

    @property
    def alphabet(self) -> tuple[str, ...]:
        """Characters of all words, and the space."""
        return self._alphabet

    def groups(self, split: str) -> np.ndarray | None:
        """(N,) strings, such as the speaker of each clip."""
        part = self._parts[split]
        groups = self._sources[part.source].groups
        return None if groups is None else groups[part.positions]

    def collate(self, items: list[Any]) -> dict[str, Any]:
        return collate(items)

    def prepare(self, *, channels_last: bool = True) -> nn.Module:
        return Layout(channels_last=channels_last)

    @property
    def single(self) -> type:  # type: ignore[override]
        """Batch type of unaugmented clips; depends on the form."""
        return self.form.single

    @property
    def mild(self) -> str:  # type: ignore[override]
        """Default augmentation for fine-tuning; depends on the form."""
        return self.form.mild

    @classmethod
    def expected_inputs(
        cls, config: AudioDatasetConfig, augmentation: AugmentationConfig, *, batch_type: type
    ) -> dict[str, Any] | None:
        form = form_for(batch_type, config)
        max_length, waves = form.max_length(config), form.of_waves
        Policy(augmentation, Facts(std=1.0, max_length=max_length, silence=0.0, fixed=form.fixed, of_waves=waves))
        return {"reads": form.reads, "classes": 2, **form.shape(config)}

    def encoder_inputs(self) -> dict[str, Any]:
        config, (mean, std) = self.config, self.mean_std
        return {
            "reads": self.form.reads,
            "form": self.form.name,
            "sample_rate": config.sample_rate,
            "seconds": config.seconds,
            "mels": config.mels,
            "window_ms": config.window_ms,
            "hop_ms": config.hop_ms,
            "low_hz": config.low_hz,
            "high_hz": config.high_hz,
            "mean": [mean],
            "std": [std],
            "classes": len(self.classes) if self.classes else None,
            **self.form.shape(config),
        }

    def describe(self) -> dict[str, str]:
        config = self.config
        part = self._parts["train"]
        waves = self._sources[part.source].waves
        lines = super().describe()
        if isinstance(waves, Ragged):
            seconds = waves.lengths[part.positions] / config.sample_rate
            lines["sound"] = (
                f"{seconds.sum() / 60:.1f} minutes in train at {config.sample_rate:,} Hz, {seconds.mean():.2g} s "
                f"a clip; {self.form.describe(config)}"
            )
            if (longer := float((seconds > config.samples / config.sample_rate).mean())) > 0:
                lines["cut"] = f"{longer:.0%} of train to dataset.seconds={config.seconds:g}"
        else:
            lines["sound"] = f"at {config.sample_rate:,} Hz, {self.form.describe(config)}, read on the fly"
        if self.corrupt:
            lines["unreadable"] = f"{len(self.corrupt)} recordings left out, first: {self.corrupt[0]}"
        return lines

    @property
    def label_summary(self) -> str:
        summary = super().label_summary
        if (transcripts := self.transcripts("train")) is not None:
            summary = f"transcripts of {np.mean([len(text) for text in transcripts]):.0f} characters"
        if (groups := self.groups("train")) is not None:
            summary += f", {len(np.unique(groups))} groups"
        return summary

    @property
    def mean_std(self) -> tuple[float, float]:
        """Mean and std of the form's values over train, as configured or measured."""
        config = self.config
        if config.mean and config.std:
            return config.mean[0], config.std[0]
        of_waves = self.form.of_waves
        if of_waves not in self._measured:
            part = self._parts["train"]
            rows = self._sources[part.source].waves if of_waves else self.logmel(part.source)
            self._measured[of_waves] = self.form.mean_std(rows, part.positions, config)
        mean, std = self._measured[of_waves]
        return config.mean[0] if config.mean else mean, config.std[0] if config.std else std

    def logmel(self, source: str) -> Rows:
        """(frames, mels) float32 of each clip of a source."""
        if source not in self._logmel:
            self._logmel[source] = logmel_of(self._sources[source], self.config)
        return self._logmel[source]

    def readable(self, split: str) -> Iterator[tuple[int, np.ndarray]]:
        """Positions and full, unnormalised log-mel (frames, mels) of the clips of a split; unreadable ones are skipped
        and recorded."""
        part = self._parts[split]
        logmel = self.logmel(part.source)
        return ((i, logmel[int(position)]) for i, position in enumerate(part.positions))

    def _facts(self) -> Facts:
        max_length = self.form.max_length(self.config)
        if self.form.of_waves:
            return Facts(std=self.mean_std[1], max_length=max_length, silence=0.0, fixed=False, of_waves=True)
        part = self._parts["train"]
        return Facts(
            std=self.mean_std[1],
            max_length=max_length,
            silence=self._silence,
            fixed=self.form.fixed,
            random_clip=RandomClip(self.logmel(part.source), part.positions, self.mean_std),
        )

    @property
    def _silence(self) -> float:
        mean, std = self.mean_std
        return float((np.log(FLOOR) - mean) / std)

    def _logmel_items(self, split: str, **options: Any) -> LogMelItems:
        part = self._parts[split]
        return LogMelItems(
            self.logmel(part.source),
            part.positions,
            self.labels(split),
            transcripts=self._encoded_transcripts(split),
            mean_std=self.mean_std,
            max_length=self.form.max_length(self.config),
            silence=self._silence,
            as_series=not self.form.fixed,
            **options,
        )

    def _wave_items(self, split: str, **options: Any) -> WaveItems:
        part = self._parts[split]
        return WaveItems(
            self._sources[part.source].waves,
            part.positions,
            self.labels(split),
            transcripts=self._encoded_transcripts(split),
            mean_std=self.mean_std,
            max_length=self.form.max_length(self.config),
            **options,
        )

    def _encoded_transcripts(self, split: str) -> list[np.ndarray] | None:
        transcripts = self.transcripts(split)
        if transcripts is None:
            return None
        index = {character: i for i, character in enumerate(self._alphabet)}
        return [np.array([index[c] for c in text], dtype=np.int64) for text in transcripts]
