"""`sslrun preview`: training images and their views as one picture."""

from pathlib import Path

from sslrun.config.command import PreviewConfig
from sslrun.config.errors import ConfigError
from sslrun.data.build import build_data
from sslrun.data.vision.images import ImageData
from sslrun.data.vision.preview import preview
from sslrun.methods.base import check_fit


def run(config: PreviewConfig) -> None:
    """Write preview.png into the run folder."""
    assert config.run.dir is not None
    data = build_data(config.dataset)
    batch_type = check_fit(
        config.method,
        config.augmentation,
        gives=data.gives,
        dataset=data.name,
        labelled=data.classes is not None,
    )
    if not isinstance(data, ImageData):
        raise ConfigError(f"dataset={data.name} holds no images to show")
    folder = Path(config.run.dir).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "preview.png"
    preview(data, config.augmentation, batch_type=batch_type, seed=config.seed, count=config.count, path=path)
    for key, value in data.describe().items():
        print(f"{key:<10}{value}")
    print(f"{'picture':<10}{path}")
