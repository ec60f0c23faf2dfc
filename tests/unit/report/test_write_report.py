"""report.html of a run folder made by hand: its content, escaping, and every part missing or damaged."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from sslrun.report.contents import parse_curves, read_contents
from sslrun.report.figures import thinned
from sslrun.report.html import write_report

pytestmark = pytest.mark.draws
PARTS = ("run.json", "config.yaml", "metrics.csv", "results.json", "embedding.csv", "confusion.json")


class Page(HTMLParser):
    """Tags, attributes and text of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.text += data


def written(run: Path) -> str:
    path = write_report(run)
    assert path == run / "report.html"
    return path.read_text(encoding="utf-8")


def add_metrics(run: Path, lines: str) -> None:
    with (run / "metrics.csv").open("a") as file:
        file.write(lines)


def headings(html: str) -> list[str]:
    return re.findall(r"<h2>(.*?)</h2>", html)


def test_numbers_and_headline(made_run: Path) -> None:
    html = written(made_run)
    page = Page(html)
    assert "Linear probe on digits: 95.1 % [93.1, 97.1], 9.3 points above the same net untrained." in page.text
    assert headings(html) == ["Few labels", "Results", "Training", "Embedding", "Confusion", "How it was run"]
    for text in ("[87.1, 91.1]", "byol-digits/made", "bf16", "A processor", "0:02:00", "seed: 7", "1294", "abc123"):
        assert text in page.text, text
    assert "sslrun probe 'encoder=runs/made & co'" in page.text
    for title in ("Loss", "Probe while training, %", "RankMe", "Learning rate", "Items per second", "train/ema_decay"):
        assert title in page.text, title
    assert "Warnings" not in html


@pytest.mark.parametrize("has_own", [True, False])
def test_curves_of_the_run_that_made_the_encoder_stand_there_too(made_run: Path, tmp_path: Path, has_own: bool) -> None:
    parent = tmp_path / "pretrain" / "byol-digits"
    parent.mkdir(parents=True)
    (made_run / "metrics.csv").rename(parent / "metrics.csv")
    if has_own:
        (made_run / "metrics.csv").write_text((parent / "metrics.csv").read_text())
    manifest = json.loads((made_run / "run.json").read_text()) | {"parent": str(parent)}
    (made_run / "run.json").write_text(json.dumps(manifest))
    html = written(made_run)
    titles = [title for title in headings(html) if title.startswith("Training")]
    assert titles == [*(["Training"] if has_own else []), "Training of the encoder: pretrain/byol-digits"]
    ids = re.findall(r'\bid="([^"]+)"', html)
    assert len(ids) == len(set(ids))
    (made_run / "run.json").write_text(json.dumps(manifest | {"command": "pretrain"}))
    assert "Training of the encoder" not in written(made_run)
    (made_run / "run.json").write_text(json.dumps(manifest | {"parent": f"{tmp_path}/moved"}))
    assert "Training of the encoder" not in written(made_run) and "cannot be read" not in written(made_run)


def test_one_file_that_asks_for_nothing(made_run: Path) -> None:
    page = Page(written(made_run))
    assert not {"script", "link", "iframe", "object"} & set(page.tags)
    for name, value in page.attributes:
        if name in ("src", "href", "xlink:href"):
            assert value.startswith(("#", "data:image/png")), value


def test_ids_are_unique_and_references_lead_somewhere(made_run: Path) -> None:
    html = written(made_run)
    ids = re.findall(r'\bid="([^"]+)"', html)
    assert len(ids) == len(set(ids)) > 100
    references = set(re.findall(r'url\(#([^)]+)\)|href="#([^"]+)"', html))
    assert {a or b for a, b in references} <= set(ids)


def test_same_folder_same_bytes(made_run: Path) -> None:
    assert written(made_run) == written(made_run)


def test_names_are_escaped(made_run: Path) -> None:
    rows = json.loads((made_run / "results.json").read_text())["rows"]
    for row in rows:
        row["encoder"] = row["encoder"].replace("byol", "<script>x</script> $\\frac$")
    (made_run / "results.json").write_text(json.dumps({"rows": rows}))
    (made_run / "config.yaml").write_text("note: </pre><script>y</script>\n")
    page = Page(written(made_run))
    assert "script" not in page.tags
    assert page.tags.count("b") == len(re.findall(r"<li><b>", written(made_run)))  # facts only, no class named <b>
    assert "<b>" in page.text
    assert "<script>x</script> $\\frac$-digits/made" in page.text
    assert "</pre><script>y</script>" in page.text


