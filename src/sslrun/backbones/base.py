"""What methods and evaluations see of any backbone."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from sslrun.config.errors import ConfigError
from sslrun.config.schema import BackboneConfig


class Tokens(Enum):
    """What the tokens of a backbone stand for."""

    patches = "patches of an image, on a grid"
    words = "pieces of a text"
    moments = "times of a series or a recording"


class Encoder(nn.Module, ABC):
    """A backbone that gives one vector for each input, and one for each token where it has tokens.

    Attributes:
        num_features: D.
        reads: key of the batch that it encodes: image, input_ids, wave, series.
        beside: further keys of the batch that it takes where they are there, such as attention_mask or lengths.
        is_causal: whether a token's vector depends on the tokens before it alone.
        config: the configuration that builds it again.
        inputs: what it was built for (Data.encoder_inputs): channels, image_size, mean, std, classes.
        tokens_are: what `tokens` and `pooled_and_tokens` give a vector for; None where the backbone has no tokens.
        has_moments: whether `moments` works.
        heads: weights of a checkpoint that are not the backbone's but of heads over it, by their library's names.
        called: functions that methods call beside `forward`; `compile` compiles them too.
        patch_size: items of the series from one token to the next, where tokens are moments.
        patch: height and width of a token's patch in pixels, where tokens stand on a grid.
        grid: rows and columns of tokens at `inputs["image_size"]`, where there are tokens; row by row in `tokens`.
    """

    num_features: int
    reads: str = "image"
    beside: tuple[str, ...] = ()
    is_causal: bool = False
    config: BackboneConfig
    inputs: dict[str, Any]
    tokens_are: Tokens | None = None
    has_moments: bool = False
    called: tuple[str, ...] = ("tokens", "pooled_and_tokens", "moments")
    patch_size: int
    patch: tuple[int, int]
    grid: tuple[int, int]

    def __init__(self) -> None:
        super().__init__()
        self.heads: dict[str, Tensor] = {}

    @abstractmethod
    def forward(self, x: Tensor, **rest: Any) -> Tensor:
        """(B, …) -> (B, D), pooled as the backbone's paper does."""

    def tokens(self, x: Tensor, keep: Tensor | None = None, **rest: Any) -> Tensor:
        """(B, …) -> (B, N, D), one vector a token; arguments as for `pooled_and_tokens`."""
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
        """(B, …) -> (B, D) as `forward` pools, and (B, N, D), one vector a token.

        Args:
            x: the input.
            keep: (B, K) positions of the visible tokens, the only ones that are encoded; then N = K. None keeps all.
            is_masked: (B, N) bool; where True, `mask_token` stands for the token's content, its position stays.
            mask_token: (D,).
            rest: the batch's further keys.

        Raises:
            ConfigError: the backbone has no tokens.
        """
        raise ConfigError(f"backbone={self.config.name} has no patch tokens; choose a ViT, e.g. backbone=vit_tiny")

    def moments(self, x: Tensor, **rest: Any) -> tuple[Tensor, Tensor]:
        """(B, …) -> (B, N, D), one vector a moment in the order of time, and (B, N) bool, which are no padding."""
        raise NotImplementedError

    def level_and_scale(self, x: Tensor) -> tuple[Tensor, Tensor] | None:
        """(B, C) mean and (B, C) standard deviation taken out of each channel of (B, T, C); None where none are."""
        return None

    def token_embedding(self) -> Tensor:
        """(V, D) table of the tokens it reads, with which methods of text tie their outputs.

        Raises:
            ConfigError: the backbone reads no tokens of text.
        """
        raise ConfigError(f"backbone={self.config.name} reads no tokens of text; choose e.g. backbone=bert_tiny")

    @abstractmethod
    def library_state(self) -> dict[str, Tensor]:
        """Weights under the names of the backbone's own library."""

    @abstractmethod
    def load_library_state(self, state: dict[str, Tensor]) -> None:
        """Inverse of `library_state`; ConfigError where names or shapes do not fit."""

    def library_config(self) -> dict[str, Any]:
        """Entries of config.json by which the backbone's own library finds the architecture."""
        return {}

    def save(self, folder: Path) -> None:
        """Write model.safetensors and config.json, as `sslrun.load_encoder` and the backbone's library load them."""
        from sslrun.backbones.folder import save_encoder

        save_encoder(self, folder)

    def compile(self, *args: Any, **options: Any) -> None:
        """torch.compile of `forward` and of what is `called`, each at its first call.

        Args:
            args, options: of torch.compile.
        """
        for name in self.called:
            setattr(self, name, torch.compile(getattr(self, name), *args, **options))
        super().compile(*args, **options)

    def __getstate__(self) -> dict[str, Any]:
        """Without compiled functions, as nn.Module: in a copy they would be those of the original."""
        state: dict[str, Any] = super().__getstate__()  # type: ignore[no-untyped-call]
        return {key: value for key, value in state.items() if key not in self.called}

    def layers(self) -> list[list[nn.Parameter]]:
        """Parameters from the input up, a list per block: what layer-wise learning-rate decay counts."""
        return [list(self.parameters())]


def further(encoder: nn.Module, batch: Mapping[str, Any]) -> dict[str, Any]:
    """What the encoder takes of a batch beside the key that it reads."""
    return {key: batch[key] for key in getattr(encoder, "beside", ()) if key in batch}


def encode(encoder: nn.Module, batch: Mapping[str, Any]) -> Tensor:
    """(B, D) of a prepared batch, by any module that has `reads`."""
    return encoder(batch[str(encoder.reads)], **further(encoder, batch))


def load_state(network: nn.Module, state: dict[str, Tensor], *, may_lack: tuple[str, ...], origin: str) -> None:
    """Load weights, leaving out a classifier (`may_lack` prefixes); ConfigError names what does not fit."""
    own = network.state_dict()
    given = {k: v for k, v in state.items() if not k.startswith(may_lack) or k in own}
    wrong = [k for k in own if k not in given and not k.startswith(may_lack)]
    wrong += [k for k in given if k not in own]
    wrong += [
        f"{k} {tuple(given[k].shape)} for {tuple(own[k].shape)}"
        for k in own
        if k in given and given[k].shape != own[k].shape
    ]
    if wrong:
        raise ConfigError(f"{origin} does not fit the backbone: {', '.join(sorted(wrong)[:3])} ({len(wrong)} in all)")
    network.load_state_dict(given, strict=False)
