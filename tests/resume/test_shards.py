"""A run on tar files that was killed ends with the bits of one that was not, whatever its workers."""

from pathlib import Path

import pytest

from sessions import assert_equal_runs, finish, start, wait_until
from shards import picture, write_shards


@pytest.mark.slow
def test_kill_9_between_shards_then_the_same_command_with_other_workers(tmp_path: Path) -> None:
    samples = [{"png": picture(i), "cls": str(i % 5).encode()} for i in range(400)]
    pattern = write_shards(tmp_path / "shards", samples, per_shard=50)
    command = [
        "pretrain", "method=simclr", "dataset=webdataset", f'dataset.train="{pattern}"', "dataset.shard_window=2",
        "dataset.image_size=16", "backbone=small_cnn", "augmentation=simclr_cifar", "method.hidden_dim=32",
        "loader.batch_size=32", "trainer.steps=30", "trainer.precision=fp32", "monitor.every_epochs=0",
        "trainer.log_steps=1", "trainer.checkpoint_steps=4",
    ]  # fmt: skip
    whole, folder = tmp_path / "whole", tmp_path / "killed"
    finish(start(*command, "loader.workers=0", f"run.dir={whole}"))
    killed = start(*command, "loader.workers=2", f"run.dir={folder}")
    wait_until(killed, (folder / "checkpoints" / "last.ckpt").exists)
    killed.kill()
    killed.communicate()
    finish(start(*command, "loader.workers=2", f"run.dir={folder}"))
    assert_equal_runs(whole, folder, step=30)
