"""A run that was killed and continued ends with the bits of one that was not."""

import json
import signal
from pathlib import Path

import pytest
import torch

from children import Runner
from sessions import EXIT_INTERRUPTED, assert_equal_runs, finish, logged, seconds_of, start, weights

STEPS = 24
COMMON = [
    "pretrain", "augmentation=digits", "loader.batch_size=128", "loader.workers=1", f"trainer.steps={STEPS}",
    "trainer.precision=fp32", "monitor.every_epochs=1", "monitor.items=64", "trainer.log_steps=1",
]  # fmt: skip


@pytest.mark.parametrize("method", [pytest.param("simclr", marks=pytest.mark.recovery), "byol"])
def test_kill_9_in_mid_epoch_then_the_same_command(tmp_path: Path, runner: Runner, method: str) -> None:
    command = [*COMMON, f"method={method}", "trainer.checkpoint_steps=5", "method.hidden_dim=64"]
    whole, folder = tmp_path / "whole", tmp_path / "killed"
    runner.run(*command, f"run.dir={whole}")
    child = runner.start(*command, f"run.dir={folder}")
    child.wait_until((folder / "checkpoints" / "last.ckpt").exists)  # some steps after it, in the middle of an epoch
    assert child.send(signal.SIGKILL) == -signal.SIGKILL
    runner.run(*command, f"run.dir={folder}")
    assert_equal_runs(whole, folder, step=STEPS)
    (folder / "report.html").unlink()  # killed while it was drawn, when all else had ended
    assert "is finished; its report: " in runner.run(*command, f"run.dir={folder}")
    assert (folder / "report.html").exists()


@pytest.mark.recovery
def test_sigterm_saves_and_resume_goes_on(tmp_path: Path, runner: Runner) -> None:
    command = [*COMMON, "method=byol", "trainer.accumulate=2", "method.hidden_dim=64"]
    whole, folder = tmp_path / "whole", tmp_path / "stopped"
    runner.run(*command, f"run.dir={whole}")
    child = runner.start(*command, f"run.dir={folder}")
    metrics = folder / "metrics.csv"
    child.wait_until(lambda: metrics.exists() and len(metrics.read_text().splitlines()) >= 20)
    assert child.send(signal.SIGTERM) == EXIT_INTERRUPTED
    assert f"continue with: sslrun resume {folder}" in runner.log.read_text()
    assert "resume " in runner.run("resume", str(folder))
    assert_equal_runs(whole, folder, step=STEPS)


@pytest.mark.recovery
def test_a_time_limit_saves_and_the_same_command_goes_on_to_the_end(tmp_path: Path, runner: Runner) -> None:
    steps = 60  # several seconds
    command = [*COMMON, "method=simclr", "method.hidden_dim=64", "monitor.every_epochs=0", f"trainer.steps={steps}"]
    whole, folder = tmp_path / "whole", tmp_path / "limited"
    runner.run(*command, f"run.dir={whole}")
    seconds = max(1, round(0.4 * seconds_of(whole)))
    limited = [*command, f"run.dir={folder}", f"trainer.max_time=00:00:00:{seconds:02}"]
    stopped = runner.run(*limited, code=EXIT_INTERRUPTED)
    assert f"stopped (trainer.max_time is over) and saved; continue with: sslrun resume {folder}" in stopped
    assert json.loads((folder / "run.json").read_text())["status"] == "interrupted"
    for _ in range(steps):  # a step in each, at least
        code = runner.start(*limited).wait()
        if code != EXIT_INTERRUPTED:
            break
    assert code == 0, runner.log.read_text()
    assert_equal_runs(whole, folder, step=steps)


@pytest.mark.slow
def test_two_ranks_train_like_one_process_and_say_it_once(tmp_path: Path, runner: Runner) -> None:
    """Weights differ only by the order of sums; BatchNorm would be per rank, and the nets here have none."""
    command = [
        *COMMON, "method=mocov2", "backbone=vit_tiny", "backbone.patch_size=4", "method.hidden_dim=64",
        "method.queue_size=256", "trainer.steps=3", "optimizer=sgd", "optimizer.lr=1", "schedule.warmup_epochs=0",
        "monitor.every_epochs=0", "trainer.checkpoint_steps=1",
    ]  # fmt: skip
    one, two = tmp_path / "one", tmp_path / "two"
    runner.run(*command, f"run.dir={one}", "trainer.devices=1")
    output = finish(start(*command, f"run.dir={two}", "trainer.devices=2", "trainer.strategy=ddp"))
    assert output.count("learning rate") == 1 and "error" not in output
    first, second = weights(one, step=3), weights(two, step=3)
    assert first.keys() == second.keys()
    moved = [k for k in first if not torch.allclose(first[k], second[k], rtol=1e-4, atol=1e-5)]
    assert moved == []
    rates = [[float(v) for s, n, v in logged(run) if n == "train/lr"] for run in (one, two)]
    assert rates[0] == rates[1] and len(rates[0]) == 3
