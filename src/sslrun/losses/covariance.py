"""Shared by VICReg and Barlow Twins: how far features are from decorrelated."""

from torch import Tensor


def off_diagonal_squares(x: Tensor, y: Tensor) -> Tensor:
    """Sum of (x^T y)_ij^2 over i != j.

    For N < D the sum over all entries comes from the two N x N Gram matrices, |x^T y|^2 = <x x^T, y y^T>, at N/D of the
    cost: a projector of 8192 needs no 8192 x 8192 matrix.

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
