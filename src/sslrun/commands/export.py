"""`sslrun export RUN FOLDER`: the encoder of a checkpoint, as safetensors and config.json."""

import argparse
from pathlib import Path

from sslrun.config.command import PretrainConfig
from sslrun.config.compose import load
from sslrun.config.errors import ConfigError
from sslrun.runs.folder import read_manifest


def main(arguments: list[str]) -> None:
    """Export from last.ckpt, best.ckpt (best online probe) or any checkpoint of the run."""
    parser = argparse.ArgumentParser(prog="sslrun export", description=__doc__)
    parser.add_argument("run", type=Path, help="a folder of `sslrun pretrain`")
    parser.add_argument("folder", type=Path, help="where model.safetensors and config.json go")
    parser.add_argument("--checkpoint", default="last.ckpt", help="last.ckpt, best.ckpt, or another in checkpoints/")
    options = parser.parse_args(arguments)
    manifest = read_manifest(options.run)
    if manifest["command"] != "pretrain":
        raise ConfigError(f"{options.run} is a run of `sslrun {manifest['command']}`; its encoder/ is what there is")
    checkpoint = options.run / "checkpoints" / options.checkpoint
    if not checkpoint.is_file():
        present = sorted(p.name for p in checkpoint.parent.glob("*.ckpt")) or ["none"]
        raise ConfigError(f"--checkpoint={options.checkpoint}: not in {checkpoint.parent}; there: {', '.join(present)}")
    config = load("pretrain", options.run / "config.yaml")
    assert isinstance(config, PretrainConfig)

    import torch  # after the checks: it takes seconds

    from sslrun.backbones.folder import build_encoder
    from sslrun.methods.base import build_method

    config.backbone.pretrained = None
    method = build_method(config.method, build_encoder(config.backbone, manifest["inputs"]))
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)
    method.load_state_dict(
        {k.removeprefix("method."): v for k, v in state["state_dict"].items() if k.startswith("method.")}
    )
    for name, encoder in method.encoders().items():
        target = options.folder if name == "encoder" else options.folder / name
        encoder.save(target)
        print(f"{target}: {encoder.config.name}, {encoder.num_features} features, step {state['global_step']}")
