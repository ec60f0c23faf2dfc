"""Dry run: build the model without memory, to find mismatches before a large dataset is read."""

from contextlib import suppress

import torch

from sslrun.backbones.folder import build_encoder, find_weights
from sslrun.config.command.pretrain import PretrainConfig
from sslrun.config.registry import target_of
from sslrun.core.hub import local_path
from sslrun.data.base import Data
from sslrun.methods.base import build_method, check_fit


def dry_run(config: PretrainConfig) -> type:
    """Build backbone and method on the meta device, if the dataset's configuration determines the input shapes.

    Returns:
        The batch type that the method reads.

    Raises:
        ConfigError: dataset, augmentation, backbone and method do not fit; an invalid value; weights are missing.
    """
    batch_type = check_fit(config.method, config.augmentation, config.dataset)
    dataset: type[Data] = target_of("dataset", config.dataset)
    inputs = dataset.expected_inputs(config.dataset, config.augmentation, batch_type=batch_type)
    if isinstance(config.backbone.pretrained, str):
        find_weights(local_path(config.backbone.pretrained, key="backbone.pretrained"))
    if inputs is None or config.backbone.pretrained:
        return batch_type
    # a network that computes with its weights while it is built raises one of these; it is built again later
    with suppress(RuntimeError, TypeError), torch.device("meta"):
        build_method(config.method, build_encoder(config.backbone, inputs))
    return batch_type
