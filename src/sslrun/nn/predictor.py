"""Predicts masked positions from visible tokens: MAE's decoder and I-JEPA's predictor."""

from functools import partial

import torch
from torch import Tensor, nn

from sslrun.nn.positions import sincos_2d


class TokenPredictor(nn.Module):
    """A narrow transformer over visible tokens and one mask token per position to predict.

    Fixed sine-cosine embeddings mark positions. Attention ignores the order of tokens, so visible and mask tokens need
    not be brought into the order of the image.

    Args:
        dim: D of the visible tokens.
        out_dim: values to predict per position.
        grid: rows and columns of positions.
        width, depth, heads: of the transformer; width is a multiple of 4 and of heads.
    """

    positions: Tensor

    def __init__(self, dim: int, out_dim: int, *, grid: tuple[int, int], width: int, depth: int, heads: int) -> None:
        super().__init__()
        from timm.models.vision_transformer import Block  # here: timm imports wandb if that is installed

        norm = partial(nn.LayerNorm, eps=1e-6)
        self.embed = nn.Linear(dim, width)
        self.mask_token = nn.Parameter(torch.randn(width) * 0.02)
        self.blocks = nn.Sequential(*(Block(width, heads, qkv_bias=True, norm_layer=norm) for _ in range(depth)))
        self.norm = norm(width)
        self.head = nn.Linear(width, out_dim)
        self.register_buffer("positions", sincos_2d(width, grid), persistent=False)  # (N, width)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)

    def forward(self, tokens: Tensor, *, at: Tensor, predict_at: Tensor) -> Tensor:
        """Visible tokens (B, K, D) at positions (B, K), predictions for positions (B, Q) -> (B, Q, out_dim)."""
        visible = self.embed(tokens) + self.positions[at]  # (B, K, width)
        masked = self.mask_token + self.positions[predict_at]  # (B, Q, width)
        sequence = self.blocks(torch.cat([visible, masked], dim=1))
        return self.head(self.norm(sequence[:, at.shape[1] :]))
