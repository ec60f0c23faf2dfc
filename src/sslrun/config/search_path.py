"""Where Hydra looks: the user's ./conf first, then $SSLRUN_CONF_PATH, plugins, and the packaged folder."""

import os
from pathlib import Path

from hydra.core.config_search_path import ConfigSearchPath, SearchPathQuery
from hydra.plugins.search_path_plugin import SearchPathPlugin

from sslrun.config.registry import load_all


class UserConf(SearchPathPlugin):
    """`hydra.searchpath` only appends and cannot override (facebookresearch/hydra#2758); this prepends."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Prepend in reverse order of precedence."""
        main = next((Path(e.path).resolve() for e in search_path.get_path() if e.provider == "main" and e.path), None)
        listed = [Path(p) for p in os.environ.get("SSLRUN_CONF_PATH", "").split(os.pathsep) if p]
        for folder in (*load_all(), *reversed(listed), Path.cwd() / "conf"):
            if folder.is_dir() and folder.resolve() != main:
                search_path.prepend("sslrun-user", f"file://{folder.resolve()}", SearchPathQuery(provider="main"))
