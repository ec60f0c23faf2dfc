"""LeJEPA's centre, directions and configuration."""

from typing import Any

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
