"""Configurations of the image datasets."""

from dataclasses import dataclass, field
from enum import Enum
from typing import Any, ClassVar

from sslrun.config.dataset.splits import NamedSplitsConfig
from sslrun.config.errors import ConfigError
from sslrun.config.node import limited
from sslrun.config.registry import register
from sslrun.config.schema import DatasetConfig


class Cache(Enum):
    """`auto`: images are decoded once into a memory-mapped uint8 array if it stays below `cache_bytes`."""

    auto = "auto"
    always = "always"
    never = "never"


@dataclass(kw_only=True)
class ImageDatasetConfig(DatasetConfig):
    """Keys of all image datasets.

    Attributes:
        image_size: side of the encoder's input in pixels.
        channels: 1 greyscale, 3 colour, or any number that the files have.
        mean, std: per channel, of values in [0, 1]; null measures them on training images.
        intensity_range: values mapped to 0 and 255; null takes the file type's full range (16 bit: 0 to 65535).
        max_corrupt: maximum share of unreadable images, above which the run stops.
        unsuitable: transforms that are harmful for these images; omitted from any policy.
        min_crop_scale: minimum share of the area that a random crop keeps.
        cache_dir: for decoded arrays; null means ~/.cache/sslrun, or $SSLRUN_CACHE.
    """

    gives: ClassVar[tuple[str, ...]] = ("views", "images")

    image_size: int = limited(32, at_least=4)
    channels: int = limited(3, at_least=1)
    mean: list[float] | None = None
    std: list[float] | None = limited(None, above=0)
    intensity_range: list[float] | None = None
    max_corrupt: float = limited(0.001, at_least=0, at_most=1)
    unsuitable: list[str] = field(default_factory=list)
    min_crop_scale: float = limited(0.0, at_least=0, at_most=1)
    cache: Cache = Cache.auto
    cache_bytes: int = 2_000_000_000
    cache_dir: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        for key in ("mean", "std"):
            values = getattr(self, key)
            if values is not None and len(values) != self.channels:
                raise ConfigError(f"dataset.{key} has {len(values)} values for dataset.channels={self.channels}")
        if (low_high := self.intensity_range) is not None and (len(low_high) != 2 or low_high[0] >= low_high[1]):
            raise ConfigError(f"dataset.intensity_range must be [low, high] with low below high, got {low_high}")


@register(target="sslrun.data.vision.digits:Digits", paper="scikit-learn; Alpaydin and Kaynak 1998")
@dataclass(kw_only=True)
class DigitsConfig(ImageDatasetConfig):
    """scikit-learn's 1,797 handwritten digits of 8x8 px; nothing to download."""

    kind: str = "digits"


@register(target="sslrun.data.vision.torchvision:Torchvision", paper="torchvision.datasets")
@dataclass(kw_only=True)
class TorchvisionConfig(ImageDatasetConfig):
    """torchvision's cifar10, cifar100 or stl10, chosen by `name`.

    Attributes:
        root: folder of the files, also for downloads.
        download: download the files if they are absent.
        unlabelled: add stl10's 100,000 unlabelled images to train, which then has no labels.
    """

    kind: str = "torchvision"
    name: str = limited(one_of=("cifar10", "cifar100", "stl10"))
    root: str = "data"
    download: bool = False
    unlabelled: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.unlabelled and self.name != "stl10":
            raise ConfigError(f"dataset.unlabelled=true: {self.name} has no unlabelled images; stl10 has")


@register(target="sslrun.data.vision.folder:ImageFolder", paper="own images")
@dataclass(kw_only=True)
class ImageFolderConfig(ImageDatasetConfig):
    """A folder of images: root/{train,val,test} if those exist; with or without class folders; nested.

    Attributes:
        val_is_test: use the folder `val` as test split, as is usual for ImageNet; validation is split off train.
    """

    kind: str = "imagefolder"
    root: str | None = None
    val_is_test: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.root:
            raise ConfigError("dataset.root is not set; say where the images are, e.g. dataset.root=/data/images")


@register(target="sslrun.data.vision.parquet:Parquet", paper="own images")
@dataclass(kw_only=True)
class ParquetConfig(NamedSplitsConfig, ImageDatasetConfig):
    """Parquet files with image bytes, as Hugging Face writes them.

    Attributes:
        train, val, test: a file, a folder, or a glob pattern; val or test null splits it off train.
        image, label: columns; label null means unlabelled.
    """

    kind: str = "parquet"
    image: str = "image"
    label: str | None = "label"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.train:
            raise ConfigError("dataset.train is not set; name the parquet file, e.g. dataset.train=data/train.parquet")


@register(target="sslrun.data.vision.hub:HuggingFace", paper="datasets.load_dataset")
@dataclass(kw_only=True)
class HuggingFaceConfig(NamedSplitsConfig, ImageDatasetConfig):
    """Any dataset of the library `datasets`.

    Attributes:
        path: a local folder, also one of `save_to_disk`, or a hub name.
        subset: the hub dataset's configuration.
        train, val, test: names of splits; an absent one is split off train.
        image, label: columns; label null means unlabelled.
        options: further arguments of `datasets.load_dataset`.
    """

    kind: str = "hf"
    path: str | None = None
    subset: str | None = None
    train: str = "train"
    val: str | None = "validation"
    test: str | None = "test"
    image: str = "image"
    label: str | None = "label"
    options: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.path:
            raise ConfigError("dataset.path is not set; name a folder or a hub dataset, e.g. dataset.path=cifar10")
