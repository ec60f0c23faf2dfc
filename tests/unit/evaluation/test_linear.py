import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from sslrun.config.errors import TrainingError
from sslrun.evaluation.features import Labelled
from sslrun.evaluation.linear import LinearProbe, fit_linear


def accuracy(probe: LinearProbe, features: torch.Tensor, labels: torch.Tensor) -> float:
    return (probe.scores(features).argmax(dim=1) == labels).float().mean().item()


@pytest.fixture(scope="module")
def digits() -> list[torch.Tensor]:
    """Train, validation and test pixels, then their labels."""
    x, y = load_digits(return_X_y=True)
    x, test_x, y, test_y = train_test_split(x.astype(np.float32), y, test_size=0.3, random_state=0, stratify=y)
    x, val_x, y, val_y = train_test_split(x, y, test_size=0.2, random_state=0, stratify=y)
    return [torch.from_numpy(a) for a in (x, val_x, test_x, y, val_y, test_y)]


def blobs(n: int, *, seed: int) -> Labelled:
    """Three classes far apart in 8 dimensions, on scales from 1e-3 to 1e3."""
    g = torch.Generator().manual_seed(seed)
    labels = torch.arange(n) % 3
    features = torch.randn(n, 8, generator=g) + 8 * torch.eye(8)[labels]
    return Labelled(features * torch.logspace(-3, 3, 8), labels)


def test_digits_within_two_points_of_sklearn(digits):
    x, val_x, test_x, y, val_y, test_y = digits
    probe = fit_linear(Labelled(x, y), Labelled(val_x, val_y), num_classes=10, seed=0)
    scaler = StandardScaler().fit(x)
    reference = LogisticRegression(C=0.1, max_iter=1000).fit(scaler.transform(x), y)
    assert accuracy(probe, test_x, test_y) >= reference.score(scaler.transform(test_x), test_y) - 0.02
    assert probe.validation_top1 == pytest.approx(accuracy(probe, val_x, val_y))


def test_one_head_reaches_the_optimum_of_sklearn(digits):
    # sklearn minimises C sum(loss) + |w|^2 / 2 over w of standardised features: C = 1 / (N D weight_decay)
    x, val_x, test_x, y, val_y, _ = digits
    probe = fit_linear(
        Labelled(x, y),
        Labelled(val_x, val_y),
        num_classes=10,
        seed=0,
        learning_rates=[10],
        weight_decays=[1e-3],
        min_steps=3000,
    )
    scaler = StandardScaler().fit(x)
    reference = LogisticRegression(C=1 / (len(x) * 64 * 1e-3), tol=1e-6, max_iter=5000).fit(scaler.transform(x), y)
    ours = probe.scores(test_x).softmax(dim=1).numpy()
    assert np.abs(ours - reference.predict_proba(scaler.transform(test_x))).mean() < 2e-3


def test_separable_classes_are_separated_whatever_the_scale_of_a_feature():
    probe = fit_linear(blobs(90, seed=0), blobs(30, seed=1), num_classes=3, seed=0, min_steps=200)
    assert accuracy(probe, *blobs(300, seed=2)) == 1


def test_heads_of_a_grid_are_those_trained_alone():
    train, val = blobs(90, seed=0), blobs(30, seed=1)
    options = {"num_classes": 3, "seed": 0, "min_steps": 50}
    grid = fit_linear(train, val, **options, learning_rates=[0.3, 1.0], weight_decays=[1e-2, 0.0])
    alone = fit_linear(train, val, **options, learning_rates=[grid.learning_rate], weight_decays=[grid.weight_decay])
    assert torch.allclose(grid.weight, alone.weight, atol=1e-6)


def test_validation_chooses_among_heads_trained_alone(digits):
    x, val_x, _, y, val_y, _ = digits
    rates, options = [0.01, 1.0, 1000.0], {"num_classes": 10, "seed": 0, "min_steps": 60, "epochs": 1}
    train, shuffled = (
        Labelled(x[:200], y[:200]),
        val_y[torch.randperm(len(val_y), generator=torch.Generator().manual_seed(0))],
    )
    for labels in (val_y, shuffled):
        held_out = Labelled(val_x, labels)
        alone = [
            fit_linear(train, held_out, **options, learning_rates=[r], weight_decays=[0]).validation_top1 for r in rates
        ]
        chosen = fit_linear(train, held_out, **options, learning_rates=rates, weight_decays=[0])
        assert chosen.learning_rate == rates[alone.index(max(alone))]
        assert chosen.validation_top1 == pytest.approx(max(alone))


def test_a_constant_feature_does_no_harm():
    features, labels = blobs(90, seed=0)
    features = torch.cat([features, torch.full((90, 1), 7.0)], dim=1)
    items = Labelled(features, labels)
    probe = fit_linear(items, items, num_classes=3, seed=0, min_steps=200)
    assert probe.std[-1] == 1
    assert probe.validation_top1 == 1


def test_a_diverged_head_is_not_chosen_and_spoils_no_other():
    train, val = blobs(90, seed=0), blobs(30, seed=1)
    options = {"num_classes": 3, "seed": 0, "min_steps": 200, "weight_decays": [1.0]}
    probe = fit_linear(train, val, **options, learning_rates=[1e6, 0.1])
    assert (probe.learning_rate, probe.validation_top1) == (0.1, 1)
    with pytest.raises(TrainingError, match=r"linear.learning_rates: all of \[1000000.0\] diverged"):
        fit_linear(train, val, **options, learning_rates=[1e6])


def test_a_seed_repeats():
    train, val = blobs(600, seed=0), blobs(30, seed=1)
    first, again, other = (
        fit_linear(train, val, num_classes=3, seed=s, min_steps=20, epochs=1, batch_size=64) for s in (0, 0, 1)
    )
    assert torch.equal(first.weight, again.weight)
    assert not torch.equal(first.weight, other.weight)


def test_three_items_and_three_classes_train():
    items = blobs(3, seed=0)
    probe = fit_linear(items, items, num_classes=3, seed=0, min_steps=100)
    assert probe.validation_top1 == 1
