"""SIGReg against algorithm 1 of arXiv:2511.08544, retyped in NumPy, and against the statistic's closed form."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from sslrun.losses.sigreg import characteristic_function, epps_pulley, knots, random_directions

KNOTS, DOMAIN = 17, 5.0


def statistic(z: Tensor, directions: Tensor, *, count: int = KNOTS, domain: float = DOMAIN) -> Tensor:
    t = knots(count, domain=domain, device=z.device)
    return epps_pulley(characteristic_function(z, directions=directions, t=t), t=t, count=len(z))


def algorithm_1(z: np.ndarray, directions: np.ndarray) -> float:
    """The paper's: all 17 points of [-5, 5], complex numbers."""
    t = np.linspace(-DOMAIN, DOMAIN, KNOTS)
    gaussian = np.exp(-0.5 * t**2)
    ecf = np.exp(1j * (z @ directions.T)[:, :, None] * t).mean(axis=0)  # (M, T)
    error = np.abs(ecf - gaussian) ** 2 * gaussian
    return float((np.trapezoid(error, t, axis=1) * len(z)).mean())


def closed_form(x: np.ndarray) -> float:
    """The integral over the whole line, by Gaussian integrals: sum over pairs, over rows, and a constant."""
    n = len(x)
    pairs = np.exp(-((x[:, None] - x[None]) ** 2) / 2).sum() / n**2
    rows = math.sqrt(1 / 2) * np.exp(-(x**2) / 4).sum() / n
    return float(n * math.sqrt(2 * math.pi) * (pairs - 2 * rows + math.sqrt(1 / 3)))


@pytest.fixture
def z() -> Tensor:
    return 1.3 * torch.randn(9, 6, generator=torch.Generator().manual_seed(0)) + 0.2


@pytest.fixture
def directions() -> Tensor:
    return random_directions(5, 6, seed=3, device=torch.device("cpu"))


def test_value_is_the_papers(z: Tensor, directions: Tensor) -> None:
    expected = algorithm_1(z.double().numpy(), directions.double().numpy())
    assert statistic(z, directions).item() == pytest.approx(expected, rel=1e-5)


def test_gradient_is_the_papers(z: Tensor, directions: Tensor) -> None:
    z.requires_grad_()
    statistic(z, directions).backward()
    a, along, step = z.detach().double().numpy(), directions.double().numpy(), 1e-5
    for row, column in np.ndindex(a.shape):
        up, down = a.copy(), a.copy()
        up[row, column] += step
        down[row, column] -= step
        slope = (algorithm_1(up, along) - algorithm_1(down, along)) / (2 * step)
        assert z.grad is not None
        assert z.grad[row, column].item() == pytest.approx(slope, abs=1e-5)


def test_many_knots_give_the_integral(z: Tensor) -> None:
    """Along one axis, on [-12, 12]."""
    axis = torch.eye(6)[:1]
    expected = closed_form(z[:, 0].double().numpy())
    assert statistic(z, axis, count=401, domain=12.0).item() == pytest.approx(expected, rel=1e-4)


def test_by_hand() -> None:
    """All rows 0: the characteristic function is 1, and N sqrt(2 pi) (1 - sqrt 2 + 1 / sqrt 3) is left."""
    expected = 4 * math.sqrt(2 * math.pi) * (1 - math.sqrt(2) + 1 / math.sqrt(3))
    assert statistic(torch.zeros(4, 3), torch.eye(3), count=401, domain=12.0).item() == pytest.approx(
        expected, rel=1e-4
    )


def test_normal_samples_have_what_chance_gives() -> None:
    """On average the integral of (1 - phi^2) phi, sqrt(2 pi) (1 - 1 / sqrt 3), whatever N; anything else has more."""
    batches = torch.randn(50, 200, 64, generator=torch.Generator().manual_seed(1))
    directions = random_directions(64, 64, seed=0, device=torch.device("cpu"))
    chance = math.sqrt(2 * math.pi) * (1 - 1 / math.sqrt(3))
    mean = torch.stack([statistic(normal, directions) for normal in batches]).mean()
    assert mean.item() == pytest.approx(chance, rel=0.05)
    normal = batches.flatten(0, 1)
    for other in (1.3 * normal, 0.7 * normal, normal + 0.3, normal[:, :1].expand(-1, 64)):
        assert statistic(other, directions).item() > 10 * chance


def test_halves_of_a_batch_share_their_characteristic_functions(z: Tensor, directions: Tensor) -> None:
    z, t = z[:8], knots(KNOTS, domain=DOMAIN, device=z.device)
    halves = torch.stack([characteristic_function(part, directions=directions, t=t) for part in (z[:4], z[4:])])
    shared = epps_pulley(halves.mean(dim=0), t=t, count=8)
    assert shared.item() == pytest.approx(statistic(z, directions).item(), rel=1e-5)


def test_order_of_rows_does_not_matter(z: Tensor, directions: Tensor) -> None:
    assert statistic(z.flip(0), directions).item() == pytest.approx(statistic(z, directions).item(), rel=1e-5)


def test_directions_are_unit_vectors_of_their_seed() -> None:
    cpu = torch.device("cpu")
    one, other = random_directions(64, 8, seed=1, device=cpu), random_directions(64, 8, seed=2, device=cpu)
    torch.testing.assert_close(one.norm(dim=1), torch.ones(64))
    assert torch.equal(one, random_directions(64, 8, seed=1, device=cpu))
    assert (one - other).abs().max() > 0.1


def test_is_float32_under_bf16_autocast(z: Tensor, directions: Tensor) -> None:
    low = z.bfloat16()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = statistic(low, directions)
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(statistic(low.float(), directions).item(), rel=1e-6)
