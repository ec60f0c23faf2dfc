"""What streaming from tar files costs: seconds of indexing, images/s, bytes read and memory over a run's batches.

It writes CIFAR-10's parquet file as shards of 1,000 images, copies them until there are some GB, goes through them as
`sslrun pretrain dataset=webdataset` does, and deletes them.

    python scripts/bench_streaming.py train.parquet [--copies 16] [--steps 400] [--workers 1] [--whole]
"""

import argparse
import io
import os
import resource
import shutil
import tarfile
import tempfile
import time
from pathlib import Path

import pyarrow.parquet as pq

from sslrun.config.command.pretrain import PretrainConfig
from sslrun.config.compose import compose
from sslrun.core.batch import ViewsBatch
from sslrun.data.base import Data, Items
from sslrun.data.build import build_data
from sslrun.data.loader import ItemLoader, RunSampler

PER_SHARD = 1000
BATCH = 256


def main() -> None:
    """Print the numbers of one set of shards."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parquet", help="columns image.bytes and label")
    parser.add_argument("--copies", type=int, default=16)
    parser.add_argument("--steps", type=int, default=400, help=f"batches of {BATCH}")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--whole", action="store_true", help="also the same images mixed over all shards at once")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), options.parquet, options.copies)
        config = compose(
            "pretrain",
            ["method=simclr", "dataset=webdataset", "dataset.image_size=32", "augmentation=simclr_cifar",
             f"dataset.train={folder}", f"dataset.cache_dir={folder}/kept", "dataset.validation=0.001"],
        )  # fmt: skip
        assert isinstance(config, PretrainConfig)
        for what in ("opened, and indexed", "opened again"):
            start = time.perf_counter()
            data = build_data(config.dataset)
            print(f"{what} in {time.perf_counter() - start:.1f} s", flush=True)
        print("; ".join(f"{k}: {v}" for k, v in data.describe().items()))
        items = data.training(config.augmentation, batch_type=ViewsBatch, seed=0)
        last = go_through(data, items, steps=options.steps, workers=options.workers)
        resumed = go_through(data, items, steps=options.steps, workers=0, start=options.steps - 5)
        print(f"the last 5 batches, of a start at step {options.steps - 5}, are the same: {last[-5:] == resumed}")
        if options.whole:
            items.disk_groups = None
            print("mixed over all shards at once:")
            go_through(data, items, steps=options.steps, workers=options.workers)


def write(folder: Path, parquet: str, copies: int) -> None:
    """The file's images as shards, each several times."""
    table = pq.read_table(parquet)
    rows = list(zip(table["image"].to_pylist(), table["label"].to_pylist(), strict=True))
    start = time.perf_counter()
    for shard, first in enumerate(range(0, len(rows), PER_SHARD)):
        path = folder / f"cifar10-{shard:04d}-00.tar"
        with tarfile.open(path, "w") as tar:
            for key, (image, label) in enumerate(rows[first : first + PER_SHARD], start=first):
                for ending, content in (("jpg", image["bytes"]), ("cls", str(label).encode())):
                    member = tarfile.TarInfo(f"{key:06d}.{ending}")
                    member.size = len(content)
                    tar.addfile(member, io.BytesIO(content))
        for copy in range(1, copies):
            shutil.copyfile(path, folder / f"cifar10-{shard:04d}-{copy:02d}.tar")
    print(f"{len(rows) * copies:,} images written in {time.perf_counter() - start:.0f} s", flush=True)


def go_through(data: Data, items: Items, *, steps: int, workers: int, start: int = 0) -> list[list[int]]:
    """Positions of each batch; prints what each quarter cost."""
    sampler = RunSampler(
        len(items), batch_size=BATCH, total_steps=steps, start=lambda: start, seed=0, disk_groups=items.disk_groups
    )
    seen: list[list[int]] = []
    clock, read = time.perf_counter(), 0
    for step, batch in enumerate(ItemLoader(data, items, sampler, workers=workers), start=start + 1):
        seen.append(batch["index"].tolist())
        if start == 0 and step % (steps // 4) == 0:
            now, total = time.perf_counter(), bytes_read()
            print(
                f"  step {step}: {steps // 4 * BATCH / (now - clock):,.0f} images/s, "
                f"{(total - read) / (steps // 4) / 1e6 if read else 0:.2f} MB read a step, "
                f"memory {memory():.0f} MB of its own in all processes",
                flush=True,
            )
            clock, read = now, total
    return seen


def processes() -> list[Path]:
    """This one and its workers."""
    own = Path("/proc/self/task", str(os.getpid()), "children").read_text().split()
    return [Path("/proc/self"), *(Path("/proc", pid) for pid in own)]


def memory() -> float:
    """MB that are no file's pages."""
    lines = [line for p in processes() for line in (p / "status").read_text().splitlines()]
    return sum(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) / 1e3


def bytes_read() -> int:
    """By system calls, of disk or page cache."""
    lines = [line for p in processes() for line in (p / "io").read_text().splitlines()]
    return sum(int(line.split()[1]) for line in lines if line.startswith("rchar"))


if __name__ == "__main__":
    main()
    print(f"largest memory of this process {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB")
