"""Training a method on a dataset according to a plan."""

import logging
import warnings
from datetime import timedelta
from pathlib import Path

import pytorch_lightning as pl
import torch
from lightning_fabric.plugins.environments.slurm import SLURMEnvironment
from pytorch_lightning.loggers import Logger
from pytorch_lightning.strategies import DDPStrategy, Strategy

from sslrun.backbones.base import Encoder
from sslrun.config.errors import RunError
from sslrun.config.trainer import TrainerConfig, parse_max_time
from sslrun.data.base import Data, Items
from sslrun.data.loader import ItemLoader, RunSampler
from sslrun.methods.base import Method
from sslrun.runs import signals
from sslrun.runs.newest import Checkpoint
from sslrun.training.checkpoints import CheckpointFiles, Checkpoints
from sslrun.training.loggers import MetricsFile
from sslrun.training.module import Training
from sslrun.training.plan import Plan
from sslrun.training.precision import LIGHTNING_NAMES
from sslrun.training.progress import ClockRestart, Progress
from sslrun.training.ranks import Ranks
from sslrun.training.sharded import Sharded, check_can_be_sharded
from sslrun.training.unreadable import SharedUnreadable

CHECK_TIMEOUT = timedelta(hours=6)
"""Other ranks wait while rank 0 evaluates; torch's 30 minutes may be too short for a large validation split."""


def fit(
    method: Method,
    data: Data,
    dataset: Items,
    plan: Plan,
    *,
    trainer_config: TrainerConfig,
    seed: int,
    checkpoints: Path,
    loggers: list[Logger],
    callbacks: list[pl.Callback],
    ranks: Ranks,
    resume: Checkpoint | None = None,
) -> Method | None:
    """Train `method` on `dataset`, from the checkpoint `resume` if there is one.

    Args:
        checkpoints: folder for new checkpoints.
        ranks: watches the processes of the other ranks.

    Returns:
        The trained method on rank 0, None on others.

    Raises:
        ConfigError: the strategy cannot shard the method's parameters.
        Interrupted: stopped by a signal or the time limit, after saving a checkpoint.
        TrainingError: the loss is not finite.
        RunError: another rank failed, or resumes from another step.
    """
    quiet()
    if trainer_config.strategy == "fsdp":
        check_can_be_sharded(method)
    progress = Progress()
    saver = Checkpoints(
        checkpoints,
        start=0 if resume is None else resume.step,
        every_steps=trainer_config.checkpoint_steps,
        every_minutes=trainer_config.checkpoint_minutes,
        max_seconds=parse_max_time(trainer_config.max_time),
        keep=trainer_config.keep_checkpoints,
    )
    all_callbacks = [progress, ranks, *callbacks, SharedUnreadable(data.corrupt), saver, ClockRestart(progress)]
    has_fixed_shapes = "image_size" in data.encoder_inputs()
    trainer = _trainer(
        plan, trainer_config, has_fixed_shapes=has_fixed_shapes, loggers=loggers, callbacks=all_callbacks
    )
    sampler = RunSampler(
        len(dataset),
        batch_size=plan.batch_size,
        total_steps=plan.total_steps,
        start=lambda: trainer.global_step,
        seed=seed,
        rank=trainer.global_rank,
        world=plan.world,
        accumulate=plan.accumulate,
        disk_groups=dataset.disk_groups,
    )
    loader = ItemLoader(data, dataset, sampler, workers=plan.workers)
    # FSDP2 needs contiguous weights
    channels_last = trainer_config.channels_last and trainer_config.strategy != "fsdp"
    method.to(memory_format=torch.channels_last if channels_last else torch.contiguous_format)
    if plan.sync_batchnorm:
        sync_batch_norms(method)
    module = Training(method, data.prepare(channels_last=channels_last), plan)
    if trainer_config.compile:
        compile_encoders(method)
    if trainer.is_global_zero:
        for logger in loggers:
            if isinstance(logger, MetricsFile):
                logger.rewind(resume.step if resume else -1)
    disable_signal_handling(trainer)
    path = None if resume is None else resume.path
    try:
        with signals.noting(), ranks.observing():
            trainer.fit(module, train_dataloaders=loader, ckpt_path=path, weights_only=True)
    except Exception as error:
        if ranks.cause is None:
            raise
        raise RunError(ranks.cause) from error
    signals.check()
    if module.trained is None or not trainer.is_global_zero:
        return None
    return module.trained.to(trainer.strategy.root_device)  # Lightning leaves it on the CPU; evaluation follows


