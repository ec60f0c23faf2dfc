"""Autoregressive text generation with a causal encoder whose output layer is tied to its embedding."""

import torch
import torch.nn.functional as F
from torch import Tensor

from sslrun.backbones.base import Encoder


@torch.inference_mode()
def generate(
    encoder: Encoder,
    prompt: list[int],
    *,
    count: int,
    max_new_tokens: int,
    temperature: float,
    top_k: int | None,
    end: int | None,
    banned: list[int],
    max_length: int,
    seed: int,
) -> list[list[int]]:
    """Token ids of `count` continuations, without the prompt.

    Args:
        prompt: at least one id.
        temperature: 0 decodes greedily.
        top_k: sample from this many most likely tokens; None samples from all.
        end: id of the end-of-text token; None never stops early.
        banned: ids that are never sampled, such as special tokens.
        max_length: context length; of a longer text the encoder sees the last tokens.
        seed: of the sampling, which runs on the CPU so that the device does not matter.
    """
    generator = torch.Generator().manual_seed(seed)
    device = encoder.token_embedding().device
    ids = torch.tensor([prompt] * count, dtype=torch.int64)  # (B, L)
    for _ in range(max_new_tokens):
        hidden = encoder.tokens(ids[:, -max_length:].to(device))[:, -1]  # (B, D)
        logits = F.linear(hidden, encoder.token_embedding()).float().cpu()  # (B, V)
        logits[:, banned] = -torch.inf
        ids = torch.cat([ids, _sample(logits, temperature, top_k, generator)[:, None]], dim=1)
        if end is not None and (ids[:, len(prompt) :] == end).any(dim=1).all():
            break
    new = [row[len(prompt) :] for row in ids.tolist()]
    return [row[: row.index(end)] if end is not None and end in row else row for row in new]


def _sample(logits: Tensor, temperature: float, top_k: int | None, generator: torch.Generator) -> Tensor:
    """(B, V) logits -> (B,) token ids."""
    if temperature == 0:
        return logits.argmax(dim=1)
    if top_k is not None and top_k < logits.shape[1]:
        threshold = logits.topk(top_k, dim=1).values[:, -1:]
        logits = logits.masked_fill(logits < threshold, -torch.inf)
    return torch.multinomial((logits / temperature).softmax(dim=1), 1, generator=generator)[:, 0]
