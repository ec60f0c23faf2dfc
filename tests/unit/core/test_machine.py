"""The processor: cores on systems that do not say which of them a process may use."""

import os

import pytest

from sslrun.core.machine import cpu_name, usable_cores


def test_without_affinity_all_cores_are_usable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)  # macOS has none
    monkeypatch.setattr(os, "cpu_count", lambda: 6)
    assert usable_cores() == 6


def test_of_all_cores_only_those_of_this_process_are_usable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _process: {1, 4}, raising=False)
    assert usable_cores() == 2


def test_the_processor_has_a_name() -> None:
    assert cpu_name()
