"""Training inside a run folder: what `pretrain` and `finetune` share."""

from typing import Any

import pytorch_lightning as pl

from sslrun.commands.session import Session, print_resolved
from sslrun.config.command import FinetuneConfig, PretrainConfig
from sslrun.config.compose import plain
from sslrun.data.base import Data, Items
from sslrun.methods.base import Method
from sslrun.runs.rank import global_rank
from sslrun.training.fit import fit
from sslrun.training.loggers import MetricsFile, build_loggers, end_at_wandb
from sslrun.training.plan import Plan
from sslrun.training.pruning import Pruned, pruning


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
    """Note and print what was resolved, then train from the folder's last checkpoint where there is one.

    Args:
        dataset: items of `data` to train on.
        inputs: of the encoder, for run.json.

    Returns:
        The trained method, to measure and write; None where this process is done: on further ranks, in pruned runs.
    """
    before = session.world
    backbones = {name: plain(encoder.config) | {"pretrained": None} for name, encoder in method.encoders().items()}
    session.start(resolved=resolved, data=data, world=plan.world, inputs=inputs, backbones=backbones)
    print_resolved(session, resolved)
    if global_rank() == 0:
        data.save_inputs(session.path / "inputs")
    if session.checkpoint is not None and before not in (None, plan.world) and global_rank() == 0:
        print(
            f"resumed with {plan.world} process{'es' if plan.world > 1 else ''}, {before} before: the data order is "
            "the same; dropout and other random draws differ",
            flush=True,
        )
    metrics = MetricsFile(
        session.path / "metrics.csv", steps_per_epoch=plan.steps_per_epoch, seconds_before=session.seconds_before
    )
    reporting, ending = pruning(config.run.trial, is_rank_zero=global_rank() == 0)
    exit_code = 1
    try:
        trained = fit(
            method,
            data,
            dataset,
            plan,
            trainer_config=config.trainer,
            seed=config.seed,
            checkpoints=session.path / "checkpoints",
            loggers=[*build_loggers(config.logger, session.path, plain(config), metrics), *reporting],
            callbacks=[*callbacks, *ending],
            resume=session.checkpoint,
        )
        exit_code = 0
    except Pruned as pruned:
        session.prune(str(pruned))
        trained, exit_code = None, 0
    finally:
        end_at_wandb(exit_code=exit_code)
    return trained
