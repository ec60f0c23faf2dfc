"""Batch types, from datasets to methods. B is the batch size on this rank, L the number of tokens."""

from typing import NotRequired, TypedDict

from torch import Tensor

NO_TARGET = -100
"""Value in `targets` where nothing is predicted; the ignore_index of torch's cross_entropy."""


class Labelled(TypedDict):
    """Optional keys of all batches."""

    index: NotRequired[Tensor]
    """(B,) int64: index in the dataset; seeds masks in validation."""
    label: NotRequired[Tensor]
    """(B,) int64 class."""
    transcript: NotRequired[Tensor]
    """(B, L) int64: characters of the transcript, as indices into the dataset's alphabet, padded with NO_TARGET."""


class ViewsBatch(Labelled):
    """Augmented views, largest first."""

    views: list[Tensor]
    """V tensors of (B, C, H, W), or (B, T, C) for series; H and W, or T, may differ between views."""


class ImageBatch(Labelled):
    """One image per item; spectrograms are images of shape (B, 1, F, T)."""

    image: Tensor
    """(B, C, H, W)."""


class TokensBatch(Labelled):
    """Token ids of texts."""

    input_ids: Tensor
    """(B, L) int64, padded at the end."""
    attention_mask: Tensor
    """(B, L) int64, 1 for tokens, 0 for padding."""
    targets: NotRequired[Tensor]
    """(B, L) int64: the token to predict at each position, else NO_TARGET; only in masked text."""


class BlocksBatch(TokensBatch):
    """Blocks of a stream of documents, each followed by an end-of-text token; `targets` are the next tokens."""


class WaveBatch(Labelled):
    """Mono recordings, padded at the end."""

    wave: Tensor
    """(B, T) float32."""
    lengths: Tensor
    """(B,) int64, in samples."""


class SeriesBatch(Labelled):
    """Multivariate series; NaN where a value is missing or padded."""

    series: Tensor
    """(B, T, C) float32."""


class PairBatch(Labelled):
    """Images with one caption each."""

    image: Tensor
    """(B, C, H, W)."""
    input_ids: Tensor
    """(B, L) int64, padded at the end."""
    attention_mask: Tensor
    """(B, L) int64, 1 for tokens, 0 for padding."""
    caption: Tensor
    """(B,) int64 ids, equal for equal captions, also across ranks."""


BATCH_NAMES: dict[type, str] = {
    ViewsBatch: "views",
    ImageBatch: "images",
    TokensBatch: "tokens",
    BlocksBatch: "blocks of tokens",
    WaveBatch: "waves",
    SeriesBatch: "series",
    PairBatch: "image-text pairs",
}
"""Names in configurations and error messages; a plugin adds its own batch types."""
