"""Losses on held-out data, and text that is sampled."""

import math
from typing import Any

import pytest
import torch

from small import random_batch, small_method
from sslrun.backbones.base import Encoder
from sslrun.core.rows import RowKey
from sslrun.evaluation.batches import Batches
from sslrun.evaluation.generation import generate
from sslrun.evaluation.held_out import held_out_losses, held_out_metrics, held_out_rows

SUMS = torch.tensor([2.0, 6.0, 4.0], dtype=torch.float64)
KEY = RowKey(encoder="e", dataset="d", split="validation", seed=0)
COUNTS = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)


def test_loss_perplexity_and_bits_by_hand() -> None:
    numbers = held_out_metrics(SUMS, COUNTS, characters=24)
    assert numbers == {
        "loss": 2.0,
        "perplexity": pytest.approx(math.e**2),
        "bits_per_character": pytest.approx(12 / math.log(2) / 24),
    }
    assert "bits_per_character" not in held_out_metrics(SUMS, COUNTS, characters=None)
    assert held_out_metrics(SUMS, COUNTS, characters=None, is_likelihood=False).keys() == {"loss"}


def test_rows_count_targets_and_hold_the_value() -> None:
    rows = held_out_rows(SUMS, COUNTS, characters=24, key=KEY)
    assert [r.metric for r in rows] == ["loss", "perplexity", "bits_per_character"]
    for row in rows:
        assert row.n == 6 and row.split == "validation" and row.evaluation == "held_out"
        assert row.low is not None and row.high is not None and row.low < row.value < row.high
    # the resamples lie between the lowest and the highest item's own mean, 4/3 and 3
    assert rows[0].low >= 4 / 3 - 1e-9 and rows[0].high <= 3 + 1e-9  # type: ignore[operator]


def on_cpu(loader: list[dict[str, Any]]) -> Batches:
    return Batches(loader=loader, prepare=lambda batch: batch, device="cpu", autocast=None)


def test_every_row_of_every_batch_counts_and_flags_are_put_back() -> None:
    method = small_method("bert", "bert").train()
    batches = [random_batch(method, rows=rows, seed=rows) for rows in (4, 3)]
    losses = held_out_losses(method, on_cpu(batches))
    assert losses is not None and method.training
    assert losses[0].shape == losses[1].shape == (7,) and losses[0].dtype == torch.float64
    counts = torch.cat([(b["targets"] != -100).sum(dim=1) for b in batches])
    assert torch.equal(losses[1], counts.double())


def test_a_method_without_losses_of_rows_gives_none() -> None:
    method = small_method("simclr", "cnn").train()
    assert held_out_losses(method, on_cpu([random_batch(method)])) is None and method.training


def sample(encoder: Encoder, **options: object) -> list[list[int]]:
    settings = {"count": 3, "max_new_tokens": 12, "temperature": 1.0, "top_k": None, "end": None, "banned": [0]}
    return generate(encoder, [5, 6], max_length=16, **({"seed": 0} | settings | options))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return small_method("gpt", "gpt2").encoder.eval()


def test_draws_follow_the_seed(encoder: Encoder) -> None:
    assert sample(encoder) == sample(encoder) != sample(encoder, seed=1)
    assert [len(text) for text in sample(encoder)] == [12, 12, 12]
    assert sample(encoder, max_new_tokens=40)[0][:12] == sample(encoder)[0]


def test_without_temperature_the_likeliest_is_taken(encoder: Encoder) -> None:
    first, second, _ = sample(encoder, temperature=0)
    assert first == second == sample(encoder, top_k=1)[0]
    with torch.no_grad():
        logits = encoder.tokens(torch.tensor([[5, 6]]))[0, -1] @ encoder.token_embedding().T
    logits[0] = -torch.inf
    assert first[0] == int(logits.argmax())


def test_marks_are_never_drawn_and_the_end_ends(encoder: Encoder) -> None:
    banned = list(range(38))
    sampled = sample(encoder, banned=banned, max_new_tokens=16)
    assert {token for text in sampled for token in text} == {38, 39}
    ended = sample(encoder, banned=banned, max_new_tokens=16, end=39)
    assert ended == [text[: text.index(39)] if 39 in text else text for text in sampled]
