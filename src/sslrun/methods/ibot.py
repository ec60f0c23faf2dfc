"""iBOT (Zhou et al. 2022, arXiv:2111.07832): DINO plus self-distillation of masked patches.

For each masked patch the student predicts what the teacher gives for the visible patch. Options turn it into the
objective of DINOv2 (arXiv:2304.07193): Sinkhorn-Knopp centring, KoLeo, separate heads.

Formula:
    loss = DINO on pooled outputs + w mean over masked patches i of  -sum_k p_i(k) log q_i(k) [+ koleo]

    p_i: the teacher's target for patch i, visible to it; q_i: the student's output there, with a mask token (eq. 2, 3).

When to choose it:
    ViTs for dense tasks as well as for whole images, given enough data and time: it adds a loss on patches to DINO,
    about doubles the cost of the heads, and needs batches in which many patches are masked.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from sslrun.backbones.base import Encoder, Tokens
from sslrun.config.method.ibot import Centering, IBOTConfig
from sslrun.core import dist
from sslrun.core.seeds import seed_of_run
from sslrun.losses.koleo import koleo
from sslrun.losses.patch_distillation import patch_distillation
from sslrun.losses.sinkhorn import sinkhorn
from sslrun.losses.swapped import swapped_prediction
from sslrun.methods.base import StepOutput
from sslrun.methods.dino import DINO
from sslrun.nn.block_masking import BlockMasks
from sslrun.nn.center import Center
from sslrun.nn.ema import ema_update, frozen_copy
from sslrun.nn.views import encode_views, global_views


class IBOT(DINO):
    """Algorithm 1; the student sees the global views masked, the teacher unmasked."""

    needs_tokens = Tokens.patches
    config: IBOTConfig

    def __init__(self, config: IBOTConfig, encoder: Encoder) -> None:
        super().__init__(config, encoder)
        self.masks = BlockMasks(
            share=config.mask_share, ratios=(config.mask_ratios[0], config.mask_ratios[1]), seed=seed_of_run()
        )
        self.mask_token = nn.Parameter(torch.zeros(encoder.num_features))
        self.patch_head = None if config.shared_head else self.new_head()
        self.teacher_patch_head = None if self.patch_head is None else frozen_copy(self.patch_head)
        self.patch_center = Center(config.prototypes)

    def before_step(self, progress: float) -> None:
        """Set the teacher's temperature; begin new masks."""
        super().before_step(progress)
        self.masks.begin(progress)

    def forward(self, batch: Mapping[str, Any]) -> StepOutput:
        """Eq. 2 on pooled outputs, as in DINO, and eq. 3 on masked patches."""
        config, views = self.config, batch["views"]  # V x (B, C, h, w), global ones first
        global_crops = global_views(views)  # G x (B, C, H, W)
        x = torch.cat(global_crops)  # (GB, C, H, W)
        is_masked, counts = self.masks.draw(
            len(global_crops), len(global_crops[0]), self.encoder.grid
        )  # (GB, N), one count per rank
        at = is_masked.flatten().nonzero()[:, 0].to(x.device, non_blocking=True)  # (M,)
        weights = (is_masked / is_masked.sum(dim=1, keepdim=True).clamp(min=1) / len(x))[is_masked].to(x.device)  # (M,)

        pooled, tokens = self.encoder.pooled_and_tokens(
            x, is_masked=is_masked.to(x.device), mask_token=self.mask_token
        )  # (GB, D), (GB, N, D)
        features = torch.cat([pooled, *encode_views(self.encoder, views[len(global_crops) :])])  # (VB, D)
        outputs = self.head(features).chunk(len(views))  # V x (B, K)
        patches = (self.patch_head or self.head)(tokens.flatten(0, 1)[at])  # (M, K)
        with torch.no_grad():
            pooled_seen, seen = self.teacher_encoder.pooled_and_tokens(x)  # (GB, D), (GB, N, D)
            targets = self.targets(self.teacher_head(pooled_seen)).chunk(len(global_crops))  # G x (B, K)
            patch_targets = self.patch_targets(seen, at, counts)  # (M, K)

        tau = config.student_temperature
        logs = {
            "view_loss": swapped_prediction(outputs, targets, temperature=tau),
            "patch_loss": patch_distillation(patches, patch_targets, weights=weights, temperature=tau),
        }
        loss = logs["view_loss"] + config.patch_weight * logs["patch_loss"]
        if config.koleo_weight:
            logs["koleo"] = self.spread(pooled.chunk(len(global_crops)))
            loss = loss + config.koleo_weight * logs["koleo"]
        return StepOutput(
            loss, embedding=pooled_seen[: len(global_crops[0])], logs={k: v.detach() for k, v in logs.items()}
        )

    def targets(self, outputs: Tensor) -> Tensor:
        """Teacher outputs (N, K), equally many on each rank, -> (N, K) with rows that sum to 1."""
        if self.config.centering is Centering.softmax:
            self.center.observe(outputs)
            return self.sharpen(outputs, self.center)
        return dist.local_rows(self.balance(dist.gather(outputs)), len(outputs))

    def patch_targets(self, seen: Tensor, at: Tensor, counts: list[int]) -> Tensor:
        """Teacher tokens (GB, N, D) -> (M, K) for the patches at `at`; `counts` holds M of every rank."""
        head = self.teacher_patch_head or self.teacher_head
        if self.config.centering is Centering.softmax:
            z = head.mlp(seen.flatten(0, 1))  # (GB*N, P)
            self.patch_center.observe(head.prototypes.mean(z))  # over all patches, as in the authors' code
            return self.sharpen(head.prototypes(z[at]), self.patch_center)
        outputs = head(seen.flatten(0, 1)[at])  # (M, K)
        padded = nn.functional.pad(outputs, (0, 0, 0, max(counts) - len(outputs)))  # equally many rows on each rank
        parts = [part[:m] for part, m in zip(dist.gather(padded).chunk(len(counts)), counts, strict=True)]
        start = sum(counts[: dist.rank()])
        return self.balance(torch.cat(parts))[start : start + len(outputs)]

    def balance(self, outputs: Tensor) -> Tensor:
        """Sinkhorn-Knopp on outputs of all ranks: (N, K) -> (N, K)."""
        return sinkhorn(outputs, epsilon=self.teacher_temperature, iterations=self.config.sinkhorn_iterations)

    def spread(self, pooled: tuple[Tensor, ...]) -> Tensor:
        """Sum of KoLeo over global views, each by itself, so that views of one image do not repel each other."""
        offset = dist.rank() * len(pooled[0])
        return torch.stack([koleo(y, all_x=dist.gather(y), offset=offset) for y in pooled]).sum()

    def after_backward(self, progress: float) -> None:
        """Prototypes of both heads are frozen at first."""
        super().after_backward(progress)
        if self.patch_head is not None and progress < self.config.frozen:
            self.patch_head.prototypes.weight.grad = None

    def after_step(self, progress: float) -> None:
        """Update teacher and centres."""
        super().after_step(progress)
        if self.patch_head is not None:
            assert self.teacher_patch_head is not None
            ema_update(self.teacher_patch_head, self.patch_head, decay=self.decay(progress))
        self.patch_center.update(momentum=self.config.center_momentum)
