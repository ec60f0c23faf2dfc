"""A small convolutional network for images of 8 to 28 pixels."""

from typing import Any

from torch import Tensor, nn

from sslrun.backbones.base import Encoder
from sslrun.config.backbone.small_cnn import SmallCNNConfig


class SmallCNN(Encoder):
    """Three 3x3 convolutions with BatchNorm and ReLU, two of stride 2; average pooling to 2x2; D = 16 width."""

    def __init__(self, config: SmallCNNConfig, inputs: dict[str, Any]) -> None:
        super().__init__()
        w = config.width
        widths = [int(inputs["channels"]), w, 2 * w, 4 * w]
        blocks = [
            nn.Sequential(nn.Conv2d(i, o, 3, stride, 1, bias=False), nn.BatchNorm2d(o), nn.ReLU(inplace=True))
            for i, o, stride in zip(widths[:-1], widths[1:], (1, 2, 2), strict=True)
        ]
        self.network = nn.Sequential(*blocks, nn.AdaptiveAvgPool2d(2), nn.Flatten())
        self.num_features = 4 * widths[-1]

    def forward(self, x: Tensor, **rest: Any) -> Tensor:
        """(B, C, H, W) -> (B, D)."""
        return self.network(x)

    def layers(self) -> list[list[nn.Parameter]]:
        """One list per convolution."""
        return [list(self.network[i].parameters()) for i in range(3)]