def test_characters_that_matplotlib_lacks(made_run: Path) -> None:
    (made_run / "confusion.json").write_text(json.dumps({"classes": ["猫", "犬"], "matrix": [[3, 1], [0, 2]]}))
    assert "猫" in Page(written(made_run)).text


@pytest.mark.parametrize("missing", PARTS)
def test_any_part_may_be_missing(made_run: Path, missing: str) -> None:
    (made_run / missing).unlink()
    html = written(made_run)
    gone = {
        "metrics.csv": "Training",
        "results.json": "Results",
        "embedding.csv": "Embedding",
        "confusion.json": "Confusion",
    }
    assert gone.get(missing) not in headings(html)
    assert "cannot be read" not in html


@pytest.mark.parametrize("damaged", PARTS)
@pytest.mark.parametrize(
    "content", [b"", b"{", b"[1, 2]", b"\xff\xfe\x00", b'{"rows": [{}], "classes": [1], "matrix": []}']
)
def test_any_part_may_be_damaged(tmp_path: Path, damaged: str, content: bytes) -> None:
    (tmp_path / damaged).write_bytes(content)
    html = written(tmp_path)
    if damaged == "results.json":
        assert "results.json cannot be read" in html
        assert "Results" not in headings(html)


def test_empty_folder(tmp_path: Path) -> None:
    html = written(tmp_path)
    assert "it has no results yet" in html
    assert "There is no readable run.json" in html


def test_null_numbers_are_dashes(made_run: Path) -> None:
    rows = json.loads((made_run / "results.json").read_text())["rows"]
    for row in rows[:4] + rows[-5:]:
        row["value"] = row["low"] = row["high"] = None
    (made_run / "results.json").write_text(json.dumps({"rows": rows}))
    assert "–" in Page(written(made_run)).text


def test_warnings_stand_at_the_top(made_run: Path, manifest: dict[str, Any]) -> None:
    manifest |= {"status": "failed", "last_error": "TrainingError: loss is nan at step 7"}
    manifest["git"]["dirty"] = True
    manifest["data"]["corrupt"] = ["a.jpg", "b.jpg"]
    (made_run / "run.json").write_text(json.dumps(manifest))
    flat = "".join(f"{step},1,1,health/std,0.01\n" for step in (200, 220, 240))
    add_metrics(made_run, flat)
    top = Page(written(made_run).split("<main>")[0]).text
    assert "TrainingError: loss is nan at step 7" in top
    assert "health/std was below monitor.collapse_std=0.05 in the last 3 checks (now 0.01)" in top
    assert "Unreadable items that were skipped: 2" in top
    assert "uncommitted changes" in top


def test_error_of_an_earlier_session_is_told_as_such(made_run: Path, manifest: dict[str, Any]) -> None:
    (made_run / "run.json").write_text(json.dumps(manifest | {"last_error": "disk full"}))
    assert "An earlier session stopped with an error: disk full" in written(made_run)


def test_two_checks_are_no_collapse(made_run: Path) -> None:
    flat = "".join(f"{step},1,1,health/std,0.01\n" for step in (200, 220))
    add_metrics(made_run, flat)
    assert "collapsed:" not in written(made_run)


def test_curves_survive_a_cut_line_a_nan_and_a_repeated_step() -> None:
    text = "step,epoch,seconds,name,value\n0,0,0,a,1\n5,0,0,a,2\n5,0,0,a,3\n3,0,0,a,4\n6,0,0,a,nan\n7,0,0,a"
    (curve,) = parse_curves(text).values()
    assert (curve.steps, curve.values) == ([0, 3, 5], [1.0, 4.0, 3.0])


def test_long_curves_become_means_of_neighbours(made_run: Path) -> None:
    curve = read_contents(made_run).curves["train/lr"]
    steps, values = thinned(curve, max_points=100)
    assert steps[0] == 0.5
    assert values[0] == pytest.approx((curve.values[0] + curve.values[1]) / 2)
    assert len(steps) == len(values) == 100
