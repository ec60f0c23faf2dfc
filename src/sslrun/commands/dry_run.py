"""Building the net on paper, so that a misfit is found before a large dataset is listed or decoded."""

from contextlib import suppress

import torch

from sslrun.backbones.folder import build_encoder, find_weights
from sslrun.config.command.pretrain import PretrainConfig
from sslrun.config.registry import target_of
from sslrun.core.hub import local_path
from sslrun.data.base import Data
from sslrun.methods.base import build_method, check_fit


def rehearse(config: PretrainConfig) -> type:
    """Build policy, backbone and method without memory, as far as the dataset's configuration tells shapes.

    Returns:
        The batch type that method and dataset share.

    Raises:
        ConfigError: they do not fit each other, one has a value that it cannot have, or weights are absent.
    """
    batch_type = check_fit(config.method, config.augmentation, config.dataset)
    dataset: type[Data] = target_of("dataset", config.dataset)
    inputs = dataset.expected_inputs(config.dataset, config.augmentation, batch_type=batch_type)
    if isinstance(config.backbone.pretrained, str):
        find_weights(local_path(config.backbone.pretrained, key="backbone.pretrained"))
    if inputs is None or config.backbone.pretrained:
        return batch_type
    # a net that computes with its weights while it is built raises one of these; it is built again with memory
    with suppress(RuntimeError, TypeError), torch.device("meta"):
        build_method(config.method, build_encoder(config.backbone, inputs))
    return batch_type
