"""wav2vec 2.0 against transformers' model with the same weights, masks and distractors; its draws and its schedule."""

import dataclasses
import math

import pytest
import torch
from transformers import Wav2Vec2ForPreTraining

from small import INPUTS, random_batch, small_config, small_method
from sslrun.backbones.folder import build_encoder
from sslrun.backbones.wav2vec2 import Wav2Vec2Encoder
from sslrun.config.backbone.cpc import WaveCPCEncoderConfig
from sslrun.config.errors import ConfigError
from sslrun.methods.base import build_method
from sslrun.methods.wav2vec2 import Wav2Vec2
from sslrun.nn import span_masking


def method_and_theirs() -> tuple[Wav2Vec2, Wav2Vec2ForPreTraining]:
    method = small_method("wav2vec2", "wav2vec2").eval()
    assert isinstance(method, Wav2Vec2) and isinstance(method.encoder, Wav2Vec2Encoder)
    architecture = method.encoder.network.config.__class__(**method.encoder.network.config.to_dict())
    config = method.config
    architecture.update(
        {
            "mask_time_prob": 0.05, "num_codevectors_per_group": config.codes, "codevector_dim": config.code_dim,
            "num_codevector_groups": config.codebooks, "proj_codevector_dim": config.out_dim,
        }
    )  # fmt: skip
    theirs = Wav2Vec2ForPreTraining(architecture).eval()
    own = method.state_dict()
    renamed = {k.replace("encoder.network.", "wav2vec2."): v for k, v in own.items() if k != "mask_token"}
    theirs.load_state_dict(renamed | {"wav2vec2.masked_spec_embed": own["mask_token"]})
    return method, theirs


def test_the_loss_is_that_of_transformers(monkeypatch: pytest.MonkeyPatch) -> None:
    method, theirs = method_and_theirs()
    batch = random_batch(method)
    seen: dict[str, torch.Tensor] = {}

    def hide(*arguments: object, **options: object) -> torch.Tensor:
        seen["is_masked"] = span_masking.mask_spans(*arguments, **options)  # type: ignore[arg-type]
        return seen["is_masked"]

    def distractors(counts: torch.Tensor, generators: list[torch.Generator]) -> torch.Tensor:
        seen["others"] = Wav2Vec2._distractors(method, counts, generators)
        return seen["others"]

    monkeypatch.setattr("sslrun.methods.wav2vec2.mask_spans", hide)
    monkeypatch.setattr(method, "_distractors", distractors)
    with torch.no_grad():
        sums, counts = method.row_losses(batch)
        is_masked, others = seen["is_masked"], seen["others"]
        flat = is_masked.flatten().nonzero()[:, 0]  # (M,) places of the hidden moments in (B N)
        negatives = torch.zeros(*is_masked.shape, others.shape[1], dtype=torch.int64)
        negatives[is_masked] = flat[others]
        is_sample = (torch.arange(batch["wave"].shape[1]) < batch["lengths"][:, None]).long()
        expected = theirs(
            batch["wave"], attention_mask=is_sample, mask_time_indices=is_masked, sampled_negative_indices=negatives
        ).contrastive_loss
    assert sums.sum().item() == pytest.approx(expected.item(), rel=1e-4)
    assert torch.equal(counts, is_masked.sum(dim=1)) and (counts >= 2).all()


def test_distractors_are_the_clips_other_hidden_moments() -> None:
    method, _ = method_and_theirs()
    generators = [torch.Generator().manual_seed(i) for i in range(3)]
    others = method._distractors(torch.tensor([4, 1, 3]), generators)
    own, first = torch.arange(8)[:, None], torch.tensor([0, 0, 0, 0, 4, 5, 5, 5])[:, None]
    size = torch.tensor([4, 4, 4, 4, 1, 3, 3, 3])[:, None]
    assert ((others >= first) & (others < first + size)).all()
    assert (others == own).any(dim=1).tolist() == [False] * 4 + [True] + [False] * 3
    assert {int(i) for i in others[0]} == {1, 2, 3}


def test_what_is_drawn_in_validation_follows_the_position_alone() -> None:
    method, _ = method_and_theirs()
    batch = random_batch(method)
    with torch.no_grad():
        sums, _ = method.row_losses(batch)
        torch.manual_seed(99)
        alone, _ = method.row_losses({k: v[2:3] for k, v in batch.items()})
        moved, _ = method.row_losses(batch | {"index": batch["index"] + 1})
    assert alone[0].item() == pytest.approx(sums[2].item(), rel=1e-4)
    assert not torch.isclose(moved, sums).all()


def test_the_temperature_of_the_draw_is_a_function_of_progress() -> None:
    method, _ = method_and_theirs()
    found = []
    for progress in (0.0, 0.35, 0.7, 0.9):
        method.before_step(progress)
        found.append(method.gumbel_temperature)
    assert found == pytest.approx([2.0, math.sqrt(2.0 * 0.5), 0.5, 0.5])


def test_limits_are_told_by_their_keys() -> None:
    config = small_method("wav2vec2", "wav2vec2").config  # type: ignore[attr-defined]
    with pytest.raises(ConfigError, match=r"method.gumbel_start must be in \[3, inf\), got 2"):
        dataclasses.replace(config, gumbel_end=3.0)
    with pytest.raises(ConfigError, match=r"method.code_dim=15 is not a multiple of method.codebooks=2"):
        dataclasses.replace(config, code_dim=15)


def test_another_backbone_is_refused() -> None:
    config = WaveCPCEncoderConfig(name="cpc_wave", width=8, hidden=12, kernels=[8], strides=[4])
    encoder = build_encoder(config, INPUTS["audio"])
    with pytest.raises(ConfigError, match=r"method=wav2vec2 needs its own backbone; backbone=cpc_wave is another"):
        build_method(small_config("wav2vec2").method, encoder)
