"""Supervised pretraining: the classifier of fine-tuning as a method."""

import math

import numpy as np
import pytest
import torch

from small import CLASSES, random_batch, small_config, small_method
from sslrun.config.errors import ConfigError
from sslrun.config.method.supervised import SupervisedConfig
from sslrun.methods.base import check_labels
from sslrun.methods.classifier import Classifier


def smoothed_cross_entropy(logits: np.ndarray, labels: np.ndarray, smoothing: float) -> float:
    """Section 7 of arXiv:1512.00567: targets (1 - eps) [c = y] + eps / C."""
    log_p = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    targets = (1 - smoothing) * np.eye(logits.shape[1])[labels] + smoothing / logits.shape[1]
    return float(-(targets * log_p).sum(axis=1).mean())


class Features(torch.nn.Identity):
    reads = "image"


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_loss_is_the_cross_entropy_of_smoothed_targets(smoothing: float) -> None:
    method = small_method("supervised", "cnn").eval()
    assert isinstance(method, Classifier)
    method.label_smoothing = smoothing
    torch.nn.init.normal_(method.head.weight)
    batch = random_batch(method)
    logits = method.logits(method.encoder(batch["image"])).detach().double().numpy()
    expected = smoothed_cross_entropy(logits, batch["label"].numpy(), smoothing)
    assert method(batch).loss.item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_gradient_is_that_of_the_cross_entropy(smoothing: float) -> None:
    method = small_method("supervised", "cnn").eval()
    assert isinstance(method, Classifier)
    method.label_smoothing, method.encoder, method.head = smoothing, Features(), torch.nn.Identity()
    logits = torch.randn(8, CLASSES, generator=torch.Generator().manual_seed(0), requires_grad=True)
    labels = torch.arange(8) % CLASSES
    method({"image": logits, "label": labels}).loss.backward()
    a, step = logits.detach().double().numpy(), 1e-5
    assert logits.grad is not None
    for at in np.ndindex(a.shape):
        up, down = a.copy(), a.copy()
        up[at] += step
        down[at] -= step
        above, below = (smoothed_cross_entropy(x, labels.numpy(), smoothing) for x in (up, down))
        assert logits.grad[at].item() == pytest.approx((above - below) / (2 * step), abs=1e-5)


def test_top1_is_the_share_that_is_right() -> None:
    method = small_method("supervised", "cnn")
    assert isinstance(method, Classifier)
    with torch.no_grad():
        method.head.weight.zero_()
        method.head.bias.copy_(torch.tensor([0.0, 1.0, 0.0]))
    batch = random_batch(method) | {"label": torch.tensor([1, 1, 1, 0, 0, 0, 2, 2])}
    assert method(batch).logs["top1"].item() == 3 / 8


def test_the_head_has_the_datasets_classes_and_starts_undecided() -> None:
    method = small_method("supervised", "cnn")
    assert isinstance(method, Classifier)
    assert method.head.out_features == CLASSES
    assert method(random_batch(method)).loss.item() == pytest.approx(math.log(CLASSES), rel=0.02)


def test_accuracy_is_logged() -> None:
    method = small_method("supervised", "cnn")
    batch = random_batch(method)
    top1 = method(batch).logs["top1"].item()
    assert top1 * 8 == pytest.approx(round(top1 * 8))


def test_no_blocks_of_their_own_rate() -> None:
    assert small_method("supervised", "cnn").param_groups() == []


def test_a_dataset_without_labels_is_refused() -> None:
    config = small_config("supervised")
    with pytest.raises(ConfigError, match="method=supervised reads labels; dataset=mine has none for training"):
        check_labels(config.method, dataset="mine", labelled=False)


@pytest.mark.parametrize("value", [-0.1, 1.0])
def test_limits(value: float) -> None:
    with pytest.raises(ConfigError, match=r"method.label_smoothing must be in \[0, 1\), got"):
        SupervisedConfig(label_smoothing=value)
