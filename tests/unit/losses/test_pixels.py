"""MAE's and SimMIM's losses against the authors' formulas, retyped in NumPy."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from sslrun.losses.pixels import locally_normalized, masked_l1, normalized_patch_mse


def mae_formula(prediction: np.ndarray, pixels: np.ndarray, is_hidden: np.ndarray) -> float:
    """`forward_loss` of the authors' code: prediction for all patches, a mean over those that are hidden."""
    mean = pixels.mean(axis=-1, keepdims=True)
    variance = ((pixels - mean) ** 2).sum(axis=-1, keepdims=True) / (pixels.shape[-1] - 1)
    target = (pixels - mean) / np.sqrt(variance + 1e-6)
    loss = ((prediction - target) ** 2).mean(axis=-1)
    return float((loss * is_hidden).sum() / is_hidden.sum())


def simmim_formula(prediction: np.ndarray, pixels: np.ndarray, is_hidden: np.ndarray) -> float:
    """Eq. 1 of arXiv:2111.09886: the sum over hidden values / their number."""
    return float(np.abs(prediction - pixels)[is_hidden].sum() / (is_hidden.sum() * pixels.shape[-1]))


def norm_targets_formula(x: np.ndarray, window: int) -> np.ndarray:
    """`norm_targets` of the authors' code, pixel by pixel: (H, W) of one channel."""
    out = np.zeros_like(x)
    half = window // 2
    for i, j in np.ndindex(*x.shape):
        around = x[max(0, i - half) : i + half + 1, max(0, j - half) : j + half + 1]
        out[i, j] = (x[i, j] - around.mean()) / np.sqrt(around.var(ddof=1) + 1e-6)
    return out


def slopes(formula: Callable[[np.ndarray], float], at: np.ndarray, step: float = 1e-5) -> np.ndarray:
    """Central differences."""
    out = np.zeros_like(at)
    for i in np.ndindex(*at.shape):
        up, down = at.copy(), at.copy()
        up[i] += step
        down[i] -= step
        out[i] = (formula(up) - formula(down)) / (2 * step)
    return out


@pytest.fixture
def case() -> tuple[Tensor, Tensor, Tensor]:
    """Prediction and pixels (2, 6, 4), hidden ids (2, 4)."""
    generator = torch.Generator().manual_seed(0)
    prediction, pixels = (torch.randn(2, 6, 4, generator=generator) for _ in range(2))
    return prediction, 3 * pixels + 1, torch.tensor([[0, 2, 3, 5], [5, 1, 4, 0]])


def rows(x: Tensor, ids: Tensor) -> Tensor:
    return torch.stack([x[b, ids[b]] for b in range(len(x))])


def is_hidden(ids: Tensor) -> np.ndarray:
    return np.array([[n in row for n in range(6)] for row in ids.tolist()])


def test_mae_value_and_gradient_are_the_authors(case: tuple[Tensor, Tensor, Tensor]) -> None:
    prediction, pixels, ids = case
    prediction.requires_grad_()
    loss = normalized_patch_mse(rows(prediction, ids), rows(pixels, ids))
    loss.backward()
    formula = lambda p: mae_formula(p, pixels.double().numpy(), is_hidden(ids))  # noqa: E731
    at = prediction.detach().double().numpy()
    assert loss.item() == pytest.approx(formula(at), rel=1e-5)
    assert prediction.grad is not None
    np.testing.assert_allclose(prediction.grad.numpy(), slopes(formula, at), atol=1e-5)


def test_simmim_value_and_gradient_are_the_papers(case: tuple[Tensor, Tensor, Tensor]) -> None:
    prediction, pixels, ids = case
    prediction.requires_grad_()
    hidden = is_hidden(ids)
    loss = masked_l1(prediction, pixels, is_masked=torch.from_numpy(hidden))
    loss.backward()
    formula = lambda p: simmim_formula(p, pixels.double().numpy(), hidden)  # noqa: E731
    at = prediction.detach().double().numpy()
    assert loss.item() == pytest.approx(formula(at), rel=1e-5)
    assert prediction.grad is not None
    np.testing.assert_allclose(prediction.grad.numpy(), slopes(formula, at), atol=1e-5)


