"""Connectionist temporal classification by enumeration, and greedy decoding."""

import itertools
import math
from typing import Any

import pytest
import torch
from torch import Tensor

from small import BACKBONES, INPUTS, random_series, random_waves
from sslrun.backbones.base import Encoder
from sslrun.backbones.folder import build_encoder
from sslrun.config.errors import ConfigError
from sslrun.config.schema import BackboneConfig
from sslrun.core.batch import NO_TARGET
from sslrun.methods.transcriber import Transcriber, average_groups


class Given(Encoder):
    """Its input is its output: (B, N, D), of which rows with NaN are padding."""

    reads, num_features, has_timesteps = "series", 3, True

    def __init__(self) -> None:
        super().__init__()
        self.config = BackboneConfig(kind="given", name="given")

    def forward(self, x: Tensor, **rest: Any) -> Tensor:
        return x.nan_to_num().mean(dim=1)

    def timesteps(self, x: Tensor, **rest: Any) -> tuple[Tensor, Tensor]:
        return x.nan_to_num(), ~x.isnan().any(dim=2)

    def library_state(self) -> dict[str, Tensor]:
        return {}

    def load_library_state(self, state: dict[str, Tensor]) -> None: ...


def given() -> Transcriber:
    """Outputs are what the encoder gives: blank, a, b."""
    method = Transcriber(Given(), alphabet="ab")
    with torch.no_grad():
        method.head.weight.copy_(torch.eye(3))
    return method


def collapsed(path: tuple[int, ...]) -> str:
    return "".join(" ab"[k] for k, _ in itertools.groupby(path) if k)


def test_the_loss_is_that_of_all_paths_that_write_the_transcript() -> None:
    series = torch.randn(2, 4, 3, generator=torch.Generator().manual_seed(0))
    series[1, 3] = math.nan
    batch = {"series": series, "transcript": torch.tensor([[0, 1], [1, NO_TARGET]])}
    sums, counts = given().row_losses(batch)
    for row, (moments, text) in enumerate([(4, "ab"), (3, "b")]):
        probabilities = series[row, :moments].softmax(dim=1)
        paths = (p for p in itertools.product(range(3), repeat=moments) if collapsed(p) == text)
        total = sum(math.prod(float(probabilities[t, k]) for t, k in enumerate(path)) for path in paths)
        assert sums[row].item() == pytest.approx(-math.log(total), rel=1e-4) and counts[row] == len(text)
    assert given()(batch).loss.item() == pytest.approx((sums[0] / 2 + sums[1]).item() / 2, rel=1e-5)


def test_a_transcript_longer_than_the_outputs_has_no_loss() -> None:
    batch = {"series": torch.randn(1, 2, 3), "transcript": torch.tensor([[0, 0]])}  # "aa" needs a blank between
    assert given().row_losses(batch)[0].item() == 0.0


def test_repeats_and_blanks_are_left_out_and_padding_writes_nothing() -> None:
    outputs = torch.tensor([[0, 1, 1, 0, 1, 2, 2], [2, 2, 0, 0, 1, 1, 1]])
    series = torch.nn.functional.one_hot(outputs, 3).float()
    series[1, 4:] = math.nan
    assert given().transcribe({"series": series}) == ["aab", "b"]


@pytest.mark.parametrize("name", ["cpc", "ts2vec"])
def test_encoders_of_sequences_learn_a_transcript(name: str) -> None:
    torch.manual_seed(0)
    encoder = build_encoder(BACKBONES[name], INPUTS["series"])
    batch = random_series(2, generator=torch.Generator().manual_seed(1))
    batch["transcript"] = torch.tensor([[0, 1], [1, NO_TARGET]])
    method = Transcriber(encoder, alphabet="ab")
    optimizer = torch.optim.Adam(method.parameters(), lr=0.03)
    for _ in range(140):
        loss = method(batch).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert method.eval().transcribe(batch) == ["ab", "b"]


def test_gradients_reach_all_of_a_wave_encoder_and_padding_is_left_out() -> None:
    torch.manual_seed(0)
    method = Transcriber(build_encoder(BACKBONES["wav2vec2"], INPUTS["audio"]), alphabet="ab")
    batch = random_waves(3, generator=torch.Generator().manual_seed(1))
    batch["transcript"] = torch.tensor([[0, 1], [1, NO_TARGET], [0, NO_TARGET]])
    method(batch).loss.backward()
    assert [n for n, p in method.named_parameters() if p.grad is None] == []
    sums, _ = method.eval().row_losses(batch)
    length = int(batch["lengths"][0])
    alone = {"wave": batch["wave"][:1, :length], "lengths": batch["lengths"][:1], "transcript": batch["transcript"][:1]}
    assert method.row_losses(alone)[0].item() == pytest.approx(sums[0].item(), rel=1e-4)


def test_time_steps_are_averaged_without_padding() -> None:
    tokens = torch.tensor([[1.0, 3, 5, 7, 9], [2, 4, 6, 100, 100]])[..., None]  # (2, 5, 1)
    inside = torch.tensor([[True] * 5, [True, True, True, False, False]])
    outputs, heard = average_groups(tokens, inside, size=2)
    assert outputs[..., 0].tolist() == [[2, 6, 9], [3, 6, 0]]
    assert heard.tolist() == [[True, True, True], [True, True, False]]
    method = Transcriber(Given(), alphabet="ab", timesteps_per_output=2)
    with torch.no_grad():
        method.head.weight.copy_(torch.eye(3))
    series = torch.nn.functional.one_hot(torch.tensor([[1, 1, 2, 2, 0, 0]]), 3).float()
    assert method.transcribe({"series": series}) == ["ab"]
    narrow = {"series": series, "transcript": torch.tensor([[0, 0, 1, 1]])}  # needs more than three outputs
    assert method.row_losses(narrow)[0].item() == 0.0 < given().row_losses(narrow)[0].item()


def test_a_backbone_without_time_steps_is_refused() -> None:
    encoder = build_encoder(BACKBONES["cnn"], {"channels": 1, "image_size": 16})
    with pytest.raises(ConfigError, match=r"backbone=small_cnn has no time steps to transcribe; .* backbone=cpc"):
        Transcriber(encoder, alphabet="ab")
