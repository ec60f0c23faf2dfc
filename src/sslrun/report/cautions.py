"""Warnings about a run's results."""

from typing import Any

from sslrun.report.contents import Contents

COLLAPSE = {"health/std": "collapse_std", "health/rankme": "collapse_rank"}
"""Curve -> key of `monitor` with its lower limit."""


def cautions(run: Contents) -> list[str]:
    """One line per warning: errors, collapse, unreadable items, uncommitted code, damaged files."""
    manifest, found = run.manifest, []
    if not manifest:
        found.append("There is no readable run.json: the origin of these files is unknown.")
    if manifest.get("last_error"):
        subject = "An earlier session" if manifest.get("status") == "finished" else "The run"
        found.append(f"{subject} stopped with an error: {manifest['last_error']}")
    noted = [str(warning) for warning in _list(manifest.get("warnings"))]
    found += noted if any("collapse" in warning for warning in noted) else noted + _collapse(run)
    data = manifest.get("data")
    if isinstance(data, dict) and (count := _count(data.get("corrupt"))):
        found.append(f"Unreadable items that were skipped: {count:,}; run.json names them.")
    git = manifest.get("git")
    if isinstance(git, dict) and git.get("dirty"):
        found.append("The git repository had uncommitted changes: the commit is not enough to reproduce this run.")
    return [*found, *run.damaged]


def _collapse(run: Contents) -> list[str]:
    monitor = run.config.get("monitor")
    if not isinstance(monitor, dict):
        return []
    checks = max(int(monitor.get("collapse_checks") or 3), 1)
    found = []
    for name, key in COLLAPSE.items():
        last = run.curves[name].values[-checks:] if name in run.curves else []
        limit = monitor.get(key)
        if limit is not None and len(last) == checks and max(last) < limit:
            found.append(
                f"The embedding has collapsed: {name} was below monitor.{key}={limit} in the last {checks} checks "
                f"(now {last[-1]:.3g}). Its numbers say little about the method."
            )
    return found


def _count(corrupt: Any) -> int:
    return corrupt if isinstance(corrupt, int) else len(corrupt) if isinstance(corrupt, list | dict) else 0


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
