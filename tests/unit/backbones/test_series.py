"""Encoders of series: padding and missing values."""

from pathlib import Path

import pytest
import torch

from small import BACKBONES, INPUTS, random_series
from sslrun.backbones.folder import build_encoder, load_encoder

every_encoder = pytest.mark.parametrize("name", ["ts2vec", "patchtst"])


@every_encoder
def test_padding_changes_nothing(name: str) -> None:
    torch.manual_seed(0)
    encoder = build_encoder(BACKBONES[name], INPUTS["series"]).eval()
    series = random_series(3, generator=torch.Generator().manual_seed(0))["series"][:, :40]
    padded = torch.nn.functional.pad(series, (0, 0, 0, 24), value=torch.nan)
    torch.testing.assert_close(encoder(series), encoder(padded), rtol=1e-4, atol=1e-5)


@every_encoder
def test_series_without_any_value_give_numbers(name: str) -> None:
    encoder = build_encoder(BACKBONES[name], INPUTS["series"]).eval()
    series = torch.full((2, 40, 2), torch.nan)
    series[1, :, 0] = torch.arange(40.0)  # one channel is there
    assert encoder(series).isfinite().all()


@every_encoder
def test_a_saved_encoder_gives_the_same_features(name: str, tmp_path: Path) -> None:
    encoder = build_encoder(BACKBONES[name], INPUTS["series"]).eval()
    encoder.save(tmp_path)
    series = random_series(3, generator=torch.Generator().manual_seed(0))["series"]
    assert torch.equal(load_encoder(tmp_path)(series), encoder(series))


def test_ts2vec_gives_one_vector_a_timestamp_and_pools_their_maximum() -> None:
    encoder = build_encoder(BACKBONES["ts2vec"], INPUTS["series"]).eval()
    pooled, tokens = encoder.pooled_and_tokens(torch.randn(2, 50, 2))
    assert tokens.shape == (2, 50, 24)
    assert torch.equal(pooled, tokens.amax(dim=1))


def test_patchtst_does_not_see_level_and_scale() -> None:
    encoder = build_encoder(BACKBONES["patchtst"], INPUTS["series"]).eval()
    series = torch.randn(2, 64, 2)
    torch.testing.assert_close(encoder(series), encoder(5 * series + 3), rtol=1e-3, atol=1e-4)
