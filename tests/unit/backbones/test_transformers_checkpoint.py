"""How a checkpoint's images are read, as its preprocessor says."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sslrun.backbones.transformers_checkpoint import image_inputs

ARCHITECTURE = SimpleNamespace(num_channels=3, image_size=32)


@pytest.mark.parametrize(
    ("told", "mean", "std"),
    [
        ({"image_mean": [0.1, 0.2, 0.3], "image_std": [0.4, 0.5, 0.6]}, [0.1, 0.2, 0.3], [0.4, 0.5, 0.6]),
        ({"image_mean": [0.1, 0.2, 0.3], "image_std": [0.4, 0.5, 0.6], "do_normalize": False}, [0.0] * 3, [1.0] * 3),
    ],
)
def test_what_is_not_normalised_stays_as_it_is(tmp_path: Path, told: dict[str, Any], mean: Any, std: Any) -> None:
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(told))
    assert image_inputs(tmp_path, ARCHITECTURE) == {"channels": 3, "image_size": 32, "mean": mean, "std": std}
