"""Shared by all tiers: one thread, a cache of their own, real data by path."""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch: 2 threads for each of 2 workers cost tenfold

import torch

from sslrun.report import html

if TYPE_CHECKING:
    from children import Runner

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared" / "data"


UNTIL = float(os.environ.get("SSLRUN_TEST_UNTIL", "inf"))
"""Seconds since 1970 after which no further test begins, as where CI has so many minutes."""


DRAWS = pytest.StashKey[bool]()
"""Whether runs of the present test draw their reports."""


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what would begin too late; this comes before the fixtures of a module, which its first test makes."""
    if time.time() > UNTIL:
        pytest.skip("left out: SSLRUN_TEST_UNTIL is over")
    item.config.stash[DRAWS] = item.get_closest_marker("draws") is not None


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    os.environ["SSLRUN_CACHE"] = os.environ.get("SSLRUN_CACHE") or str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session", autouse=True)
def _few_reports(pytestconfig: pytest.Config) -> Iterator[None]:
    """Pages of runs are drawn for the tests that look at them, and empty for all others: one takes as long as a run."""
    render = html.render
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(html, "render", lambda run: render(run) if pytestconfig.stash[DRAWS] else "")
        yield


@pytest.fixture
def real_data() -> Path:
    """Folder of the real data; the test is skipped where it is absent."""
    if not SHARED.is_dir():
        pytest.skip(f"real data is absent: {SHARED}")
    return SHARED


@pytest.fixture(scope="session")
def _warm() -> None:
    """What a first run would import and compute, once for all children."""
    import children  # noqa: F401
    from sslrun.config.compose import compose
    from sslrun.config.registry import load_all
    from sslrun.data.build import build_data

    load_all()
    build_data(compose("pretrain").dataset)  # type: ignore[attr-defined]
    assert torch.get_num_threads() == 1  # a fork beside threads could hang


@pytest.fixture
def runner(tmp_path: Path, _warm: None) -> "Runner":
    """Children whose output lies in one file."""
    from children import Runner

    return Runner(tmp_path / "output.txt")
