"""bert and gpt against NumPy, padding and time."""

from typing import Any

import numpy as np
import pytest
import torch

from small import BACKBONES, INPUTS, random_batch, small_method
from sslrun.backbones.folder import build_encoder
from sslrun.config.compose import compose
from sslrun.config.errors import ConfigError
from sslrun.core.batch import NO_TARGET
from sslrun.losses.token_prediction import mean_token_loss, target_count, token_losses
from sslrun.methods.base import build_method, check_fit
from sslrun.methods.bert import BERT
from sslrun.methods.gpt import GPT


def log_softmax(x: np.ndarray) -> np.ndarray:
    x = x - x.max(axis=-1, keepdims=True)
    return x - np.log(np.exp(x).sum(axis=-1, keepdims=True))


def test_the_loss_is_that_of_numpy() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(6, 11, generator=generator)
    targets = torch.tensor([3, NO_TARGET, 0, 10, NO_TARGET, 5])
    log_p = log_softmax(logits.numpy().astype(np.float64))
    by_hand = -np.mean([log_p[0, 3], log_p[2, 0], log_p[3, 10], log_p[5, 5]])
    assert mean_token_loss(logits, targets, count=target_count(targets)).item() == pytest.approx(by_hand, rel=1e-6)
    assert token_losses(logits, targets)[[1, 4]].tolist() == [0, 0]


def test_without_targets_it_is_nothing() -> None:
    targets = torch.full((4,), NO_TARGET)
    assert mean_token_loss(torch.randn(4, 5), targets, count=target_count(targets)).item() == 0


def test_it_is_computed_in_float32() -> None:
    logits = torch.randn(6, 11, dtype=torch.bfloat16)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert token_losses(logits, torch.arange(6)).dtype == torch.float32


def test_bert_asks_for_hidden_tokens_alone() -> None:
    method = small_method("bert", "bert").eval()
    batch = random_batch(method)
    loss = method(batch).loss
    with torch.no_grad():
        hidden = method.encoder.tokens(batch["input_ids"], attention_mask=batch["attention_mask"])
        h = torch.nn.functional.gelu(method.transform(hidden))  # type: ignore[operator]
        logits = method.norm(h) @ method.encoder.token_embedding().T + method.bias  # type: ignore[operator]
    log_p = log_softmax(logits.numpy().astype(np.float64))
    targets = batch["targets"].numpy()
    rows, places = np.nonzero(targets != NO_TARGET)
    assert loss.item() == pytest.approx(-log_p[rows, places, targets[rows, places]].mean(), rel=1e-5)


def test_token_top1_is_the_share_of_hidden_tokens_that_are_right() -> None:
    """A head that always says token 7."""
    method = small_method("bert", "bert")
    assert isinstance(method, BERT)
    with torch.no_grad():
        method.norm.weight.zero_()
        method.bias[7] = 1.0
    batch = random_batch(method)
    targets = torch.full_like(batch["targets"], NO_TARGET)
    targets[:, 0] = torch.tensor([7, 7, 7, 5, 5, 6, 6, 8])
    assert method(batch | {"targets": targets}).logs["token_top1"].item() == 3 / 8


def test_gpt_asks_for_every_next_token() -> None:
    method = small_method("gpt", "gpt2").eval()
    assert isinstance(method, GPT)
    batch = random_batch(method)
    log_p = log_softmax(method.logits(batch["input_ids"]).detach().numpy().astype(np.float64))
    picked = np.take_along_axis(log_p, batch["targets"].numpy()[..., None], axis=-1)
    assert method(batch).loss.item() == pytest.approx(-picked.mean(), rel=1e-5)


@pytest.mark.parametrize("backbone", ["gpt2", "llama"])
def test_a_later_token_changes_no_earlier_logits(backbone: str) -> None:
    method = small_method("gpt", backbone).eval()
    assert isinstance(method, GPT)
    ids = random_batch(method)["input_ids"]
    other = ids.clone()
    other[:, 9] = 4
    first, second = method.logits(ids), method.logits(other)
    assert torch.equal(first[:, :9], second[:, :9]) and not torch.allclose(first[:, 9:], second[:, 9:])


def more_padding(batch: dict[str, Any], by: int) -> dict[str, Any]:
    fill = {"input_ids": 0, "attention_mask": 0, "targets": NO_TARGET}
    return batch | {k: torch.nn.functional.pad(batch[k], (0, by), value=v) for k, v in fill.items()}


@pytest.mark.parametrize(("name", "backbone"), [("bert", "bert"), ("gpt", "gpt2"), ("gpt", "llama")])
def test_more_padding_changes_neither_loss_nor_embedding(name: str, backbone: str) -> None:
    method = small_method(name, backbone).eval()
    batch = {k: v[:, :12] if v.ndim == 2 else v for k, v in random_batch(method).items()}
    alone, padded = method(batch), method(more_padding(batch, 4))
    torch.testing.assert_close(alone.loss, padded.loss, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(alone.embedding, padded.embedding, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("name", "backbone"), [("bert", "bert"), ("gpt", "gpt2")])
def test_losses_of_rows_add_up_to_the_loss(name: str, backbone: str) -> None:
    method = small_method(name, backbone).eval()
    batch = random_batch(method)
    told = method.row_losses(batch)
    assert told is not None
    sums, counts = told
    assert counts.tolist() == (batch["targets"] != NO_TARGET).sum(dim=1).tolist()
    assert (sums.sum() / counts.sum()).item() == pytest.approx(method(batch).loss.item(), rel=1e-5)


def test_each_needs_its_kind_of_backbone() -> None:
    config: Any = compose("pretrain", ["method=gpt"])
    with pytest.raises(ConfigError, match=r"method=gpt needs a causal backbone, .*; backbone=bert is not one"):
        build_method(config.method, build_encoder(BACKBONES["bert"], INPUTS["text"]))
    config = compose("pretrain", ["method=bert"])
    with pytest.raises(ConfigError, match=r"method=bert needs one that reads both ways, e.g. bert_tiny; backbone=gpt2"):
        build_method(config.method, build_encoder(BACKBONES["gpt2"], INPUTS["text"]))


def test_images_are_no_text() -> None:
    config: Any = compose("pretrain", ["method=bert", "dataset=digits"])
    with pytest.raises(ConfigError, match="method=bert reads tokens; dataset=digits gives views or images"):
        check_fit(config.method, config.augmentation, config.dataset)
    config = compose("pretrain", ["method=simclr", "dataset=pydocs"])
    with pytest.raises(ConfigError, match="method=simclr reads views; dataset=pydocs gives tokens or blocks"):
        check_fit(config.method, config.augmentation, config.dataset)
