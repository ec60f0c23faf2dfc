"""The product quantiser against that of transformers, with the same weights."""

import torch
from transformers import Wav2Vec2Config
from transformers.models.wav2vec2.modeling_wav2vec2 import Wav2Vec2GumbelVectorQuantizer

from sslrun.losses.distractors import diversity_loss
from sslrun.nn.quantizer import GumbelQuantizer

DIM, BOOKS, CODES, ROWS = 12, 2, 5, 40


def pair() -> tuple[GumbelQuantizer, Wav2Vec2GumbelVectorQuantizer]:
    torch.manual_seed(0)
    theirs = Wav2Vec2GumbelVectorQuantizer(
        Wav2Vec2Config(
            conv_dim=[DIM], conv_kernel=[1], conv_stride=[1], num_codevectors_per_group=CODES,
            num_codevector_groups=BOOKS, codevector_dim=8,
        )
    )  # fmt: skip
    torch.nn.init.normal_(theirs.codevectors)
    ours = GumbelQuantizer(DIM, codebooks=BOOKS, codes=CODES, code_dim=8)
    ours.load_state_dict(theirs.state_dict())
    return ours, theirs


def test_likeliest_codes_are_theirs() -> None:
    ours, theirs = pair()
    x = torch.randn(ROWS, DIM)
    expected, _ = theirs.eval()(x[None])
    assert torch.allclose(ours(ours.logits(x), noise=None, temperature=1.0), expected[0], atol=1e-6)


def test_drawn_codes_their_gradients_and_the_diversity_are_theirs() -> None:
    ours, theirs = pair()
    x, weight = torch.randn(ROWS, DIM), torch.randn(ROWS, 8)
    theirs.train().temperature = 0.7
    torch.manual_seed(1)
    expected, perplexity = theirs(x[None])
    (expected[0] * weight).sum().backward()
    torch.manual_seed(1)
    gumbels = -torch.empty(ROWS * BOOKS, CODES).exponential_().log()  # as torch's gumbel_softmax draws them
    uniform = torch.exp(-torch.exp(-gumbels.double())).view(ROWS, BOOKS, CODES).float()
    logits = ours.logits(x)
    codes = ours(logits, noise=uniform, temperature=0.7)
    (codes * weight).sum().backward()
    assert torch.allclose(codes, expected[0], atol=1e-6)
    for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(mine.grad, other.grad, rtol=1e-3, atol=1e-4)
    share = diversity_loss(logits.softmax(dim=2).mean(dim=0))
    assert torch.allclose(share, 1 - perplexity / (BOOKS * CODES), atol=1e-6)
