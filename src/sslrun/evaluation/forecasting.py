"""Forecasts by a ridge regression on the last vector of a window, beside a ridge on raw lags and the last value.

The protocol is that of TS2Vec (section 4.2 of arXiv:2106.10466): the penalty is chosen on validation (by the squared
error; the authors' code adds its root and the absolute error), errors are of normalised values, averaged over rows
ahead and channels. Every window of the test counts, none is dropped.
"""

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from sslrun.backbones.base import Encoder
from sslrun.config.errors import DataError
from sslrun.core.rows import Row
from sslrun.data.series.series import SeriesData
from sslrun.evaluation.features import evaluating
from sslrun.evaluation.intervals import percentile_interval, resampled_counts

PENALTIES = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0)
"""The authors' grid (tasks/_eval_protocols.py)."""
RESAMPLES = 2000


@dataclass(frozen=True)
class Moments:
    """Where forecasts of one split are made.

    Attributes:
        context: (N, L, C) what is seen before each.
        future: (N, H, C) what comes.
    """

    context: Tensor
    future: Tensor


Represent = Callable[[Tensor], tuple[Tensor, Tensor, Tensor]]
"""(N, L, C) -> (N, D) vectors, and (N, C) level and scale in which the future is told to the regression."""


def forecast_rows(
    data: SeriesData, horizons: Sequence[int], *, encoder: str, represent: Represent, seed: int
) -> list[Row]:
    """Rows `forecast`, mse and mae of each horizon, by a ridge on what `represent` gives."""
    seen = {split: moments(data, split, horizon=min(horizons)) for split in ("train", "validation", "test")}
    told = {split: represent(m.context) for split, m in seen.items()}
    rows = []
    for horizon in horizons:
        at = {split: moments(data, split, horizon=horizon) for split in seen}
        # the places of a longer horizon are among those of the shortest, which were encoded
        known = {split: _of_longer(data, split, told[split], min(horizons), horizon) for split in seen}
        predicted = _ridge(
            known["train"], at["train"].future, known["validation"], at["validation"].future, known["test"]
        )
        rows += _rows(predicted, at["test"].future, data, encoder=encoder, horizon=horizon, seed=seed)
    return rows


def lag_rows(data: SeriesData, horizons: Sequence[int], *, seed: int) -> list[Row]:
    """The same by a ridge on each channel's own lags, encoder `lags`, and by its last value, encoder `last value`."""
    rows = []
    for horizon in horizons:
        at = {split: moments(data, split, horizon=horizon) for split in ("train", "validation", "test")}
        by_channel = []
        for c in range(data.channels):
            one = {split: Moments(m.context[..., c : c + 1], m.future[..., c : c + 1]) for split, m in at.items()}
            told = {split: _values(m.context) for split, m in one.items()}
            by_channel.append(
                _ridge(told["train"], one["train"].future, told["validation"], one["validation"].future, told["test"])
            )
        test = at["test"]
        forecast = torch.cat(by_channel, dim=2)
        rows += _rows(forecast, test.future, data, encoder="lags", horizon=horizon, seed=seed)
        last = last_value(test.context)[:, None].expand_as(test.future)
        rows += _rows(last, test.future, data, encoder="last value", horizon=horizon, seed=seed)
    return rows


