"""SimSiam: algorithm 1, the stop-gradient, the predictor's rate."""

import pytest
import torch
import torch.nn.functional as F

from small import random_batch, small_config, small_method
from sslrun.config.errors import ConfigError
from sslrun.config.method.simsiam import SimSiamConfig
from sslrun.methods.simsiam import SimSiam
from sslrun.training.optimizers import build_optimizer, parameter_groups, set_lr


def method_and_views() -> tuple[SimSiam, torch.Tensor, torch.Tensor]:
    method = small_method("simsiam", "cnn")
    assert isinstance(method, SimSiam)
    return method, *random_batch(method)["views"]


def test_loss_is_algorithm_1() -> None:
    method, x1, x2 = method_and_views()
    z1, z2 = (method.projector(method.encoder(x)) for x in (x1, x2))
    p1, p2 = method.predictor(z1), method.predictor(z2)
    d1, d2 = (-F.cosine_similarity(p, z).mean() for p, z in ((p1, z2), (p2, z1)))
    loss = method({"views": [x1, x2]}).loss
    assert loss.item() == pytest.approx(1 + (d1 + d2).item() / 2, rel=1e-5)  # 1 + eq. 4


def test_targets_take_no_gradient() -> None:
    """Eq. 4's gradient, with targets from outside of the graph, is the method's."""
    method, x1, x2 = method_and_views()
    method({"views": [x1, x2]}).loss.backward()
    found = {n: p.grad.clone() for n, p in method.named_parameters() if p.grad is not None}
    method.zero_grad()
    z1, z2 = (method.projector(method.encoder(x)) for x in (x1, x2))
    p1, p2 = method.predictor(z1), method.predictor(z2)
    t1, t2 = torch.tensor(z1.tolist()), torch.tensor(z2.tolist())
    (-F.cosine_similarity(p1, t2).mean() / 2 - F.cosine_similarity(p2, t1).mean() / 2).backward()
    for name, parameter in method.named_parameters():
        torch.testing.assert_close(found[name], parameter.grad, rtol=1e-3, atol=1e-6)


def test_views_have_their_own_batch_statistics() -> None:
    method, x1, x2 = method_and_views()
    alone = method({"views": [x1, x2]}).loss.item()
    method.config.joint_views = True
    assert method({"views": [x1, x2]}).loss.item() != pytest.approx(alone, rel=1e-6)


def test_the_predictor_keeps_its_rate_and_all_parameters_decay() -> None:
    method, config = method_and_views()[0], small_config("simsiam").optimizer
    groups = parameter_groups(method.named_parameters(), weight_decay=1e-4, special=method.param_groups())
    optimizer = build_optimizer(config, groups, lr=0.1, fused=False)
    set_lr(optimizer, 0.5)
    rates = {id(p): (g["lr"], g["weight_decay"]) for g in optimizer.param_groups for p in g["params"]}
    assert len(rates) == len(list(method.parameters()))
    for name, parameter in method.named_parameters():
        assert rates[id(parameter)] == (0.1 if name.startswith("predictor.") else 0.05, 1e-4)


@pytest.mark.parametrize("key", ["hidden_dim", "out_dim", "predictor_hidden_dim"])
def test_ranges(key: str) -> None:
    good = {"hidden_dim": 8, "out_dim": 8, "predictor_hidden_dim": 4, "joint_views": False}
    SimSiamConfig(**good)
    with pytest.raises(ConfigError, match=rf"method\.{key} must be in \[1, inf\), got 0"):
        SimSiamConfig(**(good | {key: 0}))
