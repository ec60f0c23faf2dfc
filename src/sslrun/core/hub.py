"""Local paths of checkpoints, which are paths already or models on the Hugging Face hub, downloaded once."""

from pathlib import Path

from sslrun.config.errors import ConfigError

PREFIX = "hf:"
FILES = ["*.json", "*.safetensors"]
OLD_FILES = ["pytorch_model*.bin", "*.bin.index.json"]
"""Downloaded if a model has no safetensors; read with weights_only=True."""


def local_path(reference: str, *, key: str) -> Path:
    """The path itself, or the local folder of `hf:OWNER/NAME`.

    Args:
        key: configuration key, for messages.

    Raises:
        ConfigError: the model is not cached and cannot be downloaded.
    """
    if not reference.startswith(PREFIX):
        return Path(reference).expanduser()
    from huggingface_hub import snapshot_download

    name = reference.removeprefix(PREFIX)
    try:
        folder = Path(snapshot_download(name, allow_patterns=FILES, ignore_patterns="*/*"))
        if not any(folder.glob("*.safetensors")):
            snapshot_download(name, allow_patterns=[*FILES, *OLD_FILES], ignore_patterns="*/*")
    except Exception as error:  # of the library, the network, or built in
        reason = " ".join(str(error).split())[:200]
        raise ConfigError(f"{key}={reference} cannot be fetched, and is in no cache here: {reason}") from error
    return folder
