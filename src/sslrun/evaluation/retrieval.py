"""Captions and images that find each other: R@K both ways, several captions an image, equal captions all right."""

import math
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from sslrun.core.rows import Row, RowKey
from sslrun.evaluation.intervals import clustered_interval

CHUNK = 512
"""Queries compared at once."""


def retrieval_rows(
    images: Tensor,
    texts: Tensor,
    image_of_text: Tensor,
    same: Tensor,
    *,
    ks: Sequence[int],
    key: RowKey,
) -> list[Row]:
    """Rows `recall@K`: the share of queries with a right answer among their first K; and the same for chance.

    Each caption is a query. An image searches the distinct captions, so a repeated one is not found more than once.
    Intervals resample images with all their captions. A caption that equals one of an image's is right for it too.

    Args:
        images: (N, P) of unit length.
        texts: (T, P) of unit length.
        image_of_text: (T,) int64.
        same: (T,) int64, equal where captions are.
    """
    has = torch.zeros(len(images), int(same.max()) + 1, dtype=torch.bool)  # (N, U) which captions an image has
    has[image_of_text, same] = True
    own = torch.arange(len(images))
    first = torch.full((has.shape[1],), len(same)).scatter_reduce_(0, same, torch.arange(len(same)), "amin")  # (U,)
    rows = []
    for condition, queries, keys, cluster in (
        ("image to text", images, texts[first], own),
        ("text to image", texts, images, image_of_text),
    ):
        is_query_image = condition == "image to text"
        ranks, rights = [], []
        for start in range(0, len(queries), CHUNK):
            at = torch.arange(start, min(start + CHUNK, len(queries)))
            right = has[at] if is_query_image else has[:, same[at]].T  # (Q, keys)
            ranks.append(rank_of_right(queries[at] @ keys.T, right))
            rights.append(right.sum(dim=1))
        rank, count = torch.cat(ranks), torch.cat(rights)
        for k in ks:
            found = (rank <= k).double()
            interval = clustered_interval(found, cluster, seed=key.seed)
            own_key = replace(key, evaluation="retrieval", condition=condition)
            by_chance = chance(count, total=len(keys), k=k)
            rows.append(own_key.row(f"recall@{k}", found.mean().item(), n=len(queries), interval=interval))
            rows.append(replace(own_key, encoder="chance").row(f"recall@{k}", by_chance, n=len(queries)))
    return rows


def rank_of_right(scores: Tensor, is_right: Tensor) -> Tensor:
    """(Q,) rank of the best right answer, from 1. A wrong one with an equal score comes first, so that
    constant features find nothing.

    Args:
        scores: (Q, K).
        is_right: (Q, K) bool, True at least once in each row.
    """
    best = scores.masked_fill(~is_right, -math.inf).amax(dim=1, keepdim=True)
    return 1 + ((scores >= best) & ~is_right).sum(dim=1)


def chance(right: Tensor, *, total: int, k: int) -> float:
    """R@K of a random order, by (Q,) numbers of right answers among `total`: 1 - C(total - r, K) / C(total, K)."""
    k = min(k, total)
    counts, of_count = torch.unique(right, return_counts=True)
    missed = [math.comb(total - int(r), k) / math.comb(total, k) for r in counts]
    return 1 - float((torch.tensor(missed, dtype=torch.float64) * of_count).sum() / of_count.sum())
