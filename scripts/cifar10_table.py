"""Trains every image method on CIFAR-10 with one CPU budget: docs/results/cifar10-small.jsonl and the .md table.

    python scripts/cifar10_table.py [--minutes 6] [--seeds 1,2] [--methods simclr,byol] [--only-table]

Each method trains with conf/experiment/cifar10-small/NAME.yaml for as many steps as fit into the budget at its speed,
and is then probed. The speeds of all methods are measured first, over a few steps each; the machine must be otherwise
idle meanwhile (later, other work adds minutes but takes no steps away). Further seeds take the number of steps of the
first, so that only the seed differs, whatever machine they train on. The same command continues where it stopped:
existing rows are kept and an unfinished run is resumed. Run `scripts/method_pages.py` afterwards to update the
methods' pages.
"""

import argparse
import csv
import dataclasses
import math
import re
import subprocess
import sys
from enum import Enum
from pathlib import Path

import torch

from cifar10_page import REFERENCES, RESULTS, expected, page
from sslrun.backbones.folder import build_encoder
from sslrun.config.command.pretrain import PretrainConfig
from sslrun.config.compose import compose, plain
from sslrun.config.folders import conf_dir
from sslrun.config.registry import entries
from sslrun.config.schema import BackboneConfig
from sslrun.data.build import build_data
from sslrun.methods.base import build_method
from sslrun.monitors.measurements import Measurements
from sslrun.training.plan import make_plan
from table_runs import (
    INTERRUPTED,
    ROOT,
    Row,
    append,
    finished,
    items_per_second,
    machine,
    read_json,
    read_rows,
    sslrun,
    sslrun_anew,
)

CALIBRATION_STEPS = 30
DRAWS = 20
"""Labelled subsets of 10 per class."""


def main() -> None:
    """Make the missing rows, then the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=6.0, help="of training, at the speed measured beforehand")
    parser.add_argument("--seeds", default="1,2")
    parser.add_argument("--methods", default=",".join(recipes()), help="which, in this order")
    parser.add_argument("--train", type=Path, default=ROOT / "../shared/data/cifar10/train.parquet")
    parser.add_argument("--test", type=Path, default=ROOT / "../shared/data/cifar10/test.parquet")
    parser.add_argument("--work", type=Path, default=Path("runs/cifar10-table"), help="folder of the runs")
    parser.add_argument("--out", type=Path, default=RESULTS, help="the .jsonl; the .md is written next to it")
    parser.add_argument("--only-table", action="store_true", help="write the .md from the .jsonl, without training")
    options = parser.parse_args()
    failed = [] if options.only_table else make_rows(options)
    rows = read_rows(options.out)
    options.out.with_suffix(".md").write_text(page(rows))
    if options.out == RESULTS:
        update_recipe_headers(rows)
    print(f"{options.out.with_suffix('.md')}: {len(rows)} rows; next: python scripts/method_pages.py")
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


def recipes() -> list[str]:
    """Registered image methods that have a recipe for this budget."""
    folder = conf_dir() / "experiment" / "cifar10-small"
    return [e.kind for e in entries("method") if e.modality == "image" and (folder / f"{e.kind}.yaml").is_file()]


def update_recipe_headers(rows: list[Row]) -> None:
    """Write each recipe's measured result into its header."""
    for method in {row["method"] for row in rows} - set(REFERENCES):
        path = conf_dir() / "experiment" / "cifar10-small" / f"{method}.yaml"
        text, count = re.subn(r"(?m)^# Expected, linear: .*$", expected(rows, method), path.read_text())
        assert count == 1, f"{path} has no line '# Expected, linear:'"
        path.write_text(text)


def make_rows(options: argparse.Namespace) -> list[str]:
    """Append the missing rows, the first seed of all methods before the second; returns the names of what failed."""
    failed = []
    present = {(row["method"], row["seed"]) for row in read_rows(options.out)}
    seeds, methods = [int(s) for s in options.seeds.split(",")], options.methods.split(",")
    missing = [(method, seed) for seed in seeds for method in methods if (method, seed) not in present]
    for method in dict.fromkeys(method for method, _ in missing):
        if method not in {name for name, _ in present}:
            calibrate(method, options)
    for method, seed in missing:
        try:
            append(options.out, measure(method, seed, read_rows(options.out), options))
        except subprocess.CalledProcessError as error:
            if error.returncode == INTERRUPTED:
                sys.exit(INTERRUPTED)
            failed.append(f"{method} with seed {seed}")
    return failed


def recipe(method: str, options: argparse.Namespace) -> list[str]:
    """The command that trains a method."""
    data = [f"dataset.train={options.train.resolve()}", f"dataset.test={options.test.resolve()}"]
    return ["pretrain", f"experiment=cifar10-small/{method}", *data]


def calibrate(method: str, options: argparse.Namespace) -> Path:
    """The run folder of a few steps, from which the method's speed is read."""
    folder = options.work / "calibration" / method
    short = [f"trainer.steps={CALIBRATION_STEPS}", "monitor.every_epochs=0", "trainer.log_steps=10"]
    if not finished(folder):
        sslrun(*recipe(method, options), *short, f"run.dir={folder}")
    return folder


