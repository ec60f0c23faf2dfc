"""Images as sequences of patches, in the order of an encoder's tokens."""

from torch import Tensor


def patchify(x: Tensor, *, patch: tuple[int, int]) -> Tensor:
    """(B, C, H, W) -> (B, N, h * w * C), row by row of the grid; H and W are multiples of the patch's h and w."""
    (b, c, height, width), (h, w) = x.shape, patch
    patches = x.reshape(b, c, height // h, h, width // w, w)
    return patches.permute(0, 2, 4, 3, 5, 1).reshape(b, (height // h) * (width // w), h * w * c)
