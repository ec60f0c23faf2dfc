"""Small checkpoints of the library `transformers` with random weights, as its `save_pretrained` writes them."""

from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import Tokenizer as Backend
from tokenizers import decoders, models, pre_tokenizers, processors
from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel

SIZES = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
VISION: dict[str, Any] = {**SIZES, "intermediate_size": 32, "image_size": 8, "patch_size": 4}
MARKS = ["<|startoftext|>", "<|endoftext|>"]


def save(model: Any, folder: Path) -> Any:
    """Write the model with weights that are no initial ones, in eval mode."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.05 * torch.randn(parameter.shape, generator=generator))
    model.save_pretrained(folder)
    return model.eval()


def save_vision(kind: str, folder: Path, **options: Any) -> Any:
    """One of transformers' classes by name, such as ViTMAEForPreTraining or Dinov2Model."""
    torch.manual_seed(0)
    cls = getattr(transformers, kind)
    sizes = {**VISION, **options}
    if kind.startswith("Dinov2"):
        del sizes["intermediate_size"]
    if kind == "ViTMAEForPreTraining":  # more blocks in the decoder, which are none of the encoder's
        sizes |= {f"decoder_{k}": v for k, v in {**SIZES, "intermediate_size": 32, "num_hidden_layers": 3}.items()}
    return save(cls(cls.config_class(**sizes)), folder)


def save_clip(folder: Path, *, channels: int = 1) -> CLIPModel:
    """A CLIP of images of 8 px, with its image processor and a tokenizer of bytes, which as CLIP's own has no pad."""
    torch.manual_seed(0)
    tokenizer = byte_tokenizer()
    size, ends = tokenizer.get_vocab_size(), [tokenizer.token_to_id(mark) for mark in MARKS]
    text = {
        **SIZES, "intermediate_size": 32, "vocab_size": size, "max_position_embeddings": 77,
        "bos_token_id": ends[0], "eos_token_id": ends[1], "pad_token_id": ends[1],
    }  # fmt: skip
    vision = {**VISION, "num_channels": channels}
    model = save(CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=12)), folder)
    half, square = [0.5] * channels, {"height": 8, "width": 8}
    CLIPImageProcessor(size=square, crop_size=square, image_mean=half, image_std=half).save_pretrained(folder)
    tokenizer.save(str(folder / "tokenizer.json"))
    return model


def byte_tokenizer() -> Backend:
    """Each byte a token, between CLIP's marks."""
    vocabulary = {piece: i for i, piece in enumerate([*sorted(pre_tokenizers.ByteLevel.alphabet()), *MARKS])}
    backend = Backend(models.BPE(vocab=vocabulary, merges=[]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    backend.add_special_tokens(MARKS)
    ends = [(mark, vocabulary[mark]) for mark in MARKS]
    backend.post_processor = processors.TemplateProcessing(single=f"{MARKS[0]} $A {MARKS[1]}", special_tokens=ends)
    return backend
