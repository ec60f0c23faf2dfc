"""What VICReg and Barlow Twins share: how far two sets of features are from decorrelated."""

from torch import Tensor


def off_diagonal_squares(x: Tensor, y: Tensor) -> Tensor:
    """Sum of (x^T y)_ij^2 over i != j.

    Of N < D rows the squares of all entries come from the two N x N Gram matrices, |x^T y|^2 = <x x^T, y y^T>: a
    projector of 8192 then never makes a matrix of 8192 x 8192, and costs N/D of its products.

    Args:
        x, y: (N, D) float32.

    Returns:
        ().
    """
    rows, columns = x.shape
    if rows < columns:
        gram_x = x @ x.T  # (N, N)
        gram_y = gram_x if y is x else y @ y.T  # (N, N)
        return (gram_x * gram_y).sum() - (x * y).sum(dim=0).square().sum()
    cross = x.T @ y  # (D, D)
    return cross.square().sum() - cross.diagonal().square().sum()
