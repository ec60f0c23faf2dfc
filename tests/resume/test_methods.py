"""Every method: stopped between two steps and continued, it ends with the bits of a run that was not stopped.

Queues, centres, prototypes, momentum copies, masks and the micro-batches of an accumulation are in it.
"""

import copy
import dataclasses
import itertools
import signal
from pathlib import Path
from typing import Any

import pytest
import torch

from small import BACKBONES, backbones_of, method_names, modality, needs_tokens, small_config, write_texts
from sslrun.commands.pretrain import run
from sslrun.config.backbone.timm import TimmConfig
from sslrun.config.backbone.transformers import TransformersConfig
from sslrun.config.command.pretrain import PretrainConfig
from sslrun.runs import signals

STEPS, STOPPED_AT = 6, 3


def config_for(name: str, folder: Path) -> PretrainConfig:
    kind = modality(name)
    texts = folder.parent / "texts.jsonl"
    own = {"image": ["augmentation=digits"], "text": ["dataset=text", f"dataset.path={texts}", "dataset.max_length=24"]}
    own["pair"] = own["image"]
    own["series"] = ["dataset=waves", "dataset.items=100"]
    own["audio"] = ["dataset=tones", "dataset.items=100", "dataset.form=wave", "dataset.seconds=0.05"]
    if kind == "text":
        write_texts(texts)
    overrides = [
        *own[kind], "loader.batch_size=32", "loader.workers=0", f"trainer.steps={STEPS}",
        "trainer.accumulate=2", "trainer.precision=fp32", "monitor.every_epochs=0", "monitor.items=64",
        f"run.dir={folder}",
    ]  # fmt: skip
    config = small_config(name, overrides, mask_patch_size=4)
    if kind == "text":
        config.backbone = TransformersConfig(**vars(BACKBONES[backbones_of(name)[0]]) | {"dropout": 0.1})
    elif kind in ("series", "audio"):
        config.backbone = dataclasses.replace(BACKBONES[backbones_of(name)[0]], dropout=0.1)
    elif needs_tokens(name):
        config.backbone = TimmConfig(**vars(BACKBONES["vit"]) | {"patch_size": 2})
    return config


def state(folder: Path) -> dict[str, Any]:
    saved = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)
    assert saved["global_step"] == STEPS
    return {**saved["state_dict"], **flatten(saved["optimizer_states"])}


def flatten(value: Any, path: str = "optimizer") -> dict[str, Any]:
    if isinstance(value, dict):
        return {k: v for name, item in value.items() for k, v in flatten(item, f"{path}.{name}").items()}
    if isinstance(value, list):
        return flatten(dict(enumerate(value)), path)
    return {path: value}


@pytest.mark.parametrize("name", method_names())
def test_stopped_and_continued_it_is_the_same(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    config = config_for(name, whole)
    run(copy.deepcopy(config))
    config.run.dir = str(stopped)
    with monkeypatch.context() as patch, pytest.raises(SystemExit):
        asked = itertools.count(1)  # once a step
        patch.setattr(signals, "received", lambda: signal.SIGTERM if next(asked) >= STOPPED_AT else None)
        run(copy.deepcopy(config))
    assert torch.load(stopped / "checkpoints" / "last.ckpt", weights_only=True)["global_step"] == STOPPED_AT
    run(config)
    first, second = state(whole), state(stopped)
    assert first.keys() == second.keys()
    different = [
        key
        for key, value in first.items()
        if not (torch.equal(value, second[key]) if isinstance(value, torch.Tensor) else value == second[key])
    ]
    assert different == []
