"""wav2vec 2.0 of the library `transformers` (Baevski et al. 2020, arXiv:2006.11477)."""

import dataclasses
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import AutoModel, Wav2Vec2Config

from sslrun.backbones.base import Encoder, Tokens
from sslrun.backbones.transformers_checkpoint import (
    architecture_of,
    library_entries,
    plain_architecture,
    without_prefix,
)
from sslrun.backbones.weights import layers_of
from sslrun.config.backbone.wav2vec2 import Wav2Vec2EncoderConfig
from sslrun.nn.padding import masked_mean

HEADS = ("quantizer.", "project_q.", "project_hid.", "lm_head.", "projector.", "classifier.", "masked_spec_embed")
"""Prefixes of weights outside of the encoder in files of models with heads."""
OLD_NAMES = {".weight_g": ".parametrizations.weight.original0", ".weight_v": ".parametrizations.weight.original1"}
"""Suffixes of the position convolution's weights: in files of older versions -> now."""


class Wav2Vec2Encoder(Encoder):
    """Section 2. Samples (B, T) with their `lengths` -> (B, D), the mean of the tokens.

    If `pretrained` is a folder with transformers' config.json, its architecture overrides the configuration's.
    transformers' own masking and LayerDrop are off: they use generators that are not in checkpoints, and layers dropped
    on one rank have no gradient there.

    Attributes:
        local_dim: Z, width of the latents z.
        head_weights: a checkpoint's weights of the method's heads, under transformers' names.
    """

    reads = "wave"
    extra_keys = ("lengths",)
    tokens_are = Tokens.timesteps
    has_timesteps = True
    compiled_methods = (*Encoder.compiled_methods, "local", "context")

    def __init__(self, config: Wav2Vec2EncoderConfig, inputs: dict[str, Any]) -> None:
        super().__init__()
        architecture = architecture_of(config, known=("wav2vec2",))
        if architecture is None:
            architecture = _architecture(config)
        else:
            config = _with_architecture(config, architecture)
        architecture.update({"mask_time_prob": 0.0, "mask_feature_prob": 0.0, "layerdrop": 0.0})
        self.config = config
        self.network = AutoModel.from_config(architecture, attn_implementation="sdpa")
        self.num_features, self.local_dim = int(architecture.hidden_size), int(architecture.conv_dim[-1])
        self.kernels, self.strides = list(architecture.conv_kernel), list(architecture.conv_stride)
        self.patch_size, self.receptive_field = 1, 1  # stride and receptive field of a time step, in samples
        for kernel, stride in zip(self.kernels, self.strides, strict=True):
            self.receptive_field += (kernel - 1) * self.patch_size
            self.patch_size *= stride

    def forward(self, x: Tensor, **rest: Any) -> Tensor:
        """(B, T) -> (B, D)."""
        return self.pooled_and_tokens(x, **rest)[0]

    def pooled_and_tokens(
        self,
        x: Tensor,
        keep: Tensor | None = None,
        *,
        is_masked: Tensor | None = None,
        mask_token: Tensor | None = None,
        lengths: Tensor | None = None,
        **rest: Any,
    ) -> tuple[Tensor, Tensor]:
        """(B, T) -> (B, D) and (B, N, D)."""
        assert keep is None
        _, projected, is_valid = self.local(x, lengths=lengths)
        tokens = self.context(projected, is_valid, is_masked=is_masked, mask_token=mask_token)
        return masked_mean(tokens, is_valid), tokens

    def timesteps(self, x: Tensor, **rest: Any) -> tuple[Tensor, Tensor]:
        """(B, N, D), each dependent on the whole clip, and (B, N) bool, False on padding."""
        _, projected, is_valid = self.local(x, **rest)
        return self.context(projected, is_valid), is_valid

    def local(self, x: Tensor, *, lengths: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """(B, T) -> latents z (B, N, Z), inputs of the transformer (B, N, D), and (B, N) bool, False on padding."""
        lengths = torch.full_like(x[:, 0], x.shape[1]).long() if lengths is None else lengths
        x = F.pad(x, (0, max(0, self.receptive_field - x.shape[1])))
        hidden = x[:, None]
        for layer, kernel, stride in zip(
            self.network.feature_extractor.conv_layers, self.kernels, self.strides, strict=True
        ):
            lengths = (lengths - kernel).div(stride, rounding_mode="floor").clamp(min=0) + 1
            hidden = _convolve(layer, hidden, lengths)
        projected, z = self.network.feature_projection(hidden.transpose(1, 2))  # (B, N, D), (B, N, Z)
        return z, projected, torch.arange(z.shape[1], device=z.device) < lengths[:, None]

    def context(
        self, projected: Tensor, is_valid: Tensor, *, is_masked: Tensor | None = None, mask_token: Tensor | None = None
    ) -> Tensor:
        """(B, N, D) -> (B, N, D); `mask_token` (D,) replaces those where `is_masked` (B, N) is True."""
        if is_masked is not None:
            assert mask_token is not None
            projected = torch.where(is_masked[..., None], mask_token.to(projected.dtype), projected)
        return self.network.encoder(projected, attention_mask=is_valid).last_hidden_state

    def load_library_state(self, state: dict[str, Tensor]) -> None:
        """Load weights under transformers' names; those of heads go to `head_weights`."""
        for old, new in OLD_NAMES.items():
            state = {k.removesuffix(old) + new if k.endswith(old) else k: v for k, v in state.items()}
        own = self.network.state_dict()
        bare = without_prefix(state, own, prefixes=("wav2vec2.",))
        self.head_weights = {k: v for k, v in {**state, **bare}.items() if k.startswith(HEADS)}
        kept = {k: v for k, v in bare.items() if k not in self.head_weights}
        super().load_library_state(kept)

    def library_config(self) -> dict[str, Any]:
        """Entries for `AutoModel.from_pretrained(FOLDER)`."""
        return library_entries(self.network)

    def layers(self) -> list[list[nn.Parameter]]:
        """Convolutions, position convolution and norms, then each block."""
        return layers_of(self.network, self.network.encoder.layers)


def _convolve(layer: Any, x: Tensor, lengths: Tensor) -> Tensor:
    """Apply a convolution layer of transformers; a GroupNorm over time, as in the paper's base model, ignores padding.

    Args:
        x: (B, C, T).
        lengths: (B,) of the output.
    """
    norm = getattr(layer, "layer_norm", None)
    if not isinstance(norm, nn.GroupNorm):
        return layer(x)
    x = layer.conv(x).float()
    is_valid = torch.arange(x.shape[2], device=x.device) < lengths[:, None, None]
    count = lengths[:, None, None]
    mean = x.where(is_valid, 0).sum(dim=2, keepdim=True) / count
    variance = (x - mean).where(is_valid, 0).square().sum(dim=2, keepdim=True) / count
    x = (x - mean) / (variance + norm.eps).sqrt() * norm.weight[:, None] + norm.bias[:, None]
    return layer.activation(x)


def _architecture(config: Wav2Vec2EncoderConfig) -> Any:
    return Wav2Vec2Config(
        hidden_size=config.width,
        num_hidden_layers=config.depth,
        num_attention_heads=config.heads,
        intermediate_size=config.mlp,
        conv_dim=[config.conv_width] * len(config.kernels),
        conv_kernel=list(config.kernels),
        conv_stride=list(config.strides),
        feat_extract_norm=config.conv_norm,
        do_stable_layer_norm=config.pre_norm,
        num_conv_pos_embeddings=config.position_kernel,
        num_conv_pos_embedding_groups=config.position_groups,
        hidden_dropout=config.dropout,
        attention_dropout=config.dropout,
        activation_dropout=config.dropout,
    )


def _with_architecture(config: Wav2Vec2EncoderConfig, architecture: Any) -> Wav2Vec2EncoderConfig:
    """The config with a checkpoint's architecture, so that it can be rebuilt without the checkpoint."""
    return dataclasses.replace(
        config,
        architecture=plain_architecture(architecture),
        width=architecture.hidden_size,
        depth=architecture.num_hidden_layers,
        heads=architecture.num_attention_heads,
        mlp=architecture.intermediate_size,
        conv_width=architecture.conv_dim[-1],
        kernels=list(architecture.conv_kernel),
        strides=list(architecture.conv_stride),
        conv_norm=architecture.feat_extract_norm,
        pre_norm=architecture.do_stable_layer_norm,
        position_kernel=architecture.num_conv_pos_embeddings,
        position_groups=architecture.num_conv_pos_embedding_groups,
        dropout=architecture.hidden_dropout,
    )
