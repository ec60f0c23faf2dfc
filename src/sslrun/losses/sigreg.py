"""Sketched isotropic Gaussian regularisation (SIGReg) of LeJEPA.

In two halves, so that ranks need to share their characteristic functions only, a few numbers for each direction, and
no embeddings: `characteristic_function` is a mean over rows, hence over ranks; `epps_pulley` is what follows.
"""

import torch
import torch.nn.functional as F
from torch import Tensor


def random_directions(count: int, dim: int, *, seed: int, device: torch.device) -> Tensor:
    """(count, dim) unit vectors, uniform on the sphere; the same for the same seed on devices of one kind."""
    generator = torch.Generator(device).manual_seed(seed)
    return F.normalize(torch.randn(count, dim, generator=generator, device=device), dim=1)


def knots(count: int, *, domain: float, device: torch.device) -> Tensor:
    """The non-negative half of `count` (odd) evenly spaced points of [-domain, domain]: ((count + 1) / 2,)."""
    return torch.linspace(0, domain, count // 2 + 1, device=device)


def characteristic_function(z: Tensor, *, directions: Tensor, t: Tensor) -> Tensor:
    """Mean over rows of exp(i t <z, a>), for each direction a (arXiv:2511.08544, algorithm 1).

    Args:
        z: (B, D).
        directions: (M, D).
        t: (T,).

    Returns:
        (2, M, T) float32: real and imaginary part.
    """
    with torch.autocast(z.device.type, enabled=False):
        phase = (z.float() @ directions.T).unsqueeze(-1) * t  # (B, M, T)
        return torch.stack([phase.cos().mean(dim=0), phase.sin().mean(dim=0)])


def epps_pulley(function: Tensor, *, t: Tensor, count: int) -> Tensor:
    """The Epps-Pulley statistic against N(0, 1), mean over directions (Balestriero and LeCun 2025, arXiv:2511.08544).

    N times the integral over [-t_max, t_max] of |phi_z(t) - phi(t)|^2 phi(t), phi(t) = exp(-t^2 / 2), by the
    trapezoidal rule; the integrand is even, so that t >= 0 suffices.

    Args:
        function: (2, M, T), the mean of `characteristic_function` over all ranks.
        t: (T,) from 0 up, evenly spaced.
        count: N, rows of all ranks.

    Returns:
        () float32, at least 0.
    """
    gaussian = torch.exp(-t.square() / 2)  # (T,)
    real, imaginary = function  # 2 x (M, T)
    distance = (real - gaussian).square() + imaginary.square()  # (M, T)
    return 2 * count * torch.trapezoid(distance * gaussian, t, dim=-1).mean()
