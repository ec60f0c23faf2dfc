"""The encoder of TS2Vec (Yue et al. 2022, arXiv:2106.10466): dilated convolutions, a vector for each timestamp."""

import itertools
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sslrun.backbones.base import Encoder, Tokens
from sslrun.backbones.weights import layers_of
from sslrun.config.backbone.ts2vec import TS2VecEncoderConfig
from sslrun.nn.padding import not_padding


class TS2VecEncoder(Encoder):
    """Section 3.1 and appendix C.3. Series (B, T, C) with NaN where values are missing -> (B, D), max-pooled over time.

    A timestamp with a missing value is hidden like a masked one, as in the authors' code. Padding, all-NaN rows at the
    end, is kept at zero through all layers and out of the pooling (the authors' code does neither), so that a series
    has one vector whatever it is batched with.
    """

    reads = "series"
    tokens_are = Tokens.timesteps
    has_timesteps = True
    patch_size = 1

    def __init__(self, config: TS2VecEncoderConfig, inputs: dict[str, Any]) -> None:
        super().__init__()
        self.num_features = config.out_dim
        widths = [*[config.width] * (config.depth + 1), config.out_dim]
        self.network = nn.Module()
        self.network.input = nn.Linear(int(inputs["channels"]), config.width)
        self.network.blocks = nn.ModuleList(
            Block(i, o, dilation=2**depth, project=depth == config.depth)
            for depth, (i, o) in enumerate(itertools.pairwise(widths))
        )
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor, **rest: Any) -> Tensor:
        """(B, T, C) -> (B, D)."""
        return self.pooled_and_tokens(x)[0]

    def pooled_and_tokens(
        self,
        x: Tensor,
        keep: Tensor | None = None,
        *,
        is_masked: Tensor | None = None,
        mask_token: Tensor | None = None,
        **rest: Any,
    ) -> tuple[Tensor, Tensor]:
        """(B, T, C) -> (B, D) and (B, T, D); `is_masked` (B, T) hides timestamps after the input projection."""
        assert keep is None and mask_token is None
        is_valid = not_padding(x)  # (B, T)
        is_hidden = x.isnan().any(dim=2)
        if is_masked is not None:
            is_hidden = is_hidden | is_masked
        h = self.network.input(x.nan_to_num(nan=0.0)).masked_fill(is_hidden[..., None], 0.0)  # (B, T, W)
        h, weight = h.transpose(1, 2), is_valid[:, None].to(h.dtype)  # (B, W, T), (B, 1, T)
        for block in self.network.blocks:
            h = block(h, weight)
        tokens = self.dropout(h).transpose(1, 2)  # (B, T, D)
        lowest = torch.finfo(tokens.dtype).min
        return tokens.masked_fill(~is_valid[..., None], lowest).amax(dim=1), tokens

    def timesteps(self, x: Tensor, **rest: Any) -> tuple[Tensor, Tensor]:
        """(B, T, D), each with its surroundings."""
        return self.tokens(x, **rest), not_padding(x)

    def layers(self) -> list[list[nn.Parameter]]:
        """The projection, then each block."""
        return layers_of(self.network, self.network.blocks)


class Block(nn.Module):
    """GELU, convolution, GELU, convolution, and a residual."""

    def __init__(self, channels: int, out_channels: int, *, dilation: int, project: bool) -> None:
        super().__init__()
        self.conv1 = nn.Conv1d(channels, out_channels, 3, padding=dilation, dilation=dilation)
        self.conv2 = nn.Conv1d(out_channels, out_channels, 3, padding=dilation, dilation=dilation)
        self.projector = nn.Conv1d(channels, out_channels, 1) if project else None

    def forward(self, x: Tensor, weight: Tensor) -> Tensor:
        """(B, I, T) -> (B, O, T); weight: (B, 1, T), 0 on padding."""
        residual = x if self.projector is None else self.projector(x)
        h = _convolve(self.conv1, F.gelu(x)) * weight
        return (_convolve(self.conv2, F.gelu(h)) + residual) * weight


def _convolve(conv: nn.Conv1d, x: Tensor) -> Tensor:
    """As `conv(x)`; if the outer taps reach beyond both ends they see only zeros and are left out."""
    if conv.dilation[0] < x.shape[2]:
        return conv(x)
    return F.conv1d(x, conv.weight[:, :, 1:2], conv.bias)