def last_vector(encoder: Encoder, *, device: torch.device | str, batch_size: int = 256) -> Represent:
    """The token at the last known value, and the level and scale that the encoder takes out, where it does."""

    def represent(context: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        vectors, levels, scales = [], [], []
        with torch.inference_mode(), evaluating(encoder):
            for chunk in torch.split(context, batch_size):
                x = chunk.to(device)
                vectors.append(_last_token(encoder, x).float().cpu())
                taken = encoder.level_and_scale(x)
                level, scale = taken or (x.new_zeros(len(x), x.shape[2]), x.new_ones(len(x), x.shape[2]))
                levels.append(level.cpu())
                scales.append(scale.cpu())
        return torch.cat(vectors), torch.cat(levels), torch.cat(scales)

    return represent


def _last_token(encoder: Encoder, x: Tensor) -> Tensor:
    """(B, D) of (B, L, C): behind the last value an encoder of moments sees no more than padding."""
    if not encoder.has_moments:
        return encoder.tokens(x)[:, -1]
    tokens, inside = encoder.moments(x)  # (B, N, D), (B, N)
    places = torch.arange(inside.shape[1], device=inside.device) * inside
    return tokens[torch.arange(len(tokens), device=inside.device), places.amax(dim=1)]


def moments(data: SeriesData, split: str, *, horizon: int) -> Moments:
    """Every place in a split before which there is a whole window and behind which `horizon` rows of the split.

    What is seen may reach back into the split before; what comes may not leave the split.

    Raises:
        DataError: there is none.
    """
    length = data.max_length
    contexts, futures = [], []
    for values, first, last in _spans(data, split, horizon):
        rows = torch.from_numpy(values)
        seen = rows[first - length : last - horizon].unfold(0, length, 1)  # (N, C, L)
        contexts.append(seen.transpose(1, 2))
        futures.append(rows[first:last].unfold(0, horizon, 1).transpose(1, 2))  # (N, H, C)
    if not contexts:
        raise DataError(
            f"dataset.horizons={horizon}: {split} of {data.name} has no window of {length} rows with so many behind it"
        )
    return Moments(torch.cat(contexts), torch.cat(futures))


def last_value(context: Tensor) -> Tensor:
    """(N, C): the last value that is there; 0, train's mean, where there is none."""
    known = ~context.isnan()
    places = torch.arange(context.shape[1])[:, None] * known  # (N, L, C)
    last = context.gather(1, places.amax(dim=1, keepdim=True))[:, 0]
    return last.nan_to_num(nan=0.0)


def _spans(data: SeriesData, split: str, horizon: int) -> Iterator[tuple[np.ndarray, int, int]]:
    for values, first, last in data.spans(split):
        first = max(first, data.max_length)
        if last - horizon >= first:
            yield values, first, last


def _of_longer(
    data: SeriesData, split: str, told: tuple[Tensor, Tensor, Tensor], short: int, long: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Of what was told of every place for a short horizon, that of the places for a longer one."""
    kept = [
        torch.arange(last - first - short + 1) <= last - first - long for _, first, last in _spans(data, split, short)
    ]
    places = torch.cat(kept)
    return told[0][places], told[1][places], told[2][places]


def _values(context: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    values = context.nan_to_num(nan=0.0)
    return values.flatten(1), torch.zeros(len(values), values.shape[2]), torch.ones(len(values), values.shape[2])


def _ridge(
    train: tuple[Tensor, Tensor, Tensor],
    future: Tensor,
    validation: tuple[Tensor, Tensor, Tensor],
    validation_future: Tensor,
    test: tuple[Tensor, Tensor, Tensor],
) -> Tensor:
    """(M, H, C) forecasts of the test, with the penalty that does best on validation."""
    whole = ~future.flatten(1).isnan().any(dim=1)
    if not whole.any():
        raise DataError("dataset.horizons: values are missing behind every window of train")
    x, y = train[0][whole].double(), _scaled(future[whole], train[1][whole], train[2][whole]).flatten(1).double()
    mean, std, center = x.mean(dim=0), x.std(dim=0, correction=0).clamp(min=1e-8), y.mean(dim=0)
    x = (x - mean) / std
    eigenvalues, vectors = torch.linalg.eigh(x.T @ x)
    rotated = vectors.T @ (x.T @ (y - center))  # (D, H C)
    shape = future.shape[1:]

    def predict(told: tuple[Tensor, Tensor, Tensor], penalty: float) -> Tensor:
        weight = vectors @ (rotated / (eigenvalues.clamp(min=0)[:, None] + penalty))
        forecast = ((told[0].double() - mean) / std @ weight + center).view(-1, *shape)
        return forecast * told[2][:, None] + told[1][:, None]

    errors = [(predict(validation, p) - validation_future).square().nanmean().item() for p in PENALTIES]
    return predict(test, PENALTIES[int(np.argmin(errors))])


def _scaled(future: Tensor, level: Tensor, scale: Tensor) -> Tensor:
    return (future - level[:, None]) / scale[:, None]


def _rows(predicted: Tensor, future: Tensor, data: SeriesData, *, encoder: str, horizon: int, seed: int) -> list[Row]:
    """Intervals are a bootstrap over blocks of as many neighbouring windows as rows are forecast."""
    row = functools.partial(
        Row,
        encoder=encoder,
        dataset=data.name,
        split="test",
        evaluation="forecast",
        condition=f"horizon={horizon}",
        n=len(future),
        seed=seed,
    )
    difference = (predicted - future).flatten(1)
    rows = []
    for metric, errors in (("mse", difference.square()), ("mae", difference.abs())):
        blocks = torch.split(errors, horizon)
        sums = torch.stack([b.nansum() for b in blocks]).double()
        counts = torch.stack([(~b.isnan()).sum() for b in blocks]).double()
        low: float | None = None
        high: float | None = None
        if len(blocks) > 1:
            each = torch.ones(len(blocks), dtype=torch.int64)
            drawn = torch.cat(list(resampled_counts(each, resamples=RESAMPLES, seed=seed)))
            low, high = percentile_interval((drawn @ sums) / (drawn @ counts))
        rows.append(row(metric=metric, value=float(sums.sum() / counts.sum()), low=low, high=high))
    return rows