def sync_batch_norms(method: Method) -> None:
    """Convert to SyncBatchNorm in place. Lightning's converter drops the activations in timm's norm layers."""
    from timm.layers import convert_sync_batchnorm

    convert_sync_batchnorm(method)


def _trainer(
    plan: Plan, config: TrainerConfig, *, has_fixed_shapes: bool, loggers: list[Logger], callbacks: list[pl.Callback]
) -> pl.Trainer:
    """Lightning's trainer, without its samplers, checkpoints, progress bar and requeueing, which this project replaces.

    Args:
        has_fixed_shapes: whether batches have few different shapes; cuDNN benchmarks its kernels for each.
    """
    return pl.Trainer(
        max_steps=plan.total_steps,
        accelerator="gpu" if plan.accelerator == "cuda" else plan.accelerator,
        devices=plan.devices,
        num_nodes=config.num_nodes,
        strategy=_strategy(config.strategy, world=plan.world),
        precision=LIGHTNING_NAMES[plan.precision],  # type: ignore[arg-type]
        accumulate_grad_batches=plan.accumulate,
        gradient_clip_val=config.clip,
        deterministic="warn" if config.deterministic else False,  # some CUDA kernels have no deterministic variant
        benchmark=has_fixed_shapes and not config.deterministic,
        # Lightning's requeueing would lose the random states
        plugins=[CheckpointFiles(), *([SLURMEnvironment(auto_requeue=False)] if SLURMEnvironment.detect() else [])],
        logger=loggers,
        callbacks=callbacks,
        use_distributed_sampler=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
        log_every_n_steps=config.log_steps,
    )


def compile_encoders(method: Method) -> None:
    """Apply torch.compile to every encoder of the method, target and text encoders too; weights keep their names."""
    for part in method.modules():
        if isinstance(part, Encoder):
            part.compile()


def disable_signal_handling(trainer: pl.Trainer) -> None:
    """Leave SIGTERM to `Checkpoints`: Lightning's handler ends a run between micro-batches, unsaved, with code 0.

    Also disables rank 0's broadcast of SIGTERM before each micro-batch. Both attributes are private; checked with
    Lightning 2.5.0 and 2.6.6.
    """

    def nothing() -> None:
        return

    trainer._signal_connector.register_signal_handlers = nothing  # type: ignore[method-assign]
    trainer.fit_loop.epoch_loop._broadcast_sigterm_tensor = nothing  # type: ignore[method-assign]


def _strategy(name: str, *, world: int) -> str | Strategy:
    """Lightning's strategy. DDP does not broadcast buffers, e.g. a queue of 65,536 keys at every step: queues and
    centers are computed equally on all ranks, and BatchNorm's running statistics are read on rank 0 only.
    """
    if name == "ddp" or (name == "auto" and world > 1):
        return DDPStrategy(broadcast_buffers=False, timeout=CHECK_TIMEOUT)
    if name == "fsdp":
        return Sharded(world=world, timeout=CHECK_TIMEOUT)
    return name


def quiet() -> None:
    """Silence Lightning's warnings about deliberate choices."""
    for name in ("pytorch_lightning.utilities.rank_zero", "pytorch_lightning.accelerators.cuda", "lightning_fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    for message in (
        ".*`srun` command is available.*",
        ".*does not have many workers.*",
        ".*GPU available but not used.*",
        ".*isinstance.treespec.*LeafSpec.*",
        ".*Checkpoint directory .* exists.*",
        ".*No `val_dataloader`.*",
        ".*smaller than the logging interval.*",
        ".*`broadcast_buffers` is deprecated.*",  # its replacement is missing in the oldest supported torch
        ".*ended before the epoch ended.*",  # the loader may start at any step
    ):
        warnings.filterwarnings("ignore", message)