def measure(method: str, seed: int, known: list[Row], options: argparse.Namespace) -> list[Row]:
    """Train and probe one method: its row, and rows of the baselines that this seed lacks."""
    config = compose("pretrain", recipe(method, options)[1:])
    assert isinstance(config, PretrainConfig)
    batch = config.loader.batch_size
    length = first_seed_length(method, known) or calibrated_length(method, batch, options)
    steps = length["steps"]

    run = options.work / f"{method}-{options.minutes:g}min-seed{seed}"
    half = math.ceil(steps / 2) * length["epochs"] / steps  # one check half-way, one at the end
    sslrun(
        *recipe(method, options),
        f"trainer.steps={steps}",
        f"monitor.every_epochs={half}",
        "trainer.checkpoint_minutes=2",
        f"seed={seed}",
        f"run.dir={run}",
    )

    architecture = describe(config.backbone)
    present = {(row["method"], row["architecture"], row["seed"]) for row in known}
    missing = [n for n in REFERENCES if (n, architecture if n == "random" else "", seed) not in present]
    probe = run.with_name(f"{run.name}-probe-{DRAWS}-draws")
    baselines = f"baselines=[{','.join(missing)}]"
    sslrun_anew(probe, "probe", f"encoder={run}", f"seed={seed}", "labels=[10]", f"draws={DRAWS}", baselines)

    found = read_json(probe / "results.json")["rows"]
    own = next(row["encoder"] for row in found)
    manifest = read_json(run / "run.json")
    facts = {"seed": seed, "draws": DRAWS, "budget_minutes": options.minutes, "machine": machine(manifest)}
    rows = [
        {
            "method": name,
            "architecture": "" if name == "pixels" else architecture,
            **numbers(found, name),
            **({"rankme": untrained_rankme(config, seed)} if name == "random" else {}),
            **facts,
        }
        for name in dict.fromkeys(row["encoder"] for row in found)
        if name != own
    ]
    trained = {
        **length,
        "batch": batch,
        "minutes": manifest["seconds"] / 60,
        "rankme": list(logged(run, "health/rankme").values())[-1],
    }
    return [{"method": method, "architecture": architecture, **numbers(found, own), **trained, **facts}, *rows]


def first_seed_length(method: str, known: list[Row]) -> Row | None:
    """Steps and epochs of the method's row with the lowest seed."""
    first = min((row for row in known if row["method"] == method), key=lambda row: row["seed"], default=None)
    return None if first is None else {"epochs": first["epochs"], "steps": first["steps"]}


def calibrated_length(method: str, batch: int, options: argparse.Namespace) -> Row:
    """Steps and epochs that fit into the budget at the measured speed."""
    calibration = calibrate(method, options)
    rate = items_per_second(calibration, batch=batch)
    steps = max(2, round(rate * 60 * options.minutes / batch))
    steps_per_epoch = read_json(calibration / "run.json")["data"]["train"] // batch
    return {"epochs": steps / steps_per_epoch, "steps": steps, "images_per_second": rate}


def untrained_rankme(config: PretrainConfig, seed: int) -> float:
    """RankMe of the untrained encoder on the training images that the monitors watch."""
    torch.manual_seed(seed)
    data = build_data(config.dataset)
    method = build_method(config.method, build_encoder(config.backbone, data.encoder_inputs()))
    dataset = data.evaluation("train")
    plan = make_plan(config.trainer, config.loader, config.optimizer, config.schedule, items=len(dataset))
    return Measurements(config.monitor, data, dataset, plan, seed=seed).measure(method)["health/rankme"]


def numbers(found: list[Row], encoder: str) -> Row:
    """`[value, low, high]` of each measure, as percentages."""
    keys = {"linear": ("linear", "all"), "knn20": ("knn20", "all"), "few10": ("few_labels", 10)}
    top1 = {(r["evaluation"], r["labels"]): r for r in found if r["encoder"] == encoder and r["metric"] == "top1"}
    return {name: [round(100 * top1[key][end], 2) for end in ("value", "low", "high")] for name, key in keys.items()}


def describe(backbone: BackboneConfig) -> str:
    """The backbone's name and what differs from its defaults: `resnet18, width 16, stem small`."""
    values = plain(backbone)
    defaults = {f.name: f.default for f in dataclasses.fields(backbone)}
    plainly = {key: value.name if isinstance(value, Enum) else value for key, value in defaults.items()}
    plainly |= {"name": values["name"], "options": {}}
    changed = {key: value for key, value in values.items() if value != plainly[key]}
    changed |= changed.pop("options", {})
    return ", ".join([values["name"], *(f"{key} {value}" for key, value in changed.items())])


def logged(run: Path, name: str) -> dict[int, float]:
    """Values of one metric in metrics.csv, by step."""
    with (run / "metrics.csv").open() as file:
        return {int(row["step"]): float(row["value"]) for row in csv.DictReader(file) if row["name"] == name}


if __name__ == "__main__":
    main()
