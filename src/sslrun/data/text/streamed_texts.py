"""The base of text datasets that are not held in memory."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

import numpy as np

from sslrun.config.dataset.text import StreamedTextConfig
from sslrun.config.errors import DataError
from sslrun.config.schema import AugmentationConfig
from sslrun.data.base import Items
from sslrun.data.folders import cache_folder
from sslrun.data.labels import ClassesAndLabels, digest
from sslrun.data.text.streamed import StreamedTokens
from sslrun.data.text.texts import TextData
from sslrun.data.text.tokenizer import open_tokenizer
from sslrun.data.unreadable import ReadableItems, Unreadable, collate_readable


class StreamedTexts(TextData):
    """Texts that are read and tokenized on the fly.

    Blocks of tokens and held-out losses need the token counts of a split; these are computed once and cached.

    Args:
        config: of any kind of streamed text dataset.
        texts: `train`, and `validation` and `test` if the dataset has them; reading one may raise DataError.
        coded: classes and the labels of each source.
        keys: digest of each source's content.
    """

    def __init__(
        self,
        config: StreamedTextConfig,
        texts: Mapping[str, Sequence[str]],
        coded: ClassesAndLabels,
        keys: Mapping[str, str],
    ) -> None:
        super().__init__(config, texts, coded)
        self.corrupt = []
        self.fingerprint = digest(sorted(keys.items()))
        self.tokenizer = open_tokenizer(config, self._some_of_train(config.tokenizer_texts))
        total = sum(map(len, texts.values()))
        self._unreadable = Unreadable(self.corrupt, total=total, max_share=config.max_corrupt)
        folder, vocabulary = cache_folder(config.cache_dir) / "tokens", self.tokenizer.backend.to_str()
        self._encoded = {
            name: StreamedTokens(
                of_source,
                self.tokenizer,
                folder=folder,
                key=digest(keys[name], vocabulary),
                report=self._unreadable.add,
            )
            for name, of_source in texts.items()
        }

    def training(self, augmentation: AugmentationConfig, *, batch_type: type, seed: int) -> Items:
        items = super().training(augmentation, batch_type=batch_type, seed=seed)
        return ReadableItems(items, self._unreadable, stand_in=True)

    def held_out(self, augmentation: AugmentationConfig, *, batch_type: type) -> Items | None:
        items = super().held_out(augmentation, batch_type=batch_type)
        return None if items is None else ReadableItems(items, self._unreadable, stand_in=False)

    def evaluation(self, split: str) -> Items:
        return ReadableItems(super().evaluation(split), self._unreadable, stand_in=False)

    def readable(self, split: str) -> Iterator[tuple[int, str]]:
        part = self._parts[split]
        return self._unreadable.readable(self._texts[part.source].__getitem__, part.positions)

    def collate(self, items: list[Any]) -> dict[str, Any]:
        return collate_readable(items, super().collate)

    def describe(self) -> dict[str, str]:
        tokens = f"{self.config.tokenizer} of {self.tokenizer.size:,}, tokenized on the fly"
        lines = super().describe() | {"tokens": tokens}
        if self.corrupt:
            lines["unreadable"] = f"{len(self.corrupt)} texts left out, first: {self.corrupt[0]}"
        return lines

    def _some_of_train(self, count: int) -> list[str]:
        part = self._parts["train"]
        chosen = np.unique(np.linspace(0, len(part) - 1, min(count, len(part))).astype(int))
        found = []
        for position in part.positions[chosen]:
            with suppress(DataError):  # counted when training meets it
                found.append(self._texts[part.source][int(position)])
        if not found:
            raise DataError(f"dataset={self.name}: none of the texts that were tried for the tokenizer can be read")
        return found


class LazyTexts(Sequence[str]):
    """Texts by position, each read on access; subclasses implement `read`."""

    def __init__(self, rows: Any) -> None:
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    def read(self, position: int) -> str:
        """One text; DataError if it cannot be read."""
        raise NotImplementedError

    def __getitem__(self, position: Any) -> Any:
        if isinstance(position, slice):
            return [self.read(i) for i in range(*position.indices(len(self)))]
        return self.read(int(position))
