"""CPC's choice of negatives."""

from typing import Any

import numpy as np
import pytest
import torch

from small import BACKBONES, INPUTS, random_batch, small_config
from sslrun.backbones.folder import build_encoder
from sslrun.config.errors import ConfigError
from sslrun.config.method.cpc import CPCConfig, Negatives
from sslrun.methods.base import build_method


def cpc(negatives: str) -> Any:
    config = small_config("cpc", [f"method.negatives={negatives}"])
    torch.manual_seed(0)
    return build_method(config.method, build_encoder(BACKBONES["cpc"], INPUTS["series"]))


@pytest.mark.parametrize("negatives", ["clip", "batch"])
def test_the_loss_is_that_of_its_negatives(negatives: str) -> None:
    """Mean over clips of their means over steps and moments, retyped with one loop over clips, steps and moments."""
    method = cpc(negatives).eval()
    batch = random_batch(method, rows=3)
    with torch.no_grad():
        local, context, inside = method.encoder.local_and_context(batch["series"])
        predicted = [predict(context).double().numpy() for predict in method.predictors]
    lengths, z = inside.sum(dim=1).tolist(), local.double().numpy()
    assert len(set(lengths)) > 1
    means = []
    for b, length in enumerate(lengths):
        others = [b] if negatives == "clip" else range(3)
        moments = np.concatenate([z[other, : lengths[other]] for other in others])
        losses = [
            np.log(np.exp(moments @ p[b, t]).sum()) - z[b, t + step] @ p[b, t]
            for step, p in enumerate(predicted, start=1)
            for t in range(length - step)
        ]
        means.append(np.mean(losses))
    assert method(batch).loss.item() == pytest.approx(np.mean(means), rel=1e-5)


def test_held_out_loss_is_told_where_a_clip_is_enough_for_it() -> None:
    batch = random_batch(cpc("clip"))
    assert cpc("clip").row_losses(batch) is not None and cpc("batch").row_losses(batch) is None


def test_within_the_clip_is_the_default_and_a_typo_is_told() -> None:
    assert CPCConfig(steps=3).negatives is Negatives.clip
    with pytest.raises(ConfigError, match=r"method.negatives.*clip.*batch"):
        small_config("cpc", ["method.negatives=clips"])
