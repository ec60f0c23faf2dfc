"""The LightningModule of all methods, including fine-tuning, which is a method with a classifier."""

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from sslrun.config.errors import RunError, TrainingError
from sslrun.methods.base import Method, StepOutput
from sslrun.runs.length import phase_at
from sslrun.training.optimizers import (
    are_finite,
    build_optimizer,
    gradient_norm,
    lr_factor,
    move_step_counts,
    parameter_groups,
    set_lr,
    set_weight_decay,
)
from sslrun.training.plan import Plan
from sslrun.training.sharded import shard
from sslrun.training.states import first_misfit, method_state


@dataclass
class Unregistered:
    """Methods outside the module's state_dict: within a dataclass they are not registered as submodules.

    Attributes:
        copy: with unsharded parameters, if the method's are sharded.
    """

    copy: Method | None = None
    trained: Method | None = None


class Training(pl.LightningModule):
    """A method under Lightning: learning rate schedule, hooks once per optimizer step, a stop at NaN.

    Attributes:
        method: the trained method; the only part of the state_dict.
        latest: output of the last micro-batch, None before the first.
    """

    latest: StepOutput | None = None

    def __init__(self, method: Method, prepare: nn.Module, plan: Plan) -> None:
        super().__init__()
        self.method = method
        self.prepare = prepare
        self.plan = plan

        self._unregistered = Unregistered()

    def configure_model(self) -> None:
        """Shard the parameters under FSDP; otherwise do nothing."""
        if self.device_mesh is not None and self._unregistered.copy is None:
            self._unregistered.copy = copy.deepcopy(self.method)
            shard(self.method, self.device_mesh["data_parallel"])

    def unsharded(self) -> Method | None:
        """The method with unsharded parameters, for evaluation; all ranks must call it.

        Returns:
            The method itself; if parameters are sharded, a copy on rank 0 and None elsewhere.
        """
        if self._unregistered.copy is None:
            return self.method
        state = self.trainer.strategy.lightning_module_state_dict()
        if not self.trainer.is_global_zero:
            return None
        self._unregistered.copy.load_state_dict(method_state(state))
        return self._unregistered.copy.to(self.device)

    def on_fit_end(self) -> None:
        """Gather the trained method here, where all ranks arrive even if the run resumed after its last step."""
        self._unregistered.trained = self.unsharded()

    @property
    def trained(self) -> Method | None:
        """After training, the method with unsharded parameters; under FSDP None on ranks above 0."""
        return self._unregistered.trained

    @property
    def progress(self) -> float:
        """Progress of the schedules in [0, 1]; that of the run, unless it was extended."""
        return phase_at(self.plan.phases, self.global_step).progress(self.global_step)

    def on_after_batch_transfer(self, batch: dict[str, Any], dataloader_idx: int) -> dict[str, Any]:
        """Convert uint8 to normalised float on the device."""
        return self.prepare(batch)

    def training_step(self, batch: dict[str, Any], batch_idx: int) -> Tensor:
        """One micro-batch."""
        self.method.before_step(self.progress)
        output: StepOutput = self.method(batch)
        self.latest = output
        return output.loss

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        """Run `after_backward`; Lightning clips gradients after this hook."""
        self.method.after_backward(self.progress)
        if self.global_step % self.plan.log_steps == 0:  # not every step, because it synchronises with the GPU
            self.check_finite()

    def optimizer_step(
        self,
        epoch: int,
        batch_idx: int,
        optimizer: Any,
        optimizer_closure: Callable[[], Any] | None = None,
    ) -> None:
        """Step and run `after_step`; with accumulation, on_train_batch_end would run it once per micro-batch."""
        set_lr(optimizer, self.lr_factor())
        set_weight_decay(optimizer, self.plan.optimizer, progress=self.progress)
        super().optimizer_step(epoch, batch_idx, optimizer, optimizer_closure)
        self.method.after_step(self.progress)

    def lr_factor(self) -> float:
        """Learning rate at this step relative to its peak."""
        phase = phase_at(self.plan.phases, self.global_step)
        return lr_factor(
            self.plan.schedule,
            step=self.global_step - phase.start,
            total_steps=phase.steps,
            warmup_steps=self.plan.warmup_of(phase),
        )

    def configure_optimizers(self) -> Optimizer:
        """Weight decay on weights only; the method's own groups; learning rate scaled to the global batch."""
        groups = parameter_groups(
            self.method.named_parameters(),
            weight_decay=self.plan.optimizer.weight_decay,
            decay_all=self.plan.optimizer.decay_all,
            special=self.method.param_groups(),
        )
        optimizer = build_optimizer(self.plan.optimizer, groups, lr=self.plan.lr, fused=self.plan.fused)
        self._options = [{k: v for k, v in group.items() if k != "params"} for group in optimizer.param_groups]
        return optimizer

    def on_train_start(self) -> None:
        """Reapply the configured optimizer options, which loading a checkpoint has overwritten."""
        optimizer = self.trainer.optimizers[0]
        for group, options in zip(optimizer.param_groups, self._options, strict=True):
            group.update(options)
        move_step_counts(optimizer)

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False) -> Any:
        """Load; RunError if the checkpoint has another architecture."""
        try:
            return super().load_state_dict(state_dict, strict=strict, assign=assign)
        except RuntimeError as error:
            raise RunError(
                f"the checkpoint does not fit this configuration: {first_misfit(error)} an architecture "
                "cannot change within a run or its fork; choose another run.dir for a new run"
            ) from error

    def check_finite(self) -> None:
        """Raise TrainingError with step, learning rate and gradient norm if the last loss is NaN or infinite."""
        if self.latest is not None and not torch.isfinite(self.latest.loss.detach()).all():
            raise self._diverged(f"the loss is {self.latest.loss.item()}")

    def check_weights(self) -> None:
        """As `check_finite`, also for weights: a finite loss can have a non-finite gradient."""
        self.check_finite()
        if self.latest is not None and not are_finite(self.method.parameters()):
            raise self._diverged(f"weights are not finite after a loss of {self.latest.loss.item():.4g}")

    def _diverged(self, what: str) -> TrainingError:
        norm = gradient_norm(self.method.parameters())
        return TrainingError(
            f"{what} at step {self.global_step} (learning rate "
            f"{self.plan.lr * self.lr_factor():.3g}, gradient norm {norm:.3g}); the last checkpoint is good; "
            "try a lower optimizer.lr, trainer.clip=1, a longer schedule.warmup_epochs, or trainer.precision=fp32"
        )
