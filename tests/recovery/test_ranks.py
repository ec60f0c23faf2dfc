"""Two ranks: stopped by a signal to either, gone on with by another number of ranks, and one of them failing."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from children import Runner, signal_at
from sessions import EXIT_INTERRUPTED, assert_equal_runs
from sslrun.runs.newest import last_step

pytestmark = pytest.mark.recovery
COMMAND = [
    "pretrain", "method=simclr", "augmentation=digits", "loader.batch_size=64", "loader.workers=0", "backbone=vit_tiny",
    "backbone.patch_size=4", "trainer.precision=fp32", "monitor.every_epochs=0", "method.hidden_dim=32",
    "trainer.log_steps=1", "trainer.checkpoint_minutes=null",
]  # fmt: skip
STARTED_AGAIN = """
import os, signal
import sslrun.commands.pretrain
from sslrun import cli
from sslrun.training.module import Training
from sslrun.training.ranks import Ranks

HOW = os.environ["HOW"]
Ranks.__init__.__kwdefaults__["grace_seconds"] = 0.1

def fail(*arguments, **options):
    if HOW == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    raise RuntimeError("its disk is gone")

if os.environ.get("LOCAL_RANK") == "1" and HOW == "early":  # before all have met
    sslrun.commands.pretrain.build_data = fail
elif os.environ.get("LOCAL_RANK") == "1":
    Training.training_step = fail
