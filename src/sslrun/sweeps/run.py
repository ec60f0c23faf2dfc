"""Running an Optuna sweep: one job per trial, asynchronous, continuing earlier sessions."""

from pathlib import Path

import optuna

from sslrun.config.sweeper import PrunerName
from sslrun.core.console import say
from sslrun.runs import signals
from sslrun.sweeps import study as studies
from sslrun.sweeps.journal import JOURNAL
from sslrun.sweeps.objective import watched_metric
from sslrun.sweeps.owners import sweep_lock
from sslrun.sweeps.record import SweepRecord
from sslrun.sweeps.search import Search
from sslrun.sweeps.session import Stopped, SweepSession


def run(search: Search) -> optuna.Study:
    """Run trials until the study has `n_trials`, earlier sessions included.

    Raises:
        SystemExit: stopped on request, with code 3; the same command continues.
        RunError: another sweeper holds the folder; too many trials failed.
    """
    with sweep_lock(search.folder):
        study, record = _open(search)
        session = SweepSession(search, study, record)
        say(f"study {record.study}: {studies.finished(study)} of {search.config.n_trials} trials, {search.folder}")
        try:
            session.run()
        except (Stopped, KeyboardInterrupt):
            session.wait_for_jobs()
            say(_stopped_line(search, study))
            raise SystemExit(signals.EXIT_CODE) from None
        finally:
            search.show()
        return study


def _open(search: Search) -> tuple[optuna.Study, SweepRecord]:
    config = search.config
    storage = config.storage or str(search.folder / JOURNAL)
    record = SweepRecord(
        command=search.command,
        overrides=search.space.fixed,
        metrics=config.metrics,
        directions=config.directions,
        study=config.study_name or search.folder.name,
        storage=storage if "://" in storage else str(Path(storage).absolute()),
        sampler=config.sampler.value,
        pruner=config.pruner.value,
        n_trials=config.n_trials,
        config_dirs=list(search.config_dirs),
    )
    if config.pruner is not PrunerName.none:
        watched_metric(config.metrics[0], command=search.command)
    study = studies.open_study(config, name=record.study, storage=record.storage, salt=str(search.folder))
    record.write(search.folder, has_results=studies.finished(study) > 0)
    return study, record


def _stopped_line(search: Search, study: optuna.Study) -> str:
    done = f"{studies.finished(study)} of {search.config.n_trials} trials are finished"
    outside = "; jobs in the queue continue" if search.launcher == "slurm" else ""
    return f"sweep stopped: {done}{outside}; the same command with run.dir={search.folder} continues it"
