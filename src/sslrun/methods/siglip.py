"""SigLIP (Zhai et al. 2023, arXiv:2303.15343): classify every pair of image and caption as matching or not.

If several images share a caption, it matches all of them.

Formula:
    loss = - mean over i of sum_j log sigmoid(z_ij (s x_i . y_j + b))

    x, y: unit-length projections of images and captions; z_ij: 1 if caption j equals i's, else -1; s, b: learned
    scale and bias (eq. 1).

When to choose it:
    As clip, for batches of a few hundred or less, where a softmax over the batch is a weak signal.
"""

import torch
from torch import Tensor, nn

from sslrun.backbones.base import Encoder
from sslrun.config.method.pairs import SigLIPConfig
from sslrun.core import dist
from sslrun.losses.siglip import siglip_loss
from sslrun.methods.two_towers import TwoTowers


class SigLIP(TwoTowers):
    """Algorithm 1."""

    def __init__(self, config: SigLIPConfig, encoder: Encoder) -> None:
        super().__init__(config, encoder)
        self.bias = nn.Parameter(torch.tensor(float(config.bias)))

    def loss(self, images: Tensor, texts: Tensor, *, scale: Tensor, captions: Tensor) -> Tensor:
        """This rank's images against the texts of all ranks."""
        return siglip_loss(
            images,
            texts,
            scale=scale,
            bias=self.bias,
            captions=captions,
            all_texts=dist.gather(texts),
            all_captions=dist.gather(captions),
        )
