"""The encoder of TS2Vec (Yue et al. 2022, arXiv:2106.10466): dilated convolutions, a vector for each timestamp."""

import itertools
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sslrun.backbones.base import Encoder, Tokens, load_state
from sslrun.config.series_backbone import TS2VecEncoderConfig


class TS2VecEncoder(Encoder):
    """Section 3.1 and appendix C.3. Series (B, T, C) with NaN where values are missing -> (B, D), max-pooled over time.

    A timestamp with a missing value is hidden like a masked one, as in the authors' code. Padding, all-NaN rows at the
    end, is kept at zero through all layers and out of the pooling (the authors' code does neither), so that a series
    has one vector whatever it is batched with.
    """

    reads = "series"
    tokens_are = Tokens.moments
    has_moments = True
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
        """(B, T, C) -> (B, D) and (B, T, D); `is_masked` (B, T) hides timestamps behind the input projection."""
        assert keep is None and mask_token is None
        inside = is_inside(x)  # (B, T)
        is_hidden = x.isnan().any(dim=2)
        if is_masked is not None:
            is_hidden = is_hidden | is_masked
        h = self._input(x.nan_to_num(nan=0.0)).masked_fill(is_hidden[..., None], 0.0)  # (B, T, W)
        h, weight = h.transpose(1, 2), inside[:, None].to(h.dtype)  # (B, W, T), (B, 1, T)
        for block in self._blocks:
            h = block(h, weight)
        tokens = self.dropout(h).transpose(1, 2)  # (B, T, D)
        lowest = torch.finfo(tokens.dtype).min
        return tokens.masked_fill(~inside[..., None], lowest).amax(dim=1), tokens

    def moments(self, x: Tensor, **rest: Any) -> tuple[Tensor, Tensor]:
        """(B, T, D), each with what stands around it."""
        return self.tokens(x, **rest), is_inside(x)

    def library_state(self) -> dict[str, Tensor]:
        """Names of the plain modules."""
        return self.network.state_dict()

    def load_library_state(self, state: dict[str, Tensor]) -> None:
        """Load what `library_state` gave."""
        load_state(self.network, state, may_lack=(), origin="the weights file")

    def layers(self) -> list[list[nn.Parameter]]:
        """The projection, then each block."""
        return [list(self._input.parameters()), *(list(b.parameters()) for b in self._blocks)]

    @property
    def _input(self) -> nn.Linear:
        projection = self.network.input
        assert isinstance(projection, nn.Linear)
        return projection

    @property
    def _blocks(self) -> nn.ModuleList:
        blocks = self.network.blocks
        assert isinstance(blocks, nn.ModuleList)
        return blocks


class Block(nn.Module):
    """GELU, convolution, GELU, convolution, and a residual."""

    def __init__(self, inside: int, outside: int, *, dilation: int, project: bool) -> None:
        super().__init__()
        self.conv1 = nn.Conv1d(inside, outside, 3, padding=dilation, dilation=dilation)
        self.conv2 = nn.Conv1d(outside, outside, 3, padding=dilation, dilation=dilation)
        self.projector = nn.Conv1d(inside, outside, 1) if project else None

    def forward(self, x: Tensor, weight: Tensor) -> Tensor:
        """(B, I, T) -> (B, O, T); weight: (B, 1, T), 0 on padding."""
        residual = x if self.projector is None else self.projector(x)
        h = _convolve(self.conv1, F.gelu(x)) * weight
        return (_convolve(self.conv2, F.gelu(h)) + residual) * weight


def is_inside(series: Tensor) -> Tensor:
    """(B, T) bool of (B, T, C): up to the last timestamp that has a value; the first always."""
    has_value = (~series.isnan().all(dim=2)).int()  # (B, T)
    inside = has_value.flip(1).cummax(dim=1).values.flip(1).bool()
    inside[:, 0] = True
    return inside


def _convolve(conv: nn.Conv1d, x: Tensor) -> Tensor:
    """As `conv(x)`; where the outer taps reach beyond both ends they see nothing but zeros and are left out."""
    if conv.dilation[0] < x.shape[2]:
        return conv(x)
    return F.conv1d(x, conv.weight[:, :, 1:2], conv.bias)
