"""Training within a session, shared by `pretrain` and `finetune`."""

from typing import Any

import pytorch_lightning as pl

from sslrun.commands.session import Session, print_resolved
from sslrun.config.command.finetune import FinetuneConfig
from sslrun.config.command.pretrain import PretrainConfig
from sslrun.config.compose import plain
from sslrun.data.base import Data, Items
from sslrun.methods.base import Method
from sslrun.runs.rank import global_rank
from sslrun.training.fit import fit
from sslrun.training.loggers import MetricsFile, build_loggers, check_loggers, finish_wandb
from sslrun.training.plan import Plan, check_machine
from sslrun.training.pruning import Pruned, pruning
from sslrun.training.ranks import Ranks


def check_settings(config: PretrainConfig | FinetuneConfig) -> None:
    """Raise ConfigError if these settings cannot work on this machine; checked before reading the dataset."""
    check_machine(config.trainer, config.loader)
    check_loggers(config.logger)


def train(
    session: Session,
    config: PretrainConfig | FinetuneConfig,
    method: Method,
    data: Data,
    dataset: Items,
    plan: Plan,
    *,
    resolved: dict[str, str],
    inputs: dict[str, Any],
    callbacks: list[pl.Callback],
) -> Method | None:
    """Record and print the resolved settings, then train, resuming from the last checkpoint if there is one.

    Args:
        dataset: training items of `data`.
        inputs: of the encoder, for run.json.

    Returns:
        The trained method; None if this process is done (other ranks, pruned runs).
    """
    before = session.processes_and_workers
    backbones = {name: plain(encoder.config) | {"pretrained": None} for name, encoder in method.encoders().items()}
    session.start(
        resolved=resolved, data=data, world=plan.world, workers=plan.workers, inputs=inputs, backbones=backbones
    )
    print_resolved(session, resolved)
    if global_rank() == 0:
        data.save_inputs(session.path / "inputs")
    if session.checkpoint is not None and global_rank() == 0:
        for line in process_changes(before, plan):
            print(line, flush=True)
    metrics = MetricsFile(
        session.path / "metrics.csv", steps_per_epoch=plan.steps_per_epoch, seconds_before=session.seconds_before
    )
    reporting, ending = pruning(config.run.trial, is_rank_zero=global_rank() == 0)
    session.add_end_callback(finish_wandb)
    loggers = build_loggers(config.logger, session.path, plain(config), metrics, wandb_id=session.wandb_id)
    try:
        return fit(
            method,
            data,
            dataset,
            plan,
            trainer_config=config.trainer,
            seed=config.seed,
            checkpoints=session.path / "checkpoints",
            loggers=[*loggers, *reporting],
            callbacks=[*callbacks, *ending],
            ranks=Ranks(session.path, session.fail),
            resume=session.checkpoint,
        )
    except Pruned as pruned:
        session.prune(str(pruned))
        return None


def process_changes(before: tuple[int | None, int | None], plan: Plan) -> list[str]:
    """Messages if a resumed run has another number of processes or workers; `before` has None for unknown."""
    world, workers = before
    lines = []
    if world not in (None, plan.world):
        lines.append(
            f"resumed with {plan.world} process{'es' if plan.world > 1 else ''}, {world} before: the data order is "
            "the same; dropout and other random draws differ"
        )
    if workers not in (None, plan.workers):
        lines.append(
            f"resumed with {plan.workers} loader worker{'' if plan.workers == 1 else 's'} a process, {workers} before: "
            "the data and their order are the same"
        )
    return lines
