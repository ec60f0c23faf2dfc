"""Heads and momentum copies."""

from typing import Any

import pytest
import torch
import transformers
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


def tiny(kind: str) -> tuple[nn.Module, torch.Tensor]:
    """A transformer of the library `transformers` with rates at each of its places, and an input."""
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    hidden = {"hidden_dropout_prob": 0.3, "attention_probs_dropout_prob": 0.3}
    spoken = {
        "conv_dim": [16], "conv_kernel": [4], "conv_stride": [4], "num_conv_pos_embeddings": 4,
        "num_conv_pos_embedding_groups": 2, "layerdrop": 0.0, "mask_time_prob": 0.0,
    }  # fmt: skip
    config: Any = {
        "dinov2": lambda: transformers.Dinov2Config(
            **sizes, **hidden, drop_path_rate=0.5, image_size=8, patch_size=4, num_channels=1
        ),
        "bert": lambda: transformers.BertConfig(**sizes, **hidden, vocab_size=10),
        "wav2vec2": lambda: transformers.Wav2Vec2Config(
            **sizes, **spoken, hidden_dropout=0.3, attention_dropout=0.3, activation_dropout=0.3, feat_proj_dropout=0.3
        ),
        "clip_vision_model": lambda: transformers.CLIPVisionConfig(
            **sizes, attention_dropout=0.3, image_size=8, patch_size=4, num_channels=1
        ),
    }[kind]()
    inputs = {"bert": torch.arange(10).view(2, 5), "wav2vec2": torch.randn(2, 64)}
    network: nn.Module = transformers.AutoModel.from_config(config, attn_implementation="sdpa")
    return network, inputs.get(kind, torch.randn(2, 1, 8, 8))


@pytest.mark.parametrize("kind", ["dinov2", "bert", "wav2vec2", "clip_vision_model"])
def test_frozen_copy_of_transformers_encoders_drops_nothing(kind: str) -> None:
    torch.manual_seed(0)
    network, x = tiny(kind)
    target = frozen_copy(network.train())

    def tokens(model: nn.Module) -> torch.Tensor:
        return model(x).last_hidden_state

    assert not torch.equal(tokens(network), tokens(network))
    assert target.training and torch.equal(tokens(target), tokens(target))


def test_ema_leaves_buffers_alone() -> None:
    online = nn.BatchNorm1d(2)
    target = frozen_copy(online)
    online(torch.randn(8, 2) + 5)
    ema_update(target, online, decay=0.0)
    assert target.running_mean is not None and target.running_mean.abs().sum() == 0
