"""Two ranks equal one process, in loss, in every parameter's gradient, and in queues and centres after the step."""

from typing import Any

import pytest
import torch
from torch import Tensor

from small import (
    BACKBONES,
    CLASSES,
    INPUTS,
    backbones_of,
    method_names,
    modality,
    needs_tokens,
    random_batch,
    small_config,
)
from sslrun.backbones.base import Encoder
from sslrun.backbones.folder import build_encoder
from sslrun.config.method.cpc import Negatives
from sslrun.config.method.ibot import Centering
from sslrun.config.schema import BackboneConfig
from sslrun.core import dist
from sslrun.methods.base import build_method
from sslrun.methods.cpc import of_all_ranks
from sslrun.methods.mocov2 import MoCoV2

ROWS, SIZE = 8, 8
VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {name: (name, {}) for name in method_names()}
VARIANTS |= {
    "dinov2": ("ibot", {"centering": Centering.sinkhorn, "koleo_weight": 0.1, "shared_head": False}),
    "cpc over the batch": ("cpc", {"negatives": Negatives.batch}),
    "mocov2 symmetric": ("mocov2", {"symmetric": True}),
    "swav with queue": ("swav", {"queue_size": ROWS, "queue_start": 0.0}),
}
"""Every method as it is, and with options that gather more."""
IMAGES = {"channels": 3, "image_size": SIZE, "mean": None, "std": None, "classes": CLASSES}


class Linear(Encoder):
    """No BatchNorm: its statistics are per rank, and SyncBatchNorm does not exist on the CPU."""

    num_features = 12

    def __init__(self) -> None:
        super().__init__()
        self.config = BackboneConfig(kind="linear", name="linear")
        self.inputs = IMAGES
        self.layer = torch.nn.Linear(3 * SIZE * SIZE, 12)

    def forward(self, x: Tensor, **rest: Any) -> Tensor:
        return torch.tanh(self.layer(x.flatten(1)))

    def library_state(self) -> dict[str, Tensor]:
        return self.layer.state_dict()

    def load_library_state(self, state: dict[str, Tensor]) -> None:
        self.layer.load_state_dict(state)


def without_batch_norm(module: torch.nn.Module) -> None:
    for name, child in module.named_children():
        if isinstance(child, torch.nn.BatchNorm1d):
            setattr(module, name, torch.nn.Identity())
        without_batch_norm(child)


def step(variant: str, rows: slice) -> tuple[float, dict[str, Tensor], dict[str, Tensor]]:
    """Loss and gradients of `rows` of the batch, averaged over ranks as DDP does, and the buffers after the step.

    It is the second step: what a queue took in the first is read in it.
    """
    name, options = VARIANTS[variant]
    config = small_config(name, **options)
    torch.manual_seed(0)
    if modality(name) in ("image", "pair"):
        encoder = build_encoder(BACKBONES["vit"], IMAGES) if needs_tokens(name) else Linear()
        encoder.inputs = IMAGES | {"text": INPUTS["text"]}
    else:
        encoder = build_encoder(BACKBONES[backbones_of(name)[0]], INPUTS[modality(name)])
    method = build_method(config.method, encoder)
    without_batch_norm(method)
    batch = random_batch(method, rows=ROWS, size=SIZE)
    mine = {k: [v[rows] for v in value] if k == "views" else value[rows] for k, value in batch.items()}
    for progress in (0.25, 0.5):
        method.zero_grad()
        method.before_step(progress)
        loss = method(mine).loss
        loss.backward()
        method.after_step(progress)
    gradients = {n: p.grad for n, p in method.named_parameters() if p.grad is not None}
    value = loss.detach()
    if dist.world_size() > 1:
        for tensor in (value, *gradients.values()):
            torch.distributed.all_reduce(tensor)
            tensor /= dist.world_size()
    return float(value), gradients, dict(method.named_buffers())


def on_rank(variant: str) -> tuple[float, dict[str, Tensor], dict[str, Tensor]]:
    rows = ROWS // dist.world_size()
    return step(variant, slice(dist.rank() * rows, (dist.rank() + 1) * rows))


@pytest.mark.parametrize("variant", VARIANTS)
def test_two_ranks_equal_one_process(pool: Any, variant: str) -> None:
    loss, gradients, buffers = step(variant, slice(None))
    first, second = pool.run(__file__, "on_rank", variant=variant)
    for rank_loss, rank_gradients, rank_buffers in (first, second):
        assert rank_loss == pytest.approx(loss, rel=1e-5)
        assert rank_gradients.keys() == gradients.keys() and rank_buffers.keys() == buffers.keys()
        for key, gradient in gradients.items():
            torch.testing.assert_close(rank_gradients[key], gradient, rtol=1e-4, atol=1e-6)
        for key, buffer in buffers.items():
            torch.testing.assert_close(rank_buffers[key], buffer, rtol=1e-4, atol=1e-6)
    for key, buffer in first[2].items():  # DDP sends no buffers: they are the same as they are made
        assert torch.equal(buffer, second[2][key]), key


class Numbers(torch.nn.Module):
    """One-hot rows by the number in the first pixel; records the numbers it saw."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[int] = []

    def forward(self, x: Tensor) -> Tensor:
        self.seen += x[:, 0, 0, 0].long().tolist()
        return torch.nn.functional.one_hot(x[:, 0, 0, 0].long(), 2 * ROWS).float()


def shuffled_keys() -> tuple[Tensor, list[int]]:
    """Keys of images numbered over ranks, and the numbers of those that this rank encoded; generators differ."""
    method = build_method(small_config("mocov2").method, Linear())
    assert isinstance(method, MoCoV2)
    method.key_encoder, method.key_projector = Numbers(), torch.nn.Identity()
    torch.manual_seed(dist.rank())
    numbers = torch.arange(float(ROWS)) + ROWS * dist.rank()
    return method._keys(numbers.reshape(ROWS, 1, 1, 1).expand(ROWS, 3, 2, 2)), method.key_encoder.seen


def test_moco_shuffles_keys_over_ranks_and_restores_their_order(pool: Any) -> None:
    (first_keys, first_seen), (second_keys, second_seen) = pool.run(__file__, "shuffled_keys")
    assert torch.equal(first_keys, torch.eye(2 * ROWS)) and torch.equal(second_keys, first_keys)
    assert sorted(first_seen + second_seen) == list(range(2 * ROWS)) and len(first_seen) == ROWS
    assert any(number >= ROWS for number in first_seen)


def time_steps_of_unequal_numbers() -> tuple[Tensor, Tensor, Tensor]:
    """Rank r has 2 clips of 3 + r time steps, r + 1 everywhere; its loss weighs them by 10 (r + 1)."""
    local = torch.full((2, 3 + dist.rank(), 5), float(dist.rank() + 1), requires_grad=True)
    others, is_there = of_all_ranks(local, torch.ones(2, 3 + dist.rank(), dtype=torch.bool))
    (10 * (dist.rank() + 1) * others).sum().backward()
    assert local.grad is not None
    return others.detach(), is_there, local.grad


def test_clips_of_unequal_lengths_are_gathered(pool: Any) -> None:
    for others, is_there, gradient in pool.run(__file__, "time_steps_of_unequal_numbers"):
        assert others.shape == (16, 5) and is_there.tolist() == 2 * [True, True, True, False] + 8 * [True]
        assert others[is_there][:, 0].tolist() == 6 * [1.0] + 8 * [2.0]
        assert gradient.unique().tolist() == [30.0]
