"""A method's own loss on data that it was not trained on."""

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
    """(N,) sums of losses and (N,) numbers of targets, float64; None if the method has no loss of single rows."""
    sums, counts = [], []
    with closing(batches.through(method, method.row_losses)) as found:
        for _, losses in found:
            if losses is None:
                return None
            sums.append(losses[0].double().cpu())
            counts.append(losses[1].double().cpu())
    return torch.cat(sums), torch.cat(counts)


def held_out_numbers(
    sums: Tensor, counts: Tensor, *, characters: int | None, is_likelihood: bool = True
) -> dict[str, float]:
    """`loss` per target; for likelihoods, in nats, also `perplexity`; `bits_per_character` if `characters` is given."""
    loss = float(sums.sum() / counts.sum())
    numbers = {"loss": loss} | ({"perplexity": _exp(loss)} if is_likelihood else {})
    if characters:
        numbers["bits_per_character"] = float(sums.sum()) / math.log(2) / characters
    return numbers


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
    numbers = held_out_numbers(sums, counts, characters=characters, is_likelihood=is_likelihood)
    scale = numbers.get("bits_per_character", 0.0) / numbers["loss"] if numbers["loss"] else 0.0
    intervals = {
        "loss": (low, high),
        "perplexity": (_exp(low), _exp(high)),
        "bits_per_character": (scale * low, scale * high),
    }
    key = replace(key, evaluation="held_out")
    return [key.row(m, value, n=int(counts.sum()), interval=intervals[m]) for m, value in numbers.items()]


def _exp(loss: float) -> float:
    return math.exp(min(loss, 700.0))
