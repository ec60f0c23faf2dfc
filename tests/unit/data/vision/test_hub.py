import numpy as np
import pytest
from PIL import Image

from sslrun.config.errors import DataError

datasets = pytest.importorskip("datasets", reason="the extra [hf] is not installed")


@pytest.fixture
def saved(tmp_path):
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=["even", "odd"])})
    rows = {"image": [Image.new("RGB", (8, 8), (v, 0, 0)) for v in range(40)], "label": [v % 2 for v in range(40)]}
    table = datasets.Dataset.from_dict(rows, features=features)
    datasets.DatasetDict({"train": table, "test": table.select(range(10))}).save_to_disk(tmp_path / "saved")
    return str(tmp_path / "saved")


def test_a_saved_dataset(dataset, saved):
    data = dataset("hf", path=saved, image_size=8)
    assert data.classes == ("even", "odd")
    assert {s: data.size(s) for s in ("train", "validation", "test")} == {"train": 36, "validation": 4, "test": 10}
    items = data.evaluation("train")
    seen = [int(items[0, i]["image"][0, 0, 0]) for i in range(36)]
    assert [v % 2 for v in seen] == data.labels("train").tolist()
    np.testing.assert_array_equal(data.labels("test"), np.arange(10) % 2)


def test_wrong_names_are_told(dataset, saved, tmp_path):
    with pytest.raises(DataError, match=r"dataset.train=trian: .* has no such split; did you mean 'train'\?"):
        dataset("hf", path=saved, train="trian")
    with pytest.raises(DataError, match=r"dataset.image=img: no such column .* it has image, label"):
        dataset("hf", path=saved, image="img")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"dataset.path=.*empty cannot be loaded"):
        dataset("hf", path=str(tmp_path / "empty"))
