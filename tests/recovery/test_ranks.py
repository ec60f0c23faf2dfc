"""Two ranks: stopped by a signal to either, and gone on with by another number of ranks."""

import json
import os
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from children import Runner
from sessions import EXIT_INTERRUPTED
from sslrun.runs.newest import last_step

pytestmark = pytest.mark.recovery
COMMAND = [
    "pretrain", "method=simclr", "augmentation=digits", "loader.batch_size=64", "loader.workers=0", "backbone=vit_tiny",
    "backbone.patch_size=4", "trainer.precision=fp32", "monitor.every_epochs=0", "method.hidden_dim=32",
    "trainer.log_steps=1", "trainer.checkpoint_minutes=null",
]  # fmt: skip


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


def ranks(runner: Runner, arguments: list[str], folder: Path) -> list[Any]:
    """Two processes, as torchrun would start them."""
    port = free_port()
    common = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2", "TORCHELASTIC_RUN_ID": "test",
              "LOCAL_WORLD_SIZE": "2", "GROUP_RANK": "0", "NODE_RANK": "0"}  # fmt: skip
    return [
        runner.start(
            *arguments,
            before=noting_order(
                folder / f"rank{rank}.jsonl", environment={**common, "RANK": str(rank), "LOCAL_RANK": str(rank)}
            ),
        )
        for rank in range(2)
    ]


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
