"""MoCo v3's loss, momentum encoder and frozen patch projection, from arithmetic."""

import dataclasses
import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from small import BACKBONES, random_batch, small_config, small_method
from sslrun.backbones.folder import build_encoder
from sslrun.config.compose import compose
from sslrun.config.errors import ConfigError
from sslrun.config.method.mocov3 import MoCoV3Config
from sslrun.methods.mocov3 import MoCoV3

INPUTS = {"channels": 3, "image_size": 16, "mean": None, "std": None, "classes": 3}


def small(backbone: str = "vit", **fields: object) -> MoCoV3:
    config = small_config("mocov3").method
    assert isinstance(config, MoCoV3Config)
    for key, value in fields.items():
        assert hasattr(config, key)
        setattr(config, key, value)
    torch.manual_seed(0)
    return MoCoV3(config, build_encoder(BACKBONES[backbone], INPUTS))


def test_the_loss_is_two_tau_times_both_directions() -> None:
    """Four orthogonal images: the positive has cosine 1, the three others 0."""
    method = small("cnn", temperature=0.5)
    z = torch.eye(4)
    expected = 2 * 0.5 * (-2 + math.log(math.exp(2) + 3))
    assert method._contrast(z, z).item() == pytest.approx(expected, rel=1e-6)

    def contrast(q: Tensor, k: Tensor) -> Tensor:
        logits = F.normalize(q, dim=1) @ F.normalize(k, dim=1).T / 0.5
        return 2 * 0.5 * F.cross_entropy(logits, torch.arange(len(q)))  # algorithm 1

    batch = random_batch(method)
    for parameter in (*method.target_encoder.parameters(), *method.target_projector.parameters()):
        parameter.add_(0.1 * torch.randn_like(parameter))  # the target is not the online net
    y1, y2 = (method.encoder(x) for x in batch["views"])
    q1, q2 = (method.predictor(method.projector(y)) for y in (y1, y2))
    k1, k2 = (method.target_projector(method.target_encoder(x)) for x in batch["views"])
    expected = (contrast(q1, k2) + contrast(q2, k1)).item()
    assert method(batch).loss.item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(("progress", "decay"), [(0.0, 0.9), (0.5, 0.95), (1.0, 1.0)])
def test_the_momentum_encoder_follows_less_and_less(progress: float, decay: float) -> None:
    method = small("cnn", decay_start=0.9)
    with torch.no_grad():
        for online, target in zip(method.encoder.parameters(), method.target_encoder.parameters(), strict=True):
            online.fill_(1.0)
            target.fill_(0.0)
    method.after_step(progress)
    for target in method.target_encoder.parameters():
        torch.testing.assert_close(target, torch.full_like(target, 1 - decay))


def test_the_patch_projection_of_a_vit_stays_random_and_nothing_else_does() -> None:
    frozen = [name for name, p in small().encoder.named_parameters() if not p.requires_grad]
    assert frozen == ["network.patch_embed.proj.weight", "network.patch_embed.proj.bias"]


def test_the_patch_projection_is_drawn_as_the_authors_draw_it() -> None:
    projection = small().target_encoder.network.patch_embed.proj
    bound = math.sqrt(6 / (3 * 4 * 4 + 48))
    assert projection.bias.abs().max() == 0
    assert projection.weight.abs().max() <= bound
    assert projection.weight.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.05)


def test_a_given_patch_projection_is_kept() -> None:
    encoder = build_encoder(BACKBONES["vit"], INPUTS)
    encoder.config = dataclasses.replace(encoder.config, pretrained="weights.safetensors")
    given = encoder.network.patch_embed.proj.weight.clone()
    config = small_config("mocov3").method
    assert isinstance(config, MoCoV3Config)
    assert torch.equal(MoCoV3(config, encoder).encoder.network.patch_embed.proj.weight, given)


def test_it_is_trained_where_the_configuration_says_so() -> None:
    assert all(p.requires_grad for p in small(freeze_patch_embed=False).encoder.parameters())


def test_nothing_of_a_cnn_is_frozen() -> None:
    assert all(p.requires_grad for p in small("cnn").encoder.parameters())


def test_heads_are_the_authors() -> None:
    """ViT: three layers and two, each with BatchNorm; the last of each without an affine map."""
    method = small(projector_layers=3)
    for head, layers in ((method.projector, 3), (method.predictor, 2)):
        norms = [m for m in head if isinstance(m, nn.BatchNorm1d)]
        assert len([m for m in head if isinstance(m, nn.Linear)]) == len(norms) == layers
        assert [norm.affine for norm in norms] == [True] * (layers - 1) + [False]
    for_resnets = small(projector_layers=2, predictor_last_batch_norm=False)
    assert len([m for m in for_resnets.projector if isinstance(m, nn.Linear)]) == 2
    assert isinstance(for_resnets.predictor[-1], nn.Linear)


def test_views_in_one_batch_are_the_same_to_a_vit_and_not_to_a_cnn() -> None:
    views = random_batch(small_method("mocov3", "vit"))["views"]
    batch = {"views": [views[0], 3 * views[1]]}
    apart, joint = (small("vit", joint_views=j)(batch).loss.item() for j in (False, True))
    assert joint == pytest.approx(apart, rel=1e-5)
    apart, joint = (small("cnn", joint_views=j)(batch).loss.item() for j in (False, True))
    assert joint != pytest.approx(apart, rel=1e-3)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("method.projector_layers=0", r"method.projector_layers must be in \[1, inf\), got 0"),
        ("method.temperature=0", r"method.temperature must be in \(0, inf\), got 0"),
        ("method.decay_start=2", r"method.decay_start must be in \[0, 1\], got 2"),
        ("method.hidden_dim=0", r"method.hidden_dim must be in \[1, inf\), got 0"),
    ],
)
def test_what_is_out_of_range_is_named(override: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        compose("pretrain", ["method=mocov3", override])
