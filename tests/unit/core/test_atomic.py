"""Files that are written whole or not at all, and made once."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sslrun.core.atomic import make_once, write_csv
from sslrun.core.locks import locked


class Making:
    """Writes the name of its turn into each file, and counts its turns."""

    turns = 0

    def __call__(self, *paths: Path) -> None:
        self.turns += 1
        for path in paths:
            path.write_text(f"turn {self.turns}")


def test_what_is_there_is_not_made_again(tmp_path: Path) -> None:
    make, path = Making(), tmp_path / "new" / "kept.json"
    for _ in range(2):
        make_once(make, path)
    assert make.turns == 1 and path.read_text() == "turn 1"


def test_files_that_belong_together_are_made_together(tmp_path: Path) -> None:
    make, first, second = Making(), tmp_path / "kept.bin", tmp_path / "kept.npy"
    make_once(make, first, second)
    first.unlink()
    make_once(make, first, second)
    assert first.read_text() == second.read_text() == "turn 2"


def test_what_fails_leaves_nothing(tmp_path: Path) -> None:
    def make(first: Path, _second: Path) -> None:
        first.write_text("half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_once(make, tmp_path / "kept.bin", tmp_path / "kept.npy")
    assert [file.name for file in tmp_path.iterdir()] == ["kept.lock"]


def test_a_process_that_waited_does_not_make_it_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make, path = Making(), tmp_path / "kept.json"

    @contextmanager
    def after_another(_lock: Path) -> Iterator[None]:
        with monkeypatch.context() as first:
            first.setattr("sslrun.core.atomic.locked", locked)
            make_once(make, path)
        yield

    monkeypatch.setattr("sslrun.core.atomic.locked", after_another)
    make_once(make, path)
    assert make.turns == 1


def test_a_table_has_its_header_and_quotes_where_needed(tmp_path: Path) -> None:
    write_csv(tmp_path / "table.csv", ("said", "heard"), [("one, two", 3), ("é", None)])
    assert (tmp_path / "table.csv").read_bytes() == 'said,heard\n"one, two",3\né,\n'.encode()
