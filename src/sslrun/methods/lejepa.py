"""LeJEPA (Balestriero and LeCun 2025, arXiv:2511.08544): from every view, predict the mean of the global ones.

A statistical test, SIGReg, prevents collapse: along random directions the embeddings must be standard normal.

Formula:
    loss = (1 - lambda) mean over views v of |z_v - mean of global z|^2 / P + lambda mean over v and a of EP({z_v . a})

    P: dimensions of z; a: random directions; EP: the Epps-Pulley statistic of a sample against the standard normal
    (section 5.1, algorithms 1 and 2).

When to choose it:
    A single hyperparameter (lambda), no momentum encoder, no predictor, no temperature schedule, and a loss that tracks
    the quality of the features. It is new: fewer published comparisons support it than the others.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from sslrun.backbones.base import Encoder
from sslrun.config.method.lejepa import LeJEPAConfig
from sslrun.core import dist
from sslrun.core.batch import ViewsBatch
from sslrun.core.seeds import seed_of_run, step_seed
from sslrun.losses.sigreg import characteristic_function, epps_pulley, knots, random_directions
from sslrun.methods.base import Method, StepOutput
from sslrun.nn.heads import mlp
from sslrun.nn.views import encode_views, global_views


class LeJEPA(Method):
    """Algorithm 2; the statistic is over the batch of all ranks.

    Ranks exchange empirical characteristic functions: 2 x directions x knots numbers per view, whatever the batch size.
    """

    batch_type = ViewsBatch
    views = 2
    config: LeJEPAConfig

    def __init__(self, config: LeJEPAConfig, encoder: Encoder) -> None:
        super().__init__(config, encoder)
        self.projector = mlp(encoder.num_features, config.hidden_dim, config.hidden_dim, config.out_dim)
        self.run_seed, self.seed = seed_of_run(), 0

    def before_step(self, progress: float) -> None:
        """Seed the directions of this step, a pure function of the run's seed and progress, equal on all ranks."""
        state = step_seed(progress, self.run_seed).generate_state(1)  # torch's generators on the CPU take 32 bits
        self.seed = int(state[0])

    def forward(self, batch: Mapping[str, Any]) -> StepOutput:
        """Section 5.1, algorithms 1 and 2."""
        views = batch["views"]
        encoded = encode_views(self.encoder, views)  # V x (B, D)
        z = self.projector(torch.cat(encoded)).float().unflatten(0, (len(views), -1))  # (V, B, P)
        centre = z[: len(global_views(views))].mean(dim=0)  # (B, P)
        prediction = (z - centre).square().mean()
        gaussianity = self.sigreg(z)
        weight = self.config.sigreg_weight
        loss = (1 - weight) * prediction + weight * gaussianity
        logs = {"prediction": prediction.detach(), "sigreg": gaussianity.detach()}
        return StepOutput(loss, embedding=encoded[0].detach(), logs=logs)

    def sigreg(self, z: Tensor) -> Tensor:
        """(V, B, P) -> (), the statistic averaged over views."""
        config, device = self.config, z.device
        directions = random_directions(config.directions, config.out_dim, seed=self.seed, device=device)  # (M, P)
        t = knots(config.knots, domain=config.domain, device=device)  # (T,)
        functions = torch.stack([characteristic_function(v, directions=directions, t=t) for v in z])  # (V, 2, M, T)
        functions = dist.gather(functions[None]).mean(dim=0)
        count = z.shape[1] * dist.world_size()
        return torch.stack([epps_pulley(f, t=t, count=count) for f in functions]).mean()
