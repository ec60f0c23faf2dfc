"""Ownership of trials: by the sweep that started it, or by another that took it over after the sweeper had died.

A sweeper holds its folder's lock and touches the file every minute, because some file systems' locks do not work across
machines.
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
    """Hold the lock of a sweep's folder.

    Raises:
        RunError: another sweeper holds it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = take_lock(folder / LOCK)
    except LockedError as holder:
        raise RunError(
            f"run.dir={folder}: this sweep is in use by {holder}; a second sweeper of one study needs its own run.dir "
            "and hydra.sweeper.storage=<database URL>"
        ) from holder
    except OSError as error:
        raise RunError(f"run.dir={folder} cannot be written: {error.strerror or error}") from error
    with lock, _touched(folder / LOCK):
        yield


def left_running(study: optuna.Study, *, sweep: Path) -> list[optuna.Trial]:
    """Unfinished trials of a sweep that an earlier process started, by number."""
    return [optuna.Trial(study, t._trial_id) for t in _running(study) if _owner(t) == str(sweep)]


def take_over(study: optuna.Study, *, sweep: Path) -> optuna.Trial | None:
    """Transfer an unfinished trial of a dead sweeper in another folder to `sweep`; None if there is none.

    The trial keeps its run folder. Sweeps whose folder is not visible from here are skipped.
    """
    others = {owner for trial in _running(study) if (owner := _owner(trial)) not in (None, str(sweep))}
    for other in map(Path, sorted(others)):
        if not _is_dead(other, reference=sweep):
            continue
        with suppress(LockedError), take_lock(other / LOCK, sign=False):  # it may restart, or a third take over
            for trial in left_running(study, sweep=other):
                trial.set_user_attr(TAKER, str(sweep))
                return trial
    return None


def _running(study: optuna.Study) -> list[FrozenTrial]:
    study._thread_local.cached_all_trials = None  # as Study.ask does, to reread the storage
    return study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))


def _owner(trial: FrozenTrial) -> str | None:
    return trial.user_attrs.get(TAKER, trial.user_attrs.get(SWEEP))


def _is_dead(sweep: Path, *, reference: Path) -> bool:
    """Whether a sweep has no sweeper any more, as far as visible from here.

    Args:
        reference: a live sweep, whose lock file has the file server's current time.
    """
    lock = sweep / LOCK
    try:
        if is_locked(lock):
            return False
        silent_seconds = (reference / LOCK).stat().st_mtime - lock.stat().st_mtime
        return silent_seconds >= SILENT_SECONDS or signer_is_dead(lock)
    except OSError:
        return False


@contextmanager
def _touched(path: Path) -> Iterator[None]:
    ended = threading.Event()

    def touch() -> None:
        while not ended.wait(TOUCH_SECONDS):
            with suppress(OSError):  # the file server may be unreachable for a while
                os.utime(path)

    threading.Thread(target=touch, daemon=True).start()
    try:
        yield
    finally:
        ended.set()
