"""The Kozachenko-Leonenko regulariser: rows spread evenly over the sphere."""

import torch
import torch.nn.functional as F
from torch import Tensor

EPSILON = 1e-8


def koleo(x: Tensor, *, all_x: Tensor | None = None, offset: int = 0) -> Tensor:
    """-log of the distance to the nearest other row, mean over rows.

    Sablayrolles et al. 2019, arXiv:1806.03198, eq. 1; on L2-normalised rows, as DINOv2 has it (arXiv:2304.07193,
    section 4).

    Args:
        x: (B, D), any scale.
        all_x: (N, D) rows of all ranks, at least 2; None means this rank is alone.
        offset: row of `all_x` at which this rank's begin.

    Returns:
        () float32, at least -log 2.
    """
    with torch.autocast(x.device.type, enabled=False):
        x = F.normalize(x.float(), dim=1)  # (B, D)
        others = x if all_x is None else F.normalize(all_x.float(), dim=1)  # (N, D)
        assert len(others) >= 2
        with torch.no_grad():
            own = torch.arange(len(x), device=x.device)  # (B,)
            similarity = x @ others.T  # (B, N)
            similarity[own, own + offset] = -2.0
            nearest = similarity.argmax(dim=1)  # (B,)
        distance = torch.linalg.vector_norm(x - others[nearest], dim=1)  # (B,)
        return -(distance + EPSILON).log().mean()
