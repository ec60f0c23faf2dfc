import pytest
import torch
from torch import nn

from sslrun.config.errors import TrainingError
from sslrun.evaluation.batches import Batches
from sslrun.evaluation.features import extract
from sslrun.evaluation.raw.pixels import Pixels


class Scaled(nn.Module):
    """Flattened images times a weight; dropout and BatchNorm show the mode."""

    reads = "image"

    def __init__(self, weight: float = 2.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(weight))
        self.dropout, self.frozen = nn.Dropout(0.5), nn.BatchNorm1d(4)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.dropout(image.flatten(1)) * self.weight


def unit_range(batch: dict) -> dict:
    return {**batch, "image": batch["image"].float() / 255}


def batches(*, label: bool = True, prepare=unit_range, autocast: torch.dtype | None = None) -> Batches:
    images = torch.arange(3 * 4, dtype=torch.uint8).view(3, 1, 2, 2)
    whole = {"image": images, "index": torch.tensor([4, 7, 9]), "label": torch.tensor([1, 0, 1])}
    kept = [k for k in whole if label or k == "image"]
    loader = [{k: whole[k][part] for k in kept} for part in (slice(0, 2), slice(2, 3))]
    return Batches(loader=loader, prepare=prepare, device="cpu", autocast=autocast)


def test_features_labels_and_index_in_order():
    found = extract(Scaled(), batches())
    assert torch.allclose(found.features, 2 * torch.arange(12.0).view(3, 4) / 255)
    assert (found.labels.tolist(), found.index.tolist()) == ([1, 0, 1], [4, 7, 9])


def test_without_labels_and_index():
    found = extract(Scaled(), batches(label=False))
    assert found.labels is None
    assert found.index.tolist() == [0, 1, 2]


def test_every_training_flag_is_put_back():
    encoder = Scaled()
    encoder.frozen.eval()
    extract(encoder, batches())
    assert (encoder.training, encoder.dropout.training, encoder.frozen.training) == (True, True, False)


def test_features_can_train_a_head():
    found = extract(Scaled(), batches())
    head = nn.Linear(4, 2)
    head(found.features).sum().backward()
    assert not found.features.is_inference()
    assert not found.features.requires_grad
    assert torch.allclose(head.weight.grad[0], found.features.sum(dim=0))


def test_autocast_gives_float32_of_low_precision():
    class Linear(nn.Linear):
        reads = "image"

        def forward(self, image: torch.Tensor) -> torch.Tensor:
            return super().forward(image.flatten(1))

    encoder = Linear(4, 3)
    low, full = (extract(encoder, batches(autocast=d)) for d in (torch.bfloat16, None))
    assert low.features.dtype == torch.float32
    assert torch.allclose(low.features, full.features, atol=1e-2)
    assert torch.equal(low.features, low.features.bfloat16().float())


def test_features_that_are_not_finite_name_their_share():
    def spoil(batch: dict) -> dict:
        batch = unit_range(batch)
        batch["image"][0, 0, 0, 0] = torch.nan  # in both batches: 2 of 12
        return batch

    with pytest.raises(TrainingError, match=r"16.67% of the features are not finite"):
        extract(Scaled(), batches(prepare=spoil))


def test_pixels_of_a_small_image_are_the_image():
    image = torch.rand(2, 3, 32, 32)
    assert torch.equal(Pixels()(image), image.flatten(1))


@pytest.mark.parametrize("shape", [(3, 224, 224), (1, 64, 1000), (1, 20, 2000), (3, 33, 32)])
def test_pixels_of_a_large_image_are_pooled(shape):
    features = Pixels()(torch.full((2, *shape), 0.5))
    assert features.shape[1] <= 3072
    assert torch.allclose(features, torch.tensor(0.5))
