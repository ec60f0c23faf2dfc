"""Image-text retrieval: recall@K in both directions, with several captions per image and duplicate captions."""

import math
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from sslrun.core.rows import Row, RowKey
from sslrun.evaluation.intervals import clustered_interval

CHUNK = 512
"""Queries per similarity matrix."""


def retrieval_rows(
    images: Tensor,
    texts: Tensor,
    image_of_text: Tensor,
    caption_id: Tensor,
    *,
    ks: Sequence[int],
    key: RowKey,
) -> list[Row]:
    """Rows `recall@K`, the share of queries with a relevant result among the first K, and of encoder `chance`.

    Every caption is a query; an image query ranks the distinct captions. A caption is relevant to every image that has
    an equal one. Intervals are a cluster bootstrap over images.

    Args:
        images: (N, P) of unit length.
        texts: (T, P) of unit length.
        image_of_text: (T,) int64.
        caption_id: (T,) int64, equal for equal captions; 0 to U - 1.
    """
    has_caption = torch.zeros(len(images), int(caption_id.max()) + 1, dtype=torch.bool)  # (N, U)
    has_caption[image_of_text, caption_id] = True
    own = torch.arange(len(images))
    first = torch.full((has_caption.shape[1],), len(caption_id))  # (U,) row of each distinct caption's first occurrence
    first.scatter_reduce_(0, caption_id, torch.arange(len(caption_id)), "amin")
    rows = []
    for condition, queries, keys, cluster in (
        ("image to text", images, texts[first], own),
        ("text to image", texts, images, image_of_text),
    ):
        is_query_image = condition == "image to text"
        ranks, relevant_counts = [], []
        for start in range(0, len(queries), CHUNK):
            at = torch.arange(start, min(start + CHUNK, len(queries)))
            is_relevant = has_caption[at] if is_query_image else has_caption[:, caption_id[at]].T  # (Q, keys)
            ranks.append(rank_of_relevant(queries[at] @ keys.T, is_relevant))
            relevant_counts.append(is_relevant.sum(dim=1))
        rank, count = torch.cat(ranks), torch.cat(relevant_counts)
        for k in ks:
            found = (rank <= k).double()
            interval = clustered_interval(found, cluster, seed=key.seed)
            own_key = replace(key, evaluation="retrieval", condition=condition)
            by_chance = chance_recall(count, total=len(keys), k=k)
            rows.append(own_key.row(f"recall@{k}", found.mean().item(), n=len(queries), interval=interval))
            rows.append(replace(own_key, encoder="chance").row(f"recall@{k}", by_chance, n=len(queries)))
    return rows


def rank_of_relevant(scores: Tensor, is_relevant: Tensor) -> Tensor:
    """(Q,) rank, from 1, of the best relevant result; irrelevant results with an equal score rank first.

    Args:
        scores: (Q, K).
        is_relevant: (Q, K) bool, with at least one True in each row.
    """
    best = scores.masked_fill(~is_relevant, -math.inf).amax(dim=1, keepdim=True)
    return 1 + ((scores >= best) & ~is_relevant).sum(dim=1)


def chance_recall(relevant: Tensor, *, total: int, k: int) -> float:
    """Recall@K of a random ranking, given (Q,) relevant results r per query: 1 - C(total - r, K) / C(total, K)."""
    k = min(k, total)
    counts, of_count = torch.unique(relevant, return_counts=True)
    missed = [math.comb(total - int(r), k) / math.comb(total, k) for r in counts]
    return 1 - float((torch.tensor(missed, dtype=torch.float64) * of_count).sum() / of_count.sum())
