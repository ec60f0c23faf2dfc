"""Checkpoints of transformers measured, searched with, and trained on."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_digits
from transformers import AutoModel, BertConfig, BertModel, CLIPModel, Wav2Vec2Config, Wav2Vec2FeatureExtractor
from transformers import Wav2Vec2Model as Wav2Vec2

from checkpoints import byte_tokenizer, save, save_clip, save_vision
from small import INPUTS
from sslrun.commands import export, pretrain, probe, search, zeroshot
from sslrun.commands.encoders import find_subject
from sslrun.config.backbone.hf import HFConfig
from sslrun.config.compose import compose
from sslrun.config.errors import ConfigError
from sslrun.data.build import build_data


def run(command: Any, *overrides: str) -> Any:
    return command.run(compose(command.__name__.rsplit(".", 1)[-1], list(overrides)))


def dataset(*overrides: str) -> Any:
    return compose("probe", ["encoder=random", "backbone=small_cnn", *overrides]).dataset  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clip")
    save_clip(folder)
    return folder


@torch.no_grad()
def test_zeroshot_is_what_transformers_would_say(clip: Path, tmp_path: Path) -> None:
    chosen = ["dataset=digits", "prompts.templates=['a photo of {}']", "loader.workers=0", "precision=fp32"]
    value = run(zeroshot, f"encoder={clip}", *chosen, f"run.dir={tmp_path}/run")
    data = build_data(dataset("dataset=digits", "dataset.mean=[0.5]", "dataset.std=[0.5]"))
    items = [data.evaluation("test")[0, i] for i in range(data.size("test"))]
    batch = data.prepare()(data.collate(items))
    prompts = [f"a photo of {name}" for name in data.classes or ()]
    ids = torch.tensor([code.ids for code in byte_tokenizer().encode_batch(prompts)])
    logits = CLIPModel.from_pretrained(clip).eval()(pixel_values=batch["image"], input_ids=ids).logits_per_image
    assert value == pytest.approx((logits.argmax(dim=1) == batch["label"]).double().mean().item())


def test_search_takes_it(clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "album").mkdir()
    for i in range(3):
        array = np.round(load_digits().images[i] * (255 / 16)).astype(np.uint8)
        Image.fromarray(array).save(tmp_path / "album" / f"{i}.png")
    run(search, f"encoder={clip}", f"images={tmp_path}/album", "text=three", f"run.dir={tmp_path}/run")
    assert len(capsys.readouterr().out.splitlines()) == 4


@torch.no_grad()
def test_pretraining_goes_on_from_it_and_is_exported(clip: Path, tmp_path: Path) -> None:
    start = [
        "method=clip", "backbone=hf", f"backbone.pretrained={clip}", "backbone@method.text=hf_text",
        "method.out_dim=12", f"dataset.tokenizer={clip}", "dataset.max_length=77", "dataset.mean=[0.5]",
        "dataset.std=[0.5]",
    ]  # fmt: skip
    small = ["loader.workers=0", "loader.batch_size=32", "trainer.precision=fp32", "monitor.every_epochs=0"]
    run(pretrain, *start, *small, "augmentation=digits", "trainer.steps=2", f"run.dir={tmp_path}/run")
    target = tmp_path / "exported"
    export.main([str(tmp_path / "run"), str(target)])  # of a checkpoint: the configuration knows no sizes
    x, known = torch.randn(2, 1, 8, 8), CLIPModel.from_pretrained(clip).eval().vision_model(torch.zeros(1, 1, 8, 8))
    vision = AutoModel.from_pretrained(target / "image").eval()
    inputs = {"channels": 1, "image_size": 8}
    subject = find_subject(str(tmp_path / "run" / "checkpoints" / "last.ckpt"), None, None)
    torch.testing.assert_close(subject.build(inputs).eval()(x), vision(x).pooler_output, rtol=0, atol=1e-5)
    blank = torch.zeros(1, 1, 8, 8)
    moved = (vision(blank).pooler_output - known.pooler_output).norm()
    untrained = subject.untrained(inputs, seed=0).eval()
    assert 0 < moved < (untrained(blank) - known.pooler_output).norm() / 2
    value = run(
        zeroshot, f"encoder={tmp_path}/run", "dataset=digits", "loader.workers=0", f"run.dir={tmp_path}/zeroshot"
    )
    assert 0 <= value <= 1


@torch.no_grad()
def test_encoders_of_images_are_read_as_they_were_trained(clip: Path, tmp_path: Path) -> None:
    vit = save_vision("ViTForImageClassification", tmp_path, num_channels=1, image_size=16)
    told = {"size": {"height": 16, "width": 16}, "image_mean": [0.3], "image_std": [0.2]}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(told))
    subject = find_subject(str(tmp_path), None, dataset("dataset=digits"))
    read: Any = subject.dataset
    assert (read.image_size, read.channels, read.mean, read.std) == (16, 1, [0.3], [0.2])
    inputs = {"channels": 1, "image_size": 16}
    x = torch.randn(2, 1, 16, 16)
    expected = vit.vit(x).last_hidden_state[:, 0]
    torch.testing.assert_close(subject.build(inputs).eval()(x), expected, rtol=0, atol=1e-5)
    assert isinstance(subject.backbone, HFConfig) and subject.backbone.name == "vit"
    untrained = subject.untrained(inputs, seed=0).eval()
    assert untrained(x).shape == expected.shape and not torch.allclose(untrained(x), expected, atol=1e-2)
    read = find_subject(str(clip), None, dataset("dataset=digit_sentences")).dataset
    assert (read.image_size, read.mean, read.max_length) == (8, [0.5], 77)
    assert read.tokenizer == str(clip / "tokenizer.json")


@torch.no_grad()
def test_encoders_of_text_and_sound_are_baselines_too(clip: Path, tmp_path: Path) -> None:
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    bert = save(BertModel(BertConfig(vocab_size=260, max_position_embeddings=64, **sizes)), tmp_path / "bert")
    ids = torch.randint(5, 200, (2, 9))
    with pytest.raises(ConfigError, match=r"has no tokenizer.json, without which texts cannot be tokenized"):
        find_subject(str(tmp_path / "bert"), None, dataset("dataset=pydocs"))
    byte_tokenizer().save(str(tmp_path / "bert" / "tokenizer.json"))
    subject = find_subject(str(tmp_path / "bert"), None, dataset("dataset=pydocs"))
    assert subject.dataset.tokenizer == str(tmp_path / "bert" / "tokenizer.json")  # type: ignore[attr-defined]
    text = INPUTS["text"] | {"vocab_size": 258}
    expected = bert(ids).last_hidden_state.mean(dim=1)
    torch.testing.assert_close(subject.build(text).eval()(ids), expected, rtol=0, atol=1e-5)
    of_clip = find_subject(str(clip), None, dataset("dataset=pydocs"))  # its text encoder, on a dataset of text
    ids = torch.tensor([byte_tokenizer().encode("a dog").ids])
    expected = CLIPModel.from_pretrained(clip).eval().text_model(ids).pooler_output
    torch.testing.assert_close(of_clip.build(text).eval()(ids), expected, rtol=0, atol=1e-5)

    convolutions = {"conv_dim": [8, 8], "conv_kernel": [4, 2], "conv_stride": [4, 2], "num_feat_extract_layers": 2}
    positions = {"num_conv_pos_embeddings": 4, "num_conv_pos_embedding_groups": 2}
    wav2vec2 = save(Wav2Vec2(Wav2Vec2Config(**sizes, **convolutions, **positions)), tmp_path / "wave")
    Wav2Vec2FeatureExtractor(sampling_rate=8000).save_pretrained(tmp_path / "wave")
    subject = find_subject(str(tmp_path / "wave"), None, dataset("dataset=tones"))
    assert (subject.dataset.form, subject.dataset.sample_rate) == ("wave", 8000)  # type: ignore[attr-defined]
    wave = torch.randn(2, 256)
    expected = wav2vec2(wave).last_hidden_state.mean(dim=1)
    torch.testing.assert_close(subject.build(INPUTS["audio"]).eval()(wave), expected, rtol=0, atol=1e-5)


def test_kinds_that_are_not_known_are_named(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "t5"}))
    with pytest.raises(
        ConfigError,
        match=r"is a t5; of transformers' models bert, gpt2, llama, clip_text_model, wav2vec2, vit, vit_mae",
    ):
        find_subject(str(tmp_path), None, dataset("dataset=digits"))


def test_names_of_the_hub_are_found_in_its_cache(tmp_path: Path) -> None:
    model = tmp_path / "models--sslrun--small"
    (model / "refs").mkdir(parents=True)
    (model / "refs" / "main").write_text("abc")
    for name in ("config.json", "model.safetensors"):
        (model / "snapshots" / "abc").mkdir(parents=True, exist_ok=True)
        (model / "snapshots" / "abc" / name).write_text("{}")
    script = "import sys; from sslrun.core.hub import local_path; print(local_path(sys.argv[1], key='encoder'))"
    told = {}
    for name in ("hf:sslrun/small", "hf:sslrun/absent"):
        told[name] = subprocess.run(
            [sys.executable, "-c", script, name],
            env={**os.environ, "HF_HUB_CACHE": str(tmp_path), "HF_HUB_OFFLINE": "1"},
            capture_output=True,
            text=True,
        )
    assert told["hf:sslrun/small"].stdout.strip() == str(model / "snapshots" / "abc")
    assert "encoder=hf:sslrun/absent cannot be fetched, and is in no cache here" in told["hf:sslrun/absent"].stderr


@pytest.mark.slow
def test_a_vit_mae_is_probed(tmp_path: Path) -> None:
    save_vision("ViTMAEForPreTraining", tmp_path / "mae", num_channels=1)
    chosen = ["dataset=digits", "labels=[5]", "draws=2", "loader.workers=0", f"run.dir={tmp_path}/probe"]
    run(probe, f"encoder={tmp_path}/mae", *chosen)
    rows = json.loads((tmp_path / "probe" / "results.json").read_text())["rows"]
    assert {row["encoder"] for row in rows} >= {"random", "pixels"}
    (linear,) = [
        r for r in rows if r["evaluation"] == "linear" and r["metric"] == "top1" and r["encoder"][-3:] == "mae"
    ]
    assert linear["value"] > 0.5
