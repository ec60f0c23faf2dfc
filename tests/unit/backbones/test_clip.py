"""A CLIP of transformers as a whole."""

from pathlib import Path

import pytest
import torch
from transformers import AutoModel, CLIPModel

from checkpoints import save_clip, save_vision
from small import small_config
from sslrun.backbones.base import Encoder
from sslrun.backbones.clip import load_clip
from sslrun.backbones.folder import build_encoder, load_encoder
from sslrun.backbones.transformers_checkpoint import open_checkpoint
from sslrun.config.errors import ConfigError
from sslrun.methods.base import build_method
from sslrun.methods.two_towers import TwoTowers

START, END = 256, 257


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clip")
    save_clip(folder)
    return folder


def texts(lengths: tuple[int, ...], *, padded_to: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Ids between their marks, padded with the end mark as CLIP's tokenizer does, and the mask."""
    ids = torch.full((len(lengths), padded_to), END)
    for row, length in enumerate(lengths):
        ids[row, : length + 1] = torch.tensor([START, *range(40 + row, 40 + row + length)])
    return ids, (torch.arange(padded_to) < torch.tensor(lengths)[:, None] + 2).long()


def image_encoder(folder: Path) -> Encoder:
    config, inputs = open_checkpoint(folder, encoder=str(folder), tower="image")
    return build_encoder(config, inputs)


@torch.no_grad()
def test_vectors_and_scale_are_transformers_own(folder: Path) -> None:
    model, joint = CLIPModel.from_pretrained(folder).eval(), load_clip(folder, encoder=str(folder))
    images, (ids, mask) = torch.randn(3, 1, 8, 8), texts((5, 20, 75), padded_to=80)  # 77 positions, padded to 8s
    theirs = model(pixel_values=images, input_ids=ids[:, :77], attention_mask=mask[:, :77])
    x, y = joint.image(images), joint.text(ids, attention_mask=mask)
    torch.testing.assert_close(x, theirs.image_embeds, rtol=0, atol=1e-5)
    torch.testing.assert_close(y, theirs.text_embeds, rtol=0, atol=1e-5)
    torch.testing.assert_close(joint.scale * x @ y.T, theirs.logits_per_image, rtol=0, atol=1e-4)
    assert joint.text.encoder.inputs["max_length"] == 77
    assert joint.image.encoder.inputs | {"text": None} == {
        "channels": 1, "image_size": 8, "mean": [0.5], "std": [0.5], "text": None,
    }  # fmt: skip


def test_a_method_goes_on_from_its_projections(folder: Path) -> None:
    image = image_encoder(folder)
    config = small_config("clip", out_dim=12).method
    config.text, _ = open_checkpoint(folder, encoder=str(folder), tower="text")  # type: ignore[attr-defined]
    method = build_method(config, image)
    assert isinstance(method, TwoTowers)
    joint, known = method.joint(), load_clip(folder, encoder=str(folder))
    for ours, theirs in ((joint.image, known.image), (joint.text, known.text)):
        assert torch.equal(ours.projection.weight, theirs.projection.weight)
    assert joint.scale == pytest.approx(known.scale)
    config.out_dim = 32  # type: ignore[attr-defined]
    with pytest.raises(ConfigError, match=r"method.out_dim=32: the checkpoint projects to 12; say method.out_dim=12"):
        build_method(config, image)


@torch.no_grad()
def test_its_text_encoder_exported_loads_in_transformers(folder: Path, tmp_path: Path) -> None:
    text = load_clip(folder, encoder=str(folder)).text.encoder
    text.save(tmp_path)
    ids, mask = texts((5, 9), padded_to=16)
    theirs = AutoModel.from_pretrained(tmp_path).eval()(input_ids=ids, attention_mask=mask).pooler_output
    torch.testing.assert_close(text(ids, attention_mask=mask), theirs, rtol=0, atol=1e-5)
    assert torch.equal(load_encoder(tmp_path)(ids, attention_mask=mask), text(ids, attention_mask=mask))
    assert [len(layer) for layer in text.layers()] == [2, 16, 16, 2]


def test_one_encoder_alone_is_no_clip(tmp_path: Path) -> None:
    save_vision("Dinov2Model", tmp_path)
    with pytest.raises(ConfigError, match=r"is a dinov2 without a text encoder; name a CLIP"):
        load_clip(tmp_path, encoder="here")


@pytest.mark.parametrize("name", ["mae", "simmim", "ijepa"])
def test_losses_of_tokens_leave_no_parameter_out(folder: Path, name: str) -> None:
    """CLIP's last norm stands before the pooled vector only; under DDP a parameter without a gradient ends the run."""
    config = small_config(name).method
    if hasattr(config, "mask_patch_size"):
        config.mask_patch_size = 4
    method = build_method(config, image_encoder(folder).train())
    images = torch.randn(4, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    method.before_step(0.5)
    method({"image": images, "index": torch.arange(4)}).loss.backward()
    assert [n for n, p in method.named_parameters() if p.requires_grad and p.grad is None] == []
