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
    is_valid: Tensor | None = None,
    all_z1: Tensor | None = None,
    all_z2: Tensor | None = None,
    all_is_valid: Tensor | None = None,
    offset: int = 0,
) -> Tensor:
    """Instance-wise (eq. 2) and temporal (eq. 1) contrast of two contexts, at every scale of time, averaged.

    From scale to scale both are max-pooled by 2, until one timestamp is left, which has only the instance-wise one
    (algorithm 1). A timestamp's loss is averaged over a row's timestamps, then over rows.

    Args:
        z1, z2: (B, T, D) of the same timestamps in two contexts.
        alpha: weight of the instance-wise loss; the temporal one has 1 - alpha.
        is_valid: (B, T) bool, False on padding, which is no anchor, positive or negative; None takes all.
        all_z1, all_z2, all_is_valid: the same gathered from all ranks; the negatives come from them.
        offset: of this rank's rows among them.

    Returns:
        () float32.
    """
    with torch.autocast(z1.device.type, enabled=False):
        z = (z1.float(), z2.float())
        all_z = z if all_z1 is None or all_z2 is None else (all_z1.float(), all_z2.float())
        if is_valid is None:
            is_valid = torch.ones(z1.shape[:2], dtype=torch.bool, device=z1.device)
        if all_is_valid is None:
            all_is_valid = is_valid
        losses = []
        while True:
            loss = alpha * instance_contrast(z, all_z, is_valid, all_is_valid, offset=offset)
            if z[0].shape[1] > 1:
                loss = loss + (1 - alpha) * temporal_contrast(z, is_valid)
            losses.append(loss)
            if z[0].shape[1] == 1:
                return torch.stack(losses).mean()
            is_one_rank = all_z[0] is z[0]
            z, pooled = (_pool(z[0], is_valid), _pool(z[1], is_valid)), _pool_mask(is_valid)
            all_z = z if is_one_rank else (_pool(all_z[0], all_is_valid), _pool(all_z[1], all_is_valid))
            all_is_valid = pooled if is_one_rank else _pool_mask(all_is_valid)
            is_valid = pooled


def instance_contrast(z: Both, all_z: Both, is_valid: Tensor, all_is_valid: Tensor, *, offset: int = 0) -> Tensor:
    """Eq. 2: at each timestamp, a row's two contexts against all other rows in the batch; 0 if there are none."""
    rows, all_rows = len(z[0]), len(all_z[0])
    if all_rows == 1:
        return z[0].sum() * 0
    anchors = torch.cat(z).transpose(0, 1)  # (T, 2B, D)
    others = torch.cat(all_z).transpose(0, 1)  # (T, 2A, D)
    logits = anchors @ others.transpose(1, 2)  # (T, 2B, 2A)
    own = torch.arange(rows, device=logits.device) + offset
    itself = torch.cat([own, own + all_rows])  # (2B,)
    positive = torch.cat([own + all_rows, own])
    is_excluded = F.one_hot(itself, 2 * all_rows).bool() | ~all_is_valid.T.repeat(1, 2)[:, None]  # (T, 2B, 2A)
    return _mean(_cross_entropy(logits, positive, is_excluded), is_valid.repeat(2, 1).T).mean()


def temporal_contrast(z: Both, is_valid: Tensor) -> Tensor:
    """Eq. 1: in each row, a timestamp's two contexts against all other timestamps of the row."""
    length = z[0].shape[1]
    both = torch.cat(z, dim=1)  # (B, 2T, D)
    logits = both @ both.transpose(1, 2)  # (B, 2T, 2T)
    places = torch.arange(2 * length, device=logits.device)
    is_self = torch.eye(2 * length, dtype=torch.bool, device=logits.device)
    is_excluded = is_self | ~is_valid.repeat(1, 2)[:, None]
    losses = _cross_entropy(logits, (places + length) % (2 * length), is_excluded)  # (B, 2T)
    return _mean(losses.T, is_valid.repeat(1, 2).T).mean()


def _cross_entropy(logits: Tensor, positive: Tensor, is_excluded: Tensor) -> Tensor:
    """(G, A) losses of (G, A, K) logits with a positive (A,) each; padding's own are not used."""
    logits = logits.masked_fill(is_excluded, torch.finfo(logits.dtype).min)
    targets = positive.expand(logits.shape[:2])
    return F.cross_entropy(logits.transpose(1, 2), targets, reduction="none")


def _mean(losses: Tensor, is_valid: Tensor) -> Tensor:
    """(A,) of (T, A): the mean over what is valid; 0 if nothing is."""
    return torch.where(is_valid, losses, 0.0).sum(dim=0) / is_valid.sum(dim=0).clamp(min=1)


def _pool(z: Tensor, is_valid: Tensor) -> Tensor:
    """(B, T, D) -> (B, T // 2, D); padding never wins, and is zero if there is nothing else."""
    low = torch.finfo(z.dtype).min
    pooled = F.max_pool1d(z.masked_fill(~is_valid[..., None], low).transpose(1, 2), kernel_size=2).transpose(1, 2)
    return pooled.masked_fill(~_pool_mask(is_valid)[..., None], 0.0)


def _pool_mask(is_valid: Tensor) -> Tensor:
    return F.max_pool1d(is_valid[:, None].float(), kernel_size=2)[:, 0].bool()
