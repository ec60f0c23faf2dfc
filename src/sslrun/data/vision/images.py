"""The base of all image datasets: stores, splits, statistics, unreadable images."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np
from torch import nn

from sslrun.config.dataset.vision import Cache, ImageDatasetConfig
from sslrun.config.errors import DataError
from sslrun.config.schema import AugmentationConfig
from sslrun.core.batch import ImageBatch
from sslrun.data.base import Items
from sslrun.data.folders import cache_folder
from sslrun.data.labels import digest
from sslrun.data.sources import SourcesData
from sslrun.data.unreadable import check_corrupt
from sslrun.data.vision.augment import Policy
from sslrun.data.vision.cache import OnTheFly, Store, Wanted, decode_in_memory, open_cache
from sslrun.data.vision.decode import Decoder
from sslrun.data.vision.items import PlainImages, Split, TrainingImages, collate
from sslrun.data.vision.prepare import Normalize
from sslrun.data.vision.resize import fit, with_margin
from sslrun.data.vision.source import Source
from sslrun.data.vision.transforms import ImageFacts

MEASURED = 2000
"""Training images from which mean and std are estimated."""
MEASURED_ON_THE_FLY = 256
"""The same if images are decoded on the fly, at full size."""


def decoder_of(config: ImageDatasetConfig) -> Decoder:
    """The decoder that a configuration describes."""
    low_high = config.intensity_range
    return Decoder(channels=config.channels, intensity_range=(low_high[0], low_high[1]) if low_high else None)


class ImageData(SourcesData):
    """A dataset of images.

    Args:
        config: of any kind of image dataset.
        sources: `train`, and `validation` and `test` if the dataset has them.
        classes: names, or None if train has no labels.

    Raises:
        DataError: no images, too few to split, or too many unreadable ones.
    """

    config: ImageDatasetConfig
    single, raw, mild = ImageBatch, "pixels", "weak"

    def __init__(
        self, config: ImageDatasetConfig, sources: Mapping[str, Source], *, classes: tuple[str, ...] | None
    ) -> None:
        self.name = config.name
        self.corrupt: list[str] = []
        self.config = config
        self.fingerprint = digest(*(f"{name}:{s.fingerprint}" for name, s in sources.items()))
        self._sources = sources
        self._left_out: tuple[str, ...] = ()
        self._stores = _open(config, sources)
        for name, store in self._stores.items():
            self.remember_corrupt(name, store.corrupt)
        labels = {name: source.labels for name, source in sources.items()}
        self.cut({name: len(source) for name, source in sources.items()}, (classes, labels))
        self._parts = {name: p.without(list(self._stores[p.source].corrupt)) for name, p in self._parts.items()}

    def training(self, augmentation: AugmentationConfig, *, batch_type: type, seed: int) -> Items:
        """Items with all views of the policy for `ViewsBatch`, with only the first for `ImageBatch`."""
        policy = Policy(augmentation, facts_of(self.config))
        self._left_out = policy.left_out
        return TrainingImages(self._split("train"), policy=policy, seed=seed, first_only=batch_type is ImageBatch)

    def held_out(self, augmentation: AugmentationConfig, *, batch_type: type) -> Items | None:
        """Unaugmented validation items; the method draws any mask by position."""
        return self.evaluation("validation") if batch_type is ImageBatch else None

    def evaluation(self, split: str) -> PlainImages:
        """Centre crops of a split; unreadable images are dropped from their batch."""
        return PlainImages(self._split(split), side=self.config.image_size)

    def collate(self, items: list[Any]) -> dict[str, Any]:
        return collate(items)

    def prepare(self, *, channels_last: bool = True) -> nn.Module:
        mean, std = self.mean_std
        return Normalize(mean=mean, std=std, channels_last=channels_last)

    def encoder_inputs(self) -> dict[str, Any]:
        return _inputs(self.config, self.mean_std, classes=len(self.classes) if self.classes else None)

    @classmethod
    def expected_inputs(
        cls, config: ImageDatasetConfig, augmentation: AugmentationConfig, *, batch_type: type
    ) -> dict[str, Any] | None:
        Policy(augmentation, facts_of(config))
        return _inputs(config, ([0.5] * config.channels, [0.5] * config.channels), classes=2)

    def describe(self) -> dict[str, str]:
        config = self.config
        lines = super().describe()
        lines["images"] = f"{config.image_size} px, {config.channels} channel(s), {self._where()}"
        if self._left_out:
            lines["left out"] = ", ".join(self._left_out)
        if self.corrupt:
            lines["unreadable"] = f"{len(self.corrupt)} images left out, first: {self.corrupt[0]}"
        return lines

    def _where(self) -> str:
        on_the_fly = isinstance(self._stores["train"], OnTheFly)
        return "decoded each time" if on_the_fly else "decoded once"

    @cached_property
    def mean_std(self) -> tuple[list[float], list[float]]:
        """Per channel, for values in [0, 1]: as configured, else estimated from training images."""
        config = self.config
        if config.mean is not None and config.std is not None:
            return list(config.mean), list(config.std)
        mean, std = _measure(self._split("train"), side=config.image_size)
        return list(config.mean or mean), list(config.std or std)

    def remember_corrupt(self, source: str, reasons: dict[int, str]) -> None:
        """Record unreadable images of a source; `reasons` are by position in it.

        Raises:
            DataError: their share of all images exceeds `dataset.max_corrupt`.
        """
        new = [(p, reason) for p, reason in reasons.items() if self._sources[source].name(p) not in self.corrupt]
        self.corrupt += [self._sources[source].name(p) for p, _ in new]
        count, total = len(self.corrupt), sum(map(len, self._sources.values()))
        if new:
            what, limit = "images cannot be read", self.config.max_corrupt
            check_corrupt(count, total, what=what, first=new[0][1], max_share=limit)

    def _split(self, name: str) -> Split:
        part = self._parts[name]
        return Split(
            report=self.remember_corrupt,
            part=part,
            store=self._stores[part.source],
            labels=self.labels(name),
        )


def facts_of(config: ImageDatasetConfig) -> ImageFacts:
    """The facts that a policy depends on."""
    return ImageFacts(
        image_size=config.image_size,
        channels=config.channels,
        unsuitable=config.unsuitable,
        min_crop_scale=config.min_crop_scale,
    )


def _inputs(
    config: ImageDatasetConfig, mean_std: tuple[list[float], list[float]], *, classes: int | None
) -> dict[str, Any]:
    mean, std = mean_std
    return {
        "channels": config.channels,
        "image_size": config.image_size,
        "mean": mean,
        "std": std,
        "classes": classes,
    }


def _open(config: ImageDatasetConfig, sources: Mapping[str, Source]) -> dict[str, Store]:
    """Open the store of each source."""
    for name, source in sources.items():
        if len(source) == 0:
            raise DataError(f"dataset {config.name}: no images in {name}")
    decoder = decoder_of(config)
    wanted = Wanted(image_size=config.image_size, channels=config.channels, intensity_range=decoder.intensity_range)
    needed = sum(map(len, sources.values())) * with_margin(config.image_size) ** 2 * config.channels
    decode_once = config.cache is Cache.always or (config.cache is Cache.auto and needed <= config.cache_bytes)
    stores: dict[str, Store] = {}
    for name, source in sources.items():
        if not decode_once:
            stores[name] = OnTheFly(source)
        elif source.embedded:
            stores[name] = decode_in_memory(source, wanted)
        else:
            stores[name] = open_cache(source, wanted, folder=cache_folder(config.cache_dir))
    return stores


def _measure(split: Split, *, side: int) -> tuple[list[float], list[float]]:
    count = MEASURED_ON_THE_FLY if isinstance(split.store, OnTheFly) else MEASURED
    images = []
    for position in np.unique(np.linspace(0, len(split) - 1, min(count, len(split))).astype(int)):
        try:
            images.append(fit(split.read(position), side=side))
        except DataError:
            continue  # recorded when training reads it
    if not images:
        raise DataError("none of the images that were tried for mean and std can be read")
    pixels = np.stack(images).reshape(-1, images[0].shape[2]).astype(np.float64) / 255  # (pixels, C)
    std = pixels.std(axis=0)
    std[std < 1e-4] = 1  # a constant channel
    return [round(float(m), 4) for m in pixels.mean(axis=0)], [round(float(s), 4) for s in std]
