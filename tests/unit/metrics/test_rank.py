import math

import pytest
import torch

from sslrun.metrics.rank import rankme, relative_std


def test_rankme_counts_equal_directions():
    assert rankme(torch.eye(4)).item() == pytest.approx(4, rel=1e-4)
    assert rankme(3 * torch.eye(7)[:, :5]).item() == pytest.approx(5, rel=1e-4)


def test_rankme_of_two_unequal_directions():
    # singular values 3 and 1: p = 3/4, 1/4
    entropy = -(0.75 * math.log(0.75) + 0.25 * math.log(0.25))
    assert rankme(torch.diag(torch.tensor([3.0, 1.0]))).item() == pytest.approx(math.exp(entropy), rel=1e-4)


@pytest.mark.parametrize("z", [torch.ones(6, 4), torch.zeros(6, 4)], ids=["one direction", "zero"])
def test_rankme_of_a_collapsed_embedding_is_one(z):
    assert rankme(z).item() == pytest.approx(1, abs=1e-4)


def test_rankme_ignores_scale_rotation_and_low_precision():
    z = torch.randn(50, 8, generator=torch.Generator().manual_seed(0))
    rotation = torch.linalg.qr(torch.randn(8, 8, generator=torch.Generator().manual_seed(1))).Q
    assert rankme(5 * z @ rotation).item() == pytest.approx(rankme(z).item(), rel=1e-4)
    assert rankme(z.bfloat16()).item() == pytest.approx(rankme(z).item(), rel=1e-2)


def test_relative_std_of_opposed_axes_is_one():
    # each of D columns holds +1, -1 and 2D - 2 zeros: std = 1 / sqrt(D)
    z = torch.cat([torch.eye(4), -torch.eye(4)]) * torch.arange(1, 9)[:, None]
    assert relative_std(z).item() == pytest.approx(1)


def test_relative_std_of_one_direction_is_zero_whatever_the_lengths():
    assert relative_std(torch.ones(5, 3) * torch.arange(1, 6)[:, None]).item() == pytest.approx(0, abs=1e-6)


def test_relative_std_of_two_opposed_rows_in_the_plane():
    # columns (1, -1) and (0, 0): std 1 and 0; mean 1/2 times sqrt(2)
    assert relative_std(torch.tensor([[2.0, 0.0], [-3.0, 0.0]])).item() == pytest.approx(math.sqrt(2) / 2)
