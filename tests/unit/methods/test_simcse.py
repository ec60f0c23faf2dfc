"""SimCSE against eq. 4 of arXiv:2104.08821, and dropout as its augmentation."""

import dataclasses

import numpy as np
import pytest
import torch

from small import BACKBONES, INPUTS, random_batch, small_config, small_method
from sslrun.backbones.folder import build_encoder
from sslrun.methods.base import build_method


def test_loss_is_the_papers() -> None:
    method = small_method("simcse", "bert").eval()
    batch = random_batch(method)
    with torch.no_grad():
        h = method.encoder(batch["input_ids"], attention_mask=batch["attention_mask"])
        z = method.project(h).double().numpy()  # type: ignore[union-attr]
    z /= np.linalg.norm(z, axis=1, keepdims=True)
    similar = z @ z.T / method.config.temperature  # type: ignore[attr-defined]  # no dropout: both views are equal
    expected = -np.mean(np.diag(similar) - np.log(np.exp(similar).sum(axis=1)))
    assert method(batch).loss.item() == pytest.approx(expected, rel=1e-4)


def test_dropout_makes_two_views_of_one_text() -> None:
    config = small_config("simcse")
    torch.manual_seed(0)
    encoder = build_encoder(dataclasses.replace(BACKBONES["bert"], dropout=0.3), INPUTS["text"])  # type: ignore[arg-type]
    method = build_method(config.method, encoder).train()
    batch = random_batch(method)
    seen: list[torch.Tensor] = []
    method.projector.register_forward_hook(lambda *told: seen.append(told[2]))  # type: ignore[union-attr]
    method(batch)
    z1, z2 = seen[0].chunk(2)
    assert not torch.equal(z1, z2)
    assert torch.cosine_similarity(z1, z2).mean() > torch.cosine_similarity(z1, z2.roll(1, dims=0)).mean()
