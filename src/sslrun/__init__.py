"""sslrun: an experiment runner for self-supervised learning."""

from importlib.metadata import PackageNotFoundError, version
from typing import Any

try:
    __version__ = version("sslrun")
except PackageNotFoundError:  # a checkout that was not installed
    __version__ = "0"

__all__ = ["__version__", "load_encoder"]


def __getattr__(name: str) -> Any:  # load_encoder needs torch; `import sslrun` must not
    if name == "load_encoder":
        from sslrun.backbones.folder import load_encoder

        return load_encoder
    raise AttributeError(f"module 'sslrun' has no attribute '{name}'")
