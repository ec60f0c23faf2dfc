"""Items and batches of audio datasets."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from sslrun.core.batch import NO_TARGET
from sslrun.data.audio.augment import Policy, pad_or_crop
from sslrun.data.audio.clips import Rows
from sslrun.data.base import Items, Key
from sslrun.data.batches import index_and_label, padded


class LogMelItems(Items):
    """Log-mel of the clips of one split: `image` or `views` of fixed size, or `series` of variable length.

    Args:
        logmel: of the source, (frames, mels) each, unnormalised.
        positions: (N,) positions of the split in the source.
        labels: (N,) int64, or None.
        transcripts: (L,) int64 character indices each, or None.
        mean_std: for normalisation.
        max_length: frames that the encoder reads.
        silence: normalised value, with which images are padded.
        as_series: return `series` (T, F) instead of images (1, F, T).
        policy: None applies no augmentation.
        views: whether to return all views of the policy or only the first.
    """

    def __init__(
        self,
        logmel: Rows,
        positions: np.ndarray,
        labels: np.ndarray | None,
        *,
        transcripts: list[np.ndarray] | None = None,
        mean_std: tuple[float, float],
        max_length: int,
        silence: float,
        as_series: bool,
        policy: Policy | None = None,
        views: bool = False,
        seed: int = 0,
    ) -> None:
        self.logmel, self.positions, self.labels, self.transcripts = logmel, positions, labels, transcripts
        self.mean_std, self.max_length, self.silence, self.as_series = mean_std, max_length, silence, as_series
        self.policy, self.views, self.seed = policy, views, seed

    def __len__(self) -> int:
        return len(self.positions)

    def __getitem__(self, key: Key) -> dict[str, Any]:
        epoch, index = key
        x = normalised(self.logmel[int(self.positions[index])], self.mean_std)  # (F, T)
        item: dict[str, Any] = {"index": index}
        if self.labels is not None:
            item["label"] = int(self.labels[index])
        if self.transcripts is not None:
            item["transcript"] = self.transcripts[index]
        if self.policy is None:
            return item | {self._name: self._finish(x)}
        count = len(self.policy) if self.views else 1
        made = [
            self._finish(self.policy.view(x, view, seed=self.seed, epoch=epoch, index=index)) for view in range(count)
        ]
        return item | ({"views": made} if self.views else {self._name: made[0]})

    @property
    def _name(self) -> str:
        return "series" if self.as_series else "image"

    def _finish(self, x: np.ndarray) -> np.ndarray:
        if self.as_series:
            return x[:, : self.max_length].T  # (T, F)
        return pad_or_crop(x, self.max_length, self.silence)[None]  # (1, F, T)


class WaveItems(Items):
    """Waveforms of the clips of one split: `wave`.

    Args:
        waves: of the source, int16.
        mean_std: for normalisation of samples in [-1, 1].
        max_length: samples that the encoder reads.
        policy: None applies no augmentation.
    """

    def __init__(
        self,
        waves: Rows,
        positions: np.ndarray,
        labels: np.ndarray | None,
        *,
        transcripts: list[np.ndarray] | None = None,
        mean_std: tuple[float, float],
        max_length: int,
        policy: Policy | None = None,
        seed: int = 0,
    ) -> None:
        self.waves, self.positions, self.labels, self.transcripts = waves, positions, labels, transcripts
        self.mean_std, self.max_length, self.policy, self.seed = mean_std, max_length, policy, seed

    def __len__(self) -> int:
        return len(self.positions)

    def __getitem__(self, key: Key) -> dict[str, Any]:
        epoch, index = key
        wave = self.waves[int(self.positions[index])]
        if self.policy is None:
            wave = wave[: self.max_length]
        mean, std = self.mean_std
        x = ((wave[None].astype(np.float32) / 32767 - mean) / std).astype(np.float32)  # (1, T)
        if self.policy is not None:
            x = self.policy.view(x, 0, seed=self.seed, epoch=epoch, index=index)
        item: dict[str, Any] = {"index": index, "wave": x[0, : self.max_length]}
        if self.labels is not None:
            item["label"] = int(self.labels[index])
        if self.transcripts is not None:
            item["transcript"] = self.transcripts[index]
        return item


@dataclass(frozen=True)
class RandomClip:
    """Draws a random clip, (F, T) normalised; a class so that workers can pickle it."""

    logmel: Rows
    positions: np.ndarray
    mean_std: tuple[float, float]

    def __call__(self, random: np.random.Generator) -> np.ndarray:
        return normalised(self.logmel[int(self.positions[random.integers(len(self.positions))])], self.mean_std)


def normalised(logmel: np.ndarray, mean_std: tuple[float, float]) -> np.ndarray:
    """(T, F) -> (F, T) float32."""
    mean, std = mean_std
    return ((logmel.T - mean) / std).astype(np.float32)


def collate(items: list[dict[str, Any]]) -> dict[str, Any]:
    """`image` (B, 1, F, T), `series` (B, T, F) padded with NaN, `views` of either, or zero-padded `wave` (B, T) with
    `lengths` (B,); `index` and `label` (B,); `transcript` (B, L) padded with NO_TARGET."""
    batch: dict[str, Any] = {}
    if "views" in items[0]:
        batch["views"] = [_stack(list(views)) for views in zip(*(item["views"] for item in items), strict=True)]
    for key in ("image", "series"):
        if key in items[0]:
            batch[key] = _stack([item[key] for item in items])
    if "wave" in items[0]:
        waves = [item["wave"] for item in items]
        batch["wave"] = padded(waves, value=0, dtype=np.float32)
        batch["lengths"] = torch.tensor([len(w) for w in waves], dtype=torch.int64)
    if "transcript" in items[0]:
        texts = [torch.from_numpy(item["transcript"]) for item in items]
        batch["transcript"] = nn.utils.rnn.pad_sequence(texts, batch_first=True, padding_value=NO_TARGET)
    return batch | index_and_label(items)


def _stack(rows: list[np.ndarray]) -> Tensor:
    if rows[0].ndim == 3:
        return torch.from_numpy(np.stack(rows))
    return padded(rows, value=np.nan, dtype=np.float32)


class Layout(nn.Module):
    """Sets the memory format of images; values are already normalised."""

    def __init__(self, *, channels_last: bool) -> None:
        super().__init__()
        self.layout = torch.channels_last if channels_last else torch.contiguous_format

    def forward(self, batch: dict[str, Any]) -> dict[str, Any]:
        """The batch with its images in that memory format."""
        out = dict(batch)
        if "image" in batch:
            out["image"] = batch["image"].contiguous(memory_format=self.layout)
        if "views" in batch and batch["views"][0].ndim == 4:
            out["views"] = [view.contiguous(memory_format=self.layout) for view in batch["views"]]
        return out
