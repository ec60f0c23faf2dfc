"""Text from pretraining to probing, fine-tuning, sampling and export."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

import sslrun
from small import write_texts
from sslrun.commands import export, finetune, pretrain, probe, sample
from sslrun.config.compose import compose
from sslrun.config.errors import ConfigError
from sslrun.report.html import write_report

pytestmark = pytest.mark.xdist_group("text")  # one worker, which trains what they share once

SMALL = ["backbone.width=32", "backbone.depth=2", "backbone.heads=2", "backbone.mlp=64", "loader.workers=0"]


def run(command: Any, *overrides: str) -> None:
    command.run(compose(command.__name__.rsplit(".", 1)[-1], list(overrides)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs of bert and gpt on made sentences."""
    folder = tmp_path_factory.mktemp("text")
    texts = write_texts(folder / "made.jsonl")
    shared = ["dataset=text", f"dataset.path={texts}", "dataset.max_length=32", "dataset.vocab_size=120", *SMALL]
    shared += ["loader.batch_size=16", "trainer.steps=30", "optimizer.lr=0.003", "trainer.precision=fp32"]
    run(pretrain, "method=bert", *shared, f"run.dir={folder}/bert")
    run(pretrain, "method=gpt", *shared, "dataset.tokenizer=char", f"run.dir={folder}/gpt")
    return folder


def rows(path: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((path / "results.json").read_text())["rows"]
    return found


def test_probe_stands_beside_tf_idf_and_the_untrained_net(folder: Path) -> None:
    run(probe, f"encoder={folder}/bert", f"run.dir={folder}/probe", "labels=[5]", "draws=2", "loader.workers=0")
    by_encoder: dict[str, set[tuple[str, str]]] = {}
    for row in rows(folder / "probe"):
        by_encoder.setdefault(row["encoder"], set()).add((row["evaluation"], row["metric"]))
    assert len(by_encoder) == 3 and {"random", "tfidf"} < by_encoder.keys()
    for found in by_encoder.values():
        assert {("linear", m) for m in ("top1", "macro_f1", "auroc")} | {("few_labels", "top1")} <= found
    linear = {
        r["encoder"]: r["value"] for r in rows(folder / "probe") if (r["evaluation"], r["metric"]) == ("linear", "top1")
    }
    assert linear["tfidf"] == 1.0  # the classes share no noun


@pytest.mark.draws
def test_results_tell_the_held_out_loss(folder: Path) -> None:
    found = {
        name: {r["metric"]: r for r in rows(folder / name) if r["evaluation"] == "held_out"} for name in ("bert", "gpt")
    }
    assert set(found["bert"]) == {"loss", "perplexity"}
    assert set(found["gpt"]) == {"loss", "perplexity", "bits_per_character"}
    assert found["gpt"]["loss"]["value"] < 3.3  # ln 27 = 3.3 of the letters alone
    assert "held_out/loss" in (folder / "gpt" / "metrics.csv").read_text()
    assert "perplexity" in write_report(folder / "gpt").read_text()


def test_pixels_of_text_are_refused(folder: Path) -> None:
    with pytest.raises(ConfigError, match="pixels: dataset=text holds no images; its raw baseline is tfidf: say raw"):
        run(probe, f"encoder={folder}/bert", f"run.dir={folder}/none", "baselines=[pixels]", "loader.workers=0")


@pytest.mark.parametrize("name", ["bert", "gpt"])
def test_fine_tuning(folder: Path, name: str) -> None:
    where = f"run.dir={folder}/{name}-tuned"
    run(
        finetune,
        f"encoder={folder}/{name}",
        where,
        "labels=20",
        "min_steps=150",
        "trainer.epochs=1",
        "loader.workers=0",
    )
    found = {r["metric"]: r["value"] for r in rows(folder / f"{name}-tuned")}
    assert found["top1"] > 0.65 and {"macro_f1", "auroc"} < found.keys()
    assert (folder / f"{name}-tuned" / "encoder" / "tokenizer.json").is_file()


def test_sampling_follows_the_seed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    texts = []
    for seed in (1, 1, 2):
        run(sample, f"encoder={folder}/gpt", "prompt='The sh'", "tokens=30", f"seed={seed}", f"run.dir={folder}/sample")
        texts.append(capsys.readouterr().out)
    assert texts[0] == texts[1] != texts[2] and texts[0].startswith("The sh") and len(texts[0]) > 10
    run(
        sample,
        f"encoder={folder}/gpt/checkpoints/last.ckpt",
        "prompt='The sh'",
        "tokens=30",
        "seed=1",
        f"run.dir={folder}/s",
    )
    assert capsys.readouterr().out == texts[0]


def test_bert_writes_no_text(folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"encoder=.*/bert cannot generate text; name a run of method=gpt"):
        run(sample, f"encoder={folder}/bert", f"run.dir={folder}/none")


def test_export_takes_the_tokenizer_along(folder: Path) -> None:
    export.main([str(folder / "bert"), str(folder / "exported")])
    assert (folder / "exported" / "tokenizer.json").read_bytes() == (
        folder / "bert/encoder/tokenizer.json"
    ).read_bytes()
    ids = torch.randint(5, 60, (2, 9))
    encoder, exported = sslrun.load_encoder(folder / "bert"), sslrun.load_encoder(folder / "exported")
    assert torch.equal(encoder(ids), exported(ids))
