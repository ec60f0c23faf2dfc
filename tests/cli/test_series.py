"""Series by the commands that images have: views, probe, fine-tuning; what does not fit is one line."""

import json
from pathlib import Path

import pytest

from small import BACKBONES
from sslrun.commands import finetune, pretrain, probe
from sslrun.config.command.finetune import FinetuneConfig
from sslrun.config.command.pretrain import PretrainConfig
from sslrun.config.command.probe import ProbeConfig
from sslrun.config.compose import compose
from sslrun.config.errors import ConfigError, DataError


def composed(folder: Path, *overrides: str) -> PretrainConfig:
    config = compose(
        "pretrain",
        [*overrides, "loader.batch_size=16", "loader.workers=0", "trainer.steps=2", f"run.dir={folder}/run"],
    )
    assert isinstance(config, PretrainConfig)
    config.backbone = BACKBONES[config.backbone.kind]
    return config


def rows(folder: Path) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads((folder / "results.json").read_text())["rows"]
    return found


def test_views_of_series_are_contrasted_probed_and_fine_tuned(tmp_path: Path) -> None:
    pretrain.run(composed(tmp_path, "method=simclr", "dataset=waves", "dataset.items=150", "augmentation=series_views"))
    config = compose("probe", [f"encoder={tmp_path}/run", "labels=[1]", "loader.workers=0", f"run.dir={tmp_path}/p"])
    assert isinstance(config, ProbeConfig)
    probe.run(config)
    measured = {(r["encoder"], r["evaluation"], r["metric"]) for r in rows(tmp_path / "p")}
    for encoder in ("random", "lags"):
        assert {(encoder, "linear", m) for m in ("top1", "macro_f1", "auroc")} <= measured
        assert (encoder, "svm", "top1") in measured
    assert ("lags", "nn1", "top1") in measured
    tuned = compose(
        "finetune",
        [f"encoder={tmp_path}/run", "trainer.steps=2", "loader.workers=0", f"run.dir={tmp_path}/f"],
    )
    assert isinstance(tuned, FinetuneConfig)
    finetune.run(tuned)
    assert {"top1", "macro_f1", "auroc"} <= {r["metric"] for r in rows(tmp_path / "f")}


def test_a_masked_loss_is_told_of_validation_without_a_perplexity(tmp_path: Path) -> None:
    pretrain.run(composed(tmp_path, "method=patchtst", "dataset.items=150", "monitor.every_epochs=0"))
    assert [r["metric"] for r in rows(tmp_path / "run") if r["evaluation"] == "held_out"] == ["loss"]


def test_what_does_not_fit_is_said_before_work(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="method=bert reads tokens; dataset=waves gives series or views"):
        pretrain.run(composed(tmp_path, "method=bert", "dataset=waves", "backbone=ts2vec"))
    with pytest.raises(ConfigError, match=r"augmentation=simclr is for image; dataset=waves holds series; choose one"):
        pretrain.run(composed(tmp_path, "method=simclr", "dataset=waves"))
    path = tmp_path / "x.csv"
    path.write_text("x\n" + "\n".join(map(str, range(100))) + "\n")
    options = ["encoder=random", "backbone=ts2vec", "dataset=series", f"dataset.path={path}", "dataset.window=10"]
    config = compose("probe", [*options, f"run.dir={tmp_path}/p"])
    assert isinstance(config, ProbeConfig)
    with pytest.raises(DataError, match=r"or dataset.window and dataset.horizons to forecast"):
        probe.run(config)
