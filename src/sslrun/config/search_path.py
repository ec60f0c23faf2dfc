"""Hydra's search path: ./conf first, then $SSLRUN_CONF_PATH, plugins, and the packaged folder."""

import re
from pathlib import Path

import yaml
from hydra.core.config_search_path import ConfigSearchPath, SearchPathQuery
from hydra.plugins.search_path_plugin import SearchPathPlugin
from omegaconf import OmegaConf

from sslrun.config.errors import ConfigError
from sslrun.config.folders import conf_dir, conf_folders, group_files
from sslrun.config.schema import AugmentationConfig


class UserConf(SearchPathPlugin):
    """`hydra.searchpath` only appends and cannot override (facebookresearch/hydra#2758); this prepends."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Prepend in reverse order of precedence."""
        for folder in reversed(conf_folders()):
            if folder != conf_dir().resolve():
                search_path.prepend("sslrun-user", f"file://{folder}", SearchPathQuery(provider="main"))


def augmentation_named(name: str) -> AugmentationConfig:
    """Load the policy `augmentation=<name>`, for a choice that depends on the dataset."""
    loaded = OmegaConf.load(group_files("augmentation")[name])
    merged = OmegaConf.merge(OmegaConf.structured(AugmentationConfig), loaded)
    policy = OmegaConf.to_object(merged)
    assert isinstance(policy, AugmentationConfig)
    return policy


def refuse_null(overrides: list[str]) -> None:
    """Refuse `backbone=null`, to which Hydra answers with a traceback.

    Raises:
        ConfigError: a group is set to null.
    """
    for override in overrides:
        match = re.fullmatch(r"([\w/]+)=(null)?", override)
        if match and any((folder / match[1]).is_dir() for folder in conf_folders()):
            raise ConfigError(f"{override}: a group takes a name; omit it for the default")


def refuse_absent_group(command: str, overrides: list[str]) -> None:
    """Refuse `probe dataset.root=…` without `dataset=…`: keys of the run's own dataset cannot be set.

    Raises:
        ConfigError: a key of a group that is not chosen.
    """
    if any(o.startswith(("--config-name", "-cn")) for o in overrides):
        return
    defaults = yaml.safe_load((conf_dir() / f"{command}.yaml").read_text())["defaults"]
    absent = {group for item in defaults if isinstance(item, dict) for group, name in item.items() if name is None}
    absent -= {o.lstrip("+").split("=", 1)[0] for o in overrides}
    if any(o.startswith("dataset=") for o in overrides):
        absent.discard("backbone")  # a dataset's YAML chooses one
    for override in overrides:
        group = override.lstrip("+").partition(".")[0]
        if group in absent and "." in override.partition("=")[0]:
            raise ConfigError(
                f"{override}: {command} takes the run's own {group} if none is chosen; say {group}=NAME {override}"
            )


def refuse_contradiction(overrides: list[str], *, config_dirs: list[str]) -> None:
    """Refuse `experiment=X method=Y` if X is a recipe of another method.

    Raises:
        ConfigError: the two do not match.
    """
    given = dict(o.split("=", 1) for o in overrides if o.startswith(("experiment=", "method=")))
    if len(given) < 2:
        return
    for experiment in given["experiment"].split(","):
        stated = experiment_method(experiment, [*map(Path, config_dirs), *conf_folders()])
        if stated is not None and given["method"] != stated:
            raise ConfigError(
                f"experiment={experiment} is a recipe of method={stated}, but method={given['method']} is set; "
                "omit one of the two"
            )


def experiment_method(experiment: str, folders: list[Path]) -> str | None:
    """The `override /method:` of an experiment's YAML or of its base experiments; None if there is none."""
    path = next((p for f in folders if (p := f / "experiment" / f"{experiment}.yaml").is_file()), None)
    if path is None:
        return None
    defaults = (yaml.safe_load(path.read_text()) or {}).get("defaults", [])
    stated = [item["override /method"] for item in defaults if isinstance(item, dict) and "override /method" in item]
    if stated:
        return str(stated[0])
    bases = [item.removeprefix("/experiment/") for item in defaults if str(item).startswith("/experiment/")]
    return next((method for base in bases if (method := experiment_method(base, folders))), None)
