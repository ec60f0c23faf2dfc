"""Images with captions: pretraining, zero-shot, retrieval, search, the image encoder measured, export."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from PIL import Image
from sklearn.datasets import load_digits
from transformers import AutoModel, AutoTokenizer

import sslrun
from small import BACKBONES, write_texts
from sslrun.backbones.folder import build_encoder
from sslrun.backbones.joint import load_joint
from sslrun.commands import export, finetune, pretrain, probe, search, zeroshot
from sslrun.config.compose import compose
from sslrun.config.errors import ConfigError, DataError

pytestmark = pytest.mark.xdist_group("pairs")  # one worker, which trains what they share once

SMALL = ["method.text.width=32", "method.text.depth=1", "method.text.heads=2", "method.text.mlp=64"]
VIT = ["backbone=vit_micro", "backbone.patch_size=4", "backbone.options.depth=1"]


def run(command: Any, *overrides: str) -> Any:
    return command.run(compose(command.__name__.rsplit(".", 1)[-1], list(overrides)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of clip on digits with sentences, one of a ViT that hardly trained, and an encoder of images alone."""
    folder = tmp_path_factory.mktemp("pairs")
    shared = ["loader.workers=0", "trainer.precision=fp32", "monitor.every_epochs=0", "augmentation=digits"]
    clip = ["method=clip", *SMALL, *shared, "loader.batch_size=64"]
    run(pretrain, *clip, "trainer.steps=180", "optimizer.lr=0.003", f"run.dir={folder}/clip")
    run(pretrain, *clip, *VIT, "trainer.steps=2", f"run.dir={folder}/vit")
    inputs = {"channels": 1, "image_size": 8, "mean": [0.5], "std": [0.5], "classes": None}
    build_encoder(BACKBONES["cnn"], inputs).save(folder / "alone")
    return folder


def rows(path: Path, **where: Any) -> list[dict[str, Any]]:
    found = json.loads((path / "results.json").read_text())["rows"]
    return [row for row in found if all(row[key] == value for key, value in where.items())]


def test_captions_and_images_find_each_other(folder: Path) -> None:
    where = folder / "captions"
    run(zeroshot, f"encoder={folder}/clip", f"run.dir={where}", "loader.workers=0")
    for condition, count in (("image to text", 540), ("text to image", 2700)):
        found = {r["metric"]: r for r in rows(where, evaluation="retrieval", condition=condition) if r["low"]}
        chance = {r["metric"]: r["value"] for r in rows(where, condition=condition, encoder="chance")}
        assert set(found) == set(chance) == {"recall@1", "recall@5", "recall@10"}
        assert {row["n"] for row in found.values()} == {count}
        assert found["recall@10"]["low"] > 1.5 * chance["recall@10"]


@pytest.mark.draws
def test_classes_are_told_by_their_names(folder: Path) -> None:
    where = folder / "named"
    value = run(
        zeroshot, f"encoder={folder}/clip", "dataset=digits", "prompts=digits", f"run.dir={where}", "loader.workers=0"
    )
    (top1,) = rows(where, metric="top1", condition="", encoder=f"{folder.name}/clip")
    assert top1["value"] == value > 0.5 and top1["low"] < value < top1["high"] and top1["n"] == 540
    (chance,) = rows(where, metric="top1", encoder="chance")
    assert chance["value"] == 0.1
    assert len(rows(where, metric="top1", condition="template=Someone wrote the number {} by hand.")) == 1
    of_classes = [row for row in rows(where, metric="top1") if row["condition"].startswith("class=")]
    assert len(of_classes) == 10 and sum(row["n"] for row in of_classes) == 540
    assert sum(row["n"] * row["value"] for row in of_classes) == pytest.approx(540 * value)
    assert "Zero-shot" in (where / "report.html").read_text()


def test_a_checkpoint_gives_the_same(folder: Path) -> None:
    chosen = ["dataset=digits", "prompts=digits", "loader.workers=0"]
    value = run(zeroshot, f"encoder={folder}/clip/checkpoints/last.ckpt", *chosen, f"run.dir={folder}/same")
    assert value == run(zeroshot, f"encoder={folder}/clip/encoder", *chosen, f"run.dir={folder}/again")


