"""Training inside a run folder: what `pretrain` and `finetune` share."""

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
    """Raise ConfigError if this machine cannot train this way, whatever the dataset, which is not read yet."""
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
    """Note and print what was resolved, then train from the folder's last checkpoint if there is one.

    Args:
        dataset: items of `data` to train on.
        inputs: of the encoder, for run.json.

    Returns:
        The trained method, to measure and write; None if this process is done: on further ranks, in pruned runs.
    """
    before = session.trained_by
    backbones = {name: plain(encoder.config) | {"pretrained": None} for name, encoder in method.encoders().items()}
    session.start(
        resolved=resolved, data=data, world=plan.world, workers=plan.workers, inputs=inputs, backbones=backbones
    )
    print_resolved(session, resolved)
    if global_rank() == 0:
        data.save_inputs(session.path / "inputs")
    if session.checkpoint is not None and global_rank() == 0:
        for line in changed_hands(before, plan):
            print(line, flush=True)
    metrics = MetricsFile(
        session.path / "metrics.csv", steps_per_epoch=plan.steps_per_epoch, seconds_before=session.seconds_before
    )
    reporting, ending = pruning(config.run.trial, is_rank_zero=global_rank() == 0)
    session.afterwards(finish_wandb)
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


def changed_hands(before: tuple[int | None, int | None], plan: Plan) -> list[str]:
    """Lines for the user if the run continues with other processes or workers; `before` has None for unknown."""
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
