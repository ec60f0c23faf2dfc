"""95 % intervals: over test items for one model, over draws and items for several."""

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
    """Bootstrap resamples of n items of only M kinds: one multinomial draw each, exact in distribution.

    Args:
        counts: (M,) int64, how many items are of each kind; their sum is n.

    Yields:
        (r, M) float64 counts, `resamples` rows in all, in chunks that bound the memory.
    """
    generator = np.random.default_rng(seed)
    n, shares = int(counts.sum()), (counts.double() / counts.sum()).numpy()
    chunk = max(1, MAX_COUNTS // len(counts))
    for start in range(0, resamples, chunk):
        drawn = generator.multinomial(n, shares, size=min(chunk, resamples - start))
        yield torch.from_numpy(drawn).double()  # (r, M)


def percentile_interval(statistics: Tensor) -> tuple[float, float]:
    """The middle 95 % of (R,) bootstrap statistics; NaN, from resamples without a value, is omitted."""
    defined = statistics[~statistics.isnan()].double()
    low, high = torch.quantile(defined, torch.tensor([TAIL, 1 - TAIL], dtype=torch.float64)).tolist()
    return low, high


EXTREMES = (0.0, 1.0)
"""Values of shares for which resampling shows no variance."""


def extreme_interval(value: float, *, n: int) -> tuple[float, float]:
    """The exact binomial interval (Clopper and Pearson 1934) of one of `EXTREMES`.

    If all n are right, the lower bound is 0.025^(1/n).
    """
    bound = TAIL ** (1 / n)
    return (bound, 1.0) if value else (0.0, 1 - bound)


def mean_row(key: RowKey, metric: str, per_item: Tensor, *, resamples: int = 2000) -> Row:
    """The row of a mean over test items, with its `bootstrap_interval`.

    Args:
        per_item: (n,) values, one per test item.
    """
    interval = bootstrap_interval(per_item, seed=key.seed, resamples=resamples)
    return key.row(metric, per_item.mean().item(), n=len(per_item), interval=interval)


def bootstrap_interval(per_item: Tensor, *, seed: int, resamples: int = 2000) -> tuple[float, float]:
    """Percentile bootstrap over test items of a mean, such as accuracy.

    If all items are right, or all wrong, it is their `extreme_interval`.

    Args:
        per_item: (n,) values, one per test item, such as 1 if the prediction is right.
    """
    values, counts = torch.unique(per_item.double().cpu(), return_counts=True)
    if len(values) == 1 and values.item() in EXTREMES:
        return extreme_interval(values.item(), n=len(per_item))
    means = [drawn @ values / len(per_item) for drawn in resampled_counts(counts, resamples=resamples, seed=seed)]
    return percentile_interval(torch.cat(means))


def ratio_interval(sums: Tensor, counts: Tensor, *, seed: int, resamples: int = 1000) -> tuple[float, float]:
    """Percentile bootstrap over items of a ratio of sums, such as the loss per token or a word error rate.

    If every resample is 0, as for transcripts without an error, it is the `extreme_interval`.

    Args:
        sums, counts: (N,) float64 of each item.
    """
    if not sums.any():
        return extreme_interval(0.0, n=len(sums))
    each = torch.ones(len(sums), dtype=torch.int64)
    drawn = torch.cat(list(resampled_counts(each, resamples=resamples, seed=seed)))  # (R, N)
    return percentile_interval((drawn @ sums) / (drawn @ counts))


def clustered_interval(per_item: Tensor, cluster: Tensor, *, seed: int, resamples: int = 1000) -> tuple[float, float]:
    """`bootstrap_interval` of items in clusters, such as the captions of one image: whole clusters are resampled.

    Args:
        per_item: (n,) values in [0, 1].
        cluster: (n,) int64 of each item, 0 to C - 1; none is empty.
    """
    values, cluster = per_item.double().cpu(), cluster.cpu()
    sizes = torch.bincount(cluster).double()  # (C,)
    sums = torch.zeros_like(sizes).index_add_(0, cluster, values)
    if bool((values == values[0]).all()):
        return bootstrap_interval(sums / sizes, seed=seed)
    return ratio_interval(sums, sizes, seed=seed, resamples=resamples)


def draws_interval(per_draw: Tensor) -> tuple[float, float]:
    """Interval of the mean over K draws (label subsets, runs), all scored on the same n test items.

    Two variances add up: of the draws, estimated from K means and hence with Student's t of K - 1 degrees of freedom,
    and of the test items, each item's value averaged over the draws. The half widths add in quadrature (as in MOVER,
    Zou and Donner 2008). The noise of one item in one draw enters both terms, which errs on the wide side. A
    percentile bootstrap over 5 draws covers about 83 % instead of 95 %, and less once the test items vary.

    Args:
        per_draw: (K, n) values, K >= 2, such as 1 if draw k's prediction of item i is right.

    Returns:
        low and high; with few draws they may leave the range of the values.
    """
    assert len(per_draw) >= 2, "the variance over draws needs two of them"
    values = per_draw.double()
    k, n = values.shape
    of_draws = stats.t.ppf(1 - TAIL, k - 1) * values.mean(dim=1).std().item() / k**0.5
    of_items = stats.norm.ppf(1 - TAIL) * values.mean(dim=0).std(correction=0).item() / n**0.5
    mean, half = values.mean().item(), float(np.hypot(of_draws, of_items))
    if half == 0 and mean in EXTREMES:
        return extreme_interval(mean, n=n)
    return mean - half, mean + half
