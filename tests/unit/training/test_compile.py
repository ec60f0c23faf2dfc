"""trainer.compile: the same step, by compiled encoders."""

import copy
import shutil
from typing import Any

import pytest
import torch
from torch import Tensor

from small import random_batch, small_method
from sslrun.methods.base import Method
from sslrun.training.fit import compile_encoders


def step(method: Method) -> tuple[Tensor, dict[str, Tensor], dict[str, Tensor]]:
    """Loss, gradients and the state behind one step."""
    torch.manual_seed(1)
    batch = random_batch(method)
    method.before_step(0.0)
    torch.manual_seed(2)
    loss = method(batch).loss
    loss.backward()
    method.after_step(0.5)
    gradients = {name: p.grad for name, p in method.named_parameters() if p.grad is not None}
    return loss.detach(), gradients, method.state_dict()


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("gcc") is None, reason="torch.compile needs a C++ compiler")
@pytest.mark.parametrize(("name", "backbone"), [("mae", "vit"), ("byol", "cnn")])
def test_a_compiled_step_is_the_same(name: str, backbone: str) -> None:
    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()
    plain, compiled = small_method(name, backbone), small_method(name, backbone)
    compile_encoders(compiled)
    for found, expected in zip(step(compiled), step(plain), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    assert torch._dynamo.utils.counters["frames"]["ok"] == {"mae": 1, "byol": 2}[name]  # byol: net and target


def test_what_methods_call_is_compiled_and_copies_stay_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[tuple[int, str]] = []

    def note(function: Any) -> Any:
        compiled.append((id(function.__self__), function.__name__))
        return lambda *args, **rest: function(*args, **rest)

    monkeypatch.setattr(torch, "compile", note)
    method: Any = small_method("ijepa", "vit")
    names = list(method.state_dict())
    compile_encoders(method)
    for encoder in (method.encoder, method.target_encoder):
        for name in ("tokens", "pooled_and_tokens", "_call_impl"):
            assert (id(encoder), name) in compiled
    twin = copy.deepcopy(method.encoder)
    assert twin.tokens.__self__ is twin and list(method.state_dict()) == names
