"""The encoder of wav2vec 2.0: what transformers loads, and what padding changes."""

import dataclasses
from pathlib import Path

import pytest
import torch
from transformers import AutoModel, Wav2Vec2ForPreTraining

from small import BACKBONES, INPUTS, SAMPLES, random_waves, small_config
from sslrun.backbones.base import encode
from sslrun.backbones.folder import build_encoder, load_encoder
from sslrun.backbones.wav2vec2 import Wav2Vec2Encoder
from sslrun.config.backbone.wav2vec2 import Wav2Vec2EncoderConfig
from sslrun.config.errors import ConfigError
from sslrun.methods.base import build_method


def small(**options: object) -> Wav2Vec2Encoder:
    torch.manual_seed(0)
    config = BACKBONES["wav2vec2"]
    encoder = build_encoder(dataclasses.replace(config, **options), INPUTS["audio"])  # type: ignore[arg-type]
    assert isinstance(encoder, Wav2Vec2Encoder)
    return encoder.eval()


def test_transformers_loads_the_export_with_equal_features(tmp_path: Path) -> None:
    encoder = small()
    encoder.save(tmp_path)
    batch = random_waves(3, generator=torch.Generator().manual_seed(0))
    whole = torch.full((3,), SAMPLES)
    theirs = AutoModel.from_pretrained(tmp_path).eval()
    with torch.no_grad():
        expected = theirs(input_values=batch["wave"]).last_hidden_state.mean(dim=1)
        assert torch.allclose(encoder(batch["wave"], lengths=whole), expected, atol=1e-5)
        is_sample = (torch.arange(SAMPLES) < batch["lengths"][:, None]).long()
        tokens = theirs(input_values=batch["wave"], attention_mask=is_sample).last_hidden_state
        _, own = encoder.pooled_and_tokens(batch["wave"], lengths=batch["lengths"])
        _, _, inside = encoder.local(batch["wave"], lengths=batch["lengths"])
        assert torch.allclose(own[inside], tokens[inside], atol=1e-5)
    assert torch.equal(encode(load_encoder(tmp_path), batch), encode(encoder, batch))


def test_a_checkpoint_of_transformers_brings_its_sizes_its_codes_and_its_mask(tmp_path: Path) -> None:
    architecture = small(width=48, heads=3).network.config
    architecture.update(
        {
            "mask_time_prob": 0.05, "num_codevectors_per_group": 8, "num_codevector_groups": 2, "codevector_dim": 16,
            "proj_codevector_dim": 32,
        }
    )  # fmt: skip
    torch.manual_seed(1)
    theirs = Wav2Vec2ForPreTraining(architecture).eval()
    theirs.save_pretrained(tmp_path)
    encoder = small(pretrained=str(tmp_path))
    wave = torch.randn(2, SAMPLES)
    with torch.no_grad():
        expected = theirs.wav2vec2(wave).last_hidden_state.mean(dim=1)
        assert torch.allclose(encoder(wave), expected, atol=1e-5)
    assert isinstance(encoder.config, Wav2Vec2EncoderConfig) and encoder.config.width == 48
    state = build_method(small_config("wav2vec2").method, encoder).state_dict()
    assert torch.equal(state["quantizer.codevectors"], theirs.quantizer.codevectors)
    assert torch.equal(state["project_hid.weight"], theirs.project_hid.weight)
    assert torch.equal(state["mask_token"], theirs.wav2vec2.masked_spec_embed)


def test_features_with_the_bases_norm_over_the_clip_are_those_of_transformers(tmp_path: Path) -> None:
    encoder = small(conv_norm="group")
    encoder.save(tmp_path)
    theirs = AutoModel.from_pretrained(tmp_path).eval()
    assert theirs.config.feat_extract_norm == "group"
    wave = torch.randn(3, SAMPLES)
    with torch.no_grad():
        assert torch.allclose(encoder(wave), theirs(wave).last_hidden_state.mean(dim=1), atol=1e-5)


def test_files_of_older_versions_are_read() -> None:
    encoder, other = small(), small()
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.add_(0.1)
    old = {
        k.replace(".parametrizations.weight.original0", ".weight_g").replace(
            ".parametrizations.weight.original1", ".weight_v"
        ): v
        for k, v in encoder.library_state().items()
    }
    assert any(k.endswith(".weight_g") for k in old)
    other.load_library_state({f"wav2vec2.{k}": v for k, v in old.items()} | {"lm_head.weight": torch.zeros(4, 32)})
    wave = torch.randn(2, SAMPLES)
    assert torch.equal(encoder(wave), other(wave)) and list(other.head_weights) == ["lm_head.weight"]


@pytest.mark.parametrize("norm", ["layer", "group"])
def test_a_wave_has_one_vector_whatever_it_is_batched_with(norm: str) -> None:
    encoder, wave = small(conv_norm=norm), torch.randn(1, 150)
    padded = torch.cat([wave, torch.zeros(1, 90)], dim=1)
    assert torch.allclose(encoder(wave), encoder(padded, lengths=torch.tensor([150])), atol=1e-5)


def test_a_wave_shorter_than_one_moment_has_a_vector() -> None:
    encoder = small()
    assert encoder.receptive_field == 8 + 3 * 4 and encoder.patch_size == 8
    assert encoder(torch.randn(1, 5)).isfinite().all()


def test_another_library_model_is_refused(tmp_path: Path) -> None:
    bert = build_encoder(BACKBONES["bert"], INPUTS["text"])
    bert.save(tmp_path)
    with pytest.raises(ConfigError, match=r"is a bert; wav2vec2 can be read"):
        small(pretrained=str(tmp_path))
