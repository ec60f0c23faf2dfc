"""What a run reads, writes and sends, in bytes: the numbers of docs/clusters.md.

python scripts/measure_sizes.py [--run RUN] [--images FOLDER]
"""

import argparse
import io
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch

from sslrun.backbones.folder import build_encoder
from sslrun.config.command.pretrain import PretrainConfig
from sslrun.config.compose import compose
from sslrun.data.vision.decode import Decoder
from sslrun.data.vision.folder import FolderSource, image_files
from sslrun.data.vision.resize import with_margin
from sslrun.methods.base import Method, build_method
from sslrun.training.checkpoints import random_state

MOMENTS = {"simclr": 1, "mocov2": 1, "dino": 2, "mae": 2}
"""Recipe: float32 numbers that its optimizer keeps for each parameter; 1 of SGD and LARS, 2 of AdamW."""
INPUTS = {"channels": 3, "image_size": 224, "mean": None, "std": None, "classes": 1000}
FILES = 20_000
IMPORTS = (
    "import sys, sslrun.commands.pretrain, sslrun.training.fit, sslrun.methods.simclr, sslrun.backbones.timm, "
    "sslrun.data.vision.augment; "
    "print(sum(1 for m in list(sys.modules.values()) if getattr(m, '__file__', None)))"
)


def main() -> None:
    """Print everything."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, default=Path("runs/demo/pretrain"), help="a finished run; the demo's")
    parser.add_argument("--images", type=Path, help="a folder of JPEG files")
    asked = parser.parse_args()
    if (asked.run / "results.json").exists():
        print_run(asked.run)
    print_models()
    print_start()
    print_images(asked.images)


def print_run(run: Path) -> None:
    """Bytes of a run's small files."""
    steps = json.loads((run / "run.json").read_text())["total_steps"]
    text = (run / "metrics.csv").read_text()
    rows = text.count("\n") - 1
    print(f"{run}, {steps} steps")
    for name in ("metrics.csv", "run.json", "config.yaml", "results.json", "report.html"):
        print(f"  {name:<13}{(run / name).stat().st_size:>10,} bytes")
    print(f"  metrics.csv: {rows} rows, {len(text) / rows:.0f} bytes a row, {len(text) / steps:.0f} bytes a step\n")


def print_models() -> None:
    """Parameters, gradients in float32, and the checkpoint of the recipes for ImageNet."""
    print(f"{'imagenet/':<10}{'trained':>14}{'with targets':>14}{'gradients':>14}{'checkpoint':>15}{'written':>9}")
    for name, moments in MOMENTS.items():
        config = compose("pretrain", [f"experiment=imagenet/{name}", "dataset.root=unused"])
        assert isinstance(config, PretrainConfig)
        method = build_method(config.method, build_encoder(config.backbone, INPUTS))
        count = sum(p.numel() for p in method.parameters() if p.requires_grad)
        total = sum(p.numel() for p in method.parameters())
        size, seconds = checkpoint(method, moments=moments)
        print(f"{name:<10}{count:>14,}{total:>14,}{4 * count:>14,}{size:>15,}{seconds:>7.1f} s")
    print(f"random state of a rank on the CPU: {saved(random_state()):,} bytes\n")


def checkpoint(method: Method, *, moments: int) -> tuple[int, float]:
    """Bytes of weights, buffers and the optimizer's moments, and seconds to write them to the local disk."""
    shapes = [p.shape for p in method.parameters() if p.requires_grad]
    optimizer = [[torch.zeros(shape) for _ in range(moments)] for shape in shapes]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "last.ckpt"
        start = time.perf_counter()
        torch.save({"state_dict": method.state_dict(), "optimizer": optimizer}, path)
        return path.stat().st_size, time.perf_counter() - start


def saved(value: object) -> int:
    """Bytes as torch.save writes it."""
    file = io.BytesIO()
    torch.save(value, file)
    return len(file.getvalue())


def print_start() -> None:
    """What each rank does before its first step: files of Python modules, and a look at every image file."""
    modules = subprocess.run([sys.executable, "-c", IMPORTS], capture_output=True, text=True, check=True).stdout
    print(f"files of Python modules that a rank imports: {int(modules):,}")
    with tempfile.TemporaryDirectory() as folder:
        for i in range(FILES):
            (Path(folder) / f"{i}.jpg").touch()
        start = time.perf_counter()
        FolderSource(Path(folder), image_files(Path(folder)), classes=None, decoder=Decoder(channels=3))
        micros = (time.perf_counter() - start) / FILES * 1e6
    print(f"listing a folder of images: 1 stat and {micros:.0f} microseconds a file, on a local disk\n")


def print_images(folder: Path | None) -> None:
    """Bytes and time of one image."""
    side = with_margin(INPUTS["image_size"])
    print(f"decoded once: {side} x {side} x 3 = {3 * side * side:,} bytes an image")
    if folder is None:
        return
    decode = Decoder(channels=3)
    paths = sorted(folder.glob("*.jpg"))
    size = sum(path.stat().st_size for path in paths) / len(paths)
    start = time.perf_counter()
    for path in paths:
        decode(path, name=path.name)
    millis = (time.perf_counter() - start) / len(paths) * 1e3
    print(f"{folder}: {len(paths)} JPEG files, {size:,.0f} bytes and {millis:.1f} ms to decode, on one core, an image")


if __name__ == "__main__":
    main()