def test_search_finds_the_digit(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pictures = folder / "pictures" / "below"
    pictures.mkdir(parents=True, exist_ok=True)
    digits = load_digits()
    for i in range(40):
        array = np.round(digits.images[i] * (255 / 16)).astype(np.uint8)
        Image.fromarray(array).save(pictures / f"{digits.target[i]}_{i}.png")
    (pictures / "broken.png").write_bytes(b"none")
    run(
        search,
        f"encoder={folder}/clip",
        f"images={folder}/pictures",
        "text='Someone wrote the number zero by hand.'",
        "count=3",
        f"run.dir={folder}/search",
    )
    told = capsys.readouterr()
    listed = told.out.splitlines()
    assert len(listed) == 4 and listed[0].split()[0] == "1" and "/0_" in listed[0]
    assert "1 unreadable file(s) skipped, first: below/broken.png" in told.err
    page = (folder / "search" / "search.html").read_text()
    assert page.count('<img src="data:image/jpeg;base64,') == 3 and "of 40 images" in page


@pytest.mark.slow
def test_the_image_encoder_is_probed(folder: Path) -> None:
    chosen = ["baselines=[]", "labels=[5]", "draws=2", "loader.workers=0"]
    run(probe, f"encoder={folder}/clip", f"run.dir={folder}/probe", *chosen)
    assert rows(folder / "probe", evaluation="linear", metric="top1")[0]["value"] > 0.8


@pytest.mark.slow
def test_the_image_encoder_is_fine_tuned(folder: Path) -> None:
    chosen = ["labels=20", "min_steps=40", "trainer.epochs=1", "loader.workers=0"]
    run(finetune, f"encoder={folder}/clip", f"run.dir={folder}/tuned", *chosen)
    assert rows(folder / "tuned", metric="top1")[0]["value"] > 0.7


def test_export_loads_in_timm_and_transformers(folder: Path) -> None:
    target = folder / "exported"
    export.main([str(folder / "vit"), str(target)])
    with torch.inference_mode():
        images, own = torch.randn(2, 1, 8, 8), sslrun.load_encoder(target)
        model = timm.create_model(f"local-dir:{target / 'image'}", pretrained=True).eval()
        assert torch.equal(model(images), own(images))
        ids = torch.tensor([AutoTokenizer.from_pretrained(target / "text")("a bold three")["input_ids"]])
        text = sslrun.load_encoder(target / "text")
        hidden = AutoModel.from_pretrained(target / "text").eval()(input_ids=ids).last_hidden_state
        torch.testing.assert_close(hidden[:, -1], text(ids))
        joint, of_run = load_joint(target), load_joint(folder / "vit" / "encoder")
        assert torch.equal(joint.text(ids), of_run.text(ids)) and torch.equal(joint.image(images), of_run.image(images))
        assert joint.scale == pytest.approx(1 / 0.07, rel=0.01)


def test_what_does_not_fit_is_refused_before_any_work(folder: Path, tmp_path: Path) -> None:
    here = f"run.dir={tmp_path}/none"
    with pytest.raises(ConfigError, match=r"method=clip reads image-text pairs; dataset=digits gives views or images"):
        run(pretrain, "method=clip", "dataset=digits", here)
    with pytest.raises(ConfigError, match=r"encoder=.*/alone has no text encoder; name a run of method=clip"):
        run(zeroshot, f"encoder={folder}/alone", "dataset=digits", here)
    texts = write_texts(tmp_path / "texts.jsonl")
    with pytest.raises(DataError, match="dataset=text holds no images"):
        run(zeroshot, f"encoder={folder}/clip", "dataset=text", f"dataset.path={texts}", here)
    with pytest.raises(ConfigError, match=r"prompts.classes names 2 classes; dataset=digits has 10: 0, 1"):
        run(zeroshot, f"encoder={folder}/clip", "dataset=digits", "prompts.classes=[a,b]", here)
    with pytest.raises(ConfigError, match=r"prompts.templates: 'a photo' must contain \{\} once, for the class name"):
        run(zeroshot, f"encoder={folder}/clip", "prompts.templates=['a photo']", here)
    with pytest.raises(DataError, match="images=/nowhere: no folder with images"):
        run(search, f"encoder={folder}/clip", "images=/nowhere", "text=zero", here)
    assert not (tmp_path / "none").exists()
