"""95 % intervals over test items, and over draws (label subsets, runs) and items."""

from collections.abc import Iterator

import numpy as np
import torch
from scipy import stats
from torch import Tensor

from sslrun.core.rows import Row, RowKey

CONFIDENCE = 0.95
TAIL = (1 - CONFIDENCE) / 2
MAX_COUNTS = 2**22  # resampled counts held at once: 32 MB of int64


def resampled_counts(counts: Tensor, *, resamples: int, seed: int) -> Iterator[Tensor]:
    """Bootstrap resamples of n items that take only M distinct values, as multinomial counts; exact in distribution.

    Args:
        counts: (M,) int64 items of each value; their sum is n.

    Yields:
        (r, M) float64 counts, in chunks that bound memory; `resamples` rows in total.
    """
    generator = np.random.default_rng(seed)
    n, shares = int(counts.sum()), (counts.double() / counts.sum()).numpy()
    chunk = max(1, MAX_COUNTS // len(counts))
    for start in range(0, resamples, chunk):
        resampled = generator.multinomial(n, shares, size=min(chunk, resamples - start))
        yield torch.from_numpy(resampled).double()  # (r, M)


def percentile_interval(statistics: Tensor) -> tuple[float, float]:
    """2.5th and 97.5th percentiles of (R,) bootstrap statistics, NaN ignored."""
    defined = statistics[~statistics.isnan()].double()
    low, high = torch.quantile(defined, torch.tensor([TAIL, 1 - TAIL], dtype=torch.float64)).tolist()
    return low, high


EXTREMES = (0.0, 1.0)
"""Values of a share for which the bootstrap shows no variance."""


def extreme_interval(value: float, *, n: int) -> tuple[float, float]:
    """Exact binomial interval (Clopper and Pearson 1934) of one of `EXTREMES`; of 1 it is [0.025^(1/n), 1]."""
    bound = TAIL ** (1 / n)
    return (bound, 1.0) if value else (0.0, 1 - bound)


def mean_row(key: RowKey, metric: str, per_item: Tensor, *, resamples: int = 2000) -> Row:
    """Row of the mean of (n,) per-item values, with its `bootstrap_interval`."""
    interval = bootstrap_interval(per_item, seed=key.seed, resamples=resamples)
    return key.row(metric, per_item.mean().item(), n=len(per_item), interval=interval)


def bootstrap_interval(per_item: Tensor, *, seed: int, resamples: int = 2000) -> tuple[float, float]:
    """Percentile bootstrap of the mean of per-item values, such as accuracy; `extreme_interval` if all are 0 or all 1.

    Args:
        per_item: (n,) values, such as 1 for a correct prediction.
    """
    values, counts = torch.unique(per_item.double().cpu(), return_counts=True)
    if len(values) == 1 and values.item() in EXTREMES:
        return extreme_interval(values.item(), n=len(per_item))
    chunks = resampled_counts(counts, resamples=resamples, seed=seed)
    means = [chunk @ values / len(per_item) for chunk in chunks]
    return percentile_interval(torch.cat(means))


def ratio_interval(sums: Tensor, counts: Tensor, *, seed: int, resamples: int = 1000) -> tuple[float, float]:
    """Percentile bootstrap over items of a ratio of sums, such as loss per token or word error rate.

    `extreme_interval` if all `sums` are 0, as for transcripts without errors.

    Args:
        sums, counts: (N,) float64 of each item.
    """
    if not sums.any():
        return extreme_interval(0.0, n=len(sums))
    ones = torch.ones(len(sums), dtype=torch.int64)
    weights = torch.cat(list(resampled_counts(ones, resamples=resamples, seed=seed)))  # (R, N)
    return percentile_interval((weights @ sums) / (weights @ counts))


def clustered_interval(per_item: Tensor, cluster: Tensor, *, seed: int, resamples: int = 1000) -> tuple[float, float]:
    """Cluster bootstrap of the mean of per-item values; a cluster is e.g. all captions of one image.

    Args:
        per_item: (n,) values in [0, 1].
        cluster: (n,) int64 in [0, C); no cluster is empty.
    """
    values, cluster = per_item.double().cpu(), cluster.cpu()
    sizes = torch.bincount(cluster).double()  # (C,)
    sums = torch.zeros_like(sizes).index_add_(0, cluster, values)
    if bool((values == values[0]).all()):
        return bootstrap_interval(sums / sizes, seed=seed)
    return ratio_interval(sums, sizes, seed=seed, resamples=resamples)


def draws_interval(per_draw: Tensor) -> tuple[float, float]:
    """Interval of the mean over K draws (label subsets, runs), all scored on the same n test items.

    Two half widths add in quadrature (as in MOVER, Zou and Donner 2008): over draws, Student's t with K - 1 degrees of
    freedom on the K means; over test items, a normal interval on values averaged over draws. The noise of one item in
    one draw enters both terms, so the interval is conservative. A percentile bootstrap over 5 draws covers about 83 %
    instead of 95 %, and less once test items vary.

    Args:
        per_draw: (K, n) values, K >= 2, such as 1 if item i is classified correctly in draw k.

    Returns:
        low and high, which with few draws may exceed the range of the values.
    """
    assert len(per_draw) >= 2, "the variance over draws needs at least two draws"
    values = per_draw.double()
    k, n = values.shape
    of_draws = stats.t.ppf(1 - TAIL, k - 1) * values.mean(dim=1).std().item() / k**0.5
    of_items = stats.norm.ppf(1 - TAIL) * values.mean(dim=0).std(correction=0).item() / n**0.5
    mean, half = values.mean().item(), float(np.hypot(of_draws, of_items))
    if half == 0 and mean in EXTREMES:
        return extreme_interval(mean, n=n)
    return mean - half, mean + half
