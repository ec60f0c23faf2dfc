"""The method's own loss on held-out data."""

import math
from contextlib import closing
from dataclasses import replace

import torch
from torch import Tensor

from sslrun.core.rows import Row, RowKey
from sslrun.evaluation.batches import Batches
from sslrun.evaluation.intervals import ratio_interval
from sslrun.methods.base import Method


def held_out_losses(method: Method, batches: Batches) -> tuple[Tensor, Tensor] | None:
    """(N,) summed losses and (N,) target counts, float64; None if the method has no per-row loss."""
    sums, counts = [], []
    with closing(batches.run(method, method.row_losses)) as results:
        for _, losses in results:
            if losses is None:
                return None
            sums.append(losses[0].double().cpu())
            counts.append(losses[1].double().cpu())
    return torch.cat(sums), torch.cat(counts)


def held_out_metrics(
    sums: Tensor, counts: Tensor, *, characters: int | None, is_likelihood: bool = True
) -> dict[str, float]:
    """`loss` per target; for likelihoods (nats) also `perplexity`; `bits_per_character` if `characters` is given."""
    loss = float(sums.sum() / counts.sum())
    metrics = {"loss": loss} | ({"perplexity": _exp(loss)} if is_likelihood else {})
    if characters:
        metrics["bits_per_character"] = float(sums.sum()) / math.log(2) / characters
    return metrics


def held_out_rows(
    sums: Tensor,
    counts: Tensor,
    *,
    characters: int | None,
    key: RowKey,
    is_likelihood: bool = True,
) -> list[Row]:
    """Rows `held_out`; intervals are percentile bootstraps over items, n is the number of targets."""
    low, high = ratio_interval(sums, counts, seed=key.seed)
    metrics = held_out_metrics(sums, counts, characters=characters, is_likelihood=is_likelihood)
    scale = metrics.get("bits_per_character", 0.0) / metrics["loss"] if metrics["loss"] else 0.0
    intervals = {
        "loss": (low, high),
        "perplexity": (_exp(low), _exp(high)),
        "bits_per_character": (scale * low, scale * high),
    }
    key = replace(key, evaluation="held_out")
    return [key.row(m, value, n=int(counts.sum()), interval=intervals[m]) for m, value in metrics.items()]


def _exp(loss: float) -> float:
    return math.exp(min(loss, 700.0))
