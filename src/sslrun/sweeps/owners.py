"""Whose a trial is: of the sweep that started it, or of another that took it over when that one's sweeper was gone.

A sweeper holds its folder's lock and touches it each minute: on some file systems locks do not reach other machines.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import optuna
from optuna.trial import FrozenTrial, TrialState

from sslrun.config.errors import RunError
from sslrun.core.locks import LockedError, is_locked, signer_is_dead, take_lock
from sslrun.runs.evidence import SILENT_SECONDS
from sslrun.sweeps.study import SWEEP

LOCK = ".sweep.lock"
TAKER = "taker"
"""User attribute of a trial: the folder of the sweep that took it over, absolute."""
TOUCH_SECONDS = 60.0


@contextmanager
def sweep_lock(folder: Path) -> Iterator[None]:
    """Hold a sweep's folder.

    Raises:
        RunError: another sweeper holds it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = take_lock(folder / LOCK)
    except LockedError as holder:
        raise RunError(
            f"run.dir={folder}: this sweep is in the hands of {holder}; a second sweeper of one study needs a "
            "run.dir of its own and hydra.sweeper.storage=<database URL>"
        ) from holder
    except OSError as error:
        raise RunError(f"run.dir={folder} cannot be written: {error.strerror or error}") from error
    with lock, _touched(folder / LOCK):
        yield


def left_running(study: optuna.Study, *, sweep: Path) -> list[optuna.Trial]:
    """Trials of a sweep that an earlier process began and did not end, by number."""
    return [optuna.Trial(study, t._trial_id) for t in _running(study) if _owner(t) == str(sweep)]


def take_over(study: optuna.Study, *, sweep: Path) -> optuna.Trial | None:
    """A trial that the sweeper of another folder left running when it died, from now on of `sweep`; None without one.

    It keeps its folder. A sweep whose folder is not seen from here is left alone.
    """
    others = {owner for trial in _running(study) if (owner := _owner(trial)) not in (None, str(sweep))}
    for other in map(Path, sorted(others)):
        if not _is_gone(other, beside=sweep):
            continue
        with suppress(LockedError), take_lock(other / LOCK, sign=False):  # it may come back, a third be as quick
            for trial in left_running(study, sweep=other):
                trial.set_user_attr(TAKER, str(sweep))
                return trial
    return None


def _running(study: optuna.Study) -> list[FrozenTrial]:
    study._thread_local.cached_all_trials = None  # as Study.ask does: the storage is read anew
    return study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))


def _owner(trial: FrozenTrial) -> str | None:
    return trial.user_attrs.get(TAKER, trial.user_attrs.get(SWEEP))


def _is_gone(sweep: Path, *, beside: Path) -> bool:
    """Whether a sweep has no sweeper, by all that can be seen from here.

    Args:
        beside: a sweep that has one, whose lock tells what the file server's clock shows.
    """
    lock = sweep / LOCK
    try:
        if is_locked(lock):
            return False
        silent_seconds = (beside / LOCK).stat().st_mtime - lock.stat().st_mtime
        return silent_seconds >= SILENT_SECONDS or signer_is_dead(lock)
    except OSError:
        return False


@contextmanager
def _touched(path: Path) -> Iterator[None]:
    ended = threading.Event()

    def touch() -> None:
        while not ended.wait(TOUCH_SECONDS):
            with suppress(OSError):  # a file server that is away for a while
                os.utime(path)

    threading.Thread(target=touch, daemon=True).start()
    try:
        yield
    finally:
        ended.set()
