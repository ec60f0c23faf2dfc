"""SimSiam (Chen and He 2021, arXiv:2011.10566): predict the other view's projection; no negatives, no momentum encoder.

The stop-gradient on the target prevents collapse.

Formula:
    loss = 1 - 1/2 (cos(p_1, stop(z_2)) + cos(p_2, stop(z_1)))

    z: projections; p: predictions; stop: stop-gradient (eq. 4, which omits the constant 1).

When to choose it:
    The simplest to run: no negatives, no momentum encoder, small batches. It is also the least forgiving: without
    BatchNorm in its heads it hardly learns (section 4.4), and without stop-gradient or predictor it collapses (4.1,
    4.2); watch health/std.
"""

from collections.abc import Mapping
from typing import Any

from sslrun.backbones.base import Encoder
from sslrun.config.method.simsiam import SimSiamConfig
from sslrun.core.batch import ViewsBatch
from sslrun.losses.regression import normalized_mse
from sslrun.methods.base import Method, StepOutput
from sslrun.nn.heads import mlp
from sslrun.nn.views import encode_views


class SimSiam(Method):
    """Algorithm 1; each view has its own BatchNorm statistics in the heads."""

    batch_type = ViewsBatch
    views = max_views = 2
    config: SimSiamConfig

    def __init__(self, config: SimSiamConfig, encoder: Encoder) -> None:
        super().__init__(config, encoder)
        hidden, out = config.hidden_dim, config.out_dim
        self.projector = mlp(encoder.num_features, hidden, hidden, out, last_batch_norm=True)  # f's end, section 3
        self.predictor = mlp(out, config.predictor_hidden_dim, out)  # h, section 3

    def forward(self, batch: Mapping[str, Any]) -> StepOutput:
        """D(p1, stopgrad(z2)) / 2 + D(p2, stopgrad(z1)) / 2; normalised MSE is 2 + 2 D, so 1 more than eq. 4."""
        y1, y2 = encode_views(self.encoder, batch["views"][:2], joint=self.config.joint_views)  # 2 x (B, D)
        z1, z2 = self.projector(y1), self.projector(y2)  # 2 x (B, P)
        p1, p2 = self.predictor(z1), self.predictor(z2)  # 2 x (B, P)
        loss = (normalized_mse(p1, z2) + normalized_mse(p2, z1)) / 4
        return StepOutput(loss, embedding=y1.detach())

    def param_groups(self) -> list[dict[str, Any]]:
        """The predictor's learning rate is constant; weight decay applies to all parameters (appendix A)."""
        return [
            {"params": [*self.encoder.parameters(), *self.projector.parameters()], "decay_all": True},
            {"params": list(self.predictor.parameters()), "decay_all": True, "constant_lr": True},
        ]
