"""Any timm model, by name."""

from typing import Any

import timm
import torch
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn

from sslrun.backbones.base import Encoder, Tokens, sides_of
from sslrun.backbones.weights import layers_of
from sslrun.config.backbone.timm import Positions, TimmConfig
from sslrun.config.checks import did_you_mean
from sslrun.config.errors import ConfigError
from sslrun.nn.positions import sincos_2d


class TimmEncoder(Encoder):
    """A timm model without its classifier; (B, C, H, W) -> (B, D), with the model's own pooling."""

    ignored = ("head.", "fc.", "classifier.")

    def __init__(self, config: TimmConfig, inputs: dict[str, Any]) -> None:
        super().__init__()
        architecture = config.name.split(".")[0]
        if architecture not in timm.list_models():
            near = did_you_mean(architecture, timm.list_models())
            raise ConfigError(f"backbone.name={config.name}: timm has no such model{near}")
        self.arguments = self._arguments(config, inputs)
        try:
            self.network = timm.create_model(
                config.name,
                pretrained=config.pretrained is True,
                num_classes=0,
                in_chans=int(inputs["channels"]),
                **self.arguments,
            )
        except (TypeError, ValueError, AssertionError) as error:
            raise ConfigError(f"backbone.name={config.name} does not accept {self.arguments}: {error}") from error
        except (OSError, RuntimeError) as error:
            raise ConfigError(
                f"pretrained weights of timm's {config.name} are not cached and cannot be downloaded ({error})"
            ) from error
        self.num_features = int(self.network.num_features)
        if isinstance(self.network, VisionTransformer):
            self.tokens_are = Tokens.patches
            self.patch = tuple(self.network.patch_embed.patch_size)
            self.grid = tuple(self.network.patch_embed.grid_size)
            sides = sides_of(inputs)
            if any(side % patch for side, patch in zip(sides, self.patch, strict=True)):
                raise ConfigError(
                    f"backbone={config.name} cuts patches of {self.patch[0]}x{self.patch[1]}, which do not tile inputs "
                    f"of {sides[0]}x{sides[1]}; backbone.patch_size takes a side that divides both, or two"
                )
        if config.positions is Positions.sincos:
            self._fix_positions(config.name)

    def _fix_positions(self, name: str) -> None:
        """Fixed sine-cosine position embedding; zero for the class token, as in MAE's code."""
        positions = getattr(self.network, "pos_embed", None) if self.tokens_are else None
        if positions is None:
            raise ConfigError(
                f"backbone.positions=sincos: {name} adds no positions to patches; omit backbone.positions"
            )
        if positions.shape[-1] % 4:
            raise ConfigError(f"backbone.positions=sincos needs a width that 4 divides, got {positions.shape[-1]}")
        fixed = sincos_2d(positions.shape[-1], self.grid)  # (N, D)
        with torch.no_grad():
            positions.zero_()[0, -len(fixed) :] = fixed
        positions.requires_grad_(False)

    @staticmethod
    def _arguments(config: TimmConfig, inputs: dict[str, Any]) -> dict[str, Any]:
        arguments = dict(config.options)
        if config.name.split(".")[0] in timm.list_models(module=("vision_transformer", "deit")):
            arguments.setdefault("dynamic_img_size", True)  # multi-crop: resample position embeddings for small views
        if config.pool is not None:
            arguments["global_pool"] = config.pool
            arguments["fc_norm"] = False  # norm before pooling, because masked methods need normalised tokens
        pretrained_cfg = timm.get_pretrained_cfg(config.name.split(".")[0])
        if pretrained_cfg is not None and pretrained_cfg.fixed_input_size:  # e.g. ViTs, for their position embedding
            arguments.setdefault("img_size", inputs["image_size"])
        if config.patch_size is not None:
            arguments["patch_size"] = (
                config.patch_size if isinstance(config.patch_size, int) else tuple(config.patch_size)
            )
        if config.drop_path:
            arguments["drop_path_rate"] = config.drop_path
        return arguments

    def forward(self, x: Tensor, **rest: Any) -> Tensor:
        """(B, C, H, W) -> (B, D)."""
        return self.network(x)

    def pooled_and_tokens(
        self,
        x: Tensor,
        keep: Tensor | None = None,
        *,
        is_masked: Tensor | None = None,
        mask_token: Tensor | None = None,
        **rest: Any,
    ) -> tuple[Tensor, Tensor]:
        """(B, C, H, W) -> (B, D) and (B, N, D), normalised; N = K if `keep` is given."""
        if self.tokens_are is None:
            return super().pooled_and_tokens(x, keep)
        net = self.network
        patches = net.patch_embed(x)  # (B, H, W, D), or (B, N, D) without dynamic_img_size
        if is_masked is not None:
            assert mask_token is not None
            at = is_masked.reshape(*patches.shape[:-1], 1)
            patches = torch.where(at, mask_token.to(patches.dtype), patches)
        prefix = net.num_prefix_tokens
        sequence = net._pos_embed(patches)  # (B, P + N, D)
        if keep is not None:
            at = keep[..., None].expand(-1, -1, sequence.shape[-1])  # (B, K, D)
            sequence = torch.cat([sequence[:, :prefix], sequence[:, prefix:].gather(1, at)], dim=1)
        sequence = net.norm(net.blocks(net.norm_pre(sequence)))
        return net.forward_head(sequence), sequence[:, prefix:]

    def library_config(self) -> dict[str, Any]:
        """Entries for `timm.create_model("local-dir:FOLDER")`."""
        height, width = sides_of(self.inputs)
        return {
            "library": "timm",
            "architecture": self.config.name.split(".")[0],
            "num_classes": 0,
            "num_features": self.num_features,
            "model_args": {"in_chans": int(self.inputs["channels"]), **self.arguments},
            "pretrained_cfg": {
                "input_size": [int(self.inputs["channels"]), height, width],
                "mean": self.inputs.get("mean"),
                "std": self.inputs.get("std"),
                "num_classes": 0,
                "classifier": None,
            },
        }

    def layers(self) -> list[list[nn.Parameter]]:
        """Parameters before the blocks, then each block, then those after them."""
        blocks = getattr(self.network, "blocks", None)
        if not isinstance(blocks, nn.Sequential | nn.ModuleList):
            return super().layers()
        return layers_of(self.network, blocks, last=("norm.", "fc_norm.", "attn_pool."))
