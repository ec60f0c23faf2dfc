"""Forecasting by ridge regression on the last token of a window; baselines: ridge on raw lags, and the last value.

The protocol of TS2Vec (section 4.2 of arXiv:2106.10466): the penalty is chosen on validation (by MSE; the authors' code
adds RMSE and MAE), and errors are of normalised values, averaged over horizon and channels. Every test window counts.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from sslrun.backbones.base import Encoder
from sslrun.config.dataset.splits import SPLITS
from sslrun.config.errors import DataError
from sslrun.core.rows import Row, RowKey
from sslrun.data.series.series import SeriesData
from sslrun.evaluation.batches import eval_mode
from sslrun.evaluation.intervals import percentile_interval, resampled_counts

PENALTIES = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0)
"""The authors' grid (tasks/_eval_protocols.py)."""
RESAMPLES = 2000


@dataclass(frozen=True)
class ForecastWindows:
    """All forecast windows of one split.

    Attributes:
        context: (N, L, C) values before each forecast.
        future: (N, H, C) values to forecast.
    """

    context: Tensor
    future: Tensor


class Encoded(NamedTuple):
    """Inputs of the ridge regression.

    Attributes:
        vectors: (N, D).
        level, scale: (N, C); targets are normalised to (future - level) / scale.
    """

    vectors: Tensor
    level: Tensor
    scale: Tensor


Represent = Callable[[Tensor], Encoded]
"""Contexts (N, L, C) -> regression inputs."""


def forecast_rows(data: SeriesData, horizons: Sequence[int], represent: Represent, *, key: RowKey) -> list[Row]:
    """Rows `forecast` mse and mae of each horizon, by ridge regression on what `represent` returns."""
    shortest = min(horizons)
    encoded = {split: represent(forecast_windows(data, split, horizon=shortest).context) for split in SPLITS}
    rows = []
    for horizon in horizons:
        windows = {split: forecast_windows(data, split, horizon=horizon) for split in SPLITS}
        # a longer horizon has a subset of the shortest one's contexts, which are encoded already
        inputs = {split: _of_longer(data, split, encoded[split], shortest, horizon) for split in SPLITS}
        rows += _rows(_ridge(inputs, windows), windows["test"].future, key=key, horizon=horizon)
    return rows


def lag_rows(data: SeriesData, horizons: Sequence[int], *, seed: int) -> list[Row]:
    """Baseline rows: encoder `lags`, a ridge on each channel's own lags, and `last value`, a constant."""
    rows = []
    for horizon in horizons:
        windows = {split: forecast_windows(data, split, horizon=horizon) for split in SPLITS}
        by_channel = []
        for c in range(data.channels):
            one = {s: ForecastWindows(w.context[..., c : c + 1], w.future[..., c : c + 1]) for s, w in windows.items()}
            by_channel.append(_ridge({split: _values(w.context) for split, w in one.items()}, one))
        test = windows["test"]
        last = last_value(test.context)[:, None].expand_as(test.future)
        for encoder, forecast in (("lags", torch.cat(by_channel, dim=2)), ("last value", last)):
            key = RowKey(encoder=encoder, dataset=data.name, seed=seed)
            rows += _rows(forecast, test.future, key=key, horizon=horizon)
    return rows


def last_vector(encoder: Encoder, *, device: torch.device | str, batch_size: int = 256) -> Represent:
    """Represent a context by the token at its last value, with the level and scale that the encoder removed."""

    def represent(context: Tensor) -> Encoded:
        vectors, levels, scales = [], [], []
        with torch.inference_mode(), eval_mode(encoder):
            for chunk in torch.split(context, batch_size):
                x = chunk.to(device)
                vectors.append(_last_token(encoder, x).float().cpu())
                removed = encoder.level_and_scale(x)
                level, scale = removed or (x.new_zeros(len(x), x.shape[2]), x.new_ones(len(x), x.shape[2]))
                levels.append(level.cpu())
                scales.append(scale.cpu())
        return Encoded(torch.cat(vectors), torch.cat(levels), torch.cat(scales))

    return represent


def _last_token(encoder: Encoder, x: Tensor) -> Tensor:
    """(B, L, C) -> (B, D)."""
    if not encoder.has_timesteps:
        return encoder.tokens(x)[:, -1]
    tokens, is_valid = encoder.timesteps(x)  # (B, N, D), (B, N)
    last = (torch.arange(is_valid.shape[1], device=is_valid.device) * is_valid).amax(dim=1)  # padding follows
    return tokens[torch.arange(len(tokens), device=is_valid.device), last]


