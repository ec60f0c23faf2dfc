"""TS2Vec encoder (Yue et al. 2022, arXiv:2106.10466): dilated convolutions, one vector per timestamp."""

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
    """Section 3.1 and appendix C.3. Series (B, T, C) with NaN for missing values -> (B, D), max-pooled over time.

    A timestamp with a missing value is masked, as in the authors' code. Padding, all-NaN rows at the end, is zeroed in
    all layers and excluded from pooling (the authors' code does neither), so that a series' vector does not depend on
    its batch.
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
        """(B, T, C) -> (B, D) and (B, T, D); `is_masked` (B, T) masks timestamps after the input projection."""
        assert keep is None and mask_token is None
        is_valid = not_padding(x)  # (B, T)
        is_zeroed = x.isnan().any(dim=2)
        if is_masked is not None:
            is_zeroed = is_zeroed | is_masked
        h = self.network.input(x.nan_to_num(nan=0.0)).masked_fill(is_zeroed[..., None], 0.0)  # (B, T, W)
        h, weight = h.transpose(1, 2), is_valid[:, None].to(h.dtype)  # (B, W, T), (B, 1, T)
        for block in self.network.blocks:
            h = block(h, weight)
        tokens = self.dropout(h).transpose(1, 2)  # (B, T, D)
        lowest = torch.finfo(tokens.dtype).min
        return tokens.masked_fill(~is_valid[..., None], lowest).amax(dim=1), tokens

    def timesteps(self, x: Tensor, **rest: Any) -> tuple[Tensor, Tensor]:
        """(B, T, D), and (B, T) bool, False on padding."""
        return self.tokens(x, **rest), not_padding(x)

    def layers(self) -> list[list[nn.Parameter]]:
        """The projection, then each block."""
        return layers_of(self.network, self.network.blocks)


class Block(nn.Module):
    """Residual block of two dilated convolutions with GELU."""

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
    """`conv(x)`; if the dilation exceeds the length, only the centre tap, as the others see only zeros."""
    if conv.dilation[0] < x.shape[2]:
        return conv(x)
    return F.conv1d(x, conv.weight[:, :, 1:2], conv.bias)
