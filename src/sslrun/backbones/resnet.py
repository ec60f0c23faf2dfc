"""torchvision's ResNets, with optional width and a stem for small images."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torchvision.models import get_model, get_model_weights, resnet

from sslrun.backbones.base import Encoder
from sslrun.backbones.weights import layers_of
from sslrun.config.backbone.resnet import ResNetConfig, Stem
from sslrun.config.errors import ConfigError


class ResNet(Encoder):
    """ResNet (He et al. 2016, arXiv:1512.03385) without its classifier; (B, C, H, W) -> (B, D) by average pooling.

    `stem: small` is SimCLR's variant for CIFAR (appendix B.9): a 3x3 convolution of stride 1 and no max pooling.
    """

    ignored = ("fc.",)

    def __init__(self, config: ResNetConfig, inputs: dict[str, Any]) -> None:
        super().__init__()
        network = get_model(config.name, weights=None)
        if config.width != 64:
            _set_width(network, config.width)
        channels, small = int(inputs["channels"]), config.stem is Stem.small
        if small:
            network.conv1 = nn.Conv2d(channels, config.width, 3, stride=1, padding=1, bias=False)
            network.maxpool = nn.Identity()
        elif channels != 3 or config.width != 64:
            network.conv1 = nn.Conv2d(channels, config.width, 7, stride=2, padding=3, bias=False)
        nn.init.kaiming_normal_(network.conv1.weight, mode="fan_out", nonlinearity="relu")
        if config.zero_init_residual:
            for block in residual_blocks(network):
                last = "bn3" if isinstance(block, resnet.Bottleneck) else "bn2"
                nn.init.zeros_(block.get_parameter(f"{last}.weight"))
        self.num_features = network.layer4[-1].bn1.num_features * resnet_expansion(network)
        network.fc = nn.Identity()
        self.network = network
        if config.pretrained is True:
            self._load_torchvision_weights(config)

    def forward(self, x: Tensor, **rest: Any) -> Tensor:
        """(B, C, H, W) -> (B, D)."""
        return self.network(x)

    def library_config(self) -> dict[str, Any]:
        """torchvision has no config format; this names the model function."""
        return {"library": "torchvision", "architecture": self.config.name}

    def layers(self) -> list[list[nn.Parameter]]:
        """Stem, then each residual block."""
        return layers_of(self.network, residual_blocks(self.network))

    def _load_torchvision_weights(self, config: ResNetConfig) -> None:
        if config.width != 64 or config.stem is Stem.small or self.network.conv1.in_channels != 3:
            raise ConfigError(
                "backbone.pretrained=true needs width=64, stem=large and 3 channels, as torchvision's weights have"
            )
        try:
            state = get_model_weights(config.name).DEFAULT.get_state_dict(progress=False, check_hash=True)
        except OSError as error:
            raise ConfigError(
                f"backbone.pretrained=true: torchvision's weights cannot be fetched here ({error})"
            ) from error
        self.load_library_state(state)


def residual_blocks(network: resnet.ResNet) -> Iterator[nn.Module]:
    """Residual blocks, input first."""
    for stage in (network.layer1, network.layer2, network.layer3, network.layer4):
        yield from stage


def resnet_expansion(network: resnet.ResNet) -> int:
    """Output channels of a block per channel of its width."""
    return int(network.layer4[-1].expansion)


def _set_width(network: resnet.ResNet, width: int) -> None:
    """Rebuild the stages as torchvision does, with `width` instead of 64 channels in the first."""
    block = type(network.layer1[0])
    counts = [len(stage) for stage in (network.layer1, network.layer2, network.layer3, network.layer4)]
    network.inplanes = width
    network.bn1 = nn.BatchNorm2d(width)
    for stage, count in enumerate(counts):
        layer = network._make_layer(block, width * 2**stage, count, stride=1 if stage == 0 else 2)
        for module in layer.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        setattr(network, f"layer{stage + 1}", layer)
    assert isinstance(network.layer4, nn.Sequential) and torch.is_tensor(network.bn1.weight)
