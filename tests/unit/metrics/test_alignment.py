import math

import pytest
import torch

from sslrun.metrics.alignment import alignment, uniformity


def test_alignment_of_parallel_orthogonal_and_opposed_rows():
    z1 = torch.tensor([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0]])
    z2 = torch.tensor([[5.0, 0.0], [0.0, 2.0], [-3.0, 0.0]])
    assert alignment(z1, z2).item() == pytest.approx((0 + 2 + 4) / 3)


def test_uniformity_of_three_rows():
    z = torch.tensor([[1.0, 0.0], [0.0, 4.0], [-2.0, 0.0]])  # squared distances 2, 4, 2
    assert uniformity(z).item() == pytest.approx(math.log((2 * math.exp(-4) + math.exp(-8)) / 3))
    assert uniformity(z, t=1).item() == pytest.approx(math.log((2 * math.exp(-2) + math.exp(-4)) / 3))


def test_uniformity_of_one_direction_is_zero():
    assert uniformity(torch.ones(5, 3)).item() == pytest.approx(0, abs=1e-6)


def test_uniformity_stays_finite_where_every_potential_underflows():
    z = torch.tensor([[1.0, 0.0], [-1.0, 0.0]])
    assert uniformity(z, t=100).item() == pytest.approx(-400)


def test_the_authors_formula():
    z = torch.nn.functional.normalize(torch.randn(20, 6, generator=torch.Generator().manual_seed(0)), dim=1)
    other = torch.nn.functional.normalize(torch.randn(20, 6, generator=torch.Generator().manual_seed(1)), dim=1)
    assert torch.allclose(alignment(z, other), (z - other).norm(p=2, dim=1).pow(2).mean())
    assert torch.allclose(uniformity(z), torch.pdist(z, p=2).pow(2).mul(-2).exp().mean().log())
