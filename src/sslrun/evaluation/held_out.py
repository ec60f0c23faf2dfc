"""A method's own loss on data that it was not trained on, all of it."""

import math
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from sslrun.core.rows import Row, RowKey
from sslrun.data.base import to_device
from sslrun.evaluation.features import evaluating
from sslrun.evaluation.intervals import ratio_interval
from sslrun.methods.base import Method

Batch = dict[str, Any]


def held_out_losses(
    method: Method,
    loader: Iterable[Batch],
    prepare: Callable[[Batch], Batch],
    *,
    device: torch.device | str,
    autocast: torch.dtype | None,
) -> tuple[Tensor, Tensor] | None:
    """(N,) sums of losses and (N,) numbers of targets, float64, by `method` in eval mode; None where it tells none."""
    kind = torch.device(device).type
    sums, counts = [], []
    with evaluating(method):
        for batch in loader:
            batch = to_device(batch, device)
            with torch.inference_mode(), torch.autocast(kind, dtype=autocast, enabled=autocast is not None):
                told = method.row_losses(prepare(batch))
            if told is None:
                return None
            sums.append(told[0].double().cpu())
            counts.append(told[1].double().cpu())
    return torch.cat(sums), torch.cat(counts)


def held_out_numbers(
    sums: Tensor, counts: Tensor, *, characters: int | None, is_likelihood: bool = True
) -> dict[str, float]:
    """`loss` a target; of likelihoods, in nats, `perplexity`, and `bits_per_character` where their sum is a text's."""
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
