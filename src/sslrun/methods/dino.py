"""DINO (Caron et al. 2021, arXiv:2104.14294): a student predicts a momentum teacher's output from other crops.

The student sees small crops too, the teacher only global ones. The teacher's outputs are centred, which keeps one
prototype from dominating, and sharpened, which keeps the outputs from becoming uniform.

Formula:
    loss = mean over global views g and other views v of  -sum_k p_g(k) log q_v(k)
    p_g = softmax((t(g) - c) / tau_t),  q_v = softmax(s(v) / tau_s),  c <- m c + (1 - m) mean t

    s, t: outputs of student and teacher for K prototypes; c: the centre (eq. 2 to 4).

When to choose it:
    ViTs whose frozen features should work in kNN, retrieval or segmentation. It needs long schedules and several small
    crops per image; temperatures and centring decide whether it collapses, so watch health/rankme.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from sslrun.backbones.base import Encoder
from sslrun.config.method.dino import DINOConfig
from sslrun.core.batch import ViewsBatch
from sslrun.core.schedules import cosine, linear
from sslrun.losses.swapped import swapped_prediction
from sslrun.methods.base import Method, StepOutput
from sslrun.nn.center import Center
from sslrun.nn.ema import ema_update, frozen_copy
from sslrun.nn.prototypes import PrototypeHead
from sslrun.nn.views import encode_views, global_views


class DINO(Method):
    """Algorithm 1 with multi-crop; crops of one size share a pass, as in the authors' code."""

    batch_type = ViewsBatch
    views = 2
    config: DINOConfig

    def __init__(self, config: DINOConfig, encoder: Encoder) -> None:
        super().__init__(config, encoder)
        self.head = self.new_head()
        self.teacher_encoder = frozen_copy(self.encoder)
        self.teacher_head = frozen_copy(self.head)
        self.center = Center(config.prototypes)
        self.teacher_temperature = config.teacher_temperature_start

    def new_head(self) -> PrototypeHead:
        """(B, D) -> (B, K)."""
        c = self.config
        return PrototypeHead(
            self.encoder.num_features,
            hidden_dim=c.hidden_dim,
            bottleneck_dim=c.bottleneck_dim,
            prototypes=c.prototypes,
            batch_norm=c.head_batch_norm,
        )

    def before_step(self, progress: float) -> None:
        """The teacher's temperature rises in the first part of the run, section 3.2."""
        c = self.config
        done = progress / c.teacher_temperature_warmup if c.teacher_temperature_warmup else 1.0
        self.teacher_temperature = linear(c.teacher_temperature_start, c.teacher_temperature, done)

    def forward(self, batch: Mapping[str, Any]) -> StepOutput:
        """Eq. 3: every view predicts every global view except itself."""
        views = batch["views"]  # V x (B, C, h, w), global ones first
        global_crops = global_views(views)  # G x (B, C, H, W)
        features = encode_views(self.encoder, views)  # V x (B, D)
        outputs = self.head(torch.cat(features)).chunk(len(views))  # V x (B, K)
        with torch.no_grad():
            seen = self.teacher_head(torch.cat(encode_views(self.teacher_encoder, global_crops)))  # (GB, K)
            targets = self.sharpen(seen, self.center).chunk(len(global_crops))  # G x (B, K)
            self.center.observe(seen)
        loss = swapped_prediction(outputs, targets, temperature=self.config.student_temperature)
        return StepOutput(loss, embedding=features[0].detach())

    def sharpen(self, outputs: Tensor, center: Center) -> Tensor:
        """softmax((outputs - center) / temperature): (N, K) -> (N, K) float32."""
        return ((outputs.float() - center.value) / self.teacher_temperature).softmax(dim=1)

    def after_backward(self, progress: float) -> None:
        """Prototypes are frozen at first, which stabilises the start (authors' code)."""
        if progress < self.config.frozen:
            self.head.prototypes.weight.grad = None

    def decay(self, progress: float) -> float:
        """Of the teacher's EMA, lambda of section 3.1: a cosine from decay_start to 1."""
        return cosine(self.config.decay_start, 1.0, progress)

    def after_step(self, progress: float) -> None:
        """Update teacher and centre."""
        decay = self.decay(progress)
        ema_update(self.teacher_encoder, self.encoder, decay=decay)
        ema_update(self.teacher_head, self.head, decay=decay)
        self.center.update(momentum=self.config.center_momentum)

    def encoders(self) -> dict[str, Encoder]:
        """The teacher, which outperforms the student throughout training (section 3.1)."""
        return {"encoder": self.teacher_encoder}

    def project(self, features: Tensor) -> Tensor:
        """(B, D) -> (B, P), the inputs of the prototypes."""
        return self.teacher_head.mlp(features)
