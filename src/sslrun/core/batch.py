"""What a dataset gives and a method reads. A leading B is the batch on this rank, L is tokens."""

from typing import NotRequired, TypedDict

from torch import Tensor

NO_TARGET = -100
"""In `targets`, where nothing is to be predicted: what torch's cross_entropy ignores."""


class Labelled(TypedDict):
    """Keys that any batch may have."""

    index: NotRequired[Tensor]
    """(B,) int64: position in the dataset; seeds masks in validation."""
    label: NotRequired[Tensor]
    """(B,) int64 class."""
    transcript: NotRequired[Tensor]
    """(B, L) int64: characters of what is said, as positions in the dataset's alphabet; NO_TARGET behind the end."""


class ViewsBatch(Labelled):
    """Augmented views, largest first."""

    views: list[Tensor]
    """V tensors of (B, C, H, W), of series (B, T, C); H and W, or T, may differ between views."""


class ImageBatch(Labelled):
    """One image each; spectrograms are images of shape (B, 1, F, T)."""

    image: Tensor
    """(B, C, H, W)."""


class TokensBatch(Labelled):
    """Token ids of texts."""

    input_ids: Tensor
    """(B, L) int64, padded at the end."""
    attention_mask: Tensor
    """(B, L) int64, 1 where a token is."""
    targets: NotRequired[Tensor]
    """(B, L) int64: the token to predict at each place, NO_TARGET where there is none; in corrupted text alone."""


class BlocksBatch(TokensBatch):
    """Blocks cut out of a stream of documents with an end mark after each; `targets` are the next tokens."""


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
    """Images with a caption each."""

    image: Tensor
    """(B, C, H, W)."""
    input_ids: Tensor
    """(B, L) int64, padded at the end."""
    attention_mask: Tensor
    """(B, L) int64, 1 where a token is."""
    caption: Tensor
    """(B,) int64, equal where captions are equal, on whatever rank."""


BATCH_NAMES: dict[type, str] = {
    ViewsBatch: "views",
    ImageBatch: "images",
    TokensBatch: "tokens",
    BlocksBatch: "blocks of tokens",
    WaveBatch: "waves",
    SeriesBatch: "series",
    PairBatch: "image-text pairs",
}
"""As configurations and error messages call them; a plugin with a batch type of its own adds it."""
