"""CPC encoders (van den Oord et al. 2018, arXiv:1807.03748): convolutions over time, then a GRU."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sslrun.backbones.base import Encoder, Tokens
from sslrun.config.backbone.cpc import RecurrentConfig
from sslrun.nn.padding import masked_mean, not_padding


class CPCEncoder(Encoder):
    """Section 2.2. Series (B, T, C) with NaN for missing values -> (B, D), the mean of the context over time.

    Each convolution is followed by LayerNorm over channels; the paper does not specify normalisation.
    """

    reads = "series"
    tokens_are = Tokens.timesteps
    is_causal = True
    has_timesteps = True
    compiled_methods = (*Encoder.compiled_methods, "local_and_context")

    def __init__(self, config: RecurrentConfig, inputs: dict[str, Any]) -> None:
        super().__init__()
        self.num_features, self.local_dim = config.hidden, config.width
        self.kernels, self.strides = list(config.kernels), list(config.strides)
        self.patch_size = 1
        for stride in self.strides:
            self.patch_size *= stride
        widths = [int(inputs["channels"]), *[config.width] * len(config.kernels)]
        self.network = nn.Module()
        self.network.convolutions = nn.ModuleList(
            nn.Conv1d(i, o, k, stride=s)
            for i, o, k, s in zip(widths[:-1], widths[1:], self.kernels, self.strides, strict=True)
        )
        self.network.norms = nn.ModuleList(nn.LayerNorm(config.width) for _ in config.kernels)
        self.network.context = nn.GRU(config.width, config.hidden, batch_first=True)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor, **rest: Any) -> Tensor:
        """(B, T, C) -> (B, D)."""
        return self.pooled_and_tokens(x, **rest)[0]

    def pooled_and_tokens(
        self,
        x: Tensor,
        keep: Tensor | None = None,
        *,
        is_masked: Tensor | None = None,
        mask_token: Tensor | None = None,
        **rest: Any,
    ) -> tuple[Tensor, Tensor]:
        """(B, T, C) -> (B, D) and (B, N, D), where each time step depends on its past."""
        assert keep is None and is_masked is None
        _, context, is_valid = self.local_and_context(x, **rest)
        return masked_mean(context, is_valid), context

    def timesteps(self, x: Tensor, **rest: Any) -> tuple[Tensor, Tensor]:
        """(B, N, D), each dependent on its past, and (B, N) bool, False on padding."""
        _, context, is_valid = self.local_and_context(x, **rest)
        return context, is_valid

    def local_and_context(self, x: Tensor, **rest: Any) -> tuple[Tensor, Tensor, Tensor]:
        """(B, T, C) -> local z (B, N, Z), context c (B, N, D), and (B, N) bool, False on padding."""
        return self._encode(x.nan_to_num(nan=0.0), not_padding(x).sum(dim=1))

    def _encode(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        net = self.network
        h = x.transpose(1, 2)  # (B, C, T)
        for conv, norm, kernel, stride in zip(net.convolutions, net.norms, self.kernels, self.strides, strict=True):
            h = conv(F.pad(h, (0, max(0, kernel - h.shape[2]))))
            h = F.relu(norm(h.transpose(1, 2))).transpose(1, 2)  # (B, W, T')
            lengths = (lengths - kernel).div(stride, rounding_mode="floor").clamp(min=0) + 1
        z = h.transpose(1, 2)  # (B, N, W)
        # CUDA autocast runs a GRU in float16 whatever its dtype, which would need loss scaling
        with torch.autocast(z.device.type, enabled=torch.is_autocast_enabled(z.device.type) and not z.is_cuda):
            dropped = self.dropout(z)
            context, _ = net.context(dropped.float() if z.is_cuda else dropped)  # (B, N, D)
        return z, context, torch.arange(z.shape[1], device=z.device) < lengths[:, None]

    def layers(self) -> list[list[nn.Parameter]]:
        """Each convolution, then the GRU."""
        net = self.network
        pairs = zip(net.convolutions, net.norms, strict=True)
        return [*([*conv.parameters(), *norm.parameters()] for conv, norm in pairs), list(net.context.parameters())]


class WaveCPCEncoder(CPCEncoder):
    """Section 3.1. Samples (B, T) with their `lengths` -> (B, D)."""

    reads = "wave"
    extra_keys = ("lengths",)

    def local_and_context(self, x: Tensor, **rest: Any) -> tuple[Tensor, Tensor, Tensor]:
        """(B, T) -> z (B, N, Z), c (B, N, D), and (B, N) bool, False on padding."""
        lengths = rest.get("lengths")
        return self._encode(x[..., None], torch.full_like(x[:, 0], x.shape[1]).long() if lengths is None else lengths)
