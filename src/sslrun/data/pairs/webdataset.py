"""Images with captions out of tar files (WebDataset): images read where they lie, captions held in memory."""

from collections.abc import Mapping
from typing import Any

from sslrun.config.dataset.webdataset import PairWebDatasetConfig
from sslrun.data.folders import cache_folder
from sslrun.data.pairs.pairs import PairData
from sslrun.data.pairs.source import Captioned
from sslrun.data.shards.index import Members
from sslrun.data.shards.texts import all_each
from sslrun.data.vision.webdataset import ShardImages, WebDataset


class PairWebDataset(WebDataset, PairData):
    """Train, and validation and test where their shards are named; an image without a caption is left out and counted.

    Captions are read once and kept in dataset.cache_dir, since the tokenizer is trained on all of them.
    """

    def sources(self, images: dict[str, ShardImages], config: Any) -> Mapping[str, Captioned]:
        """DataError where no sample of a split has a caption, or one holds something else there."""
        assert isinstance(config, PairWebDatasetConfig)
        folder = cache_folder(config.cache_dir) / "shards"
        found = {}
        for split, source in images.items():
            members = Members(self._shards[split], config.caption, key="dataset.caption")
            found[split] = Captioned(source, all_each(members, folder=folder), source.labels)
        return found
