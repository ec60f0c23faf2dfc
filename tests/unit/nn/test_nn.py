"""Heads and momentum copies."""

import torch
from torch import nn

from sslrun.nn.ema import ema_update, frozen_copy
from sslrun.nn.heads import mlp


def test_mlp_layers_in_order() -> None:
    kinds = [type(layer).__name__ for layer in mlp(8, 16, 16, 4)]
    assert kinds == ["Linear", "BatchNorm1d", "ReLU", "Linear", "BatchNorm1d", "ReLU", "Linear"]
    assert mlp(8, 16, 4)(torch.randn(3, 8)).shape == (3, 4)


def test_mlp_without_batch_norm_has_biases() -> None:
    head = mlp(8, 16, 4, batch_norm=False)
    assert all(layer.bias is not None for layer in head if isinstance(layer, nn.Linear))
    assert not any(isinstance(layer, nn.BatchNorm1d) for layer in head)


def test_mlp_without_last_bias_has_none_there() -> None:
    head = mlp(8, 16, 4, batch_norm=False, last_bias=False)
    assert [layer.bias is not None for layer in head if isinstance(layer, nn.Linear)] == [True, False]


def test_ema_moves_by_one_minus_decay() -> None:
    online = nn.Linear(3, 2)
    target = frozen_copy(online)
    before = [p.clone() for p in target.parameters()]
    with torch.no_grad():
        for p in online.parameters():
            p.add_(1.0)
    ema_update(target, online, decay=0.9)
    for old, new, current in zip(before, target.parameters(), online.parameters(), strict=True):
        torch.testing.assert_close(new, 0.9 * old + 0.1 * current)


def test_frozen_copy_takes_no_gradient_and_stays_in_train_mode() -> None:
    target = frozen_copy(nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2)))
    assert not any(p.requires_grad for p in target.parameters())
    assert target.training


def test_frozen_copy_drops_nothing() -> None:
    layer = nn.TransformerEncoderLayer(8, 2, dropout=0.5, batch_first=True)
    target, x = frozen_copy(layer), torch.randn(2, 5, 8)
    assert torch.equal(target(x), target(x)) and not torch.equal(layer(x), layer(x))


def test_ema_leaves_buffers_alone() -> None:
    online = nn.BatchNorm1d(2)
    target = frozen_copy(online)
    online(torch.randn(8, 2) + 5)
    ema_update(target, online, decay=0.0)
    assert target.running_mean is not None and target.running_mean.abs().sum() == 0
