"""A method that does not fit the dataset is told before any work."""

from pathlib import Path
from typing import Any

import pytest

from small import write_pairs, write_recordings, write_texts
from sslrun.commands import pretrain, preview
from sslrun.config.compose import compose
from sslrun.config.errors import ConfigError
from sslrun.core.batch import ViewsBatch
from sslrun.methods.base import check_fit


def test_a_dataset_of_another_modality() -> None:
    config: Any = compose("pretrain", ["method=byol", "dataset=pydocs"])
    with pytest.raises(ConfigError, match=r"^method=byol reads views; dataset=pydocs gives tokens or blocks"):
        check_fit(config.method, config.augmentation, config.dataset)


def test_a_policy_of_one_view_for_a_method_of_two() -> None:
    config: Any = compose("pretrain", ["method=simclr", "augmentation=weak", "dataset=digits"])
    with pytest.raises(
        ConfigError,
        match=r"method=simclr reads 2 views; augmentation=weak gives 1; say augmentation\.views\.0\.count=2",
    ):
        check_fit(config.method, config.augmentation, config.dataset)
    config.augmentation.views[0].count = 2
    assert check_fit(config.method, config.augmentation, config.dataset) is ViewsBatch


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["method=simclr", "dataset=imagefolder", "trainer.accumulate=3"],
            "does not divide by 1 devices x",
        ),
        (["method=simclr", "dataset=imagefolder", "trainer.sync_batchnorm=true"], "trainer.sync_batchnorm=true needs"),
        (["method=clip", "dataset=imagefolder"], "reads image-text pairs; dataset=imagefolder gives views or images"),
        (["method=bert", "dataset=pairs"], "reads tokens; dataset=pairs gives image-text pairs or views or images"),
        (["method=simclr", "dataset=text"], "reads views; dataset=text gives tokens or blocks of tokens"),
        (["method=mae", "dataset=audio", "dataset.form=wave"], "reads images; dataset=audio gives waves"),
        (["method=simclr", "dataset=audio", "augmentation=audio_weak"], "reads 2 views; augmentation=audio_weak gives"),
        (
            ["method=simclr", "dataset=audio"],
            "augmentation=simclr is for image; dataset=audio holds audio;",
        ),
        (["method=clip", "dataset=pairs", "augmentation=bert"], "=bert is for text; dataset=pairs .* for image out of"),
    ],
)
def test_nothing_of_it_is_read_or_cached(options: list[str], message: str, tmp_path: Path) -> None:
    """Nothing is there to be read, and where there is, nothing is decoded and no tokenizer is trained."""
    kind = options[1].removeprefix("dataset=")
    key = "root" if kind == "imagefolder" else "path"
    write = {"audio": write_recordings, "text": write_texts, "pairs": write_pairs}.get(kind)
    there = [tmp_path / "nowhere"] + ([write(tmp_path / "data")] if write else [])
    for path in there:
        run = [*options, f"dataset.{key}={path}", f"dataset.cache_dir={tmp_path}/cache", f"run.dir={tmp_path}/run"]
        with pytest.raises(ConfigError, match=message):
            pretrain.run(compose("pretrain", run))
    assert not (tmp_path / "cache").exists() and not (tmp_path / "run").exists()


def test_a_preview_reads_nothing_either(tmp_path: Path) -> None:
    options = ["method=clip", "dataset=imagefolder", f"dataset.root={tmp_path}/nowhere", f"run.dir={tmp_path}/run"]
    with pytest.raises(ConfigError, match="reads image-text pairs; dataset=imagefolder gives views or images"):
        preview.run(compose("preview", options))


def test_views_that_nobody_reads_are_refused() -> None:
    config: Any = compose("pretrain", ["method=simclr", "augmentation=dino", "dataset=digits"])
    with pytest.raises(
        ConfigError, match=r"method=simclr reads 2 views and would throw the others away; augmentation="
    ):
        check_fit(config.method, config.augmentation, config.dataset)
