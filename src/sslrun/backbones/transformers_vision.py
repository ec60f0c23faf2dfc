"""Image encoders of the library `transformers`: ViT, ViTMAE, DINOv2 and the image side of CLIP."""

import dataclasses
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoModel
from transformers.core_model_loading import revert_weight_conversion
from transformers.utils import logging

from sslrun.backbones.base import Encoder, Tokens, sides_of
from sslrun.backbones.transformers_checkpoint import (
    CLIP_HEADS,
    architecture_of,
    library_entries,
    plain_architecture,
    without_prefix,
)
from sslrun.backbones.weights import layers_of
from sslrun.config.backbone.hf import MODELS, HFConfig
from sslrun.config.errors import ConfigError

CLIP = "clip_vision_model"
LAST = ("layernorm.", "post_layernorm.")
"""Prefixes of weights after the blocks."""


class HFEncoder(Encoder):
    """Images (B, C, H, W) -> (B, D), the normalised class token; `tokens` as in transformers' `last_hidden_state`.

    A CLIP's tokens are not normalised; `pool=avg` normalises their mean. A ViT's pooler, part of its classifier, is
    omitted. Position embeddings are resampled for other image sizes as in transformers.

    Attributes:
        head_weights: a CLIP's weights outside of its encoders, under transformers' names.
    """

    tokens_are = Tokens.patches

    def __init__(self, config: HFConfig, inputs: dict[str, Any]) -> None:
        super().__init__()
        architecture = architecture_of(config, known=MODELS, part="vision_config")
        if architecture is None:
            raise ConfigError(
                f"backbone.pretrained={config.pretrained} is not a folder with a config.json of transformers; name "
                "one, or hf:OWNER/NAME"
            )
        self.config = dataclasses.replace(
            config, name=architecture.model_type, architecture=plain_architecture(architecture)
        )
        _check_fit(config, architecture, inputs)
        logging.set_verbosity_error()  # else it warns about omitted heads
        logging.disable_progress_bar()
        options = {"add_pooling_layer": False} if architecture.model_type == "vit" else {}
        self.network = AutoModel.from_config(architecture, attn_implementation="sdpa", **options)
        mask_token = getattr(self.network.embeddings, "mask_token", None)
        if mask_token is not None:
            mask_token.requires_grad_(False)  # methods have their own
        self.pool = config.pool or "token"
        self.num_features = int(architecture.hidden_size)
        side = int(architecture.patch_size)
        height, width = sides_of(inputs)
        self.patch, self.grid = (side, side), (height // side, width // side)

    def forward(self, x: Tensor, **rest: Any) -> Tensor:
        """(B, C, H, W) -> (B, D)."""
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
        """(B, C, H, W) -> (B, D) and (B, N, D); N = K if `keep` is given."""
        embeddings = self.network.embeddings
        patches = self._project(x).flatten(2).transpose(1, 2)  # (B, N, D)
        if is_masked is not None:
            assert mask_token is not None
            patches = torch.where(is_masked[..., None], mask_token.to(patches.dtype), patches)
        token = embeddings.class_embedding if self._is_clip else embeddings.cls_token
        sequence = torch.cat([token.expand(len(x), 1, -1), patches], dim=1)  # (B, 1 + N, D)
        sequence = sequence + embeddings.interpolate_pos_encoding(sequence, x.shape[-2], x.shape[-1])
        first, patches = sequence[:, :1], sequence[:, 1:]
        if keep is not None:
            patches = patches.gather(1, keep[..., None].expand(-1, -1, patches.shape[-1]))  # (B, K, D)
        registers = getattr(embeddings, "register_tokens", None)
        if registers is not None:
            first = torch.cat([first, registers.expand(len(x), -1, -1)], dim=1)
        h = torch.cat([first, patches], dim=1)
        h = self.network.pre_layrnorm(h) if self._is_clip else getattr(embeddings, "dropout", nn.Identity())(h)
        for block in self._blocks:
            h = block(h, None)
        if self._is_clip:
            tokens = h[:, 1:]
            pooled = h[:, 0] if self.pool == "token" else tokens.mean(dim=1)
            return self.network.post_layernorm(pooled), tokens
        h = self.network.layernorm(h)
        tokens = h[:, first.shape[1] :]
        return h[:, 0] if self.pool == "token" else tokens.mean(dim=1), tokens

    def library_state(self) -> dict[str, Tensor]:
        """Weights under the names that transformers' `save_pretrained` writes."""
        return revert_weight_conversion(self.network, self.network.state_dict())

    def load_library_state(self, state: dict[str, Tensor]) -> None:
        """Load weights under transformers' names; heads are ignored, except a CLIP's, which go to `head_weights`."""
        self.head_weights = {k: v for k, v in state.items() if k in CLIP_HEADS}
        state = without_prefix(state, self.network.state_dict(), prefixes=("vision_model.",))
        options = {"add_pooling_layer": False} if self.network.config.model_type == "vit" else {}
        try:
            loaded, report = type(self.network).from_pretrained(
                None, config=self.network.config, state_dict=state, output_loading_info=True, **options
            )
        except RuntimeError as error:
            raise ConfigError(f"the weights file does not fit the backbone: {' '.join(str(error).split())}") from error
        missing = sorted(k for k in report["missing_keys"] if not k.endswith("mask_token"))
        if missing:
            named = ", ".join(missing[:3])
            raise ConfigError(f"the weights file does not fit the backbone: {named} ({len(missing)} in all) not in it")
        self.network.load_state_dict(loaded.state_dict())

    def library_config(self) -> dict[str, Any]:
        """Entries for `AutoModel.from_pretrained(FOLDER)`."""
        return library_entries(self.network)

    def layers(self) -> list[list[nn.Parameter]]:
        """Embeddings, then each block, then the final norm."""
        return layers_of(self.network, self._blocks, last=LAST)

    @property
    def _is_clip(self) -> bool:
        return self.config.name == CLIP

    @property
    def _blocks(self) -> nn.ModuleList:
        return max((m for m in self.network.modules() if isinstance(m, nn.ModuleList)), key=len)

    def _project(self, x: Tensor) -> Tensor:
        embeddings = self.network.embeddings
        return embeddings.patch_embedding(x) if self._is_clip else embeddings.patch_embeddings.projection(x)


def _check_fit(config: HFConfig, architecture: Any, inputs: dict[str, Any]) -> None:
    """Raise ConfigError if a checkpoint's channels or patch size do not fit the dataset."""
    if int(inputs["channels"]) != architecture.num_channels:
        raise ConfigError(
            f"backbone={config.name} reads {architecture.num_channels} channels, the dataset gives "
            f"{inputs['channels']}: dataset.channels={architecture.num_channels}"
        )
    for side in sides_of(inputs):
        if side % architecture.patch_size:
            raise ConfigError(
                f"dataset.image_size={inputs['image_size']} is not a multiple of the {architecture.patch_size} pixels "
                f"of a patch of backbone={config.name}"
            )
