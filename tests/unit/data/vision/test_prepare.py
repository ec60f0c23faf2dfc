import numpy as np
import pytest
import torch

from sslrun.data.vision.prepare import Normalize

MEAN, STD = [0.1, 0.5, 0.9], [0.2, 0.25, 0.5]


def batch(channels=3):
    images = np.random.default_rng(0).integers(0, 256, (4, 5, 7, channels), np.uint8)
    return torch.from_numpy(images).permute(0, 3, 1, 2)  # (B, C, H, W)


@pytest.mark.parametrize("channels_last", [True, False])
@pytest.mark.parametrize("compact", [batch(), batch().contiguous()])
def test_values_are_normalised_by_channel(channels_last, compact):
    out = Normalize(mean=MEAN, std=STD, channels_last=channels_last)({"image": compact, "index": torch.arange(4)})
    mean, std = torch.tensor(MEAN).view(1, 3, 1, 1), torch.tensor(STD).view(1, 3, 1, 1)
    torch.testing.assert_close(out["image"], (compact / 255 - mean) / std, rtol=1e-5, atol=1e-6)
    memory_format = torch.channels_last if channels_last else torch.contiguous_format
    assert out["image"].is_contiguous(memory_format=memory_format) and out["image"].dtype == torch.float32
    assert out["index"].tolist() == [0, 1, 2, 3]


def test_every_view_and_nothing_of_the_given_batch():
    given = {"views": [batch(), batch()[..., :3, :3]]}
    out = Normalize(mean=MEAN, std=STD)(given)
    assert [v.shape for v in out["views"]] == [(4, 3, 5, 7), (4, 3, 3, 3)]
    assert given["views"][0].dtype == torch.uint8


def test_nothing_of_it_is_in_checkpoints():
    assert Normalize(mean=MEAN, std=STD).state_dict() == {}
