"""Two sweepers on one study in a real PostgreSQL."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import optuna
import pytest

from sslrun.sweeps.study import SWEEP, WITHDRAWN, open_storage

pytestmark = pytest.mark.services
TRIALS = 7


def programs() -> Path | None:
    """Folder of initdb and pg_ctl, of Debian's package or on the PATH."""
    found = shutil.which("initdb")
    packaged = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return packaged[-1].parent if packaged else Path(found).resolve().parent if found else None


@pytest.fixture
def database() -> Iterator[str]:
    """URL of a database in a cluster of its own, which is removed afterwards."""
    if os.getuid() != 0:
        pytest.skip("needs root: PostgreSQL is started as a user of its own")
    if programs() is None and shutil.which("apt-get"):
        for command in (["apt-get", "update"], ["apt-get", "install", "-y", "--no-install-recommends", "postgresql"]):
            subprocess.run(command, capture_output=True, env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"})
    tools = programs()
    if tools is None:
        pytest.skip("PostgreSQL is not installed, and apt-get could not install it: apt-get install postgresql")
    user = "postgres" if subprocess.run(["id", "postgres"], capture_output=True).returncode == 0 else "nobody"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="sslrun-postgres-") as folder:
        shutil.chown(folder, user)

        def run(*command: str) -> None:
            done = subprocess.run(
                ["setpriv", f"--reuid={user}", f"--regid={user if user == 'postgres' else 'nogroup'}", "--clear-groups",
                 *command], capture_output=True, text=True, cwd=folder, env={"PATH": os.environ["PATH"], "LC_ALL": "C"},
            )  # fmt: skip
            assert done.returncode == 0, done.stdout + done.stderr

        control = [str(tools / "pg_ctl"), "-D", f"{folder}/data", "-w"]
        run(str(tools / "initdb"), "-D", f"{folder}/data", "-U", "sslrun", "-E", "UTF8", "--auth=trust")
        run(*control, "-l", f"{folder}/log", "-o", f"-p {port} -k {folder} -c listen_addresses=127.0.0.1", "start")
        try:
            run(str(tools / "createdb"), "-h", "127.0.0.1", "-p", str(port), "-U", "sslrun", "studies")
            yield f"postgresql://sslrun@127.0.0.1:{port}/studies"
        finally:
            run(*control, "-m", "immediate", "stop")


def test_two_sweepers_share_a_study_without_doubling_a_trial(database: str, tmp_path: Path) -> None:
    """Pruning is on, so that the jobs speak to the database as well."""
    folders = [tmp_path / name for name in ("one", "two")]
    command = [
        sys.executable, "-m", "sslrun", "pretrain", "-m", "hydra/sweeper=optuna", f"hydra.sweeper.storage={database}",
        "hydra.sweeper.study_name=shared", f"hydra.sweeper.n_trials={TRIALS}", "hydra.sweeper.seed=0",
        "hydra.sweeper.pruner=median", "hydra.sweeper.metric=probe/linear", "optimizer.lr=tag(log,interval(1e-3,1))",
        "augmentation=digits", "backbone=small_cnn", "backbone.width=4", "method.hidden_dim=8", "loader.workers=0",
        "loader.batch_size=128", "trainer.steps=8", "monitor.every_epochs=1", "monitor.items=16",
    ]  # fmt: skip
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    sweepers = [
        subprocess.Popen(
            [*command, f"run.dir={folder}"],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for folder in folders
    ]
    outputs = [sweeper.communicate(timeout=900)[0] for sweeper in sweepers]
    assert [sweeper.returncode for sweeper in sweepers] == [0, 0], outputs
    storage = open_storage(database)
    assert isinstance(storage, optuna.storages.RDBStorage)
    study = optuna.load_study(study_name="shared", storage=storage)
    trials = [t for t in study.get_trials() if WITHDRAWN not in t.user_attrs]
    storage.remove_session()
    storage.engine.dispose()
    assert len(trials) == TRIALS and all(t.state.is_finished() and t.value is not None for t in trials)
    assert all(t.intermediate_values for t in trials)  # the jobs reported to it
    ran = sorted(int(path.parent.name) for folder in folders for path in folder.glob("*/run.json"))
    assert ran == sorted(t.number for t in trials)
    assert {t.user_attrs[SWEEP] for t in trials} == {str(folder) for folder in folders}
    assert len({t.params["optimizer.lr"] for t in trials}) == TRIALS  # one seed, but not the same points
    assert "report.html" in outputs[0] and (folders[1] / "report.html").is_file()
