"""Configurations of the audio datasets."""

import re
from dataclasses import dataclass
from typing import ClassVar

from sslrun.config.checks import check_path_or_splits, check_range
from sslrun.config.dataset.splits import NamedSplitsConfig
from sslrun.config.errors import ConfigError
from sslrun.config.node import limited
from sslrun.config.registry import register
from sslrun.config.schema import DatasetConfig

FORMS = {"spectrogram": ("views", "images"), "frames": ("series", "views"), "wave": ("waves",)}
"""Representation of clips -> batch types that it gives."""


@dataclass(kw_only=True)
class AudioDatasetConfig(DatasetConfig):
    """Keys of all audio datasets.

    Attributes:
        form: representation of clips: `spectrogram`, log-mel images (1, mels, frames) of one size; `frames`, log-mel
            series (frames, mels) of varying length; `wave`, samples. Null takes what the method reads, and
            `spectrogram` if it reads several.
        sample_rate: in Hz; other clips are resampled.
        seconds: maximum length of a clip; spectrograms always have this length, padded with silence.
        join: minimum and maximum number of clips to concatenate, within a group (a speaker) if there are groups; the
            labels become transcripts. Null keeps single clips.
        words: spelling of the labels in transcripts, in the labels' sorted order; null writes the labels.
        mels: number of mel bands.
        window_ms, hop_ms: of the short-time Fourier transform, in milliseconds.
        low_hz, high_hz: frequency range of the bands; high_hz null takes half the sample rate.
        mean, std: for normalisation; null measures them on train, over all bands.
        max_corrupt: maximum share of unreadable clips, above which the run stops.
        cache_dir: for samples and log-mel; null means ~/.cache/sslrun, or $SSLRUN_CACHE.
    """

    gives: ClassVar[tuple[str, ...]] = tuple(dict.fromkeys(name for names in FORMS.values() for name in names))

    form: str | None = limited(None, one_of=FORMS)
    sample_rate: int = limited(16000, at_least=1000)
    seconds: float = limited(1.0, above=0)
    join: list[int] | None = None
    words: list[str] | None = None
    mels: int = limited(64, at_least=4)
    window_ms: float = limited(25.0, above=0)
    hop_ms: float = 10.0
    low_hz: float = 60.0
    high_hz: float | None = None
    mean: list[float] | None = None
    std: list[float] | None = limited(None, above=0)
    max_corrupt: float = limited(0.01, at_least=0, at_most=1)
    cache_dir: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.join is not None:
            if len(self.join) != 2:
                raise ConfigError(f"dataset.join must be [minimum, maximum] clips, e.g. [2, 5], got {self.join}")
            check_range("dataset.join", self.join[0], at_least=1, at_most=self.join[1])
        if self.words is not None and self.join is None:
            raise ConfigError("dataset.words spells transcripts, which need dataset.join=[minimum,maximum]; set both")
        check_range("dataset.hop_ms", self.hop_ms, above=0, at_most=self.window_ms)
        check_range("dataset.high_hz", self.high_hz, above=self.low_hz, at_most=self.sample_rate / 2)
        check_range("dataset.low_hz", self.low_hz, at_least=0, below=self.sample_rate / 2)
        for key in ("mean", "std"):
            values = getattr(self, key)
            if values is not None and len(values) != 1:
                raise ConfigError(f"dataset.{key} must be a list of one number for audio, got {list(values)}")

    @property
    def given(self) -> tuple[str, ...]:
        """Batch types of the form, or of all forms if it is null."""
        return FORMS[self.form] if self.form else self.gives

    @property
    def hop(self) -> int:
        """Samples from one frame to the next."""
        return max(1, round(self.hop_ms * self.sample_rate / 1000))

    @property
    def window(self) -> int:
        """Samples per frame."""
        return max(2, round(self.window_ms * self.sample_rate / 1000))

    @property
    def clip_samples(self) -> int:
        """Maximum samples of one clip."""
        return max(1, round(self.seconds * self.sample_rate))

    @property
    def samples(self) -> int:
        """Maximum samples of an item: of a clip, or of all that are joined."""
        return self.clip_samples * (self.join[1] if self.join else 1)

    @property
    def frames(self) -> int:
        """Maximum frames of an item."""
        return max(4, round(self.samples / self.hop))


@register(target="sslrun.data.audio.files:AudioFiles", paper="own recordings", modality="audio")
@dataclass(kw_only=True)
class AudioConfig(NamedSplitsConfig, AudioDatasetConfig):
    """Audio files: .wav, .flac, .ogg, .mp3 and others that libsndfile reads; channels are averaged.

    Attributes:
        path: a folder, or one with the folders train, val and test. Subfolders are the classes if two or more of them
            contain files and nothing else gives labels.
        train, val, test: a folder per split, instead of `path`.
        table: a .csv or .tsv of labels, relative to `path` or absolute.
        file, label, group: columns of the table, or named groups of `pattern`; `file` is relative to the folder.
            label null: no labels. Leave-one-group-out probes hold out groups, e.g. speakers.
        pattern: regular expression with named groups, searched in the relative path without its extension.
        test_pattern: regular expression, searched in the relative path with its extension; matches are the test split.
    """

    kind: str = "audio"
    path: str | None = None
    table: str | None = None
    file: str = "file"
    label: str | None = "label"
    group: str | None = "group"
    pattern: str | None = None
    test_pattern: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_path_or_splits(self.path, train=self.train, val=self.val, test=self.test)
        if not (self.path or self.train):
            raise ConfigError(
                "dataset.path is not set; say where the recordings are: dataset.path=/data/sounds, or dataset.train=… "
                "and dataset.test=…"
            )
        if self.table and self.pattern:
            raise ConfigError("dataset.table and dataset.pattern both give labels; omit one of the two")
        if self.test_pattern and self.test:
            raise ConfigError("dataset.test and dataset.test_pattern both give the test split; omit one of the two")
        for key in ("pattern", "test_pattern"):
            try:
                re.compile(getattr(self, key) or "")
            except re.error as error:
                raise ConfigError(f"dataset.{key} is not a regular expression: {error}") from error


@register(target="sslrun.data.audio.tones:Tones", paper="synthetic", modality="audio")
@dataclass(kw_only=True)
class TonesConfig(AudioDatasetConfig):
    """Synthetic: five melodies of three tones by six voices, with noise; always available.

    Attributes:
        items: number in all splits together.
        noise: standard deviation, for tones between -1 and 1.
    """

    kind: str = "tones"
    items: int = limited(900, at_least=60)
    noise: float = limited(0.1, at_least=0)
