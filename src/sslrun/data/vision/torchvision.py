"""CIFAR-10, CIFAR-100 and STL-10 as torchvision stores them."""

from typing import Any

import numpy as np
from torchvision import datasets

from sslrun.config.dataset.vision import TorchvisionConfig
from sslrun.config.errors import DataError
from sslrun.data.vision.images import ImageData, decoder_of
from sslrun.data.vision.source import ArraySource

CLASSES = {"cifar10": datasets.CIFAR10, "cifar100": datasets.CIFAR100, "stl10": datasets.STL10}


class Torchvision(ImageData):
    """The official train and test splits; validation is drawn from train."""

    def __init__(self, config: TorchvisionConfig) -> None:
        decoder = decoder_of(config)
        raw = {name: _load(config, split=name) for name in ("train", "test")}
        labelled = not config.unlabelled
        sources = {
            name: ArraySource(
                _images(data), _labels(data) if labelled else None, decoder=decoder, name=f"{config.name}/{name}"
            )
            for name, data in raw.items()
        }
        super().__init__(config, sources, classes=tuple(raw["train"].classes) if labelled else None)


def _load(config: TorchvisionConfig, *, split: str) -> Any:
    which: dict[str, Any]
    if config.name == "stl10":
        which = {"split": "train+unlabeled" if split == "train" and config.unlabelled else split}
    else:
        which = {"train": split == "train"}
    try:
        return CLASSES[config.name](config.root, download=config.download, **which)
    except (RuntimeError, OSError) as error:
        remedy = "is the network reachable?" if config.download else "say dataset.download=true, or dataset.root=…"
        raise DataError(f"{config.name} cannot be read from {config.root}: {error}; {remedy}") from error


def _images(data: Any) -> np.ndarray:
    """(N, H, W, 3) uint8; STL-10 is stored as (N, 3, H, W)."""
    images = np.asarray(data.data)
    return images.transpose(0, 2, 3, 1) if images.shape[1] == 3 else images


def _labels(data: Any) -> np.ndarray:
    return np.asarray(data.targets if hasattr(data, "targets") else data.labels, dtype=np.int64)
