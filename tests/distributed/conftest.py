"""One pool of two gloo ranks for all distributed tests: starting processes and importing torch takes seconds."""

import importlib.util
import multiprocessing as mp
import os
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

WORLD = 2


def _load(path: str) -> Any:
    spec = importlib.util.spec_from_file_location(Path(path).stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _serve(rank: int, store: str, tasks: Any, answers: Any) -> None:
    os.environ["OMP_NUM_THREADS"] = "1"
    import torch
    import torch.distributed as dist

    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=WORLD)
    while (task := tasks.get()) is not None:
        path, function, arguments = task
        try:
            answers.put((True, getattr(_load(path), function)(**arguments)))
        except Exception:
            answers.put((False, traceback.format_exc()))
    dist.destroy_process_group()


class Pool:
    """`pool.run(__file__, "function", key=value)` calls a module's function on every rank; answers in rank order."""

    def __init__(self, store: str) -> None:
        context = mp.get_context("spawn")
        self.tasks = [context.Queue() for _ in range(WORLD)]
        self.answers = [context.Queue() for _ in range(WORLD)]
        self.processes = [
            context.Process(target=_serve, args=(r, store, self.tasks[r], self.answers[r]), daemon=True)
            for r in range(WORLD)
        ]
        for process in self.processes:
            process.start()

    def run(self, path: str, function: str, **arguments: Any) -> list[Any]:
        for queue in self.tasks:
            queue.put((path, function, arguments))
        outcomes = [queue.get(timeout=120) for queue in self.answers]
        for ok, value in outcomes:
            assert ok, value
        return [value for _, value in outcomes]

    def close(self) -> None:
        for queue in self.tasks:
            queue.put(None)
        for process in self.processes:
            process.join(10)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One worker of pytest-xdist runs them all, so that there is one pool."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.xdist_group("gloo"))


@pytest.fixture(scope="session")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pool]:
    pool = Pool(str(tmp_path_factory.mktemp("gloo") / "store"))
    yield pool
    pool.close()
