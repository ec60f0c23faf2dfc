"""VICReg's configuration and views."""

import pytest
import torch

from small import random_batch, small_method
from sslrun.config.errors import ConfigError
from sslrun.config.method.vicreg import VICRegConfig

GOOD = {
    "hidden_dim": 8, "out_dim": 8, "invariance": 25.0, "variance": 25.0, "covariance": 1.0, "joint_views": False,
}  # fmt: skip


@pytest.mark.parametrize(
    ("key", "value", "limits"),
    [
        ("hidden_dim", 0, r"\[1, inf\)"),
        ("out_dim", 0, r"\[1, inf\)"),
        ("invariance", -1, r"\[0, inf\)"),
        ("variance", -1, r"\[0, inf\)"),
        ("covariance", -1, r"\[0, inf\)"),
    ],
)
def test_out_of_range(key: str, value: float, limits: str) -> None:
    with pytest.raises(ConfigError, match=rf"method\.{key} must be in {limits}, got {value}"):
        VICRegConfig(**(GOOD | {key: value}))


def test_views_have_their_own_batch_statistics_unless_joint() -> None:
    """Two passes move the running mean of BatchNorm twice, one joint pass once."""
    method = small_method("vicreg", "cnn")
    norm = next(m for m in method.encoder.modules() if isinstance(m, torch.nn.BatchNorm2d))
    assert norm.num_batches_tracked is not None
    method(random_batch(method))
    assert int(norm.num_batches_tracked) == 2
    method.config.joint_views = True
    method(random_batch(method))
    assert int(norm.num_batches_tracked) == 3
