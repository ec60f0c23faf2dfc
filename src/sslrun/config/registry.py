"""Registered kinds: a name, the config dataclass, and the import path of the class that it configures.

The class is imported only when it is built, so that composing, completion and `--cfg` need no torch. A third-party
package adds kinds by an entry point of group `sslrun.plugins` that names a module; importing that module calls
`register`. Its YAML files go into a folder `conf` next to that module.
"""

import dataclasses
import importlib
import importlib.metadata
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from hydra.core.config_store import ConfigStore
from omegaconf import MISSING

from sslrun.config.checks import did_you_mean
from sslrun.config.errors import ConfigError
from sslrun.config.node import Node

C = TypeVar("C", bound=type[Node])
# Hydra deep-copies its sources at each lookup, this singleton with every registered kind too, although `load` returns
# copies anyway: 180 lookups took `sslrun pretrain --help` 15 s
ConfigStore.__deepcopy__ = lambda store, memo: store  # type: ignore[attr-defined]
ENTRY_POINTS = "sslrun.plugins"


@dataclass(frozen=True)
class Entry:
    """One registered kind."""

    group: str
    kind: str
    config: type
    target: str
    paper: str
    modality: str
    reads: tuple[str, ...] = ()

    @property
    def gives(self) -> tuple[str, ...]:
        """Names of the batch types that a dataset can give; empty in other groups."""
        gives: tuple[str, ...] = getattr(self.config, "gives", ())
        return gives

    def load(self) -> Any:
        """Import and return the class or function named by `target`."""
        module, _, attribute = self.target.partition(":")
        return getattr(importlib.import_module(module), attribute)


_ENTRIES: dict[tuple[str, str], Entry] = {}


def register(*, target: str, paper: str = "", modality: str = "image", reads: tuple[str, ...] = ()) -> Callable[[C], C]:
    """Class decorator: register a config dataclass as Hydra's `schema/<group>/<kind>`.

    The group is the `section` of its base class, e.g. `method`; the kind is the default of its field `kind`, which
    identifies the class in saved configs.

    Args:
        target: `module:attribute` of what the dataclass configures, imported on first use.
        paper: short reference for `sslrun list`.
        modality: image, text, audio, series, pair, or any.
        reads: batch types of a method in order of preference, by their names in sslrun.core.batch.
    """

    def add(cls: C) -> C:
        group = cls.section
        kind = next((f.default for f in dataclasses.fields(cls) if f.name == "kind"), MISSING)
        assert isinstance(kind, str) and kind != MISSING, f"{cls.__name__}.kind must default to the registered name"
        entry = Entry(group, kind, cls, target, paper, modality, reads)
        assert entry.gives or group != "dataset", f"{cls.__name__}.gives must name the batch types that it can give"
        known = _ENTRIES.get((group, kind))
        if known is not None and known.target != target:
            raise ConfigError(f"{group} '{kind}' is registered twice: by {known.target} and by {target}")
        _ENTRIES[group, kind] = entry
        ConfigStore.instance().store(group=f"schema/{group}", name=kind, node=cls, provider="sslrun")
        return cls

    return add


@cache
def load_all() -> tuple[Path, ...]:
    """Import every module that registers a kind: our own, and those of plugins.

    Returns:
        `conf` folders of the plugins, for Hydra's search path.
    """
    import sslrun.config as room

    for module in pkgutil.walk_packages(room.__path__, prefix="sslrun.config."):
        importlib.import_module(module.name)
    folders = []
    for point in importlib.metadata.entry_points(group=ENTRY_POINTS):
        try:
            plugin = importlib.import_module(point.value)
        except ImportError as error:
            raise ConfigError(f"plugin '{point.name}' ({point.value}) does not import: {error}") from error
        if plugin.__file__ and (folder := Path(plugin.__file__).parent / "conf").is_dir():
            folders.append(folder)
    return tuple(folders)


def entries(group: str) -> list[Entry]:
    """All kinds of a group, by name."""
    load_all()
    return sorted((e for (g, _), e in _ENTRIES.items() if g == group), key=lambda e: e.kind)


def find(group: str, kind: str) -> Entry:
    """The entry of a kind; ConfigError with the nearest name if there is none."""
    load_all()
    if (group, kind) not in _ENTRIES:
        names = [e.kind for e in entries(group)]
        raise ConfigError(
            f"{group} kind '{kind}' is not registered{did_you_mean(kind, names)}; known: {', '.join(names)}"
        )
    return _ENTRIES[group, kind]


def target_of(group: str, config: Any) -> Any:
    """The class or function that a config object configures, imported now."""
    return find(group, config.kind).load()
