"""What a fine-tuning leaves behind."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from sslrun.commands import finetune
from sslrun.config.compose import compose
from sslrun.evaluation.goals.base import CheckResult
from sslrun.evaluation.goals.classification import Classification
from sslrun.monitors import validation


def test_the_best_weights_by_validation_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first check of two counts as the better one."""
    scores = iter([(2.0,), (1.0,), (0.0,)])
    check = Classification.check

    def falling(*arguments: Any) -> CheckResult:
        return dataclasses.replace(check(*arguments), score=next(scores))

    monkeypatch.setattr(Classification, "check", falling)
    monkeypatch.setattr(validation, "MIN_STEPS_BETWEEN", 1)
    config: Any = compose(
        "finetune",
        ["encoder=random", "backbone=small_cnn", "dataset=digits", "augmentation=digits", "labels=5",
         "loader.workers=0", "trainer.steps=2", f"run.dir={tmp_path}"],
    )  # fmt: skip
    finetune.run(config)
    best, last = (torch.load(tmp_path / "checkpoints" / name, weights_only=True) for name in ("best.ckpt", "last.ckpt"))
    assert (best["global_step"], last["global_step"]) == (1, 2)
    prefix = "method.head."
    head = {k.removeprefix(prefix): v for k, v in best["state_dict"].items() if k.startswith(prefix)}
    torch.testing.assert_close(load_file(tmp_path / "classifier.safetensors"), head, rtol=0, atol=0)
    assert not torch.equal(head["weight"], last["state_dict"][prefix + "weight"])
