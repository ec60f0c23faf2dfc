"""`sslrun preview`: one image with training examples and their views."""

from pathlib import Path

from sslrun.config.command.preview import PreviewConfig
from sslrun.config.errors import ConfigError
from sslrun.config.registry import find
from sslrun.data.build import build_data
from sslrun.data.vision.images import ImageData
from sslrun.data.vision.preview import preview
from sslrun.methods.base import check_fit, check_labels


def run(config: PreviewConfig) -> None:
    """Write preview.png into the run folder."""
    assert config.run.dir is not None
    entry = find("dataset", config.dataset.kind)
    if entry.modality in ("text", "audio", "series"):  # before reading any data
        raise ConfigError(f"preview shows images; dataset={config.dataset.name} holds {entry.modality}: say dataset=…")
    batch_type = check_fit(config.method, config.augmentation, config.dataset)
    data = build_data(config.dataset)
    check_labels(config.method, dataset=data.name, labelled=data.classes is not None)
    if not isinstance(data, ImageData):
        raise ConfigError(f"dataset={data.name} holds no images to show")
    folder = Path(config.run.dir).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "preview.png"
    preview(data, config.augmentation, batch_type=batch_type, seed=config.seed, count=config.count, path=path)
    lines = {**data.describe(), "image": str(path)}
    width = max(map(len, lines)) + 2
    print("\n".join(f"{key:<{width}}{value}" for key, value in lines.items()))
