"""Text backbones: pooling, padding, causality, and their folders in transformers."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
import torch

import sslrun
from small import BACKBONES, INPUTS
from sslrun.backbones.base import Encoder, encode
from sslrun.backbones.folder import build_encoder
from sslrun.config.backbone.small_cnn import SmallCNNConfig
from sslrun.config.backbone.transformers import TransformersConfig
from sslrun.config.errors import ConfigError

NAMES = ("bert", "gpt2", "llama")
IMAGES = {"channels": 3, "image_size": 16, "mean": None, "std": None, "classes": None}


def build(name: str, **options: Any) -> Encoder:
    torch.manual_seed(0)
    config = BACKBONES[name]
    assert isinstance(config, TransformersConfig)
    return build_encoder(dataclasses.replace(config, **options), INPUTS["text"]).eval()


def padded(ids: torch.Tensor, *, by: int) -> dict[str, torch.Tensor]:
    """With `by` pads of another id each behind the text."""
    mask = torch.nn.functional.pad(torch.ones_like(ids), (0, by))
    return {"input_ids": torch.nn.functional.pad(ids, (0, by), value=7), "attention_mask": mask}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("pool", ["mean", "last", "first"])
def test_more_padding_changes_no_embedding(name: str, pool: str) -> None:
    encoder = build(name, pool=pool)
    ids = torch.randint(5, 40, (3, 9), generator=torch.Generator().manual_seed(0))
    alone = encode(encoder, padded(ids, by=0))
    assert alone.shape == (3, 32) == (3, encoder.num_features)
    for by in (1, 6):
        torch.testing.assert_close(encode(encoder, padded(ids, by=by)), alone, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_pooling_is_of_the_tokens(name: str) -> None:
    encoder = build(name, pool="mean")
    batch = padded(torch.randint(5, 40, (2, 6), generator=torch.Generator().manual_seed(1)), by=4)
    pooled, tokens = encoder.pooled_and_tokens(batch["input_ids"], attention_mask=batch["attention_mask"])
    assert tokens.shape == (2, 10, 32)
    torch.testing.assert_close(pooled, tokens[:, :6].mean(dim=1))
    last, same = build(name, pool="last").pooled_and_tokens(batch["input_ids"], attention_mask=batch["attention_mask"])
    torch.testing.assert_close(last, same[:, 5])


@pytest.mark.parametrize("name", NAMES)
def test_a_later_token_changes_earlier_ones_where_it_is_not_causal(name: str) -> None:
    encoder = build(name)
    ids = torch.randint(5, 40, (2, 8), generator=torch.Generator().manual_seed(1))
    other = ids.clone()
    other[:, 5] = 4
    first, second = encoder.tokens(ids), encoder.tokens(other)
    assert torch.equal(first[:, :5], second[:, :5]) == encoder.is_causal
    assert not torch.allclose(first[:, 5:], second[:, 5:])


@pytest.mark.parametrize("name", NAMES)
def test_its_folder_loads_in_transformers_with_equal_features(name: str, tmp_path: Path) -> None:
    from transformers import AutoModel

    encoder = build(name)
    encoder.save(tmp_path)
    options = {"add_pooling_layer": False} if name == "bert" else {}
    theirs = AutoModel.from_pretrained(tmp_path, local_files_only=True, **options).eval()
    batch = padded(torch.randint(5, 40, (2, 8), generator=torch.Generator().manual_seed(1)), by=3)
    with torch.no_grad():
        tokens = theirs(**batch).last_hidden_state
        ours = encoder.tokens(batch["input_ids"], attention_mask=batch["attention_mask"])
        torch.testing.assert_close(ours[:, :8], tokens[:, :8], rtol=1e-5, atol=1e-6)
        again = sslrun.load_encoder(tmp_path)
        assert torch.equal(encode(again, batch), encode(encoder, batch))


@pytest.mark.parametrize("name", ["gpt2", "llama"])
def test_its_folder_is_a_language_model_in_transformers(name: str, tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM

    encoder = build(name)
    encoder.save(tmp_path)
    theirs = AutoModelForCausalLM.from_pretrained(tmp_path, local_files_only=True).eval()
    ids = torch.randint(5, 40, (2, 8), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        logits = encoder.tokens(ids) @ encoder.token_embedding().T
        torch.testing.assert_close(theirs(ids).logits, logits, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("kind", "prefix"),
    [("BertForMaskedLM", "bert."), ("GPT2LMHeadModel", "transformer."), ("LlamaForCausalLM", "model.")],
)
def test_it_starts_from_a_local_checkpoint_of_transformers(kind: str, prefix: str, tmp_path: Path) -> None:
    import transformers

    name = {"bert.": "bert", "transformer.": "gpt2", "model.": "llama"}[prefix]
    sizes = {"vocab_size": 60, "hidden_size": 24, "num_hidden_layers": 3, "num_attention_heads": 2}
    options = {
        "bert": {"max_position_embeddings": 32, "intermediate_size": 40},
        "gpt2": {"n_positions": 32, "n_inner": 40, "bos_token_id": None, "eos_token_id": 3},
        "llama": {"max_position_embeddings": 32, "intermediate_size": 40, "num_key_value_heads": 2},
    }[name]
    torch.manual_seed(3)
    model = getattr(transformers, kind)(
        getattr(transformers, kind[:4].replace("Llam", "Llama") + "Config")(**sizes, **options)
    )
    model.save_pretrained(tmp_path / "theirs")
    encoder = build(name, pretrained=str(tmp_path / "theirs"))
    assert encoder.num_features == 24
    state = encoder.library_state()
    for key, value in model.state_dict().items():
        if key.startswith(prefix):
            assert torch.equal(state[key.removeprefix(prefix)], value)
    encoder.save(tmp_path / "ours")
    again = sslrun.load_encoder(tmp_path / "ours")
    ids = torch.randint(5, 40, (2, 8), generator=torch.Generator().manual_seed(1))
    assert torch.equal(again(ids), encoder(ids))


def test_a_checkpoint_with_fewer_tokens_than_the_dataset(tmp_path: Path) -> None:
    encoder = build("bert")
    encoder.save(tmp_path)
    described = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(described | {"vocab_size": 20}))
    with pytest.raises(ConfigError, match="has 20 tokens, the dataset's tokenizer has 40; use its own tokenizer"):
        build("bert", pretrained=str(tmp_path))


def test_backbones_of_another_modality_are_refused() -> None:
    with pytest.raises(ConfigError, match="backbone=bert reads tokens; the dataset gives images"):
        build_encoder(BACKBONES["bert"], IMAGES)
    with pytest.raises(ConfigError, match="backbone=small_cnn reads images; the dataset gives tokens"):
        build_encoder(SmallCNNConfig(name="small_cnn"), INPUTS["text"])


@pytest.mark.parametrize("name", NAMES)
def test_layers_hold_every_parameter_once(name: str) -> None:
    encoder = build(name)
    counted = [id(p) for layer in encoder.layers() for p in layer]
    assert len(counted) == len(set(counted)) and set(counted) == {id(p) for p in encoder.parameters()}
    assert len(encoder.layers()) == (3 if name == "bert" else 4)
