"""What every registered method must do, on every kind of backbone it takes; new methods are found by themselves."""

import math
import subprocess
import sys

import pytest
import torch

from small import (
    BACKBONES,
    INPUTS,
    SIZES,
    backbones_of,
    encoder_batch,
    method_names,
    needs_tokens,
    random_batch,
    random_series,
    small_config,
    small_method,
)
from sslrun.backbones.base import encode
from sslrun.backbones.folder import build_encoder
from sslrun.config.errors import ConfigError
from sslrun.config.registry import find
from sslrun.core.batch import SeriesBatch, ViewsBatch
from sslrun.methods.base import Method, build_method
from sslrun.nn.center import Center
from sslrun.nn.queue import Queue

CASES = [(name, backbone) for name in method_names() for backbone in backbones_of(name)]

BY_SERIES = (SeriesBatch, ViewsBatch)
"""What backbones of series can be given."""

every_case = pytest.mark.parametrize(("name", "backbone"), CASES)


@every_case
def test_loss_is_a_finite_scalar_in_float32(name: str, backbone: str) -> None:
    output = small_method(name, backbone)(random_batch(small_method(name, backbone)))
    assert output.loss.shape == () and output.loss.dtype == torch.float32
    assert math.isfinite(output.loss.item())


@every_case
def test_embedding_is_detached_and_one_a_row(name: str, backbone: str) -> None:
    method = small_method(name, backbone)
    output = method(random_batch(method))
    assert output.embedding.shape == (8, method.encoder.num_features)
    assert not output.embedding.requires_grad


@every_case
def test_gradients_reach_what_is_trained_and_nothing_else(name: str, backbone: str) -> None:
    method = small_method(name, backbone)
    method.before_step(0.5)
    method(random_batch(method)).loss.backward()
    without = [n for n, p in method.named_parameters() if p.requires_grad and p.grad is None]
    frozen = [n for n, p in method.named_parameters() if not p.requires_grad and p.grad is not None]
    assert without == [] and frozen == []


def fill_memories(method: Method, monkeypatch: pytest.MonkeyPatch) -> None:
    """With rows of other images, for good: of one repeated batch alone they make a loss that does not fall.

    A row would meet itself in a queue as its own negative, and a centre would take from the targets all they have.
    """
    if any(isinstance(module, Queue | Center) for module in method.modules()):
        method(random_batch(method, rows=SIZES["queue_size"], seed=3))
        for center in (module for module in method.modules() if isinstance(module, Center)):
            center.update(momentum=0.0)
        method.after_step(0.0)
        monkeypatch.setattr(Queue, "push", lambda self, rows: None)
        monkeypatch.setattr(Center, "update", lambda self, *, momentum: None)


@every_case
def test_it_overfits_one_batch(name: str, backbone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    method = small_method(name, backbone)
    fill_memories(method, monkeypatch)
    batch = random_batch(method)
    optimizer = torch.optim.Adam([p for p in method.parameters() if p.requires_grad], lr=2e-3)
    losses = []
    for step in range(40):
        method.before_step(step / 40)
        torch.manual_seed(2)  # the same masks and crops of it too
        loss = method(batch).loss
        optimizer.zero_grad()
        loss.backward()
        method.after_backward(step / 40)
        optimizer.step()
        method.after_step(step / 40)
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0], losses[:: len(losses) - 1]


@every_case
def test_state_dict_is_the_whole_state(name: str, backbone: str) -> None:
    method, other = small_method(name, backbone), small_method(name, backbone)
    batch = random_batch(method)
    method(batch).loss.backward()
    with torch.no_grad():
        for p in method.parameters():
            p.add_(0.01)
    method.after_step(0.3)
    other.load_state_dict(method.state_dict())
    loaded = dict(other.named_buffers())  # with those that are not saved, which must be constants
    assert [name for name, buffer in method.named_buffers() if not torch.equal(buffer, loaded[name])] == []
    losses = []
    for same in (method.eval(), other.eval()):
        torch.manual_seed(2)  # masks
        losses.append(same(batch).loss)
    assert torch.equal(*losses)


@every_case
def test_bf16_is_near_float32(name: str, backbone: str) -> None:
    method = small_method(name, backbone)
    batch = random_batch(method)
    torch.manual_seed(2)  # masks
    exact = method(batch).loss.item()
    torch.manual_seed(2)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = method(batch).loss
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(exact, rel=0.05)


@every_case
def test_exported_encoders_give_features(name: str, backbone: str) -> None:
    for encoder in small_method(name, backbone).encoders().values():
        assert encode(encoder.eval(), encoder_batch(encoder)).shape == (2, encoder.num_features)


IMPORTING = """
import importlib, sys
for module in sys.argv[1:]:
    importlib.import_module(module)
    if found := [name for name in sys.modules if "lightning" in name]:
        sys.exit(f"{module} imports {found[0]}")
"""


def test_none_imports_lightning() -> None:
    modules = [find("method", name).target.split(":")[0] for name in method_names()]
    done = subprocess.run([sys.executable, "-c", IMPORTING, *modules], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("name", [n for n in method_names("image") if needs_tokens(n)])
def test_a_backbone_without_tokens_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=f"method={name} needs a ViT backbone; small_cnn has no patch tokens"):
        small_method(name, "cnn")


@pytest.mark.parametrize("backbone", ["ts2vec", "cpc", "patchtst"])
@pytest.mark.parametrize("name", [n for n in method_names() if find("method", n).load().batch_type in BY_SERIES])
def test_on_any_backbone_of_series_it_trains_or_says_why_not(name: str, backbone: str) -> None:
    encoder = build_encoder(BACKBONES[backbone], INPUTS["series"])
    try:
        method = build_method(small_config(name).method, encoder)
    except ConfigError as error:
        assert f"method={name} needs" in str(error) and f"{backbone} " in str(error)
        return
    series = random_series(8, generator=torch.Generator().manual_seed(1))
    batch = {**series, "views": [series["series"] for _ in range(max(2, method.views))]}
    method.before_step(0.5)
    assert math.isfinite(method(batch).loss.item())
