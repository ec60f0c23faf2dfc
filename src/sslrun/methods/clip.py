"""CLIP (Radford et al. 2021, arXiv:2103.00020): each picture finds its caption in the batch, each caption its picture.

Equal captions of several pictures are all right answers, on whatever rank they are: UniCL, arXiv:2204.03610.

Formula:
    loss = 1/2 mean over i of  - sum_j t_ij log softmax_j(s x_i . y_j)  +  the same of texts to images

    x, y: unit-length projections of images and captions; s: a learned scale of at most 100; t_ij: 1 / their number
    if caption j equals i's, else 0.

When to choose it:
    Pictures with captions, names or product texts: afterwards a text finds pictures (`sslrun search`), and names of
    classes classify them (`sslrun zeroshot`). It wants large batches; if those do not fit choose siglip.
"""

from torch import Tensor

from sslrun.core import dist
from sslrun.losses.clip import clip_loss
from sslrun.methods.two_towers import TwoTowers


class CLIP(TwoTowers):
    """Figure 3."""

    def loss(self, images: Tensor, texts: Tensor, *, scale: Tensor, captions: Tensor) -> Tensor:
        """Every rank's images and texts are negatives."""
        return clip_loss(
            images,
            texts,
            scale=scale,
            captions=captions,
            all_images=dist.gather(images),
            all_texts=dist.gather(texts),
            all_captions=dist.gather(captions),
        )
