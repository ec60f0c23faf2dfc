"""Configurations of datasets in tar files (WebDataset)."""

from dataclasses import dataclass, field

from sslrun.config.dataset.audio import AudioDatasetConfig
from sslrun.config.dataset.pairs import PairDatasetConfig
from sslrun.config.dataset.splits import NamedSplitsConfig
from sslrun.config.dataset.text import StreamedTextConfig
from sslrun.config.dataset.vision import ImageDatasetConfig
from sslrun.config.errors import ConfigError
from sslrun.config.node import limited
from sslrun.config.registry import register


@dataclass(kw_only=True)
class ShardsConfig(NamedSplitsConfig):
    """Keys of all datasets in tar files; a sample's files are named by extension, a field of JSON as `json:caption`.

    Attributes:
        train, val, test: a file, a folder, or a pattern, `shard-{000000..000012}.tar` or `shard-*.tar`; val null splits
            validation off train, and test null likewise if there are labels.
        label: extension of the file with the class; null means unlabelled.
        shard_window: shards whose samples are shuffled together; each epoch visits the shards in random order.
    """

    label: str | None = "cls"
    shard_window: int = limited(16, at_least=1)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.train:
            raise ConfigError(
                "dataset.train is not set; name the shards: 'dataset.train=\"/data/shard-{000000..000012}.tar\"'"
            )


@register(target="sslrun.data.vision.webdataset:WebDataset", paper="own images in tar files")
@dataclass(kw_only=True)
class WebDatasetConfig(ShardsConfig, ImageDatasetConfig):
    """Images in tar files, read without unpacking.

    Attributes:
        image: extensions of the image; the first that a sample has is taken.
    """

    kind: str = "webdataset"
    image: list[str] = field(default_factory=lambda: ["jpg", "jpeg", "png", "webp", "ppm", "npy"])


@register(target="sslrun.data.text.webdataset:TextWebDataset", paper="own texts in tar files", modality="text")
@dataclass(kw_only=True)
class TextWebDatasetConfig(ShardsConfig, StreamedTextConfig):
    """Texts in tar files, read and tokenized on access.

    Attributes:
        text: extensions of the text; the first that a sample has is taken.
    """

    kind: str = "webdataset_text"
    text: list[str] = field(default_factory=lambda: ["txt"])


@register(target="sslrun.data.audio.webdataset:AudioWebDataset", paper="own recordings in tar files", modality="audio")
@dataclass(kw_only=True)
class AudioWebDatasetConfig(ShardsConfig, AudioDatasetConfig):
    """Recordings in tar files, read and converted to log-mel on access.

    Attributes:
        audio: extensions of the recording; the first that a sample has is taken.
        group: file of the groups that leave-one-group-out probes hold out, e.g. `json:speaker`; null means none.
    """

    kind: str = "webdataset_audio"
    audio: list[str] = field(default_factory=lambda: ["wav", "flac", "ogg", "mp3", "opus"])
    group: str | None = None


@register(target="sslrun.data.pairs.webdataset:PairWebDataset", paper="own images in tar files", modality="pair")
@dataclass(kw_only=True)
class PairWebDatasetConfig(ShardsConfig, PairDatasetConfig):
    """Images with captions in tar files, read without unpacking.

    Attributes:
        image: extensions of the image; the first that a sample has is taken.
        caption: extensions of its caption; a JSON field may be a list of several captions.
    """

    kind: str = "webdataset_pairs"
    image: list[str] = field(default_factory=lambda: ["jpg", "jpeg", "png", "webp", "ppm", "npy"])
    caption: list[str] = field(default_factory=lambda: ["txt"])
