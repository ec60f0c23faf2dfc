"""ts2vec's crops and average; patchtst's masks, and that nothing hidden leaks."""

import pytest
import torch

from small import INPUTS, random_batch, small_config, small_method
from sslrun.backbones.folder import build_encoder
from sslrun.config.errors import ConfigError
from sslrun.methods.base import build_method
from sslrun.methods.patchtst import PatchTST, mask_patches
from sslrun.methods.ts2vec import TS2Vec, draw_crops, take_stretch


def test_crops_overlap_where_they_say() -> None:
    torch.manual_seed(0)
    time = torch.arange(50.0)[None, :, None].expand(6, -1, 1)
    seen = set()
    for _ in range(200):
        crops = draw_crops(6, 50)
        first = take_stretch(time, crops.starts, crops.first)
        second = take_stretch(time, crops.starts + crops.lag, crops.second)
        assert crops.overlap >= 2
        assert torch.equal(first[:, -crops.overlap :], second[:, : crops.overlap])
        seen.add((crops.first, crops.second))
    assert len(seen) > 100


def test_the_average_is_that_of_all_steps() -> None:
    method = small_method("ts2vec", "ts2vec")
    assert isinstance(method, TS2Vec)
    weight, average = next(method.encoder.parameters()), next(method.average.parameters())
    history = [weight.detach().clone()]
    for _ in range(3):
        with torch.no_grad():
            weight.add_(1.0)
        method.after_step(0.0)
        history.append(weight.detach().clone())
    torch.testing.assert_close(average, torch.stack(history).mean(dim=0))
    assert method.encoders() == {"encoder": method.encoder, "average": method.average}
    method.config.average = True
    assert method.encoders() == {"encoder": method.average, "last": method.encoder}


def test_hidden_values_do_not_leak() -> None:
    """Neither the prediction nor the statistics move when hidden values do."""
    method = small_method("patchtst", "patchtst").eval()
    assert isinstance(method, PatchTST)
    series = random_batch(method)["series"]  # (B, T, C)
    is_masked = torch.rand(8, 2, 16, generator=torch.Generator().manual_seed(0)) < 0.4
    hidden = is_masked.repeat_interleave(4, dim=2).transpose(1, 2)  # (B, T, C)
    other = torch.where(hidden, 100 * series + 7, series)
    encoder = method.encoder
    told = [(p := encoder.patches(x, is_masked), encoder.encode(p, is_masked)) for x in (series, other)]
    assert torch.equal(told[0][1], told[1][1])
    assert torch.equal(told[0][0].mean, told[1][0].mean) and torch.equal(told[0][0].std, told[1][0].std)
    leaking = [encoder.encode(encoder.patches(x), is_masked) for x in (series, other)]  # statistics of everything
    assert not torch.allclose(leaking[0], leaking[1])


def test_hidden_are_patches_that_are_there() -> None:
    drawn = torch.rand(4, 2, 10, generator=torch.Generator().manual_seed(0))
    is_present = torch.arange(10).expand(4, 2, 10) < torch.tensor([10, 5, 1, 0])[:, None, None]
    is_masked = mask_patches(drawn, is_present, ratio=0.4)
    assert is_masked.sum(dim=2).tolist() == [[4, 4], [2, 2], [0, 0], [0, 0]]
    assert not (is_masked & ~is_present).any()


def test_held_out_loss_is_a_function_of_the_position() -> None:
    method = small_method("patchtst", "patchtst").eval()
    batch = random_batch(method)
    sums, counts = method.row_losses(batch) or (None, None)
    assert sums is not None and counts is not None
    one = {key: value[5:6] for key, value in batch.items()}
    alone = method.row_losses(one)
    assert alone is not None
    torch.testing.assert_close(alone[0], sums[5:6])
    assert torch.equal(alone[1], counts[5:6])


def test_a_spike_has_the_largest_anomaly_score() -> None:
    method = small_method("patchtst", "patchtst").eval()
    assert isinstance(method, PatchTST)
    series = torch.sin(torch.arange(64) / 3.0)[None, :, None].repeat(1, 1, 2)
    series[0, 41] = 8.0
    scores = method.anomaly_scores(series)
    assert scores.shape == (1, 64) and int(scores[0].argmax()) == 41


def test_anomaly_scores_are_in_units_of_the_visible_variance() -> None:
    """A head that predicts 0 leaves the hidden patch's own values, normalised by all the others."""
    method = small_method("patchtst", "patchtst").eval()
    assert isinstance(method, PatchTST)
    for parameter in method.head.parameters():
        torch.nn.init.zeros_(parameter)
    series = torch.randn(1, 64, 2, generator=torch.Generator().manual_seed(0))
    series[0, 40:44] += 8
    rest = torch.cat([series[0, :40], series[0, 44:]])
    expected = ((series[0, 40:44] - rest.mean(dim=0)) / rest.std(dim=0, correction=0)).square().mean(dim=1)
    torch.testing.assert_close(method.anomaly_scores(series)[0, 40:44], expected, rtol=1e-4, atol=0)


@pytest.mark.parametrize(("name", "backbone"), [("ts2vec", "patchtst"), ("patchtst", "ts2vec")])
def test_another_backbone_is_refused(name: str, backbone: str) -> None:
    config = small_config(name, [f"backbone={backbone}"])
    with pytest.raises(ConfigError, match=f"method={name} needs .*; choose backbone={name}"):
        build_method(config.method, build_encoder(config.backbone, INPUTS["series"]))
