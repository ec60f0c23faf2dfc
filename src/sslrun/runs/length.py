"""Length of a run, and the schedules of its steps if it was extended."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sslrun.config.errors import RunError
from sslrun.config.run import Extend

KEYS = ("trainer.epochs", "trainer.steps")


@dataclass(frozen=True)
class Phase:
    """Schedules that apply from step `since` on and span the steps from `start` to `end`."""

    since: int
    start: int
    end: int

    @property
    def steps(self) -> int:
        """Length of the schedules."""
        return self.end - self.start

    def progress(self, step: int) -> float:
        """Progress of the schedules at `step`, in [0, 1]."""
        return (step - self.start) / self.steps


@dataclass(frozen=True)
class Length:
    """Resolved length of a run.

    Attributes:
        extended: entries of run.json: `at` step, `from` and `to` total steps, `how`.
    """

    total_steps: int
    extended: list[dict[str, Any]]

    @property
    def phases(self) -> tuple[Phase, ...]:
        """Ordered by step; the last phase that has begun applies."""
        first = self.extended[0]["from"] if self.extended else self.total_steps
        phases = [Phase(0, 0, first)]
        for extension in self.extended:
            at = int(extension["at"])
            start = at if extension["how"] == Extend.restart.value else phases[-1].start
            phases.append(Phase(at, start, int(extension["to"])))
        return tuple(phases)


def phase_at(phases: Sequence[Phase], step: int) -> Phase:
    """The phase that applies at `step`."""
    return [phase for phase in phases if phase.since <= step][-1]


def resolve_length(
    manifest: dict[str, Any], *, planned: int, changed: bool, step: int, extend: Extend | None
) -> Length:
    """Length of a run that is configured for `planned` steps.

    Args:
        changed: whether the configured length differs from that in run.json.
        step: steps already done.

    Raises:
        RunError: the new length is not longer than `step`.
    """
    total: int | None = manifest.get("total_steps")
    extended = list(manifest.get("extended", []))
    if total is None:
        return Length(planned, [])
    if not changed or planned == total:
        return Length(total, extended)
    if planned <= step:
        raise RunError(
            f"{planned} steps are configured, but the run has done {step} of {total}; choose more, or another run.dir"
        )
    assert extend is not None
    return Length(planned, [*extended, {"at": step, "from": total, "to": planned, "how": extend.value}])
