"""The interface of all backbones."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from sslrun.backbones.weights import load_state
from sslrun.config.errors import ConfigError
from sslrun.config.schema import BackboneConfig


class Tokens(Enum):
    """What a backbone's tokens represent."""

    patches = "patches of an image, on a grid"
    words = "pieces of a text"
    timesteps = "time steps of a series or a recording"


class Encoder(nn.Module, ABC):
    """A backbone: one vector per input, and one per token if it has tokens.

    A subclass sets `network` and `num_features`, and implements `forward`.

    Attributes:
        num_features: D.
        reads: key of its input in a batch: image, input_ids, wave, series.
        extra_keys: optional further keys of the batch, such as attention_mask or lengths.
        is_causal: whether a token's vector depends only on the tokens before it.
        config: the configuration that rebuilds it.
        inputs: description of its inputs (Data.encoder_inputs): channels, image_size, mean, std, classes.
        network: module with all weights, under the names of the backbone's library.
        ignored: prefixes of weights to skip in files of that library, such as a classifier's.
        tokens_are: what the vectors of `tokens` and `pooled_and_tokens` represent; None if it has no tokens.
        has_timesteps: whether it implements `timesteps`.
        head_weights: a checkpoint's weights of heads on top of the backbone, under their library's names.
        compiled_methods: methods other than `forward` for `compile` to compile.
        patch_size: items of the input from one token to the next, if tokens are time steps.
        patch: height and width of a token's patch in pixels, if tokens form a grid.
        grid: rows and columns of tokens at `inputs["image_size"]`; `tokens` gives them row by row.
    """

    num_features: int
    reads: str = "image"
    extra_keys: tuple[str, ...] = ()
    is_causal: bool = False
    config: BackboneConfig
    inputs: dict[str, Any]
    network: Any
    ignored: tuple[str, ...] = ()
    tokens_are: Tokens | None = None
    has_timesteps: bool = False
    compiled_methods: tuple[str, ...] = ("tokens", "pooled_and_tokens", "timesteps")
    patch_size: int
    patch: tuple[int, int]
    grid: tuple[int, int]

    def __init__(self) -> None:
        super().__init__()
        self.head_weights: dict[str, Tensor] = {}

    @abstractmethod
    def forward(self, x: Tensor, **rest: Any) -> Tensor:
        """(B, …) -> (B, D), pooled as the backbone's paper does."""

    def tokens(self, x: Tensor, keep: Tensor | None = None, **rest: Any) -> Tensor:
        """(B, …) -> (B, N, D), one vector per token; arguments as for `pooled_and_tokens`."""
        return self.pooled_and_tokens(x, keep, **rest)[1]

    def pooled_and_tokens(
        self,
        x: Tensor,
        keep: Tensor | None = None,
        *,
        is_masked: Tensor | None = None,
        mask_token: Tensor | None = None,
        **rest: Any,
    ) -> tuple[Tensor, Tensor]:
        """(B, …) -> (B, D) as `forward` pools, and (B, N, D), one vector per token.

        Args:
            x: the input.
            keep: (B, K) positions of the visible tokens, the only ones that are encoded; then N = K. None keeps all.
            is_masked: (B, N) bool; where True, `mask_token` replaces the token's content; its position stays.
            mask_token: (D,).
            rest: the batch's `extra_keys`.

        Raises:
            ConfigError: the backbone has no tokens.
        """
        raise ConfigError(f"backbone={self.config.name} has no patch tokens; choose a ViT, e.g. backbone=vit_tiny")

    def timesteps(self, x: Tensor, **rest: Any) -> tuple[Tensor, Tensor]:
        """(B, …) -> (B, N, D), one vector per time step in order, and (B, N) bool, False on padding."""
        raise NotImplementedError

    def level_and_scale(self, x: Tensor) -> tuple[Tensor, Tensor] | None:
        """(B, C) mean and (B, C) standard deviation removed from each channel of (B, T, C); None if none are."""
        return None

    def token_embedding(self) -> Tensor:
        """(V, D) token embedding, to which text methods tie their output layer.

        Raises:
            ConfigError: the backbone does not read text.
        """
        raise ConfigError(f"backbone={self.config.name} reads no tokens of text; choose e.g. backbone=bert_tiny")

    def library_state(self) -> dict[str, Tensor]:
        """Weights under the names of the backbone's library."""
        return self.network.state_dict()

    def load_library_state(self, state: dict[str, Tensor]) -> None:
        """Inverse of `library_state`.

        Raises:
            ConfigError: names or shapes do not fit.
        """
        load_state(self.network, state, ignored=self.ignored)

    def library_config(self) -> dict[str, Any]:
        """Entries of config.json from which the backbone's library rebuilds the architecture."""
        return {}

    def save(self, folder: Path) -> None:
        """Write model.safetensors and config.json, for `sslrun.load_encoder` and the backbone's library."""
        from sslrun.backbones.folder import save_encoder

        save_encoder(self, folder)

    def compile(self, *args: Any, **options: Any) -> None:
        """torch.compile `forward` and `compiled_methods`, each at its first call.

        Args:
            args, options: of torch.compile.
        """
        for name in self.compiled_methods:
            setattr(self, name, torch.compile(getattr(self, name), *args, **options))
        super().compile(*args, **options)

    def __getstate__(self) -> dict[str, Any]:
        """Drop compiled functions, as nn.Module does: in a copy they would be bound to the original."""
        state: dict[str, Any] = super().__getstate__()  # type: ignore[no-untyped-call]
        return {key: value for key, value in state.items() if key not in self.compiled_methods}

    def layers(self) -> list[list[nn.Parameter]]:
        """Parameters by depth, input first, for layer-wise learning-rate decay."""
        return [list(self.parameters())]


def extra_inputs(encoder: nn.Module, batch: Mapping[str, Any]) -> dict[str, Any]:
    """The batch's entries for the encoder's `extra_keys`."""
    return {key: batch[key] for key in getattr(encoder, "extra_keys", ()) if key in batch}


def encode(encoder: nn.Module, batch: Mapping[str, Any]) -> Tensor:
    """Encode a prepared batch by any module with `reads` -> (B, D)."""
    return encoder(batch[str(encoder.reads)], **extra_inputs(encoder, batch))


def sides_of(inputs: dict[str, Any]) -> tuple[int, int]:
    """Height and width from `image_size`, which is one number for square images."""
    size = inputs["image_size"]
    height, width = (size, size) if isinstance(size, int) else size
    return int(height), int(width)
