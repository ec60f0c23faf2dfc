"""What training does to a method's layers before it starts."""

import pytest
import torch
from torch import Tensor, nn

from sslrun.backbones.folder import build_encoder
from sslrun.config.backbone.timm import TimmConfig
from sslrun.config.errors import ConfigError
from sslrun.training.fit import sync_batch_norms
from sslrun.training.sharded import check_can_be_sharded


class Wrapped(nn.Module):
    """An encoder as a method holds it."""

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder


def test_synchronised_norms_keep_the_activations_inside_them() -> None:
    """timm's nets of BatchNormAct2d hold theirs in the norm; the outputs in eval mode are those of before."""
    inputs = {"channels": 3, "image_size": 32, "mean": [0.5] * 3, "std": [0.5] * 3, "classes": None}
    method = Wrapped(build_encoder(TimmConfig(name="mobilenetv3_small_050"), inputs)).eval()
    x = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    names, before = list(method.state_dict()), _forward(method, x)
    sync_batch_norms(method)
    norms = [m for m in method.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    assert norms and all(isinstance(norm, nn.SyncBatchNorm) for norm in norms)
    assert list(method.state_dict()) == names
    torch.testing.assert_close(_forward(method, x), before)


def test_parameters_of_a_single_number_cannot_be_sharded() -> None:
    method = nn.Linear(2, 2)
    check_can_be_sharded(method)
    method.log_scale = nn.Parameter(torch.tensor(1.0))
    with pytest.raises(ConfigError, match=r"trainer.strategy=fsdp cannot shard Linear's log_scale, a scalar"):
        check_can_be_sharded(method)


def _forward(method: Wrapped, x: Tensor) -> Tensor:
    with torch.inference_mode():
        features: Tensor = method.encoder(x)
    return features