@pytest.mark.parametrize("window", [3, 5, 15])
def test_normalised_targets_are_the_authors(window: int) -> None:
    """The last window is larger than the image."""
    x = 3 * torch.randn(2, 3, 7, 9, generator=torch.Generator().manual_seed(0)) + 1
    found = locally_normalized(x, window=window).numpy()
    for b, c in np.ndindex(2, 3):
        expected = norm_targets_formula(x[b, c].double().numpy(), window)
        np.testing.assert_allclose(found[b, c], expected, atol=2e-5)


def test_normalised_targets_by_hand() -> None:
    """A single bright pixel of 9: in the centre the mean is 1 and the unbiased variance 9."""
    x = torch.zeros(1, 1, 3, 3)
    x[0, 0, 1, 1] = 9
    assert locally_normalized(x, window=3)[0, 0, 1, 1].item() == pytest.approx(8 / 3, rel=1e-5)


def test_normalised_targets_do_not_change_with_brightness_and_contrast() -> None:
    x = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    expected = locally_normalized(x, window=5)
    torch.testing.assert_close(locally_normalized(5 * x - 2, window=5), expected, atol=1e-4, rtol=1e-4)
    assert locally_normalized(torch.full((1, 1, 4, 4), 7.0), window=3).abs().max() < 0.1


def test_mae_by_hand() -> None:
    """Pixels 1 and 3 have mean 2 and unbiased variance 2: they become -+ 1 / sqrt 2; nothing predicted errs by 1/2."""
    loss = normalized_patch_mse(torch.zeros(1, 1, 2), torch.tensor([[[1.0, 3.0]]]))
    assert loss.item() == pytest.approx(0.5, rel=1e-5)


def test_simmim_by_hand() -> None:
    """Errors 1 and 3 in the hidden patch, 100 in the visible one."""
    prediction, pixels = torch.tensor([[[1.0, 3.0], [100, 100]]]), torch.zeros(1, 2, 2)
    assert masked_l1(prediction, pixels, is_masked=torch.tensor([[True, False]])).item() == pytest.approx(2.0)


def test_mae_does_not_see_a_patchs_brightness_and_contrast(case: tuple[Tensor, Tensor, Tensor]) -> None:
    prediction, pixels, _ = case
    loss = normalized_patch_mse(prediction, pixels).item()
    assert normalized_patch_mse(prediction, 5 * pixels - 2).item() == pytest.approx(loss, rel=1e-5)


def test_order_of_the_batch_does_not_matter(case: tuple[Tensor, Tensor, Tensor]) -> None:
    prediction, pixels, ids = case
    masked = torch.from_numpy(is_hidden(ids))
    a = masked_l1(prediction, pixels, is_masked=masked)
    torch.testing.assert_close(masked_l1(prediction.flip(0), pixels.flip(0), is_masked=masked.flip(0)), a)
    b = normalized_patch_mse(prediction, pixels)
    torch.testing.assert_close(normalized_patch_mse(prediction.flip(0), pixels.flip(0)), b)


def test_a_patch_of_one_colour_gives_a_finite_loss() -> None:
    assert math.isfinite(normalized_patch_mse(torch.zeros(1, 1, 4), torch.full((1, 1, 4), 7.0)).item())


def test_is_float32_under_bf16_autocast(case: tuple[Tensor, Tensor, Tensor]) -> None:
    prediction, pixels, ids = case
    low, masked = prediction.bfloat16(), torch.from_numpy(is_hidden(ids))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        losses = normalized_patch_mse(low, pixels), masked_l1(low, pixels, is_masked=masked)
    exact = normalized_patch_mse(low.float(), pixels), masked_l1(low.float(), pixels, is_masked=masked)
    for loss, expected in zip(losses, exact, strict=True):
        assert loss.dtype == torch.float32
        torch.testing.assert_close(loss, expected)
