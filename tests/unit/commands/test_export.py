"""Which of a run's checkpoints is exported."""

from pathlib import Path
from typing import Any

import pytest
import torch

import sslrun
from sslrun.commands import export, pretrain
from sslrun.config.compose import compose
from sslrun.config.errors import ConfigError


def test_the_checkpoint_that_is_named_is_exported(tmp_path: Path) -> None:
    config: Any = compose(
        "pretrain",
        ["augmentation=digits", "backbone=small_cnn", "loader.workers=0", "loader.batch_size=32", "trainer.steps=2",
         "trainer.checkpoint_steps=1", "monitor.every_epochs=0", f"run.dir={tmp_path}/run"],
    )  # fmt: skip
    pretrain.run(config)
    former = "step-00000001.ckpt"
    export.main([f"{tmp_path}/run", f"{tmp_path}/exported", f"--checkpoint={former}"])
    exported = sslrun.load_encoder(tmp_path / "exported").state_dict()

    def of_step(name: str) -> dict[str, torch.Tensor]:
        state = torch.load(tmp_path / "run" / "checkpoints" / name, weights_only=True)["state_dict"]
        return {key: state[f"method.encoder.{key}"] for key in exported}

    torch.testing.assert_close(exported, of_step(former), rtol=0, atol=0)
    last = of_step("last.ckpt")
    assert any(not torch.equal(exported[key], last[key]) for key in last)
    with pytest.raises(ConfigError, match=rf"^--checkpoint=a.ckpt: not in .*; there: last.ckpt, {former}$"):
        export.main([f"{tmp_path}/run", f"{tmp_path}/other", "--checkpoint=a.ckpt"])
