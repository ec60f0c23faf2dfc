"""`sslrun export RUN FOLDER`: export the encoder of a checkpoint as safetensors and config.json."""

import argparse
import shutil
from pathlib import Path

from sslrun.config.errors import ConfigError
from sslrun.runs.load import load_run


def main(arguments: list[str]) -> None:
    """Export from last.ckpt, best.ckpt (best online probe) or another checkpoint of the run."""
    parser = argparse.ArgumentParser(prog="sslrun export", description=__doc__)
    parser.add_argument("run", type=Path, help="a folder of `sslrun pretrain`")
    parser.add_argument("folder", type=Path, help="where to write model.safetensors and config.json")
    parser.add_argument("--checkpoint", default="last.ckpt", help="last.ckpt, best.ckpt, or another in checkpoints/")
    options = parser.parse_args(arguments)
    manifest, config = load_run(options.run)
    checkpoint = options.run / "checkpoints" / options.checkpoint
    if not checkpoint.is_file():
        present = sorted(p.name for p in checkpoint.parent.glob("*.ckpt")) or ["none"]
        raise ConfigError(f"--checkpoint={options.checkpoint}: not in {checkpoint.parent}; there: {', '.join(present)}")

    from sslrun.commands.restore import restore_method  # after the checks: torch takes seconds to import

    method, step = restore_method(config, manifest, checkpoint)
    for name, encoder in method.encoders().items():
        target = options.folder if name == "encoder" else options.folder / name
        encoder.save(target)
        if (options.run / "inputs").is_dir():
            shutil.copytree(options.run / "inputs", target, dirs_exist_ok=True)
        print(f"{target}: {encoder.config.name}, {encoder.num_features} features, step {step}")
    method.save_extras(options.folder)
