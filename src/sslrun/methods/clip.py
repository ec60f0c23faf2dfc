"""CLIP (Radford et al. 2021, arXiv:2103.00020): match each image with its caption in the batch, and the reverse.

If several images share a caption, all of them are positives, on whatever rank they are: UniCL, arXiv:2204.03610.

Formula:
    loss = 1/2 mean over i of  - sum_j t_ij log softmax_j(s x_i . y_j)  +  the same from texts to images

    x, y: unit-length projections of images and captions; s: a learned scale of at most 100; t_ij: 1 / the number of
    captions equal to i's if caption j is one of them, else 0.

When to choose it:
    Images with captions, names or product texts. Afterwards a text retrieves images (`sslrun search`), and class names
    classify them (`sslrun zeroshot`). It needs large batches; if those do not fit choose siglip.
"""

from torch import Tensor

from sslrun.core import dist
from sslrun.losses.clip import clip_loss
from sslrun.methods.two_towers import TwoTowers


class CLIP(TwoTowers):
    """Figure 3."""

    def loss(self, images: Tensor, texts: Tensor, *, scale: Tensor, captions: Tensor) -> Tensor:
        """Negatives are the images and texts of all ranks."""
        return clip_loss(
            images,
            texts,
            scale=scale,
            captions=captions,
            all_images=dist.gather(images),
            all_texts=dist.gather(texts),
            all_captions=dist.gather(captions),
        )
