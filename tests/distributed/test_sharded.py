"""`trainer.strategy=fsdp`: each rank holds its part, and a step is that of the whole."""

from typing import Any

import pytest
import torch
from torch.distributed.device_mesh import init_device_mesh

from small import random_batch, small_method
from sslrun.core import dist
from sslrun.training.sharded import shard, transformer_blocks


def steps(name: str, *, sharded: bool) -> tuple[float, int, dict[str, torch.Tensor]]:
    """Two optimizer steps on this rank's half of each batch: loss, elements held here, parameters put together."""
    torch.manual_seed(0)
    method = small_method(name, "vit")
    if sharded:
        shard(method, init_device_mesh("cpu", (2,)))
    trained = [p for p in method.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-3, foreach=False)
    for step in range(2):
        batch = random_batch(method, rows=8, seed=step)
        method.before_step(step / 2)
        loss = method(half(batch)).loss
        loss.backward()
        if not sharded:
            for p in trained:
                torch.distributed.all_reduce(p.grad, op=torch.distributed.ReduceOp.SUM)
                p.grad /= 2
        optimizer.step()
        optimizer.zero_grad()
        method.after_step(step / 2)
    held = sum(getattr(p, "to_local", lambda p=p: p)().numel() for p in method.parameters())
    whole = {k: getattr(p, "full_tensor", lambda p=p: p)().detach() for k, p in method.named_parameters()}
    return float(loss), held, whole


def half(batch: dict[str, Any]) -> dict[str, Any]:
    """This rank's rows."""
    rows = slice(4 * dist.rank(), 4 * dist.rank() + 4)
    return {k: [v[rows] for v in value] if isinstance(value, list) else value[rows] for k, value in batch.items()}


@pytest.mark.parametrize("name", ["mae", "byol", "dino"])
def test_two_ranks_with_half_the_parameters_each_train_like_two_with_all(pool: Any, name: str) -> None:
    whole = pool.run(__file__, "steps", name=name, sharded=False)
    parts = pool.run(__file__, "steps", name=name, sharded=True)
    for (loss, held, parameters), (other_loss, other_held, other) in zip(whole, parts, strict=True):
        assert loss == pytest.approx(other_loss, abs=1e-6)
        assert 0.45 * held < other_held < 0.6 * held
        assert max(float((parameters[k] - other[k]).abs().max()) for k in parameters) < 1e-6


def test_blocks_are_those_of_the_transformer() -> None:
    method = small_method("mae", "vit")
    assert len(list(transformer_blocks(method.encoder))) == 2  # and the decoder has its own
    assert {type(block).__name__ for block in transformer_blocks(method)} == {"Block"}
    assert list(transformer_blocks(small_method("simclr", "cnn"))) == []
