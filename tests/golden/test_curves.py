"""Twenty seeded steps of every method against a checked-in curve: a refactor must not move it.

The curves hold for the locked versions, in fp32, on one thread; other processors round differently, hence 1e-3.
After a wanted change: SSLRUN_WRITE_GOLDEN=1 pytest tests/golden, and an entry in CHANGELOG.md.
"""

import json
import os
from pathlib import Path
from typing import Any

import pytest
import torch

from small import BACKBONES, backbones_of, method_names, modality, small_config, write_texts
from sslrun.backbones.folder import build_encoder
from sslrun.config.command.pretrain import PretrainConfig
from sslrun.data.base import Data
from sslrun.data.build import build_data
from sslrun.data.loader import RunSampler
from sslrun.methods.base import build_method
from sslrun.training.optimizers import build_optimizer, parameter_groups

CURVES = Path(__file__).with_name("curves.json")
STEPS = 20
TOLERANCE = 1e-3


OPTIONS = {
    "image": ["augmentation=digits"],
    "text": ["dataset=text", "dataset.path={texts}", "dataset.tokenizer=char", "dataset.max_length=64"],
    "series": ["dataset=waves", "dataset.items=300"],
    "audio": ["dataset=tones", "dataset.items=300", "dataset.form=wave", "dataset.seconds=0.05"],
    "pair": ["augmentation=digits", "dataset.tokenizer=char", "dataset.max_length=64"],
}
LEARNING_RATES = {"image": 0.005, "text": 0.001, "series": 0.001, "audio": 0.001, "pair": 0.001}
"""Low enough that what processors round differently stays small: at .05 the losses of a ViT were 10 % apart."""


BATCHES: dict[type, list[dict[str, Any]]] = {}
"""Of digits by batch type: all methods of images see the same, and making them takes as long as training."""


def batches(config: PretrainConfig, data: Data, batch_type: type, *, shared: bool) -> list[dict[str, Any]]:
    if shared and batch_type in BATCHES:
        return BATCHES[batch_type]
    dataset = data.training(config.augmentation, batch_type=batch_type, seed=0)
    sampler = RunSampler(len(dataset), batch_size=64, total_steps=STEPS, start=lambda: 0, seed=0)
    made = [data.collate([dataset[key] for key in keys]) for keys in sampler]
    if shared:
        BATCHES[batch_type] = made
    return made


def curve(name: str, folder: Path) -> list[float]:
    texts, kind = write_texts(folder / "texts.jsonl"), modality(name)
    config = small_config(name, [option.format(texts=texts) for option in OPTIONS[kind]])
    torch.manual_seed(0)
    data = build_data(config.dataset)
    encoder = build_encoder(BACKBONES[backbones_of(name)[0]], data.encoder_inputs())
    method = build_method(config.method, encoder)
    optimizer = build_optimizer(
        config.optimizer,
        parameter_groups(method.named_parameters(), weight_decay=1e-6),
        lr=LEARNING_RATES[kind],
        fused=False,
    )
    prepare, losses = data.prepare(), []
    for step, batch in enumerate(batches(config, data, method.batch_type, shared=kind == "image")):
        method.before_step(step / STEPS)
        loss = method(prepare(batch)).loss
        optimizer.zero_grad()
        loss.backward()
        method.after_backward(step / STEPS)
        optimizer.step()
        method.after_step(step / STEPS)
        losses.append(round(loss.item(), 6))
    return losses


@pytest.mark.parametrize("name", method_names())
def test_curve(name: str, tmp_path: Path) -> None:
    losses = curve(name, tmp_path)
    known = json.loads(CURVES.read_text()) if CURVES.exists() else {}
    if os.environ.get("SSLRUN_WRITE_GOLDEN"):
        CURVES.write_text(json.dumps(known | {name: losses}, indent=1, sort_keys=True) + "\n")
        return
    assert name in known, f"no golden curve of {name}: SSLRUN_WRITE_GOLDEN=1 pytest tests/golden"
    assert losses == pytest.approx(known[name], rel=TOLERANCE)