cli.main()
"""
"""A program that Lightning starts anew for the second rank, which fails."""


def free_port() -> int:
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        port: int = asked.getsockname()[1]
    return port


def noting_order(file: Path, *, environment: dict[str, str] | None = None) -> Callable[[], None]:
    """In the child: the indices of each micro-batch, as it is trained on, go to `file`."""

    def arrange() -> None:
        os.environ.update(environment or {})
        from sslrun.training.module import Training

        step = Training.training_step

        def note(self: Any, batch: Any, batch_idx: int) -> Any:
            with file.open("a") as noted:
                noted.write(json.dumps([self.global_step, batch["index"].tolist()]) + "\n")
            return step(self, batch, batch_idx)

        Training.training_step = note  # type: ignore[method-assign]

    return arrange


def ranks(
    runner: Runner, arguments: list[str], folder: Path, *, also: dict[int, Callable[[], None]] | None = None
) -> list[Any]:
    """Two processes, as torchrun would start them; `also`: what else is arranged in the process of a rank."""
    port = free_port()
    common = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2", "TORCHELASTIC_RUN_ID": "test",
              "LOCAL_WORLD_SIZE": "2", "GROUP_RANK": "0", "NODE_RANK": "0"}  # fmt: skip

    def arranged(rank: int) -> Callable[[], None]:
        environment = {**common, "RANK": str(rank), "LOCAL_RANK": str(rank)}
        note = noting_order(folder / f"rank{rank}.jsonl", environment=environment)

        def arrange() -> None:
            note()
            if also is not None and rank in also:
                also[rank]()

        return arrange

    return [runner.start(*arguments, before=arranged(rank)) for rank in range(2)]


def draw_apart() -> None:
    """In the child: each rank draws other numbers, as after a run has gone on with more ranks."""
    import pytorch_lightning as pl

    seed_everything = pl.seed_everything
    pl.seed_everything = lambda seed, **options: seed_everything(seed + int(os.environ["RANK"]), **options)


def order(*files: Path) -> dict[int, list[int]]:
    """Step: indices of its global batch, in rank order."""
    found: dict[int, list[int]] = {}
    for file in files:
        for line in file.read_text().splitlines():
            step, indices = json.loads(line)
            found[step] = found.get(step, []) + indices
    return found


def test_one_rank_then_two_read_the_batches_of_one(tmp_path: Path, runner: Runner) -> None:
    whole, folder = tmp_path / "whole", tmp_path / "run"
    runner.run(*COMMAND, f"run.dir={whole}", "trainer.steps=6", before=noting_order(tmp_path / "whole.jsonl"))

    def stop_at_three() -> None:
        noting_order(tmp_path / "one.jsonl")()
        from sslrun.training.checkpoints import Checkpoints

        end = Checkpoints.on_train_batch_end

        def ask(self: Any, trainer: Any, *rest: Any) -> None:
            if trainer.global_step == 3:
                os.kill(os.getpid(), signal.SIGTERM)
            end(self, trainer, *rest)

        Checkpoints.on_train_batch_end = ask  # type: ignore[method-assign]

    command = [*COMMAND, f"run.dir={folder}", "trainer.steps=6"]
    runner.run(*command, code=EXIT_INTERRUPTED, before=stop_at_three)
    pair = ranks(runner, [*command, "trainer.devices=2", "trainer.strategy=ddp"], tmp_path)
    assert [child.wait() for child in pair] == [0, 0], runner.log.read_text()
    assert "resumed with 2 processes, 1 before: the data order is the same" in runner.log.read_text()
    expected = order(tmp_path / "whole.jsonl")
    assert order(tmp_path / "one.jsonl") == {s: expected[s] for s in (0, 1, 2)}
    assert order(tmp_path / "rank0.jsonl", tmp_path / "rank1.jsonl") == {s: expected[s] for s in (3, 4, 5)}
    manifest = json.loads((folder / "run.json").read_text())
    assert (manifest["status"], manifest["world"]) == ("finished", 2)
    assert [s["from_step"] for s in manifest["sessions"]] == [0, 3]


@pytest.mark.parametrize("told", [0, 1])
def test_a_signal_to_one_rank_stops_and_saves_both(tmp_path: Path, runner: Runner, told: int) -> None:
    folder = tmp_path / "run"
    command = [*COMMAND, f"run.dir={folder}", "trainer.steps=100000", "trainer.devices=2", "trainer.strategy=ddp"]
    pair = ranks(runner, command, tmp_path)
    noted = tmp_path / "rank1.jsonl"
    while not noted.exists() or noted.read_text().count("\n") < 5:
        time.sleep(0.01)
    os.kill(pair[told].pid, signal.SIGTERM)
    assert [child.wait() for child in pair] == [EXIT_INTERRUPTED, 0], runner.log.read_text()
    assert last_step(folder / "checkpoints") >= 5
    assert json.loads((folder / "run.json").read_text())["sessions"][-1]["to_step"] == last_step(folder / "checkpoints")


@pytest.mark.parametrize(
    ("told", "place", "call", "saved"),
    [
        (0, "pytorch_lightning:Trainer._run_stage", 1, 1),  # Lightning has just put its own handlers in place
        (0, "sslrun.training.module:Training.training_step", 3, 2),  # the first of two micro-batches
        (1, "sslrun.training.module:Training.training_step", 3, 2),
    ],
)
def test_between_two_steps_a_signal_waits_for_the_next(
    tmp_path: Path, runner: Runner, told: int, place: str, call: int, saved: int
) -> None:
    command = [
        *COMMAND, f"run.dir={tmp_path / 'run'}", "trainer.steps=6", "trainer.devices=2", "trainer.strategy=ddp",
        "trainer.accumulate=2", "trainer.checkpoint_steps=1",
    ]  # fmt: skip
    pair = ranks(runner, command, tmp_path, also={told: signal_at(place, call=call)})
    assert [child.wait() for child in pair] == [EXIT_INTERRUPTED, 0], runner.log.read_text()
    assert last_step(tmp_path / "run" / "checkpoints") == saved
    for rank in range(2):
        assert (tmp_path / f"rank{rank}.jsonl").read_text().count("\n") == 2 * saved  # micro-batches
    assert json.loads((tmp_path / "run" / "run.json").read_text())["status"] == "interrupted"


def test_each_rank_goes_on_with_its_own_random_draws(tmp_path: Path, runner: Runner) -> None:
    whole, folder = tmp_path / "whole", tmp_path / "run"
    command = [
        *COMMAND, "backbone.drop_path=0.5", "trainer.steps=4", "trainer.devices=2", "trainer.strategy=ddp",
        "trainer.checkpoint_steps=1",
    ]  # fmt: skip
    apart = dict.fromkeys(range(2), draw_apart)

    def stop_second() -> None:
        draw_apart()
        signal_at("sslrun.training.module:Training.training_step", call=2)()

    for place, also, codes in (
        (whole, apart, [0, 0]),
        (folder, {**apart, 1: stop_second}, [EXIT_INTERRUPTED, 0]),
        (folder, apart, [0, 0]),
    ):
        pair = ranks(runner, [*command, f"run.dir={place}"], tmp_path, also=also)
        assert [child.wait() for child in pair] == codes, runner.log.read_text()
    assert [s["from_step"] for s in json.loads((folder / "run.json").read_text())["sessions"]] == [0, 2]
    states = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)["callbacks"]["Checkpoints"]["random"]
    assert not torch.equal(states[0]["torch"], states[1]["torch"])
    assert_equal_runs(whole, folder, step=4)


@pytest.mark.parametrize(
    ("how", "last"),
    [
        ("step", "rank 1: RuntimeError: its disk is gone"),
        ("early", "rank 1: RuntimeError: its disk is gone"),
        ("killed", "rank 1 was killed by signal 9; rerun the same command to resume from the last checkpoint"),
    ],
)
def test_a_rank_that_fails_is_told_by_the_first_and_in_the_run_folder(tmp_path: Path, how: str, last: str) -> None:
    program, folder = tmp_path / "program.py", tmp_path / "run"
    program.write_text(STARTED_AGAIN)
    command = [*COMMAND, f"run.dir={folder}", "trainer.steps=100000", "trainer.devices=2", "trainer.strategy=ddp"]
    done = subprocess.run(
        [sys.executable, program, *command], env=os.environ | {"OMP_NUM_THREADS": "1", "HOW": how},
        capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert done.stderr.splitlines()[-1] == f"sslrun: error: {last}"
    manifest = json.loads((folder / "run.json").read_text())
    assert (manifest["status"], manifest["last_error"]) == ("failed", last)
    assert list(folder.rglob("*.tmp")) == []
