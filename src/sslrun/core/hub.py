"""Where a named checkpoint lies on this machine: a path, or a model of the Hugging Face hub, fetched once."""

from pathlib import Path

from sslrun.config.errors import ConfigError

PREFIX = "hf:"
FILES = ["*.json", "*.safetensors"]
OLD_FILES = ["pytorch_model*.bin", "*.bin.index.json"]
"""Fetched where a model has no safetensors; read with weights_only=True."""


def local_path(reference: str, *, key: str) -> Path:
    """The path itself, or the folder that holds `hf:OWNER/NAME`.

    Args:
        key: of the configuration, for messages.

    Raises:
        ConfigError: a model that is neither cached nor can be fetched.
    """
    if not reference.startswith(PREFIX):
        return Path(reference).expanduser()
    from huggingface_hub import snapshot_download

    name = reference.removeprefix(PREFIX)
    try:
        folder = Path(snapshot_download(name, allow_patterns=FILES, ignore_patterns="*/*"))
        if not any(folder.glob("*.safetensors")):
            snapshot_download(name, allow_patterns=[*FILES, *OLD_FILES], ignore_patterns="*/*")
    except Exception as error:  # the library raises its own, the network's and builtin errors
        reason = " ".join(str(error).split())[:200]
        raise ConfigError(f"{key}={reference} cannot be fetched, and is in no cache here: {reason}") from error
    return folder
