"""Folders of YAML files: ./conf, those in $SSLRUN_CONF_PATH, those of plugins, and the packaged one."""

import os
from pathlib import Path

from sslrun.config.registry import load_all


def conf_dir() -> Path:
    """The packaged `conf` folder: inside the package in a wheel, next to `src` in a checkout."""
    package = Path(__file__).resolve().parents[1]
    packaged = package / "conf"
    return packaged if packaged.is_dir() else package.parents[1] / "conf"


def conf_folders() -> list[Path]:
    """Existing folders in order of precedence, highest first."""
    listed = [Path(p) for p in os.environ.get("SSLRUN_CONF_PATH", "").split(os.pathsep) if p]
    folders = [Path.cwd() / "conf", *listed, *load_all(), conf_dir()]
    found = [folder.resolve() for folder in folders if folder.is_dir()]
    return list(dict.fromkeys(found))


def group_files(group: str) -> dict[str, Path]:
    """Name in a group (`cifar10/byol` if nested) -> YAML file; of several with one name, the one that Hydra loads."""
    found: dict[str, Path] = {}
    for folder in conf_folders():
        for path in (folder / group).rglob("*.yaml"):
            found.setdefault(path.relative_to(folder / group).with_suffix("").as_posix(), path)
    return found
