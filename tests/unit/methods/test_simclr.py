"""SimCLR's projector."""

import pytest
import torch
from torch import nn

from small import random_batch, small_config, small_method
from sslrun.config.errors import ConfigError
from sslrun.config.method.simclr import SimCLRConfig
from sslrun.methods.base import build_method


def test_the_output_has_batch_norm_where_it_is_asked_for() -> None:
    plain = small_method("simclr", "cnn")
    config = small_config("simclr", ["method.output_batch_norm=true"]).method
    normed = build_method(config, plain.encoder)
    assert [type(layer) for layer in plain.projector][-1] is nn.Linear
    z = normed.project(plain.encoder(random_batch(plain)["views"][0]))  # (B, P)
    assert z is not None
    torch.testing.assert_close(z.mean(dim=0), torch.zeros(z.shape[1]), atol=1e-5, rtol=0)
    torch.testing.assert_close(z.std(dim=0, correction=0), torch.ones(z.shape[1]), atol=1e-2, rtol=0)


@pytest.mark.parametrize(
    ("key", "limits"), [("hidden_dim", r"\[1, inf\)"), ("out_dim", r"\[1, inf\)"), ("temperature", r"\(0, inf\)")]
)
def test_limits(key: str, limits: str) -> None:
    with pytest.raises(ConfigError, match=rf"method\.{key} must be in {limits}, got 0"):
        SimCLRConfig(**{"hidden_dim": 8, "out_dim": 4, "temperature": 0.1, key: 0})
