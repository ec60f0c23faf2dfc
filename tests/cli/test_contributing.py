"""The method that CONTRIBUTING.md works through: its four files, as they stand there, train and pass their test."""

import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WITH_THESE_FILES = """
import sys
from pathlib import Path
folder, tests, *arguments = sys.argv[1:]
import sslrun.config.folders, sslrun.config.method, sslrun.methods
sslrun.config.folders.conf_dir = lambda: Path(folder, "conf")
sslrun.config.method.__path__.append(f"{folder}/src/sslrun/config/method")
sslrun.methods.__path__.append(f"{folder}/src/sslrun/methods")
sys.path.insert(0, tests)
if arguments[0] == "pytest":
    import pytest
    sys.exit(pytest.main(arguments[1:]))
from sslrun.cli import main
sys.argv = ["sslrun", *arguments]
main()
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The four files, where CONTRIBUTING.md says, beside our conf."""
    folder = tmp_path_factory.mktemp("contributing")
    shutil.copytree(ROOT / "conf", folder / "conf")
    found = re.findall(
        r"^\d\. `([^`]+)`.*?^   ```\w+\n(.*?)^   ```$", (ROOT / "CONTRIBUTING.md").read_text(), re.M | re.S
    )
    assert len(found) == 4
    for path, text in found:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(textwrap.dedent(text))
    return folder


def run(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", WITH_THESE_FILES, str(folder), str(ROOT / "tests"), *arguments],
        cwd=folder, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_it_is_listed_with_its_idea(folder: Path) -> None:
    line = next(line for line in run(folder, "list", "methods").splitlines() if line.startswith("align_uniform"))
    assert "Wang and Isola 2020" in line and "pairs lie close" in line


@pytest.mark.slow
def test_it_trains(folder: Path) -> None:
    run(
        folder, "pretrain", "method=align_uniform", "augmentation=digits", "loader.workers=0", "trainer.steps=2",
        "monitor.every_epochs=0", "run.dir=run",
    )  # fmt: skip
    assert (folder / "run" / "encoder" / "model.safetensors").is_file()


def test_its_own_test_passes(folder: Path) -> None:
    path = str(folder / "tests" / "unit" / "methods" / "test_align_uniform.py")
    assert "1 passed" in run(folder, "pytest", "-q", "-p", "no:cacheprovider", path)
