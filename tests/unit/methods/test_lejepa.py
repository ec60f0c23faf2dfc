"""LeJEPA against algorithm 2 of arXiv:2511.08544, retyped in NumPy; its directions and configuration."""

from typing import Any

import numpy as np
import pytest
import torch

from small import random_batch, small_method
from sslrun.config.errors import ConfigError
from sslrun.config.method.lejepa import LeJEPAConfig
from sslrun.losses.sigreg import random_directions

GOOD = {
    "hidden_dim": 8, "out_dim": 8, "sigreg_weight": 0.05, "directions": 16, "knots": 17, "domain": 5.0,
}  # fmt: skip


@pytest.mark.parametrize(
    ("key", "value", "limits"),
    [
        ("hidden_dim", 0, r"\[1, inf\)"),
        ("out_dim", 0, r"\[1, inf\)"),
        ("sigreg_weight", 1.5, r"\[0, 1\]"),
        ("directions", 0, r"\[1, inf\)"),
        ("knots", 1, r"\[3, inf\)"),
        ("domain", 0, r"\(0, inf\)"),
    ],
)
def test_out_of_range(key: str, value: float, limits: str) -> None:
    with pytest.raises(ConfigError, match=rf"method\.{key} must be in {limits}, got {value}"):
        LeJEPAConfig(**(GOOD | {key: value}))


def test_an_even_number_of_knots_is_refused() -> None:
    with pytest.raises(ConfigError, match="must be odd, so that 0 is among them, got 16"):
        LeJEPAConfig(**(GOOD | {"knots": 16}))


def multi_crop(method: Any) -> dict[str, Any]:
    batch = random_batch(method, views=4)
    batch["views"][2:] = [view[..., :8, :8] for view in batch["views"][2:]]
    return batch


def test_every_view_is_drawn_to_the_mean_of_the_global_ones() -> None:
    method = small_method("lejepa", "vit").eval()
    batch = multi_crop(method)
    z = [method.project(method.encoder(view)) for view in batch["views"]]
    centre = (z[0] + z[1]) / 2
    expected = torch.stack([(v - centre).square().mean() for v in z]).mean()
    output = method(batch)
    assert output.logs["prediction"].item() == pytest.approx(expected.item(), rel=1e-4)
    total = 0.95 * output.logs["prediction"] + 0.05 * output.logs["sigreg"]
    assert output.loss.item() == pytest.approx(total.item(), rel=1e-5)


class Mean(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.mean(dim=(2, 3))


def algorithm_2(z: np.ndarray, directions: np.ndarray, weight: float) -> float:
    """(V, B, P), the first two views global: squared distance to their mean, and algorithm 1 of each view."""
    t = np.linspace(-5, 5, 17)
    gaussian = np.exp(-0.5 * t**2)
    functions = np.exp(1j * (z @ directions.T)[..., None] * t).mean(axis=1)  # (V, M, T)
    sigreg = z.shape[1] * np.trapezoid(np.abs(functions - gaussian) ** 2 * gaussian, t, axis=2).mean()
    return float((1 - weight) * ((z - z[:2].mean(axis=0)) ** 2).mean() + weight * sigreg)


def test_loss_and_gradient_are_algorithm_2() -> None:
    method: Any = small_method("lejepa", "cnn")
    method.encoder, method.projector = Mean(), torch.nn.Identity()
    method.config.out_dim, method.config.directions = 3, 16
    generator = torch.Generator().manual_seed(0)
    views = [torch.randn(5, 3, side, side, generator=generator, requires_grad=True) for side in (4, 4, 2, 2)]
    method.before_step(0.25)
    loss = method({"views": views}).loss
    loss.backward()
    directions = random_directions(method.config.directions, 3, seed=method.seed, device=torch.device("cpu"))
    along, step = directions.double().numpy(), 1e-5
    z = torch.stack([view.detach().double().mean(dim=(2, 3)) for view in views]).numpy()
    assert loss.item() == pytest.approx(algorithm_2(z, along, 0.05), rel=1e-5)
    for v, row, column in np.ndindex(z.shape):
        up, down = z.copy(), z.copy()
        up[v, row, column] += step
        down[v, row, column] -= step
        slope = (algorithm_2(up, along, 0.05) - algorithm_2(down, along, 0.05)) / (2 * step)
        gradient = views[v].grad
        assert gradient is not None
        assert gradient[row, column].sum().item() == pytest.approx(slope, abs=1e-5)


def test_directions_are_new_each_step_and_a_function_of_progress() -> None:
    method = small_method("lejepa", "vit").eval()
    batch = multi_crop(method)
    losses = []
    for progress in (0.25, 0.25 + 1e-6, 0.25):
        method.before_step(progress)
        losses.append(method(batch).logs["sigreg"].item())
    assert losses[0] == losses[2] != losses[1]


@pytest.mark.parametrize("steps", [1024, 1000])
def test_no_two_steps_share_their_directions(steps: int) -> None:
    """Steps whose progress differs in the high bits alone, too: with 1024 of them it is k / 2^10."""
    method: Any = small_method("lejepa", "vit")
    drawn = set()
    for step in range(steps):
        method.before_step(step / steps)
        directions = random_directions(1, 4, seed=method.seed, device=torch.device("cpu"))
        drawn.add(tuple(directions[0].tolist()))
    assert len(drawn) == steps
