"""Linear probe: a hyperparameter grid of softmax regressions on frozen features, trained in parallel."""

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from sslrun.config.errors import TrainingError
from sslrun.evaluation.features import Labelled

LEARNING_RATES = (0.3, 1.0, 3.0, 10.0, 30.0)
WEIGHT_DECAYS = (0.0, 1e-6, 1e-5, 1e-4)
MOMENTUM = 0.9


@dataclass(frozen=True, kw_only=True)
class LinearProbe:
    """The head with the best validation top-1.

    Attributes:
        weight: (D, C), for standardised features.
        bias: (C,).
        mean, std: (D,) of the training features.
        learning_rate, weight_decay: the selected hyperparameters.
        validation_top1: the selection criterion; optimistic, as the maximum over a grid.
    """

    weight: Tensor
    bias: Tensor
    mean: Tensor
    std: Tensor
    learning_rate: float
    weight_decay: float
    validation_top1: float

    def to(self, device: str) -> "LinearProbe":
        """The same head on another device."""
        tensors = {name: getattr(self, name).to(device) for name in ("weight", "bias", "mean", "std")}
        return replace(self, **tensors)

    def scores(self, features: Tensor) -> Tensor:
        """(N, D) -> (N, C) logits."""
        return (features - self.mean) / self.std @ self.weight + self.bias


def fit_linear(
    train: Labelled,
    validation: Labelled,
    *,
    num_classes: int,
    seed: int,
    learning_rates: Sequence[float] = LEARNING_RATES,
    weight_decays: Sequence[float] = WEIGHT_DECAYS,
    epochs: int = 30,
    min_steps: int = 1000,
    batch_size: int = 256,
) -> LinearProbe:
    """Train one head for each learning rate and weight decay and keep the one with the best validation top-1.

    SGD with momentum 0.9 and cosine decay to zero; all G heads are stacked in one matrix and see the same batches.
    Features are standardised with training statistics and divided by sqrt(D), so that their mean squared norm is 1 and
    one grid of learning rates suits every D. Ties go to the first learning rate, then the first weight decay.
    Runs on the device of the features.

    Args:
        validation: used only to select the head.
        weight_decays: L2 penalties on the weights (for features of unit norm), not on the biases.
        epochs: passes over `train`; more if needed for `min_steps` steps.

    Raises:
        TrainingError: every head diverged.
    """
    items, dim = train.features.shape
    mean, std = train.features.mean(dim=0), feature_std(train.features)
    scale = std * math.sqrt(dim)
    grid = list(itertools.product(learning_rates, weight_decays))
    batch_size = min(batch_size, items)
    steps = max(min_steps, epochs * (items // batch_size))
    x = (train.features - mean) / scale
    weight, bias = _train_heads(
        x, train.labels, grid, num_classes=num_classes, steps=steps, batch_size=batch_size, seed=seed
    )  # (D, G, C), (G, C)
    top1 = _validation_top1(weight, bias, (validation.features - mean) / scale, validation.labels)  # (G,)
    if (top1 < 0).all():
        raise TrainingError(f"linear.learning_rates: all of {list(learning_rates)} diverged; try smaller ones")
    best = int(top1.argmax())
    learning_rate, weight_decay = grid[best]
    return LinearProbe(
        weight=weight[:, best] / math.sqrt(dim),
        bias=bias[best],
        mean=mean,
        std=std,
        learning_rate=learning_rate,
        weight_decay=weight_decay,
        validation_top1=top1[best].item(),
    )


def feature_std(features: Tensor) -> Tensor:
    """(D,) standard deviation of (N, D) features; 1 for constant features, to divide by."""
    std = features.std(dim=0, correction=0)
    return torch.where(std > 1e-6 * std.max(), std, torch.ones_like(std))


def _train_heads(
    x: Tensor,
    labels: Tensor,
    grid: Sequence[tuple[float, float]],
    *,
    num_classes: int,
    steps: int,
    batch_size: int,
    seed: int,
) -> tuple[Tensor, Tensor]:
    """Weights (D, G, C) and biases (G, C), one head per (learning rate, weight decay)."""
    heads, dim = len(grid), x.shape[1]
    learning_rate, weight_decay = x.new_tensor(grid).T[:, :, None]  # (G, 1) each
    weight, bias = x.new_zeros(dim, heads, num_classes), x.new_zeros(heads, num_classes)
    weight_velocity, bias_velocity = torch.zeros_like(weight), torch.zeros_like(bias)
    for step, index in enumerate(_batches(len(x), steps=steps, batch_size=batch_size, seed=seed)):
        index = index.to(x.device)
        batch, truth = x[index], labels[index]
        logits = (batch @ weight.flatten(1)).view(-1, heads, num_classes) + bias  # (B, G, C)
        error = logits.softmax(dim=2)
        error[torch.arange(len(batch), device=x.device), :, truth] -= 1  # dloss / dlogits
        error /= len(batch)
        gradient = (batch.T @ error.flatten(1)).view_as(weight)
        rate = learning_rate * (1 + math.cos(math.pi * step / steps)) / 2
        weight_velocity.mul_(MOMENTUM).add_(gradient).addcmul_(weight, weight_decay)
        bias_velocity.mul_(MOMENTUM).add_(error.sum(dim=0))
        weight.addcmul_(weight_velocity, rate, value=-1)
        bias.addcmul_(bias_velocity, rate, value=-1)
    return weight, bias


def _batches(n: int, *, steps: int, batch_size: int, seed: int) -> Iterator[Tensor]:
    """Yield `steps` batches of indices from seeded permutations, each without its incomplete last batch."""
    generator = torch.Generator().manual_seed(seed)
    while steps > 0:
        permutation = torch.randperm(n, generator=generator)
        for index in torch.split(permutation, batch_size)[: min(steps, n // batch_size)]:
            yield index
            steps -= 1


def _validation_top1(weight: Tensor, bias: Tensor, x: Tensor, labels: Tensor) -> Tensor:
    """(G,) accuracy of each head; -1 if it diverged."""
    top1 = torch.stack(
        [((x @ weight[:, g] + bias[g]).argmax(dim=1) == labels).float().mean() for g in range(len(bias))]
    )
    return torch.where(weight.isfinite().all(dim=2).all(dim=0), top1, -1.0)
