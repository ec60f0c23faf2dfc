"""How long a run is, and which schedule each of its steps follows after it was extended."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sslrun.config.errors import RunError
from sslrun.config.run import Extend

KEYS = ("trainer.epochs", "trainer.steps")


@dataclass(frozen=True)
class Phase:
    """From step `since` on, schedules run from step `start` to step `end`."""

    since: int
    start: int
    end: int

    @property
    def steps(self) -> int:
        """Length of the schedules."""
        return self.end - self.start

    def progress(self, step: int) -> float:
        """Share of the schedules that is done at `step`."""
        return (step - self.start) / self.steps


@dataclass(frozen=True)
class Length:
    """What a run's length comes to.

    Attributes:
        extended: of run.json: `at` step, `from` and `to` total steps, `how`.
    """

    total_steps: int
    extended: list[dict[str, Any]]

    @property
    def phases(self) -> tuple[Phase, ...]:
        """In the order of steps; a step follows the last one that has begun."""
        first = self.extended[0]["from"] if self.extended else self.total_steps
        phases = [Phase(0, 0, first)]
        for extension in self.extended:
            at = int(extension["at"])
            start = at if extension["how"] == Extend.restart.value else phases[-1].start
            phases.append(Phase(at, start, int(extension["to"])))
        return tuple(phases)


def phase_at(phases: Sequence[Phase], step: int) -> Phase:
    """The phase that `step` follows."""
    return [phase for phase in phases if phase.since <= step][-1]


def settle(manifest: dict[str, Any], *, planned: int, changed: bool, step: int, extend: Extend | None) -> Length:
    """Length of a run whose configuration comes to `planned` steps.

    Args:
        changed: whether the length is another than run.json was written for.
        step: what the run has done.

    Raises:
        RunError: it has done as much already.
    """
    total: int | None = manifest.get("total_steps")
    extended = list(manifest.get("extended", []))
    if total is None:
        return Length(planned, [])
    if not changed or planned == total:
        return Length(total, extended)
    if planned <= step:
        raise RunError(
            f"{planned} steps are asked for, and the run has done {step} of {total}; ask for more than {step}, or "
            "choose another run.dir"
        )
    assert extend is not None
    return Length(planned, [*extended, {"at": step, "from": total, "to": planned, "how": extend.value}])
