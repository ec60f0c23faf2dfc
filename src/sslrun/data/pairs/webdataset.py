"""Images with captions from tar files (WebDataset): images are read in place, captions held in memory."""

from collections.abc import Mapping
from typing import Any

from sslrun.config.dataset.webdataset import PairWebDatasetConfig
from sslrun.data.folders import cache_folder
from sslrun.data.pairs.pairs import PairData
from sslrun.data.pairs.source import CaptionedImages
from sslrun.data.shards.index import Members
from sslrun.data.shards.texts import all_each
from sslrun.data.vision.webdataset import ShardImages, WebDataset


class PairWebDataset(WebDataset, PairData):
    """Train, and validation and test if their shards are named; images without a caption are skipped and counted.

    Captions are read once and cached in dataset.cache_dir, since the tokenizer is trained on all of them.
    """

    def sources(self, images: dict[str, ShardImages], config: Any) -> Mapping[str, CaptionedImages]:
        """DataError if a split has no captions at all, or a caption is not text."""
        assert isinstance(config, PairWebDatasetConfig)
        folder = cache_folder(config.cache_dir) / "shards"
        found = {}
        for split, source in images.items():
            members = Members(self._shards[split], config.caption, key="dataset.caption")
            found[split] = CaptionedImages(source, all_each(members, folder=folder), source.labels)
        return found
