"""The configuration resolved for this machine and dataset; printed, never written back into the config."""

import math
from dataclasses import dataclass, replace

import torch

from sslrun.config.errors import ConfigError
from sslrun.config.loader import LoaderConfig
from sslrun.config.optimizer import OptimizerConfig
from sslrun.config.schedule import ScheduleConfig
from sslrun.config.trainer import Precision, TrainerConfig
from sslrun.core.machine import usable_cores
from sslrun.runs.length import Length, Phase
from sslrun.training.optimizers import scaled_lr, warmup_steps
from sslrun.training.precision import accelerator_name, resolve_precision


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Resolved settings of one training.

    Attributes:
        accelerator: cpu, cuda, mps.
        world: processes on all nodes.
        micro_batch: samples per process and micro-batch.
        lr: peak learning rate, scaled to the global batch.
        phases: schedules by step; more than one if the run was extended.
        sync_batchnorm: whether BatchNorm statistics are over all devices; None without BatchNorm, or with one device.
        fused: whether the optimizer may be fused; Lightning forbids that for clipping under mixed precision.
    """

    accelerator: str
    devices: int
    world: int
    precision: Precision
    batch_size: int
    micro_batch: int
    accumulate: int
    sync_batchnorm: bool | None
    optimizer: OptimizerConfig
    schedule: ScheduleConfig
    lr: float
    fused: bool
    steps_per_epoch: int
    total_steps: int
    phases: tuple[Phase, ...]
    log_steps: int
    workers: int

    @property
    def epochs(self) -> float:
        """Length of the run in epochs."""
        return self.total_steps / self.steps_per_epoch

    def steps_of(self, epochs: float) -> int:
        """`epochs` in optimizer steps, at least one unless it is 0."""
        return max(1, round(epochs * self.steps_per_epoch)) if epochs else 0

    def warmup_of(self, phase: Phase) -> int:
        """Warm-up steps of a phase."""
        return warmup_steps(self.schedule, total_steps=phase.steps, steps_per_epoch=self.steps_per_epoch)


def micro_batches(trainer: TrainerConfig) -> int:
    """Number of micro-batches per global batch, over all devices."""
    devices = _devices(trainer, accelerator_name(trainer.accelerator, key="trainer.accelerator"))
    return devices * trainer.num_nodes * trainer.accumulate


def check_machine(trainer: TrainerConfig, loader: LoaderConfig) -> None:
    """Check what is known of a plan before the dataset is read.

    Raises:
        ConfigError: the batch size does not suit the devices; a device, precision or layer is not available.
    """
    accelerator, parts = accelerator_name(trainer.accelerator, key="trainer.accelerator"), micro_batches(trainer)
    if loader.batch_size % parts:
        raise ConfigError(
            f"loader.batch_size={loader.batch_size} does not divide by {parts // trainer.accumulate} devices x "
            f"trainer.accumulate={trainer.accumulate}; choose a multiple of {parts}"
        )
    precision = resolve_precision(trainer.precision, accelerator=accelerator, key="trainer.precision")
    if precision is Precision.fp16 and trainer.strategy == "fsdp":
        raise ConfigError("trainer.precision=fp16 does not go with trainer.strategy=fsdp; choose bf16, fp32 or auto")
    _sync_batchnorm(trainer, None, accelerator=accelerator, world=parts // trainer.accumulate)


def make_plan(
    trainer: TrainerConfig,
    loader: LoaderConfig,
    optimizer: OptimizerConfig,
    schedule: ScheduleConfig,
    *,
    items: int,
    total_steps: int | None = None,
    syncs_batch_norm: bool | None = None,
) -> Plan:
    """Resolve a training on `items` training items.

    Args:
        total_steps: as fixed when the run first started; None computes it.
        syncs_batch_norm: whether trainer.sync_batchnorm=null means true on several GPUs; None: no BatchNorm.

    Raises:
        ConfigError: the batch size does not suit devices or dataset, or the accelerator is absent.
    """
    accelerator = accelerator_name(trainer.accelerator, key="trainer.accelerator")
    devices = _devices(trainer, accelerator)
    world, parts = devices * trainer.num_nodes, micro_batches(trainer)
    check_machine(trainer, loader)
    if loader.batch_size > items:
        raise ConfigError(
            f"loader.batch_size={loader.batch_size} is more than the {items} training items; choose at most {items}"
        )
    steps_per_epoch = items // loader.batch_size
    if total_steps is None:
        assert trainer.steps is not None or trainer.epochs is not None
        total_steps = trainer.steps or max(1, math.ceil((trainer.epochs or 0) * steps_per_epoch))
    precision = resolve_precision(trainer.precision, accelerator=accelerator, key="trainer.precision")
    return Plan(
        accelerator=accelerator,
        devices=devices,
        world=world,
        precision=precision,
        batch_size=loader.batch_size,
        micro_batch=loader.batch_size // parts,
        accumulate=trainer.accumulate,
        sync_batchnorm=_sync_batchnorm(trainer, syncs_batch_norm, accelerator=accelerator, world=world),
        optimizer=optimizer,
        schedule=schedule,
        lr=scaled_lr(optimizer, batch_size=loader.batch_size),
        fused=trainer.clip is None or precision is Precision.fp32,
        steps_per_epoch=steps_per_epoch,
        total_steps=total_steps,
        phases=Length(total_steps, []).phases,
        log_steps=trainer.log_steps,
        workers=loader_workers(loader, devices=devices),
    )


def with_length(plan: Plan, length: Length) -> Plan:
    """The plan with the length of an existing run."""
    return replace(plan, total_steps=length.total_steps, phases=length.phases)


def describe_plan(plan: Plan) -> dict[str, str]:
    """Lines of the `resolved` block, by title."""
    batch = f"{plan.batch_size}"
    if plan.world * plan.accumulate > 1:
        batch += f" = {plan.world} devices x {plan.accumulate} micro-batches x {plan.micro_batch}"
    rule = {"linear": " x batch/256", "sqrt": " x sqrt(batch/256)", "none": ""}[plan.optimizer.scaling.value]
    phase = plan.phases[-1]
    longer = ""
    if len(plan.phases) > 1:
        how = "schedules restarted" if phase.start == phase.since else "schedules stretched"
        longer = f"; {plan.phases[-2].end} before, {how} from step {phase.since} on"
    threads = f", {torch.get_num_threads()} threads" if plan.accelerator == "cpu" else ""
    seen = f"over all {plan.world} devices" if plan.sync_batchnorm else f"over each device's {plan.micro_batch} items"
    return {
        "device": f"{plan.devices} x {plan.accelerator}{threads}, {plan.precision.value}",
        "batch": f"{batch}, {plan.workers} workers",
        **({} if plan.sync_batchnorm is None else {"BatchNorm": seen}),
        "learning rate": f"{plan.lr:.4g} = {plan.optimizer.lr:g}{rule}, {plan.optimizer.kind}, "
        f"weight decay {plan.optimizer.weight_decay:g}",
        "steps": f"{plan.total_steps} = {plan.epochs:.4g} epochs x {plan.steps_per_epoch}, "
        f"{plan.warmup_of(phase)} of them warm-up, then {plan.schedule.shape.value}{longer}",
    }


def loader_workers(loader: LoaderConfig, *, devices: int) -> int:
    """Loader workers per device; `auto` divides the cores among the devices, at most 8 each, to bound memory."""
    return max(1, min(8, usable_cores() // devices)) if loader.workers == "auto" else int(loader.workers)


def _sync_batchnorm(trainer: TrainerConfig, wanted: bool | None, *, accelerator: str, world: int) -> bool | None:
    """Whether to convert to SyncBatchNorm; never under FSDP, whose strategy in Lightning ignores it."""
    sharded = trainer.strategy == "fsdp"
    if trainer.sync_batchnorm and accelerator == "cpu":
        raise ConfigError("trainer.sync_batchnorm=true needs GPUs: SyncBatchNorm does not exist on the CPU")
    if trainer.sync_batchnorm and sharded:
        raise ConfigError(
            "trainer.sync_batchnorm=true has no effect with trainer.strategy=fsdp; choose trainer.strategy=ddp"
        )
    if world == 1:
        return None
    if trainer.sync_batchnorm is None and wanted is not None:
        return wanted and accelerator == "cuda" and not sharded
    return trainer.sync_batchnorm


def _devices(trainer: TrainerConfig, accelerator: str) -> int:
    present = torch.cuda.device_count() if accelerator == "cuda" else 1
    if trainer.devices == "auto":
        return present
    if accelerator != "cpu" and trainer.devices > present:
        raise ConfigError(f"trainer.devices={trainer.devices}, but this machine shows {present} of {accelerator}")
    return int(trainer.devices)
