"""The one collective that losses rely on."""

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


def test_alone_it_is_the_identity() -> None:
    x = torch.randn(2, 3, requires_grad=True)
    assert dist.gather(x) is x
