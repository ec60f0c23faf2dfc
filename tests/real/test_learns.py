"""On real data, methods learn beyond an untrained net by a stated margin."""

import json
from pathlib import Path

import pytest

from sslrun.commands import pretrain, probe
from sslrun.config.compose import compose

MARGIN = 0.04


def numbers(folder: Path, evaluation: str, labels: int | str = "all") -> dict[str, float]:
    rows = json.loads((folder / "results.json").read_text())["rows"]
    chosen = [r for r in rows if r["evaluation"] == evaluation and r["labels"] == labels and r["metric"] == "top1"]
    return {"random" if r["encoder"] == "random" else "trained": r["value"] for r in chosen if r["encoder"] != "pixels"}


@pytest.mark.slow
def test_simclr_on_digits_reaches_what_make_demo_promises(tmp_path: Path) -> None:
    pretrain.run(compose("pretrain", ["experiment=digits/simclr", f"run.dir={tmp_path}/run", "loader.workers=0"]))  # type: ignore[arg-type]
    probe.run(
        compose("probe", [f"encoder={tmp_path}/run", f"run.dir={tmp_path}/probe", "baselines=[random]", "labels=[10]"])  # type: ignore[arg-type]
    )
    top1 = numbers(tmp_path / "probe", "few_labels", 10)
    assert top1["trained"] >= 0.92
    assert top1["trained"] >= top1["random"] + 0.03


@pytest.mark.real
@pytest.mark.slow
def test_three_minutes_of_simclr_on_cifar10_beat_the_untrained_net(real_data: Path, tmp_path: Path) -> None:
    data = [f"dataset.{split}={real_data}/cifar10/{split}.parquet" for split in ("train", "test")]
    overrides = ["dataset.limit=12000", "loader.workers=1", "loader.batch_size=128", "trainer.epochs=4"]
    pretrain.run(
        compose(  # type: ignore[arg-type]
            "pretrain",
            ["experiment=cifar10-small/simclr", *data, *overrides, "monitor.every_epochs=0", f"run.dir={tmp_path}/run"],
        )
    )
    where = [f"encoder={tmp_path}/run", f"run.dir={tmp_path}/probe"]
    probe.run(compose("probe", [*where, "baselines=[random]", "labels=[10]", "loader.workers=1"]))  # type: ignore[arg-type]
    top1 = numbers(tmp_path / "probe", "linear")
    assert top1["trained"] >= top1["random"] + MARGIN
