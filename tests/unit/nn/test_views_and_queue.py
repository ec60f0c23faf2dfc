"""Multi-crop forward passes and the first-in-first-out memory."""

import pytest
import torch
from torch import Tensor, nn

from sslrun.nn.queue import Queue
from sslrun.nn.views import encode_views, global_views


class Counting(nn.Module):
    """Mean of each image, normalised where there is a norm; remembers the shapes that it was given."""

    def __init__(self, norm: nn.Module | None = None) -> None:
        super().__init__()
        self.norm = norm or nn.Identity()
        self.shapes: list[tuple[int, ...]] = []

    def forward(self, x: Tensor) -> Tensor:
        self.shapes.append(tuple(x.shape))
        return self.norm(x.mean(dim=(2, 3)))


VIEWS = [torch.full((2, 1, side, side), float(i)) for i, side in enumerate((8, 4, 8, 4, 4))]


def test_views_of_one_size_share_a_pass_and_keep_their_order() -> None:
    encoder = Counting()
    encoded = encode_views(encoder, VIEWS)
    assert [z[0, 0].item() for z in encoded] == [0, 1, 2, 3, 4]
    assert encoder.shapes == [(4, 1, 8, 8), (6, 1, 4, 4)]


def test_views_one_by_one_where_batch_norm_could_tell() -> None:
    """Each view is all of one colour: alone it has no spread, and normalised it is 0."""
    apart, joint = Counting(nn.BatchNorm1d(1)), Counting(nn.BatchNorm1d(1))
    assert [z[0, 0].item() for z in encode_views(apart, VIEWS, joint=False)] == pytest.approx([0] * 5, abs=1e-3)
    assert len(apart.shapes) == 5
    assert [z[0, 0].item() for z in encode_views(joint, VIEWS)[:3:2]] == pytest.approx([-1, 1], abs=1e-3)


def test_without_batch_norm_views_always_share_a_pass() -> None:
    torch.manual_seed(0)
    views = [torch.randn(3, 2, side, side) for side in (8, 4, 8)]
    encoder = Counting(nn.Sequential(nn.Linear(2, 5), nn.LayerNorm(5)))
    for z, view in zip(encode_views(encoder, views, joint=False), views, strict=True):
        torch.testing.assert_close(z, encoder(view))
    assert encoder.shapes[:2] == [(6, 2, 8, 8), (3, 2, 4, 4)]


def test_large_views() -> None:
    assert [v[0, 0, 0, 0].item() for v in global_views(VIEWS)] == [0, 2]


def test_the_oldest_rows_leave_first() -> None:
    queue = Queue(3, 1)
    queue.push(torch.tensor([[1.0], [2.0]]))
    queue.push(torch.tensor([[3.0], [4.0]]))
    assert queue.rows.flatten().tolist() == [4, 2, 3]
    assert (int(queue.position), int(queue.pushed)) == (1, 4)


def test_more_rows_than_fit_leave_the_last() -> None:
    queue = Queue(2, 1)
    queue.push(torch.arange(5.0)[:, None])
    assert sorted(queue.rows.flatten().tolist()) == [3, 4]


def test_a_new_queue_has_unit_rows() -> None:
    torch.testing.assert_close(Queue(5, 4).rows.norm(dim=1), torch.ones(5))


def test_deferred_rows_come_in_once_and_in_order() -> None:
    queue = Queue(4, 1)
    before = queue.rows.clone()
    queue.defer(torch.tensor([[1.0], [2.0]]))
    queue.defer(torch.tensor([[3.0]]))
    assert torch.equal(queue.rows, before)
    queue.push_deferred()
    queue.push_deferred()
    assert queue.rows[:3].flatten().tolist() == [1, 2, 3]
    assert int(queue.pushed) == 3


def test_outside_of_training_nothing_is_deferred() -> None:
    queue = Queue(4, 1).eval()
    queue.defer(torch.ones(2, 1))
    queue.push_deferred()
    assert int(queue.pushed) == 0


def test_the_nearest_row_is_that_of_the_largest_cosine() -> None:
    queue = Queue(3, 2)
    queue.push(torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]]))
    z = torch.tensor([[0.1, 9.0], [-0.2, 0.1], [5.0, 4.0]], requires_grad=True)
    nearest = queue.nearest(z)
    assert nearest.tolist() == [[0, 1], [-1, 0], [1, 0]]
    assert not nearest.requires_grad
