"""The encoders of CPC: what a moment sees, and that padding changes nothing."""

import math
from typing import Any

import pytest
import torch

from sslrun.backbones.base import encode
from sslrun.backbones.cpc import CPCEncoder
from sslrun.backbones.folder import build_encoder
from sslrun.config.backbone.cpc import CPCEncoderConfig, WaveCPCEncoderConfig
from sslrun.config.compose import compose
from sslrun.config.errors import ConfigError
from sslrun.methods.base import build_method

SERIES: dict[str, Any] = {"reads": "series", "channels": 3, "max_length": 40}


def small(**options: Any) -> CPCEncoder:
    torch.manual_seed(0)
    encoder = build_encoder(CPCEncoderConfig(name="cpc", width=8, hidden=12, **options), SERIES)
    assert isinstance(encoder, CPCEncoder)
    return encoder.eval()


def test_a_moment_sees_its_past_alone() -> None:
    encoder, x = small(), torch.randn(1, 20, 3)
    changed = x.clone()
    changed[:, 12:] += 1
    (z, c, _), (other_z, other_c, _) = encoder.local_and_context(x), encoder.local_and_context(changed)
    assert torch.equal(c[:, :12], other_c[:, :12]) and not torch.equal(c[:, 12:], other_c[:, 12:])
    assert torch.allclose(z[:, :12], other_z[:, :12]) and z.shape == (1, 20, 8) and c.shape == (1, 20, 12)


@pytest.mark.parametrize(("kernels", "strides"), [([1, 1], [1, 1]), ([4, 3], [2, 1])])
def test_a_series_has_one_vector_whatever_it_is_batched_with(kernels: list[int], strides: list[int]) -> None:
    encoder, x = small(kernels=kernels, strides=strides), torch.randn(1, 20, 3)
    padded = torch.cat([x, torch.full((1, 9, 3), math.nan)], dim=1)
    assert torch.allclose(encoder(x), encoder(padded), atol=1e-6)


def test_waves_come_to_one_moment_every_160_samples() -> None:
    config = compose("pretrain", ["method=cpc", "backbone=cpc_wave", "dataset.form=wave"]).backbone  # type: ignore[attr-defined]
    assert isinstance(config, WaveCPCEncoderConfig)
    config.width, config.hidden = 8, 12
    encoder = build_encoder(config, {"reads": "wave", "channels": 1, "max_length": 16000}).eval()
    assert isinstance(encoder, CPCEncoder) and encoder.patch_size == 160
    wave, lengths = torch.randn(2, 8000), torch.tensor([8000, 4000])
    wave[1, 4000:] = 0
    z, _, inside = encoder.local_and_context(wave, lengths=lengths)
    assert z.shape[:2] == (2, 48) and inside.sum(dim=1).tolist() == [48, 23]  # windows of 465 samples that fit
    alone = encode(encoder, {"wave": wave[1:, :4000], "lengths": lengths[1:]})
    assert torch.allclose(encode(encoder, {"wave": wave, "lengths": lengths})[1:], alone, atol=1e-6)


def test_cpc_refuses_other_backbones() -> None:
    config = compose("pretrain", ["method=cpc", "backbone=ts2vec"])
    encoder = build_encoder(config.backbone, SERIES)  # type: ignore[attr-defined]
    with pytest.raises(ConfigError, match=r"method=cpc needs its own backbone.*; choose backbone=cpc or cpc_wave"):
        build_method(config.method, encoder)  # type: ignore[attr-defined]
