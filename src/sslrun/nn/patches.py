"""Images as rows of patches, in the order of an encoder's tokens."""

from torch import Tensor


def patchify(x: Tensor, *, size: int) -> Tensor:
    """(B, C, H, W) -> (B, N, size * size * C), row by row of the grid; H and W are multiples of `size`."""
    b, c, h, w = x.shape
    patches = x.reshape(b, c, h // size, size, w // size, size)
    return patches.permute(0, 2, 4, 3, 5, 1).reshape(b, (h // size) * (w // size), size * size * c)


def unpatchify(patches: Tensor, *, grid: tuple[int, int], size: int) -> Tensor:
    """Inverse of `patchify`: (B, N, size * size * C) -> (B, C, H, W)."""
    b, rows, columns = len(patches), *grid
    x = patches.reshape(b, rows, columns, size, size, -1).permute(0, 5, 1, 3, 2, 4)
    return x.reshape(b, -1, rows * size, columns * size)
