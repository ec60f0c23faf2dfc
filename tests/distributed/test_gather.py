"""The collectives that losses and run folders rely on."""

from typing import Any

import torch

from sslrun.core import dist


def gather_and_weigh() -> tuple[torch.Tensor, torch.Tensor]:
    """Rank r's rows hold r + 1; its loss weighs the gathered rows by 10 (r + 1)."""
    x = torch.full((2, 3), float(dist.rank() + 1), requires_grad=True)
    together = dist.gather(x)
    (10 * (dist.rank() + 1) * together).sum().backward()
    assert x.grad is not None
    return together.detach(), x.grad


def test_rows_come_in_rank_order_and_gradients_are_summed_over_ranks(pool: Any) -> None:
    for together, gradient in pool.run(__file__, "gather_and_weigh"):
        assert together[:, 0].tolist() == [1, 1, 2, 2]
        assert gradient.unique().tolist() == [30.0]  # 10 from rank 0's loss and 20 from rank 1's


def gather_and_add() -> torch.Tensor:
    """The gradient of a sum goes to both of its terms as one tensor."""
    x, other = torch.zeros(2, 3, requires_grad=True), torch.zeros(4, 3, requires_grad=True)
    beside = 3 * other  # made before the gathered rows: its backward comes after theirs
    (dist.gather(x) + beside).backward(torch.full((4, 3), 2.0))
    assert other.grad is not None
    return other.grad


def test_what_is_beside_it_keeps_its_own_gradient(pool: Any) -> None:
    for gradient in pool.run(__file__, "gather_and_add"):
        assert gradient.unique().tolist() == [6.0]


def test_alone_it_is_the_identity() -> None:
    x = torch.randn(2, 3, requires_grad=True)
    assert dist.gather(x) is x


def gather_images() -> torch.Tensor:
    """Rank r's images count up from 24 r; channels_last, as the loader gives them."""
    images = torch.arange(24.0).reshape(2, 3, 2, 2) + 24 * dist.rank()
    return dist.gather(images.to(memory_format=torch.channels_last))


def test_images_keep_their_pixels_in_place(pool: Any) -> None:
    for together in pool.run(__file__, "gather_images"):
        assert torch.equal(together, torch.arange(48.0).reshape(4, 3, 2, 2))


def share(mine: list[list[str]]) -> list[str]:
    names = mine[dist.rank()]
    dist.merge_names(names)
    return names


def test_names_that_one_rank_has_are_known_to_all(pool: Any) -> None:
    first, second = pool.run(__file__, "share", mine=[["a", "b"], ["b", "c"]])
    assert first == ["a", "b", "c"] and second == ["b", "c", "a"]
