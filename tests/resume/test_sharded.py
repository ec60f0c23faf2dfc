"""A run whose parameters are cut over two ranks saves, continues and measures like any other."""

from pathlib import Path

import pytest

from sessions import assert_equal_runs, finish, start, wait_until

COMMAND = [
    "pretrain", "method=byol", "method.hidden_dim=32", "augmentation=digits", "backbone=vit_tiny",
    "backbone.patch_size=4", "optimizer=adamw", "loader.batch_size=64", "loader.workers=1", "monitor.every_epochs=0.25",
    "monitor.items=64", "trainer.steps=8", "trainer.precision=fp32", "trainer.log_steps=1", "trainer.devices=2",
    "trainer.checkpoint_steps=2",
]  # fmt: skip


@pytest.mark.slow
def test_a_run_begun_under_ddp_goes_on_under_fsdp(tmp_path: Path) -> None:
    whole, folder = tmp_path / "whole", tmp_path / "changed"
    finish(start(*COMMAND, "trainer.strategy=fsdp", f"run.dir={whole}"))
    begun = start(*COMMAND, "trainer.strategy=ddp", f"run.dir={folder}")
    wait_until(begun, (folder / "checkpoints" / "last.ckpt").exists)
    begun.kill()
    begun.communicate()
    output = finish(start(*COMMAND, "trainer.strategy=fsdp", f"run.dir={folder}"))
    assert "online linear on validation" in output
    assert_equal_runs(whole, folder, step=8)
