"""Weight-normalised prototypes, a teacher's centre, and teachers that drop nothing."""

import pytest
import torch
from torch import nn

from sslrun.nn.center import Center
from sslrun.nn.ema import disable_dropout
from sslrun.nn.prototypes import PrototypeHead, Prototypes


def test_outputs_are_cosines() -> None:
    prototypes = Prototypes(2, 3)
    with torch.no_grad():
        prototypes.weight.copy_(torch.tensor([[2.0, 0], [0, 5], [3, 4]]))
    assert prototypes(torch.tensor([[10.0, 0]]))[0].tolist() == pytest.approx([1, 0, 0.6])


def test_equals_torchs_weight_norm_with_norms_of_one() -> None:
    ours, theirs = Prototypes(4, 6), nn.utils.parametrizations.weight_norm(nn.Linear(4, 6, bias=False))
    weight = theirs.parametrizations.weight
    with torch.no_grad():
        weight.original0.fill_(1)
        weight.original1.copy_(ours.weight)
    x = nn.functional.normalize(torch.randn(5, 4, generator=torch.Generator().manual_seed(0)), dim=1)
    for module in (ours, theirs):
        module(x).square().sum().backward()
    torch.testing.assert_close(ours(x), theirs(x))
    torch.testing.assert_close(ours.weight.grad, weight.original1.grad)


def test_mean_is_that_of_the_outputs() -> None:
    prototypes, x = Prototypes(4, 6), torch.randn(9, 4, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(prototypes.mean(x), prototypes(x).mean(dim=0, keepdim=True))


def test_head_takes_tokens_and_its_bottleneck_is_linear() -> None:
    head = PrototypeHead(8, hidden_dim=16, bottleneck_dim=4, prototypes=6)
    x = torch.randn(2, 3, 8)
    assert head(x).shape == (2, 3, 6) and head(x).abs().max() <= 1 + 1e-6
    assert [type(m) for m in head.mlp] == [nn.Linear, nn.GELU, nn.Linear, nn.GELU, nn.Linear]


def test_center_follows_the_mean_of_all_micro_batches_once() -> None:
    center = Center(2)
    center.observe(torch.tensor([[1.0, 0], [3, 0]]))
    center.observe(torch.tensor([[4.0, 8], [4, 8]]))
    assert center.value.tolist() == [0, 0]
    center.update(momentum=0.9)
    assert center.value.tolist() == pytest.approx([0.1 * 3, 0.1 * 4])
    center.update(momentum=0.9)  # nothing new
    assert center.value.tolist() == pytest.approx([0.3, 0.4])
    center.observe(torch.tensor([[1.0, 1]]))
    center.update(momentum=0.9)
    assert center.value.tolist() == pytest.approx([0.9 * 0.3 + 0.1, 0.9 * 0.4 + 0.1])


def test_center_ignores_what_is_seen_outside_of_training() -> None:
    center = Center(2).eval()
    center.observe(torch.ones(1, 2))
    center.update(momentum=0.0)
    assert center.value.tolist() == [0, 0]


def test_a_teacher_drops_nothing() -> None:
    from timm.layers import DropPath

    network = disable_dropout(nn.Sequential(nn.Dropout(0.5), DropPath(0.5))).train()
    assert torch.equal(network(torch.ones(64, 3)), torch.ones(64, 3))
