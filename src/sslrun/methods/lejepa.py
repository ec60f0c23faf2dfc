"""LeJEPA (Balestriero and LeCun 2025, arXiv:2511.08544): every view predicts the mean of the global ones.

What keeps embeddings from collapsing is a test: along random directions they must look standard normal.

Formula:
    loss = (1 - lambda) mean over views |z_v - mean of global z|^2 + lambda mean over a of EP({z . a})

    a: random directions; EP: the Epps-Pulley distance of a sample from a standard normal (section 5.1,
    algorithms 1 and 2).

When to choose it:
    One number to set (lambda), no slow copy, no predictor, no schedule of temperatures, and a loss that shows how good
    the features are. It is young: fewer published comparisons support it than the others.
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
from sslrun.nn.views import encode_views, large_views


class LeJEPA(Method):
    """Algorithm 2; the test is over the batch of all ranks.

    Ranks share their characteristic functions, 2 x directions x knots numbers a view, whatever the batch.
    """

    batch_type = ViewsBatch
    views = 2
    config: LeJEPAConfig

    def __init__(self, config: LeJEPAConfig, encoder: Encoder) -> None:
        super().__init__(config, encoder)
        self.projector = mlp(encoder.num_features, config.hidden_dim, config.hidden_dim, config.out_dim)
        self.run_seed, self.seed = seed_of_run(), 0

    def before_step(self, progress: float) -> None:
        """New directions each step, the same on all ranks: the seed is a pure function of the run's and of progress."""
        state = step_seed(progress, self.run_seed).generate_state(1)  # torch's generators on the CPU take 32 bits
        self.seed = int(state[0])

    def forward(self, batch: Mapping[str, Any]) -> StepOutput:
        """Section 5.1 by algorithms 1 and 2."""
        views = batch["views"]
        encoded = encode_views(self.encoder, views)  # V x (B, D)
        z = self.projector(torch.cat(encoded)).float().unflatten(0, (len(views), -1))  # (V, B, P)
        centre = z[: len(large_views(views))].mean(dim=0)  # (B, P)
        prediction = (z - centre).square().mean()
        gaussianity = self.sigreg(z)
        weight = self.config.sigreg_weight
        loss = (1 - weight) * prediction + weight * gaussianity
        logs = {"prediction": prediction.detach(), "sigreg": gaussianity.detach()}
        return StepOutput(loss, embedding=encoded[0].detach(), logs=logs)

    def sigreg(self, z: Tensor) -> Tensor:
        """Mean statistic of the views, (V, B, P) -> ()."""
        config, device = self.config, z.device
        directions = random_directions(config.directions, config.out_dim, seed=self.seed, device=device)  # (M, P)
        t = knots(config.knots, domain=config.domain, device=device)  # (T,)
        functions = torch.stack([characteristic_function(v, directions=directions, t=t) for v in z])  # (V, 2, M, T)
        functions = dist.gather(functions[None]).mean(dim=0)
        count = z.shape[1] * dist.world_size()
        return torch.stack([epps_pulley(f, t=t, count=count) for f in functions]).mean()
