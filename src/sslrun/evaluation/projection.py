"""2D projection of features: t-SNE (van der Maaten and Hinton 2008) after PCA."""

from collections.abc import Sequence
from pathlib import Path

import torch
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from torch import Tensor

from sslrun.core.atomic import write_csv

MAX_ITEMS = 1000


def write_embedding(path: Path, points: Tensor, labels: Sequence[str]) -> None:
    """Write a CSV with columns x, y, label."""
    rows = ((f"{x:.3f}", f"{y:.3f}", label) for (x, y), label in zip(points.tolist(), labels, strict=True))
    write_csv(path, ("x", "y", "label"), rows)


def project_2d(features: Tensor, *, seed: int) -> tuple[Tensor, Tensor]:
    """Project a random subset of at most 1,000 items.

    Args:
        features: (N, D).

    Returns:
        (M, 2) coordinates and (M,) row indices into `features`.
    """
    generator = torch.Generator().manual_seed(seed)
    chosen = torch.randperm(len(features), generator=generator)[:MAX_ITEMS].sort().values
    x = torch.nn.functional.normalize(features[chosen].float(), dim=1).numpy()
    if len(x) < 5:
        return torch.zeros(len(x), 2), chosen
    x = PCA(n_components=min(50, *x.shape), random_state=seed).fit_transform(x)
    # init="pca" makes the layout reproducible
    coordinates = TSNE(perplexity=min(30, (len(x) - 1) / 3), init="pca", random_state=seed).fit_transform(x)
    return torch.from_numpy(coordinates), chosen
