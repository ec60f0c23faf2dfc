"""MoCo v2's queue, key encoder and shuffled BatchNorm, from arithmetic."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from small import random_batch, small_config, small_method
from sslrun.config.compose import compose
from sslrun.config.errors import ConfigError
from sslrun.config.method.mocov2 import MoCoV2Config, ShuffledBatchNorm
from sslrun.methods.mocov2 import MoCoV2


def small(**fields: Any) -> MoCoV2:
    method = small_method("mocov2", "cnn")
    assert isinstance(method, MoCoV2)
    for key, value in fields.items():
        assert hasattr(method.config, key)
        setattr(method.config, key, value)
    return method


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ([], False),
        (["method.batch_norm=none"], True),
        (["method.batch_norm=none", "method.bn_splits=4"], False),
    ],
)
def test_statistics_of_parts_of_the_batch_are_not_synchronised(fields: list[str], expected: bool) -> None:
    config = small_config("mocov2", fields).method
    assert isinstance(config, MoCoV2Config)
    assert MoCoV2(config, small().encoder).syncs_batch_norm is expected


class Recording(nn.Module):
    """Features whose rows tell their images; remembers each group that went through."""

    def __init__(self) -> None:
        super().__init__()
        self.groups: list[Tensor] = []

    def forward(self, x: Tensor) -> Tensor:
        self.groups.append(x[:, 0, 0, 0])
        return F.one_hot(x[:, 0, 0, 0].long(), 8).float()


def numbered(rows: int = 8) -> Tensor:
    return torch.arange(float(rows)).reshape(rows, 1, 1, 1).expand(rows, 3, 2, 2)


def test_the_queue_takes_keys_once_per_optimizer_step_in_the_order_of_the_batch() -> None:
    method, batch = small(), random_batch(small())
    before = method.queue.rows.clone()
    expected = [method._keys(batch["views"][1][half]) for half in (slice(0, 4), slice(4, 8))]
    for half in (slice(0, 4), slice(4, 8)):  # two micro-batches
        method({"views": [view[half] for view in batch["views"]]})
    assert torch.equal(method.queue.rows, before)
    method.after_step(0.5)
    torch.testing.assert_close(method.queue.rows[:8], torch.cat(expected), rtol=1e-4, atol=1e-5)
    assert torch.equal(method.queue.rows[8:], before[8:])


def test_symmetric_halves_are_averaged_and_leave_the_keys_of_both_views() -> None:
    method, batch = small(symmetric=True, batch_norm=ShuffledBatchNorm.none), random_batch(small())
    loss = method(batch).loss.item()
    method.after_step(0.0)
    assert int(method.queue.pushed) == 16
    halves = []
    for views in (batch["views"], batch["views"][::-1]):
        one_way = small(batch_norm=ShuffledBatchNorm.none)
        halves.append(one_way({"views": views}).loss.item())
    assert loss == pytest.approx(sum(halves) / 2, rel=1e-6)


@pytest.mark.parametrize(("progress", "decay"), [(0.0, 0.9), (0.5, 0.95), (1.0, 1.0)])
def test_the_key_encoder_follows_along_a_cosine(progress: float, decay: float) -> None:
    method = small(decay_start=0.9, decay_end=1.0)
    with torch.no_grad():
        for online, key in zip(method.projector.parameters(), method.key_projector.parameters(), strict=True):
            online.fill_(1.0)
            key.fill_(0.0)
    method.after_step(progress)
    for key in method.key_projector.parameters():
        torch.testing.assert_close(key, torch.full_like(key, 1 - decay))


def test_keys_are_encoded_in_shuffled_groups_and_come_back_in_order() -> None:
    method = small(bn_splits=2)
    method.key_encoder, method.key_projector = Recording(), nn.Identity()
    torch.manual_seed(0)
    keys = method._keys(numbered())
    assert torch.equal(keys, torch.eye(8))
    groups = [sorted(group.tolist()) for group in method.key_encoder.groups]
    assert sorted(groups[0] + groups[1]) == list(range(8)) and len(groups[0]) == 4
    assert groups != [[0, 1, 2, 3], [4, 5, 6, 7]]  # the groups of the queries


def test_unshuffled_keys_share_their_groups_with_the_queries() -> None:
    method = small(bn_splits=2, batch_norm=ShuffledBatchNorm.none)
    method.key_encoder, method.key_projector = Recording(), nn.Identity()
    method._keys(numbered())
    assert [group.tolist() for group in method.key_encoder.groups] == [[0, 1, 2, 3], [4, 5, 6, 7]]


def test_groups_have_batch_norm_statistics_of_their_own() -> None:
    """A query does not change with images outside of its group."""
    method, batch = small(bn_splits=2), random_batch(small())
    x = batch["views"][0]
    other = torch.cat([x[:4], torch.randn_like(x[4:])])
    same, changed = (method._in_groups(method.encoder, images)[:4] for images in (x, other))
    torch.testing.assert_close(same, changed)
    method.config.bn_splits = 1
    assert not torch.allclose(*(method._in_groups(method.encoder, images)[:4] for images in (x, other)))


def test_groups_of_one_image_are_refused() -> None:
    method = small(bn_splits=5)
    with pytest.raises(ConfigError, match=r"method.bn_splits=5 leaves groups of less than 2 of a device's 8 images"):
        method(random_batch(method))


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("method.queue_size=0", r"method.queue_size must be in \[1, inf\), got 0"),
        ("method.temperature=0", r"method.temperature must be in \(0, inf\), got 0"),
        ("method.decay_start=1.5", r"method.decay_start must be in \[0, 1\], got 1.5"),
        ("method.decay_end=-1", r"method.decay_end must be in \[0, 1\], got -1"),
        ("method.bn_splits=0", r"method.bn_splits must be in \[1, inf\), got 0"),
        ("method.batch_norm=synced", r"method.batch_norm=synced: .* expected one of \[shuffled, none\]"),
    ],
)
def test_what_is_out_of_range_is_named(override: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        compose("pretrain", ["method=mocov2", override])
