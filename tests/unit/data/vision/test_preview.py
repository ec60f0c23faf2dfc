from PIL import Image

from sslrun.core.batch import ImageBatch, ViewsBatch
from sslrun.data.vision.preview import CAPTION, CELL, GAP, preview


def test_a_row_per_image_and_a_column_per_view(dataset, policy, tmp_path):
    data, path = dataset("digits"), tmp_path / "p.png"
    for batch_type, columns in ((ViewsBatch, 3), (ImageBatch, 2)):
        preview(data, policy("digits"), batch_type=batch_type, seed=0, count=4, path=path)
        with Image.open(path) as picture:
            assert picture.size == (GAP + columns * (CELL + GAP), CAPTION + 4 * (CELL + GAP))
            assert len(picture.getcolors(100_000)) > 10
