"""Where Hydra looks: the user's ./conf first, then $SSLRUN_CONF_PATH, plugins, and the packaged folder."""

import os
from pathlib import Path

import yaml
from hydra.core.config_search_path import ConfigSearchPath, SearchPathQuery
from hydra.plugins.search_path_plugin import SearchPathPlugin
from omegaconf import OmegaConf

from sslrun.config.compose import conf_dir
from sslrun.config.errors import ConfigError
from sslrun.config.registry import load_all
from sslrun.config.schema import AugmentationConfig


def conf_folders() -> list[Path]:
    """Folders that exist, first to last; of two files with one name the first counts."""
    listed = [Path(p) for p in os.environ.get("SSLRUN_CONF_PATH", "").split(os.pathsep) if p]
    folders = [Path.cwd() / "conf", *listed, *load_all(), conf_dir()]
    found = [folder.resolve() for folder in folders if folder.is_dir()]
    return list(dict.fromkeys(found))


class UserConf(SearchPathPlugin):
    """`hydra.searchpath` only appends and cannot override (facebookresearch/hydra#2758); this prepends."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Prepend in reverse order of precedence."""
        for folder in reversed(conf_folders()):
            if folder != conf_dir().resolve():
                search_path.prepend("sslrun-user", f"file://{folder}", SearchPathQuery(provider="main"))


def augmentation_named(name: str) -> AugmentationConfig:
    """The policy of a group's file, for what is not known before the dataset is read."""
    path = next(p for f in conf_folders() if (p := f / "augmentation" / f"{name}.yaml").is_file())
    merged = OmegaConf.merge(OmegaConf.structured(AugmentationConfig), OmegaConf.load(path))
    policy = OmegaConf.to_object(merged)
    assert isinstance(policy, AugmentationConfig)
    return policy


def refuse_contradiction(overrides: list[str], *, config_dirs: list[str]) -> None:
    """`experiment=X method=Y`, where X is another method's recipe, is refused: it would be neither.

    Raises:
        ConfigError: naming both.
    """
    given = dict(o.split("=", 1) for o in overrides if o.startswith(("experiment=", "method=")))
    if len(given) < 2:
        return
    for experiment in given["experiment"].split(","):
        stated = experiment_method(experiment, [*map(Path, config_dirs), *conf_folders()])
        if stated is not None and given["method"] != stated:
            raise ConfigError(
                f"experiment={experiment} is a recipe of method={stated}, but method={given['method']} was asked; "
                "leave one of the two away"
            )


def experiment_method(experiment: str, folders: list[Path]) -> str | None:
    """The `override /method:` of an experiment's YAML; None where it states none or does not exist."""
    path = next((p for f in folders if (p := f / "experiment" / f"{experiment}.yaml").is_file()), None)
    if path is None:
        return None
    defaults = (yaml.safe_load(path.read_text()) or {}).get("defaults", [])
    stated = [item["override /method"] for item in defaults if isinstance(item, dict) and "override /method" in item]
    return str(stated[0]) if stated else None
