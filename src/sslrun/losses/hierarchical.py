"""The hierarchical contrastive loss of TS2Vec: section 3.2 of arXiv:2106.10466 (Yue et al. 2022)."""

import torch
import torch.nn.functional as F
from torch import Tensor

Both = tuple[Tensor, Tensor]


def hierarchical_contrast(
    z1: Tensor,
    z2: Tensor,
    *,
    alpha: float = 0.5,
    inside: Tensor | None = None,
    all_z1: Tensor | None = None,
    all_z2: Tensor | None = None,
    all_inside: Tensor | None = None,
    offset: int = 0,
) -> Tensor:
    """Instance-wise (eq. 2) and temporal (eq. 1) contrast of two contexts, at every scale of time, averaged.

    From scale to scale both are max-pooled by 2, until one timestamp is left; there, of instances alone (algorithm 1).
    A timestamp's loss is averaged over a row's timestamps, then over rows.

    Args:
        z1, z2: (B, T, D) of the same timestamps in two contexts.
        alpha: weight of the instance-wise loss; the temporal one has 1 - alpha.
        inside: (B, T) bool, False on padding, which is no anchor, positive or negative; None takes all.
        all_z1, all_z2, all_inside: the same gathered from all ranks, among which the negatives are.
        offset: of this rank's rows among them.

    Returns:
        () float32.
    """
    with torch.autocast(z1.device.type, enabled=False):
        z = (z1.float(), z2.float())
        every = z if all_z1 is None or all_z2 is None else (all_z1.float(), all_z2.float())
        here = torch.ones(z1.shape[:2], dtype=torch.bool, device=z1.device) if inside is None else inside
        there = here if all_inside is None else all_inside
        losses = []
        while True:
            loss = alpha * instance_contrast(z, every, here, there, offset=offset)
            if z[0].shape[1] > 1:
                loss = loss + (1 - alpha) * temporal_contrast(z, here)
            losses.append(loss)
            if z[0].shape[1] == 1:
                return torch.stack(losses).mean()
            same = every[0] is z[0]
            z, pooled = (_pool(z[0], here), _pool(z[1], here)), _pool_mask(here)
            every = z if same else (_pool(every[0], there), _pool(every[1], there))
            there = pooled if same else _pool_mask(there)
            here = pooled


def instance_contrast(z: Both, every: Both, here: Tensor, there: Tensor, *, offset: int = 0) -> Tensor:
    """Eq. 2: at each timestamp, a row's two contexts against all other rows in the batch; 0 where there is none."""
    rows, all_rows = len(z[0]), len(every[0])
    if all_rows == 1:
        return z[0].sum() * 0
    anchors = torch.cat(z).transpose(0, 1)  # (T, 2B, D)
    others = torch.cat(every).transpose(0, 1)  # (T, 2A, D)
    logits = anchors @ others.transpose(1, 2)  # (T, 2B, 2A)
    own = torch.arange(rows, device=logits.device) + offset
    itself = torch.cat([own, own + all_rows])  # (2B,)
    positive = torch.cat([own + all_rows, own])
    is_out = F.one_hot(itself, 2 * all_rows).bool() | ~there.T.repeat(1, 2)[:, None]  # (T, 2B, 2A)
    return _mean(_cross_entropy(logits, positive, is_out), here.repeat(2, 1).T).mean()


def temporal_contrast(z: Both, here: Tensor) -> Tensor:
    """Eq. 1: in each row, a timestamp's two contexts against all other timestamps of the row."""
    length = z[0].shape[1]
    together = torch.cat(z, dim=1)  # (B, 2T, D)
    logits = together @ together.transpose(1, 2)  # (B, 2T, 2T)
    places = torch.arange(2 * length, device=logits.device)
    is_out = torch.eye(2 * length, dtype=torch.bool, device=logits.device) | ~here.repeat(1, 2)[:, None]
    losses = _cross_entropy(logits, (places + length) % (2 * length), is_out)  # (B, 2T)
    return _mean(losses.T, here.repeat(1, 2).T).mean()


def _cross_entropy(logits: Tensor, positive: Tensor, is_out: Tensor) -> Tensor:
    """(G, A) losses of (G, A, K) logits with a positive (A,) each; padding's own are not used."""
    logits = logits.masked_fill(is_out, torch.finfo(logits.dtype).min)
    targets = positive.expand(logits.shape[:2])
    return F.cross_entropy(logits.transpose(1, 2), targets, reduction="none")


def _mean(losses: Tensor, counted: Tensor) -> Tensor:
    """(A,) of (T, A): the mean over what counts; 0 where nothing does."""
    return torch.where(counted, losses, 0.0).sum(dim=0) / counted.sum(dim=0).clamp(min=1)


def _pool(z: Tensor, inside: Tensor) -> Tensor:
    """(B, T, D) -> (B, T // 2, D); padding never wins, and is zero where it is alone."""
    low = torch.finfo(z.dtype).min
    pooled = F.max_pool1d(z.masked_fill(~inside[..., None], low).transpose(1, 2), kernel_size=2).transpose(1, 2)
    return pooled.masked_fill(~_pool_mask(inside)[..., None], 0.0)


def _pool_mask(inside: Tensor) -> Tensor:
    return F.max_pool1d(inside[:, None].float(), kernel_size=2)[:, 0].bool()
