"""Trains TS2Vec on sets of the UCR and UEA archives: docs/results/ucr.jsonl and the .md table.

    python scripts/ucr_table.py [--seeds 1,2,3] [--sets ArrowHead,GunPoint] [--only-table]

Each set is trained on with conf/experiment/series/ts2vec_ucr.yaml and probed, next to the same net untrained and the
raw values. The same command continues where it stopped: existing rows are kept and an unfinished run is resumed.
"""

import argparse
import subprocess
import sys
from pathlib import Path

from table_runs import INTERRUPTED, ROOT, Row, append, machine, read_json, read_rows, sslrun, sslrun_anew
from ucr_page import REFERENCE, page

RESULTS = ROOT / "docs" / "results" / "ucr.jsonl"
NAMES = {"random": "untrained", "lags": "raw"}
"""Name in results.json: name in our rows, for all but the run's own encoder."""
AVERAGE = "average"
"""The run's second encoder: the average of the weights over all steps."""


def main() -> None:
    """Make the missing rows, then the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", default="1,2,3")
    parser.add_argument("--sets", default=",".join(REFERENCE), help="which, in this order")
    parser.add_argument("--data", type=Path, default=ROOT / "../shared/data/ucr", help="holds one folder per set")
    parser.add_argument("--work", type=Path, default=Path("runs/ucr-table"), help="folder of the runs")
    parser.add_argument("--out", type=Path, default=RESULTS, help="the .jsonl; the .md is written next to it")
    parser.add_argument("--only-table", action="store_true", help="write the .md from the .jsonl, without training")
    options = parser.parse_args()
    failed = [] if options.only_table else make_rows(options)
    rows = read_rows(options.out)
    if rows:
        options.out.with_suffix(".md").write_text(page(rows))
        print(f"{options.out.with_suffix('.md')}: {len(rows)} rows")
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


def make_rows(options: argparse.Namespace) -> list[str]:
    """Append the missing rows, the first seed of all sets before the second; returns the names of what failed."""
    failed = []
    for seed in [int(s) for s in options.seeds.split(",")]:
        for name in options.sets.split(","):
            rows = read_rows(options.out)
            if ("ts2vec", name, seed) in {(row["encoder"], row["set"], row["seed"]) for row in rows}:
                continue
            try:
                append(options.out, measure(name, seed, options, with_raw=("raw", name) not in encoders(rows)))
            except subprocess.CalledProcessError as error:
                if error.returncode == INTERRUPTED:
                    sys.exit(INTERRUPTED)
                failed.append(f"{name} with seed {seed}")
    return failed


def encoders(rows: list[Row]) -> set[tuple[str, str]]:
    """Pairs of encoder and set that have a row."""
    return {(row["encoder"], row["set"]) for row in rows}


def measure(name: str, seed: int, options: argparse.Namespace, *, with_raw: bool) -> list[Row]:
    """Train on one set and probe: rows for the encoder, the average of its weights and the untrained net.

    `with_raw` adds one of raw values, which no seed changes.
    """
    run = options.work / f"{name}-seed{seed}"
    data = [f"dataset.path={(options.data / name).resolve()}", f"dataset.name={name}"]
    sslrun("pretrain", "experiment=series/ts2vec_ucr", *data, f"seed={seed}", f"run.dir={run}")
    baselines = "baselines=[random,raw]" if with_raw else "baselines=[random]"
    found = probe(run, run.with_name(run.name + "-probe"), f"seed={seed}", baselines)
    further = run / "encoder" / AVERAGE
    found += probe(further, run.with_name(f"{run.name}-{AVERAGE}-probe"), f"seed={seed}", "baselines=[]")
    manifest = read_json(run / "run.json")
    facts = {"set": name, "seed": seed, "machine": machine(manifest)}
    rows = []
    for encoder in dict.fromkeys(row["encoder"] for row in found):
        kind = AVERAGE if encoder.endswith(f"/{AVERAGE}") else NAMES.get(encoder, "ts2vec")
        spent = {"minutes": round(manifest["seconds"] / 60, 2)} if kind == "ts2vec" else {}
        rows.append({"encoder": kind, **facts, **numbers(found, encoder), **spent})
    return rows


def probe(encoder: Path, folder: Path, *arguments: str) -> list[Row]:
    """Rows of `sslrun probe`."""
    fixed = ("labels=[]", "precision=fp32", "loader.workers=0")
    sslrun_anew(folder, "probe", f"encoder={encoder}", *arguments, *fixed)
    return list(read_json(folder / "results.json")["rows"])


def numbers(found: list[Row], encoder: str) -> Row:
    """`[value, low, high]` of each measure, as percentages; only raw values have `nn1`."""
    top1 = {row["evaluation"]: row for row in found if row["encoder"] == encoder and row["metric"] == "top1"}
    kept = [name for name in ("svm", "linear", "knn1", "nn1") if name in top1]
    return {name: [round(100 * top1[name][end], 2) for end in ("value", "low", "high")] for name in kept}


if __name__ == "__main__":
    main()
