from pathlib import Path

import numpy as np
import pytest

from sslrun.config.dataset.vision import ParquetConfig
from sslrun.data.build import build_data

CIFAR10 = Path(__file__).parents[3] / "shared" / "data" / "cifar10"

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not CIFAR10.is_dir(), reason=f"real data is not here: {CIFAR10}"),
]


def test_cifar10_parquet(tmp_path):
    data = build_data(
        ParquetConfig(
            name="cifar10",
            train=str(CIFAR10 / "train.parquet"),
            test=str(CIFAR10 / "test.parquet"),
            cache_dir=str(tmp_path),
        )
    )
    sizes = {split: data.size(split) for split in ("train", "validation", "test")}
    assert sizes == {"train": 45_000, "validation": 5_000, "test": 10_000}
    assert data.classes[:3] == ("airplane", "automobile", "bird") and data.corrupt == []
    assert np.bincount(data.labels("validation")).tolist() == [500] * 10
    # of all 50,000 images, as commonly published: .4914 .4822 .4465, .2470 .2435 .2616
    np.testing.assert_allclose(data.encoder_inputs()["mean"], [0.4914, 0.4822, 0.4465], atol=0.01)
    np.testing.assert_allclose(data.encoder_inputs()["std"], [0.2470, 0.2435, 0.2616], atol=0.01)
