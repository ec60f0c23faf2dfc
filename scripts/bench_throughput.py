"""Compares a run with the bare limit: items/s of the run and of the bare step, their ratio, and peak memory.

The bare step is the same method's step (all views, heads, target, loss, clipping, optimizer, at the run's own progress)
on one batch in memory, in the same precision and layout, without Lightning and without a loader.

    python scripts/bench_throughput.py dataset=parquet dataset.train=train.parquet [--steps 100] [--fp32] [key=value …]
    python scripts/bench_throughput.py --methods simclr,mae loader.batch_size=128 dataset.train=train.parquet

With `--methods NAMES` or `--methods all` it takes the recipes of conf/experiment/cifar10-small and ends with one table.
"""

import argparse
import dataclasses
import resource
import tempfile
import time
from pathlib import Path

import torch

from sslrun.backbones.folder import build_encoder
from sslrun.commands.pretrain import run
from sslrun.config.command.pretrain import PretrainConfig
from sslrun.config.compose import compose
from sslrun.config.folders import conf_dir
from sslrun.config.trainer import Precision
from sslrun.data.base import to_device
from sslrun.data.build import build_data
from sslrun.methods.base import build_method, check_fit
from sslrun.training.optimizers import build_optimizer, parameter_groups
from sslrun.training.plan import make_plan
from sslrun.training.precision import autocast_dtype
from table_runs import items_per_second

WARMUP_STEPS = 10


def main() -> None:
    """Print the rates of one configuration, or a table over methods."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=100, help="counted steps of each")
    parser.add_argument("--rounds", type=int, default=3, help="of bare step and run in turn; the median ratio counts")
    parser.add_argument("--fp32", action="store_true", help="also the same net in fp32 and contiguous layout")
    parser.add_argument("--methods", help="comma-separated names, or all: a table over conf/experiment/cifar10-small")
    parser.add_argument("overrides", nargs="*", help="as for `sslrun pretrain`")
    options = parser.parse_args()
    if options.methods is None:
        measure(options, options.overrides)
    else:
        table(options)
    print(f"peak memory of this process {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB", end="")
    print(f", of a worker {resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20:.2f} GiB")


def table(options: argparse.Namespace) -> None:
    """Print one row per method."""
    recipes = sorted(path.stem for path in (conf_dir() / "experiment" / "cifar10-small").glob("*.yaml"))
    names = recipes if options.methods == "all" else options.methods.split(",")
    rows = [(name, measure(options, [f"experiment=cifar10-small/{name}", *options.overrides])) for name in names]
    print("\n| method | run, items/s | bare, items/s | ratio |\n|---|---|---|---|")
    for name, (ratio, whole, bare) in rows:
        print(f"| {name} | {whole:.0f} | {bare:.0f} | {ratio:.3f} |")


def measure(options: argparse.Namespace, overrides: list[str]) -> tuple[float, float, float]:
    """Ratio, items/s of the run and items/s of the bare step, of the round with the median ratio."""
    config = compose("pretrain", overrides)
    assert isinstance(config, PretrainConfig)
    print(f"{config.method.kind}, {config.backbone.name}, batch {config.loader.batch_size}, {options.steps} steps")
    rows = []
    for _ in range(options.rounds):
        bare = bare_rate(config, options.steps)
        whole = run_rate(config, options.steps)
        rows.append((whole / bare, whole, bare))
        print(f"  run {whole:7.0f} items/s   bare {bare:7.0f} items/s   ratio {whole / bare:.3f}", flush=True)
    ratio, whole, bare = sorted(rows)[len(rows) // 2]
    print(f"median ratio {ratio:.3f} (run {whole:.0f}, bare {bare:.0f} items/s)")
    if options.fp32:
        plain = dataclasses.replace(config.trainer, precision=Precision.fp32, channels_last=False)
        slow = bare_rate(dataclasses.replace(config, trainer=plain), options.steps)
        print(f"fp32, contiguous: bare {slow:.0f} items/s; the run is {whole / slow:.2f} times as fast")
    return ratio, whole, bare


def bare_rate(config: PretrainConfig, steps: int) -> float:
    """Items/s of the step alone."""
    torch.manual_seed(config.seed)
    batch_type = check_fit(config.method, config.augmentation, config.dataset)
    data = build_data(config.dataset)
    dataset = data.training(
        config.augmentation, batch_type=batch_type, seed=config.seed
    )  # fixes the form of audio inputs
    method = build_method(config.method, build_encoder(config.backbone, data.encoder_inputs())).train()
    plan = make_plan(config.trainer, config.loader, config.optimizer, config.schedule, items=len(dataset))
    device = torch.device(plan.accelerator)
    layout = torch.channels_last if config.trainer.channels_last else torch.contiguous_format
    method = method.to(device).to(memory_format=layout)  # type: ignore[call-overload]
    items = [dataset[0, i] for i in range(plan.batch_size)]
    batch = data.prepare().to(device)(to_device(data.collate(items), device))
    if "views" in batch:
        batch["views"] = [v.contiguous(memory_format=layout) for v in batch["views"]]
    elif "image" in batch:
        batch["image"] = batch["image"].contiguous(memory_format=layout)
    groups = parameter_groups(
        method.named_parameters(),
        weight_decay=config.optimizer.weight_decay,
        decay_all=config.optimizer.decay_all,
        special=method.param_groups(),
    )
    optimizer = build_optimizer(config.optimizer, groups, lr=plan.lr, fused=plan.fused)
    dtype = autocast_dtype(plan.precision)
    for step in range(WARMUP_STEPS + steps):
        if step == WARMUP_STEPS:
            _wait(device)
            start = time.perf_counter()
        progress = step / (WARMUP_STEPS + steps)
        method.before_step(progress)
        with torch.autocast(device.type, dtype=dtype, enabled=dtype is not None):
            loss = method(batch).loss
        optimizer.zero_grad()
        loss.backward()
        method.after_backward(progress)
        if config.trainer.clip is not None:
            torch.nn.utils.clip_grad_norm_(method.parameters(), config.trainer.clip)
        optimizer.step()
        method.after_step(progress)
    _wait(device)
    return steps * plan.batch_size / (time.perf_counter() - start)


def run_rate(config: PretrainConfig, steps: int) -> float:
    """Items/s of `sslrun pretrain` between its first and its last logged step."""
    with tempfile.TemporaryDirectory() as folder:
        trainer = dataclasses.replace(config.trainer, steps=WARMUP_STEPS + steps, log_steps=WARMUP_STEPS)
        monitor = dataclasses.replace(config.monitor, every_epochs=0)
        where = dataclasses.replace(config.run, dir=f"{folder}/run")
        run(dataclasses.replace(config, trainer=trainer, monitor=monitor, run=where))
        return items_per_second(Path(folder, "run"), batch=config.loader.batch_size)


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


if __name__ == "__main__":
    main()
