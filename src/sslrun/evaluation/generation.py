"""Text, token by token, from a causal encoder whose output is tied to its embedding."""

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
    tokens: int,
    temperature: float,
    top_k: int | None,
    end: int | None,
    never: list[int],
    max_length: int,
    seed: int,
) -> list[list[int]]:
    """Ids of `count` continuations, without the prompt.

    Args:
        prompt: at least one id.
        tokens: the most new tokens of each.
        temperature: 0 takes the likeliest token every time.
        top_k: draw among this many likeliest tokens; None among all.
        end: id that ends a text; None: no id does.
        never: ids that are not drawn, such as special tokens.
        max_length: tokens that the encoder sees, the last ones of a longer text.
        seed: of the draws, which are made on the CPU whatever the device is.
    """
    generator = torch.Generator().manual_seed(seed)
    device = encoder.token_embedding().device
    ids = torch.tensor([prompt] * count, dtype=torch.int64)  # (B, L)
    for _ in range(tokens):
        hidden = encoder.tokens(ids[:, -max_length:].to(device))[:, -1]  # (B, D)
        logits = F.linear(hidden, encoder.token_embedding()).float().cpu()  # (B, V)
        logits[:, never] = -torch.inf
        ids = torch.cat([ids, _draw(logits, temperature, top_k, generator)[:, None]], dim=1)
        if end is not None and (ids[:, len(prompt) :] == end).any(dim=1).all():
            break
    new = [row[len(prompt) :] for row in ids.tolist()]
    return [row[: row.index(end)] if end is not None and end in row else row for row in new]


def _draw(logits: Tensor, temperature: float, top_k: int | None, generator: torch.Generator) -> Tensor:
    """(B,) ids of (B, V) logits."""
    if temperature == 0:
        return logits.argmax(dim=1)
    if top_k is not None and top_k < logits.shape[1]:
        least = logits.topk(top_k, dim=1).values[:, -1:]
        logits = logits.masked_fill(logits < least, -torch.inf)
    return torch.multinomial((logits / temperature).softmax(dim=1), 1, generator=generator)[:, 0]
