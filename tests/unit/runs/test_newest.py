"""The newest readable checkpoint, and what stays beside it."""

import errno
import os
import zipfile
from pathlib import Path

import pytest
import torch

from sslrun.config.errors import RunError
from sslrun.runs.newest import (
    LAST,
    keep_previous,
    last_step,
    name_of,
    newest,
    remove_old,
    remove_temporaries,
    set_aside,
    step_of,
    verify,
)


def write(path: Path, step: int) -> None:
    state = {"epoch": 0, "global_step": step, "pytorch-lightning_version": "2", "state_dict": {"w": torch.ones(5000)}}
    torch.save(state, path)


def damage(path: Path) -> None:
    """One bit in the middle of the weights."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("step", [0, 7, 300, 70_000, 5_000_000_000])
def test_the_step_is_read_without_torch(tmp_path: Path, step: int) -> None:
    write(tmp_path / LAST, step)
    assert verify(tmp_path / LAST) == step_of(tmp_path / LAST) == last_step(tmp_path) == step


def test_no_checkpoint_is_no_error(tmp_path: Path) -> None:
    assert newest(tmp_path) is None and last_step(tmp_path) == 0


@pytest.mark.parametrize("how", ["changed", "cut short", "empty", "other"])
def test_a_damaged_one_is_passed_over_and_set_aside(tmp_path: Path, how: str) -> None:
    write(tmp_path / name_of(3), 3)
    write(tmp_path / LAST, 5)
    last = tmp_path / LAST
    if how == "changed":
        damage(last)
    elif how == "other":
        torch.save({"weights": torch.ones(3)}, last)
    else:
        last.write_bytes(last.read_bytes()[: 0 if how == "empty" else 9000])
    found = newest(tmp_path)
    assert found is not None and (found.path.name, found.step) == (name_of(3), 3)
    (line,) = set_aside(found)
    assert line.startswith("last.ckpt is damaged (") and line.endswith("continues from step-00000003.ckpt, step 3")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["last.ckpt.damaged", name_of(3)]
    again = newest(tmp_path)
    assert again is not None and (again.step, again.damaged) == (3, {})


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE, errno.EACCES])
def test_what_the_disk_does_not_give_is_no_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    write(tmp_path / name_of(3), 3)
    write(tmp_path / LAST, 5)

    def fail(archive: zipfile.ZipFile) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(zipfile.ZipFile, "testzip", fail)
    with pytest.raises(RunError, match=rf"last.ckpt cannot be read: {os.strerror(number)}; it may be intact: fix"):
        newest(tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == [LAST, name_of(3)]


def test_every_bit_of_damage_is_damage(tmp_path: Path) -> None:
    """zipfile follows damaged places and lengths into errors of many kinds, those of the system among them."""
    last = tmp_path / LAST
    torch.save({"global_step": 7, "state_dict": {"w": torch.ones(3)}}, last)
    content = last.read_bytes()
    refused = set()
    for position in range(len(content)):
        changed = bytearray(content)
        changed[position] ^= 1 << (position % 8)
        last.write_bytes(changed)
        try:
            assert verify(last) == 7  # a byte that nothing depends on
        except ValueError:
            refused.add(position)
    weights = torch.ones(3).numpy().tobytes()
    at = content.index(weights)
    assert refused >= set(range(at, at + len(weights)))


def test_where_none_can_be_read_nothing_starts_anew(tmp_path: Path) -> None:
    write(tmp_path / LAST, 5)
    damage(tmp_path / LAST)
    for _ in range(2):
        with pytest.raises(RunError, match=r"no checkpoint in .* can be read \(last.ckpt.* damaged\); put a good copy"):
            newest(tmp_path)
        if (tmp_path / LAST).exists():
            (tmp_path / LAST).rename(tmp_path / f"{LAST}.damaged")


def test_the_former_one_stays_under_its_own_name(tmp_path: Path) -> None:
    for step in (10, 20, 30):
        if step > 10:
            keep_previous(tmp_path, step - 10)
        write(tmp_path / "new", step)
        (tmp_path / "new").replace(tmp_path / LAST)
        remove_old(tmp_path, keep=2)
    assert {p.name: step_of(p) for p in tmp_path.iterdir()} == {LAST: 30, name_of(20): 20}
    remove_old(tmp_path, keep=1)
    assert [p.name for p in tmp_path.iterdir()] == [LAST]


def test_what_a_killed_process_was_writing_is_removed(tmp_path: Path) -> None:
    (tmp_path / "checkpoints").mkdir()
    for name in (".run.json.1.tmp", ".job.json.1.tmp", "checkpoints/.last.ckpt.1.tmp", "checkpoints/last.ckpt"):
        (tmp_path / name).write_text("")
    remove_temporaries(tmp_path)
    left = sorted(str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file())
    assert left == [".job.json.1.tmp", "checkpoints/last.ckpt"]
