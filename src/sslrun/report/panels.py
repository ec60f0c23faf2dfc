"""Groups logged metrics into figures."""

import re

from sslrun.core.evaluations import is_share
from sslrun.report.contents import Curve
from sslrun.report.figures import curve

PANELS: tuple[tuple[str, str], ...] = (
    ("Loss", r"(.+/)?loss"),
    ("Probe while training, %", r"probe/.+"),
    ("Validation, %", r"(validation|val|test)/.+"),
    ("RankMe: effective dimensions", r"health/rankme.*"),
    ("Std per dimension (0: collapsed)", r"health/std.*"),
    ("Alignment and uniformity", r"health/(alignment|uniformity).*"),
    ("Learning rate", r"(.+/)?lr"),
    ("Items per second", r"(.+/)?items_per_second"),
    ("Share of time waiting for data, %", r"(.+/)?data_wait"),
)
"""Titles and name patterns in the order of the page; the first pattern that matches counts."""


def panels(curves: dict[str, Curve], *, prefix: str = "") -> tuple[list[str], list[str]]:
    """SVGs of the panels, and one SVG for each further metric of a method (temperatures, EMA decay, …).

    Args:
        prefix: of element ids, which must be unique on a page.
    """
    groups: dict[str, dict[str, Curve]] = {title: {} for title, _ in PANELS}
    own: dict[str, Curve] = {}
    for name, values in curves.items():
        title = next((title for title, pattern in PANELS if re.fullmatch(pattern, name)), None)
        (groups[title] if title else own)[name] = values
    common = [_panel(f"{prefix}curve{i}", title, group) for i, (title, group) in enumerate(groups.items()) if group]
    return common, [curve(f"{prefix}own{i}", name, {name: values}) for i, (name, values) in enumerate(own.items())]


def _panel(name: str, title: str, group: dict[str, Curve]) -> str:
    if not title.endswith(", %"):
        return curve(name, title, _short(group))
    shares = {key: c for key, c in group.items() if is_share(key.rsplit("/", 1)[-1]) or _within_one(c)}
    if shares != group:  # some are no shares
        return curve(name, title.removesuffix(", %"), _short(group))
    return curve(name, title, _short(group), percent=True)


def _within_one(values: Curve) -> bool:
    return all(0 <= v <= 1 for v in values.values)


def _short(group: dict[str, Curve]) -> dict[str, Curve]:
    """Strip a common namespace from the names."""
    namespaces = {name.rpartition("/")[0] for name in group}
    return {name.rpartition("/")[2]: c for name, c in group.items()} if len(namespaces) == 1 else group
