import math

import numpy as np
import pytest
import torch

from sslrun.evaluation.intervals import bootstrap_interval, draws_interval, percentile_interval, resampled_counts

EXPERIMENTS, DRAWS, ITEMS = 600, 5, 300
TRUE_MEAN = 0.7


def experiment(generator: np.random.Generator, *, draw_std: float, item_std: float) -> torch.Tensor:
    """(DRAWS, ITEMS) of 0 and 1: a random effect per draw and per item, crossed, then a coin per cell."""
    effects = generator.normal(0, draw_std, (DRAWS, 1)) + generator.uniform(-1, 1, (1, ITEMS)) * item_std
    return torch.from_numpy(generator.random((DRAWS, ITEMS)) < TRUE_MEAN + effects).double()


def naive_interval(per_draw: torch.Tensor) -> tuple[float, float]:
    """The percentile bootstrap over draw means that one is tempted to report."""
    means = per_draw.mean(dim=1)
    resamples = torch.randint(len(means), (1000, len(means)), generator=torch.Generator().manual_seed(0))
    return percentile_interval(means[resamples].mean(dim=1))


def coverage(interval, **stds: float) -> float:
    generator = np.random.default_rng(0)
    intervals = [interval(experiment(generator, **stds)) for _ in range(EXPERIMENTS)]
    return sum(low <= TRUE_MEAN <= high for low, high in intervals) / EXPERIMENTS


@pytest.mark.parametrize(
    "stds",
    [{"draw_std": 0.05, "item_std": 0.0}, {"draw_std": 0.05, "item_std": 0.3}, {"draw_std": 0.0, "item_std": 0.3}],
    ids=["draws vary", "draws and items vary", "items vary"],
)
def test_draws_interval_covers_where_the_naive_bootstrap_does_not(stds):
    honest, naive = coverage(draws_interval, **stds), coverage(naive_interval, **stds)
    assert 0.92 <= honest <= 1.0
    assert naive <= 0.88
    assert honest - naive >= 0.07


def test_draws_interval_by_hand():
    # draw means 0.5 and 1: t(1) = 12.7062, std 0.353553; item means 1 and 0.5: std 0.25
    low, high = draws_interval(torch.tensor([[1.0, 0.0], [1.0, 1.0]]))
    half = math.hypot(12.7062 * 0.353553 / math.sqrt(2), 1.95996 * 0.25 / math.sqrt(2))
    assert (low, high) == pytest.approx((0.75 - half, 0.75 + half), rel=1e-5)


def test_bootstrap_of_an_accuracy_is_the_binomial_interval():
    # binomial(100, 0.8) / 100: the 2.5 % and 97.5 % points are 0.72 and 0.87
    correct = torch.cat([torch.ones(80), torch.zeros(20)])
    assert bootstrap_interval(correct, seed=0) == pytest.approx((0.72, 0.87), abs=0.011)


def test_bootstrap_of_a_continuous_mean_is_near_the_normal_interval():
    values = torch.randn(400, generator=torch.Generator().manual_seed(0))
    low, high = bootstrap_interval(values, seed=0)
    half = 1.96 * values.std().item() / 20
    assert (low, high) == pytest.approx((values.mean().item() - half, values.mean().item() + half), abs=0.01)


def test_bootstrap_coverage_of_an_accuracy():
    generator = np.random.default_rng(1)
    correct = [torch.from_numpy(generator.random(200) < 0.7) for _ in range(400)]
    intervals = [bootstrap_interval(c, seed=0, resamples=500) for c in correct]
    assert 0.92 <= sum(low <= 0.7 <= high for low, high in intervals) / 400 <= 0.98


def test_a_seed_repeats_and_order_does_not_matter():
    values = torch.arange(50.0)
    assert bootstrap_interval(values, seed=3) == bootstrap_interval(values.flip(0), seed=3)
    assert bootstrap_interval(values, seed=3) != bootstrap_interval(values, seed=4)


def test_every_resample_holds_n_items(monkeypatch):
    monkeypatch.setattr("sslrun.evaluation.intervals.MAX_COUNTS", 12)  # 4 rows at a time
    chunks = list(resampled_counts(torch.tensor([5, 0, 2]), resamples=10, seed=0))
    assert [len(c) for c in chunks] == [4, 4, 2]
    assert torch.cat(chunks).sum(dim=1).tolist() == [7] * 10
    assert torch.cat(chunks)[:, 1].sum() == 0


def test_draws_that_are_all_right_leave_the_exact_bound():
    assert draws_interval(torch.ones(5, 40)) == pytest.approx((0.025 ** (1 / 40), 1.0))
    assert draws_interval(torch.zeros(5, 40)) == pytest.approx((0.0, 1 - 0.025 ** (1 / 40)))