def forecast_windows(data: SeriesData, split: str, *, horizon: int) -> ForecastWindows:
    """Every window of a split: a whole context, then `horizon` rows inside the split.

    The context may reach back into the previous split; the future may not leave the split.

    Raises:
        DataError: the split has no such window.
    """
    length = data.max_length
    contexts, futures = [], []
    for values, first, last in _spans(data, split, horizon):
        rows = torch.from_numpy(values)
        context = rows[first - length : last - horizon].unfold(0, length, 1)  # (N, C, L)
        contexts.append(context.transpose(1, 2))
        futures.append(rows[first:last].unfold(0, horizon, 1).transpose(1, 2))  # (N, H, C)
    if not contexts:
        raise DataError(
            f"dataset.horizons={horizon}: {split} of {data.name} has no window of {length} rows with that many after it"
        )
    return ForecastWindows(torch.cat(contexts), torch.cat(futures))


def last_value(context: Tensor) -> Tensor:
    """(N, L, C) -> (N, C): the last non-missing value; 0, the mean of train, if all are missing."""
    positions = torch.arange(context.shape[1])[:, None] * ~context.isnan()  # (N, L, C)
    last = context.gather(1, positions.amax(dim=1, keepdim=True))[:, 0]
    return last.nan_to_num(nan=0.0)


def _spans(data: SeriesData, split: str, horizon: int) -> Iterator[tuple[np.ndarray, int, int]]:
    for values, first, last in data.spans(split):
        first = max(first, data.max_length)
        if last - horizon >= first:
            yield values, first, last


def _of_longer(data: SeriesData, split: str, encoded: Encoded, short: int, long: int) -> Encoded:
    """The windows of a long horizon, selected from those of a shorter one."""
    kept = [
        torch.arange(last - first - short + 1) <= last - first - long for _, first, last in _spans(data, split, short)
    ]
    selected = torch.cat(kept)
    return Encoded(*(tensor[selected] for tensor in encoded))


def _values(context: Tensor) -> Encoded:
    values = context.nan_to_num(nan=0.0)
    level = torch.zeros(len(values), values.shape[2])
    return Encoded(values.flatten(1), level, torch.ones_like(level))


def _ridge(encoded: Mapping[str, Encoded], windows: Mapping[str, ForecastWindows]) -> Tensor:
    """(M, H, C) forecasts on test, with the penalty chosen on validation."""
    train, future = encoded["train"], windows["train"].future
    is_complete = ~future.flatten(1).isnan().any(dim=1)
    if not is_complete.any():
        raise DataError("dataset.horizons: values are missing after every window of train")
    x, level, scale = (tensor[is_complete] for tensor in train)
    x, y = x.double(), ((future[is_complete] - level[:, None]) / scale[:, None]).flatten(1).double()
    mean, std, center = x.mean(dim=0), x.std(dim=0, correction=0).clamp(min=1e-8), y.mean(dim=0)
    x = (x - mean) / std
    eigenvalues, vectors = torch.linalg.eigh(x.T @ x)
    rotated = vectors.T @ (x.T @ (y - center))  # (D, H C)
    shape = future.shape[1:]

    def predict(contexts: Encoded, penalty: float) -> Tensor:
        weight = vectors @ (rotated / (eigenvalues.clamp(min=0)[:, None] + penalty))
        forecast = ((contexts.vectors.double() - mean) / std @ weight + center).view(-1, *shape)
        return forecast * contexts.scale[:, None] + contexts.level[:, None]

    target = windows["validation"].future
    errors = [(predict(encoded["validation"], p) - target).square().nanmean().item() for p in PENALTIES]
    return predict(encoded["test"], PENALTIES[int(np.argmin(errors))])


def _rows(predicted: Tensor, future: Tensor, *, key: RowKey, horizon: int) -> list[Row]:
    """Rows mse and mae; intervals are a block bootstrap with blocks of `horizon` consecutive windows."""
    key = replace(key, evaluation="forecast", condition=f"horizon={horizon}")
    difference = (predicted - future).flatten(1)
    rows = []
    for metric, errors in (("mse", difference.square()), ("mae", difference.abs())):
        blocks = torch.split(errors, horizon)
        sums = torch.stack([b.nansum() for b in blocks]).double()
        counts = torch.stack([(~b.isnan()).sum() for b in blocks]).double()
        interval: tuple[float, float] | tuple[None, None] = (None, None)
        if len(blocks) > 1:
            ones = torch.ones(len(blocks), dtype=torch.int64)
            resamples = torch.cat(list(resampled_counts(ones, resamples=RESAMPLES, seed=key.seed)))
            interval = percentile_interval((resamples @ sums) / (resamples @ counts))
        rows.append(key.row(metric, float(sums.sum() / counts.sum()), n=len(future), interval=interval))
    return rows
