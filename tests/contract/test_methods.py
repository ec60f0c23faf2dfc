"""What every registered method must do, on every kind of backbone it takes; new methods are found by themselves."""

import math
import subprocess
import sys
from typing import Any

import pytest
import torch

from sslrun.backbones.base import Encoder
from sslrun.backbones.folder import build_encoder
from sslrun.config.backbone import SmallCNNConfig, TimmConfig
from sslrun.config.command import PretrainConfig
from sslrun.config.compose import compose
from sslrun.config.registry import entries
from sslrun.config.schema import BackboneConfig
from sslrun.core.batch import ViewsBatch
from sslrun.methods.base import Method, build_method

SIZE = 16
INPUTS = {"channels": 3, "image_size": SIZE, "mean": None, "std": None}
BACKBONES: dict[str, BackboneConfig] = {
    "cnn": SmallCNNConfig(name="small_cnn", width=8),
    "vit": TimmConfig(name="vit_tiny_patch16_224", patch_size=8, options={"depth": 2, "embed_dim": 48, "num_heads": 3}),
}
SMALL = ["hidden_dim=64", "out_dim=32"]

pytestmark = [
    pytest.mark.parametrize("backbone", BACKBONES),
    pytest.mark.parametrize("name", [e.kind for e in entries("method")]),
]


def make(name: str, backbone: str) -> Method:
    config = compose("pretrain", [f"method={name}"])
    assert isinstance(config, PretrainConfig)
    for setting in SMALL:
        key, value = setting.split("=")
        if hasattr(config.method, key):
            setattr(config.method, key, int(value))
    torch.manual_seed(0)
    encoder: Encoder = build_encoder(BACKBONES[backbone], INPUTS)
    return build_method(config.method, encoder)


def batch_for(method: Method, *, rows: int = 8) -> dict[str, Any]:
    generator = torch.Generator().manual_seed(1)
    image = torch.randn(rows, 3, SIZE, SIZE, generator=generator)
    if method.batch_type is ViewsBatch:
        noise = [0.2 * torch.randn(image.shape, generator=generator) for _ in range(max(2, method.views))]
        return {"views": [image + n for n in noise], "index": torch.arange(rows)}
    raise AssertionError(f"the contract has no batch of {method.batch_type.__name__} yet")


def test_loss_is_a_finite_scalar_in_float32(name: str, backbone: str) -> None:
    output = make(name, backbone)(batch_for(make(name, backbone)))
    assert output.loss.shape == () and output.loss.dtype == torch.float32
    assert math.isfinite(output.loss.item())


def test_embedding_is_detached_and_one_a_row(name: str, backbone: str) -> None:
    method = make(name, backbone)
    output = method(batch_for(method))
    assert output.embedding.shape == (8, method.encoder.num_features)
    assert not output.embedding.requires_grad


def test_gradients_reach_what_is_trained_and_nothing_else(name: str, backbone: str) -> None:
    method = make(name, backbone)
    method.before_step(0.5)
    method(batch_for(method)).loss.backward()
    without = [n for n, p in method.named_parameters() if p.requires_grad and p.grad is None]
    frozen = [n for n, p in method.named_parameters() if not p.requires_grad and p.grad is not None]
    assert without == [] and frozen == []


def test_it_overfits_one_batch(name: str, backbone: str) -> None:
    method = make(name, backbone)
    batch = batch_for(method)
    optimizer = torch.optim.Adam([p for p in method.parameters() if p.requires_grad], lr=2e-3)
    losses = []
    for step in range(40):
        method.before_step(step / 40)
        loss = method(batch).loss
        optimizer.zero_grad()
        loss.backward()
        method.after_backward(step / 40)
        optimizer.step()
        method.after_step(step / 40)
        losses.append(loss.item())
    assert losses[-1] < 0.7 * losses[0], losses[:: len(losses) - 1]


def test_state_dict_is_the_whole_state(name: str, backbone: str) -> None:
    method, other = make(name, backbone), make(name, backbone)
    batch = batch_for(method)
    method(batch).loss.backward()
    with torch.no_grad():
        for p in method.parameters():
            p.add_(0.01)
    method.after_step(0.3)
    other.load_state_dict(method.state_dict())
    assert torch.equal(other.eval()(batch).loss, method.eval()(batch).loss)


def test_bf16_is_near_float32(name: str, backbone: str) -> None:
    method = make(name, backbone)
    batch = batch_for(method)
    exact = method(batch).loss.item()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = method(batch).loss
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(exact, rel=0.05)


def test_exported_encoders_give_features(name: str, backbone: str) -> None:
    for encoder in make(name, backbone).encoders().values():
        assert encoder.eval()(torch.randn(2, 3, SIZE, SIZE)).shape == (2, encoder.num_features)


def test_it_imports_no_lightning(name: str, backbone: str) -> None:
    if backbone != "cnn":
        pytest.skip("once a method is enough")
    target = next(e.target for e in entries("method") if e.kind == name).split(":")[0]
    code = f"import sys, {target}; print([m for m in sys.modules if 'lightning' in m or m == 'wandb'])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
