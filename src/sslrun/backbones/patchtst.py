"""PatchTST encoder (Nie et al. 2023, arXiv:2211.14730): a channel-independent transformer over patches."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from sslrun.backbones.base import Encoder, Tokens
from sslrun.config.backbone.patchtst import PatchTSTEncoderConfig
from sslrun.nn.padding import masked_mean

EPSILON = 1e-5


@dataclass(frozen=True)
class Patches:
    """A series cut into patches.

    Attributes:
        values: (B, C, N, P), normalised by `mean` and `std`; 0 for missing values.
        is_known: (B, C, N, P) bool, False for missing values.
        mean, std: (B, C, 1, 1) of each channel's unmasked values.
    """

    values: Tensor
    is_known: Tensor
    mean: Tensor
    std: Tensor


class PatchTSTEncoder(Encoder):
    """Section 3.1. Series (B, T, C) with NaN for missing values -> (B, C W): each channel's mean over patches.

    Each channel is instance-normalised (section 3.1) with statistics of unmasked values only. `tokens` returns
    (B, N, C W), the channels' vectors concatenated. LayerNorm replaces the paper's BatchNorm, whose statistics would
    include padding.
    """

    reads = "series"
    tokens_are = Tokens.timesteps
    compiled_methods = (*Encoder.compiled_methods, "encode")

    def __init__(self, config: PatchTSTEncoderConfig, inputs: dict[str, Any]) -> None:
        super().__init__()
        self.patch_size, self.width = config.patch_size, config.width
        self.num_features = int(inputs["channels"]) * config.width
        self.max_patches = -(-int(inputs["max_length"]) // config.patch_size)
        layer = nn.TransformerEncoderLayer(
            config.width,
            config.heads,
            config.mlp,
            config.dropout,
            activation="gelu",
            batch_first=True,
            norm_first=True,
        )
        self.network = nn.ModuleDict(
            {
                "embedding": nn.Linear(config.patch_size, config.width),
                "blocks": nn.TransformerEncoder(
                    layer, config.depth, norm=nn.LayerNorm(config.width), enable_nested_tensor=False
                ),
            }
        )
        self.network.register_parameter("positions", nn.Parameter(torch.empty(self.max_patches, config.width)))
        nn.init.uniform_(self.network.positions, -0.02, 0.02)  # the authors' code

    def forward(self, x: Tensor, **rest: Any) -> Tensor:
        """(B, T, C) -> (B, C W)."""
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
        """(B, T, C) -> (B, C W) and (B, N, C W); `is_masked` (B, C, N) masks patches."""
        assert keep is None and mask_token is None
        patches = self.patches(x, is_masked)
        tokens = self.encode(patches, is_masked)  # (B, C, N, W)
        return self.pool(tokens, patches), tokens.permute(0, 2, 1, 3).flatten(2)

    def patches(self, x: Tensor, is_masked: Tensor | None = None) -> Patches:
        """(B, T, C) -> N = ceil(T / P) patches; those masked by `is_masked` (B, C, N) do not enter the statistics."""
        padding = -x.shape[1] % self.patch_size
        x = nn.functional.pad(x.float(), (0, 0, 0, padding), value=torch.nan)
        values = x.transpose(1, 2).reshape(len(x), x.shape[2], -1, self.patch_size).contiguous()  # (B, C, N, P)
        is_known = ~values.isnan()
        visible = is_known if is_masked is None else is_known & ~is_masked[..., None]
        count = visible.sum(dim=(2, 3), keepdim=True)
        mean = torch.where(visible, values, 0.0).sum(dim=(2, 3), keepdim=True) / count.clamp(min=1)
        variance = torch.where(visible, values - mean, 0.0).square().sum(dim=(2, 3), keepdim=True) / count.clamp(min=1)
        std = torch.where(count > 1, (variance + EPSILON).sqrt(), 1.0)
        return Patches(torch.where(is_known, (values - mean) / std, 0.0), is_known, mean, std)

    def level_and_scale(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of each channel's non-missing values."""
        patches = self.patches(x)
        return patches.mean[..., 0, 0], patches.std[..., 0, 0]

    def encode(self, patches: Patches, is_masked: Tensor | None = None) -> Tensor:
        """(B, C, N, W); masked patches are set to zero (section 3.2); patches without values are not attended to."""
        values = patches.values if is_masked is None else patches.values.masked_fill(is_masked[..., None], 0.0)
        b, c, n, _ = values.shape
        tokens = self.network["embedding"](values.flatten(0, 1)) + self.network.positions[:n]
        is_empty = ~patches.is_known.any(dim=3).flatten(0, 1)  # (B C, N)
        is_empty[:, 0] &= ~is_empty.all(dim=1)  # attention needs at least one key
        encoded = self.network["blocks"](tokens, src_key_padding_mask=is_empty)
        return encoded.view(b, c, n, self.width)

    def pool(self, tokens: Tensor, patches: Patches) -> Tensor:
        """(B, C, N, W) -> (B, C W), the mean over non-empty patches."""
        return masked_mean(tokens, patches.is_known.any(dim=3)).flatten(1)

    def layers(self) -> list[list[nn.Parameter]]:
        """Embedding and positions, each block, the last norm."""
        blocks = self.network["blocks"]
        first = [*self.network["embedding"].parameters(), self.network.positions]
        return [first, *(list(b.parameters()) for b in blocks.layers), list(blocks.norm.parameters())]
