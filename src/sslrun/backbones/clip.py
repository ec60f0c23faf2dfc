"""CLIP models of the library `transformers`: both encoders, their projections and the logit scale."""

from pathlib import Path

from torch import Tensor, nn

from sslrun.backbones.base import Encoder
from sslrun.backbones.folder import build_encoder
from sslrun.backbones.joint import Joint, Tower
from sslrun.backbones.transformers_checkpoint import CLIP_HEADS, open_checkpoint
from sslrun.config.errors import ConfigError

MODELS = ["clip_vision_model", "clip_text_model"]


def load_clip(folder: Path, *, encoder: str) -> Joint:
    """Both towers of a checkpoint folder, in eval mode on the CPU.

    Args:
        encoder: as given by the user.

    Raises:
        ConfigError: not a CLIP, or its image normalisation is unknown.
    """
    opened = [open_checkpoint(folder, encoder=encoder, tower=tower) for tower in ("image", "text")]
    if [config.name for config, _ in opened] != MODELS:
        raise ConfigError(
            f"encoder={encoder} is a {opened[0][0].name} without a text encoder; name a CLIP, or a run of method=clip"
        )
    images = opened[0][1]
    if images["mean"] is None or images["std"] is None:
        raise ConfigError(f"encoder={encoder} has no preprocessor_config.json with the images' mean and std")
    image, text = (build_encoder(config, inputs) for config, inputs in opened)
    heads = {**clip_heads(image), **clip_heads(text)}
    projections = []
    for name in CLIP_HEADS[:2]:
        weight = heads[name].float()
        projections.append(nn.Linear(weight.shape[1], weight.shape[0], bias=False))
        projections[-1].load_state_dict({"weight": weight})
    scale = heads["logit_scale"].float().exp()
    return Joint(Tower(image, projections[0]), Tower(text, projections[1]), scale).eval()


def clip_heads(encoder: Encoder) -> dict[str, Tensor]:
    """A CLIP's weights outside of its encoders, loaded with an encoder; empty if it is not from a CLIP."""
    return encoder.head_weights if all(name in encoder.head_weights for name in CLIP_HEADS) else {}
