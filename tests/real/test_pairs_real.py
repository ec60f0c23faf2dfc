"""On real pictures with names and captions."""

import json
from pathlib import Path

import pytest

from sslrun.commands import pretrain, zeroshot
from sslrun.config.command.pretrain import PretrainConfig
from sslrun.config.compose import compose
from sslrun.data.build import build_data
from sslrun.data.pairs.pairs import PairData


@pytest.mark.real
@pytest.mark.slow
def test_names_learned_from_one_vendor_find_the_others_pictures(real_data: Path, tmp_path: Path) -> None:
    """Each of 1,349 pictures has a name of its own, though the tokenizer reads eight of them alike (`keycap: 4`)."""
    run = f"{tmp_path}/run"
    chosen = ["experiment=pairs/clip_emoji", f"dataset.path={real_data}/emoji", "loader.workers=0"]
    pretrain.run(compose("pretrain", [*chosen, f"run.dir={run}"]))  # type: ignore[arg-type]
    zeroshot.run(compose("zeroshot", [f"encoder={run}", f"run.dir={tmp_path}/found", "loader.workers=0"]))  # type: ignore[arg-type]
    rows = json.loads((tmp_path / "found" / "results.json").read_text())["rows"]
    for condition in ("image to text", "text to image"):
        told = {r["encoder"]: r for r in rows if (r["condition"], r["metric"]) == (condition, "recall@10")}
        chance = told.pop("chance")["value"]
        assert chance == pytest.approx(10 / 1349)
        (found,) = told.values()
        assert found["low"] > 3 * chance


@pytest.mark.real
def test_flickr8k_is_read_with_five_captions_an_image(real_data: Path) -> None:
    files = [f"dataset.{split}={real_data}/flickr8k/{split}.parquet" for split in ("train", "val", "test")]
    config = compose("pretrain", ["experiment=pairs/clip_flickr8k", *files])
    assert isinstance(config, PretrainConfig)
    data = build_data(config.dataset)
    assert isinstance(data, PairData)
    assert [data.size(split) for split in ("train", "validation", "test")] == [6000, 1000, 1000]
    assert {len(captions) for captions in data.captions("test")} == {5} and data.corrupt == []
