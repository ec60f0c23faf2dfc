"""Runs that cost nothing: what a job leaves in its folder."""

import json
import socket
from collections.abc import Callable, Sequence
from pathlib import Path

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.utils import JobReturn, JobStatus

from sslrun.config.sweeper import OptunaConfig
from sslrun.sweeps.search import Search
from sslrun.sweeps.space import parse_space


def leave(folder: Path, *, status: str = "finished", **logged: float) -> None:
    """A run folder with the last value of each name, `probe_linear` as `probe/linear`; of this machine, at rest."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = [f"1,1.0,1.0,{name.replace('_', '/', 1)},{value}" for name, value in logged.items()]
    (folder / "metrics.csv").write_text("\n".join(["step,epoch,seconds,name,value", *lines]) + "\n")
    manifest = {"status": status, "command": "pretrain", "seconds": 2.0, "last_error": "the loss is nan"}
    manifest |= {"host": socket.gethostname(), "pid": 0}
    (folder / "run.json").write_text(json.dumps(manifest))


class FakeLauncher:
    """Calls `work(number, x)` for each job, which returns the value or raises."""

    def __init__(self, folder: Path, work: Callable[[int, float], float | str]) -> None:
        self.folder, self.work = folder, work
        self.launched: list[int] = []
        self.overrides: list[list[str]] = []

    def __call__(self, overrides: Sequence[str], number: int) -> JobReturn:
        self.launched.append(number)
        self.overrides.append(list(overrides))
        x = float(dict(o.split("=", 1) for o in overrides)["x"])
        elsewhere = [OverridesParser.create().parse_override(o) for o in overrides if o.startswith("hydra.sweep.dir=")]
        folder = Path(str(elsewhere[0].value()) if elsewhere else self.folder) / str(number)
        value = self.work(number, x)
        if isinstance(value, str):
            leave(folder, status=value)
        else:
            leave(folder, probe_linear=value, health_rankme=1 - value)
        done = JobReturn(overrides=list(overrides), working_dir=str(folder))
        done.status, done.return_value = JobStatus.COMPLETED, None
        return done


def search(folder: Path, launch: Callable[..., JobReturn], *, launcher: str = "basic", **settings: object) -> Search:
    """A search for x in [0, 1]."""
    settings = {"metric": "probe/linear", "seed": 0, "n_trials": 6} | settings
    return Search(
        config=OptunaConfig(**settings),  # type: ignore[arg-type]
        command="pretrain",
        space=parse_space({}, ["x=interval(0.0,1.0)", "trainer.steps=2"]),
        folder=folder,
        launcher=launcher,
        launch=launch,
        show=lambda: None,
    )
