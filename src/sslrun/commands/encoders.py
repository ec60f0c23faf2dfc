"""Resolves `encoder=` to an encoder and the dataset as the encoder reads it."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from sslrun.backbones.base import Encoder
from sslrun.backbones.folder import build_encoder, load_encoder, read_config
from sslrun.backbones.transformers_checkpoint import open_checkpoint
from sslrun.commands.restore import as_built, restore_encoders
from sslrun.config.backbone.timm import TimmConfig
from sslrun.config.command.pretrain import PretrainConfig
from sslrun.config.compose import group_from_plain
from sslrun.config.errors import ConfigError
from sslrun.config.registry import find
from sslrun.config.schema import BackboneConfig, DatasetConfig
from sslrun.core.hub import local_path
from sslrun.runs.encoders import (
    CheckpointRef,
    EncoderRef,
    FolderRef,
    RandomRef,
    TimmRef,
    TransformersRef,
    parse_encoder,
)
from sslrun.runs.load import load_run


@dataclass(frozen=True)
class Subject:
    """An encoder to evaluate or fine-tune, with its architecture and dataset.

    Attributes:
        backbone: architecture, also of the untrained baseline; None for `pixels`.
        dataset: with the preprocessing the encoder was trained with: image size, channels, mean, std, tokenizer.
        configured: the dataset before that; None if unchanged.
    """

    ref: EncoderRef
    backbone: BackboneConfig | None
    dataset: DatasetConfig
    configured: DatasetConfig | None = None

    def describe(self) -> dict[str, str]:
        """A line for the resolved block if the encoder's preprocessing differs from the configured dataset."""
        differing = [
            f"{key} {getattr(self.dataset, key)}, not {getattr(self.configured, key)}"
            for key in ("image_size", "channels", "mean", "std")
            if getattr(self.configured, key, None) not in (None, getattr(self.dataset, key, None))
        ]
        return {"read as trained": "; ".join(differing)} if differing else {}

    def build(self, inputs: dict[str, Any]) -> Encoder:
        """Build the encoder with its weights.

        Args:
            inputs: of the dataset, from `Data.encoder_inputs`.
        """
        match self.ref:
            case FolderRef(folder=folder):
                return load_encoder(folder, inputs=inputs)
            case CheckpointRef(file=file, run=run):
                manifest, config = load_run(run)
                # built with the run's own inputs: its head has the run's classes
                encoders, _ = restore_encoders(config, manifest, file)
                encoder = next(iter(encoders.values()))
                encoder.inputs = inputs
                return encoder
        return build_encoder(self._architecture, inputs)

    def untrained(self, inputs: dict[str, Any], *, seed: int) -> Encoder:
        """The same architecture with random weights."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return build_encoder(dataclasses.replace(self._architecture, pretrained=None), inputs)

    @property
    def _architecture(self) -> BackboneConfig:
        assert self.backbone is not None, "pixels have no architecture"
        return self.backbone


def find_subject(encoder: str, backbone: BackboneConfig | None, dataset: DatasetConfig | None) -> Subject:
    """Resolve `encoder=`, `backbone=` and `dataset=` together.

    Raises:
        ConfigError: the encoder does not exist, a required group is missing, or weights are given for a random encoder.
    """
    reads_text = dataset is not None and find("dataset", dataset.kind).modality == "text"
    tower = "text" if reads_text else "image"
    ref = parse_encoder(encoder, tower=tower)
    match ref:
        case FolderRef(folder=folder):
            encoder_config = read_config(folder)
            chosen = dataset or _dataset_of_run(ref)
            read = _read_as(chosen, encoder_config["inputs"], files=folder)
            return Subject(ref, group_from_plain("backbone", encoder_config["backbone"]), read, chosen)
        case CheckpointRef(run=run):
            manifest, config = load_run(run)
            if not isinstance(config, PretrainConfig):
                raise ConfigError(f"encoder={encoder} is not from a pretraining run; use the run's encoder/ folder")
            chosen = dataset or config.dataset
            read = _read_as(chosen, manifest["inputs"], files=run / "inputs")
            return Subject(ref, as_built(config, manifest).backbone, read, chosen)
    if dataset is None:
        raise ConfigError(f"encoder={encoder} has no run that names a dataset; say dataset=…")
    match ref:
        case TimmRef():
            model = TimmConfig(name=ref.name.removeprefix("timm:"), pretrained=True)
            return Subject(ref, model, _read_as(dataset, _timm_inputs(model.name)), dataset)
        case TransformersRef(source=source):
            folder = local_path(source, key="encoder")
            architecture, inputs = open_checkpoint(folder, encoder=source, tower=tower)
            return Subject(ref, architecture, _read_as(dataset, inputs, files=folder), dataset)
        case RandomRef() if backbone is None:
            raise ConfigError("encoder=random is an untrained network; choose its backbone: backbone=…")
    if backbone is not None and backbone.pretrained:
        weights = "timm:NAME" if backbone.pretrained is True else backbone.pretrained
        raise ConfigError(
            f"backbone.pretrained={backbone.pretrained}: with encoder={encoder} the backbone is untrained; "
            f"omit backbone.pretrained, or start from the weights: encoder={weights}"
        )
    return Subject(ref, backbone, dataset)


def _dataset_of_run(ref: FolderRef) -> DatasetConfig:
    run = ref.run
    while run is not None:  # a run without a dataset of its own has its encoder's run's
        _, config = load_run(run)
        dataset = getattr(config, "dataset", None)
        if isinstance(dataset, DatasetConfig):
            return dataset
        parent = (
            parse_encoder(config.encoder).run
            if not isinstance(config, PretrainConfig) and hasattr(config, "encoder")
            else None
        )
        run = parent
    raise ConfigError(f"encoder={ref.folder} has no run that names a dataset; say dataset=…")


def _read_as(dataset: DatasetConfig, inputs: dict[str, Any], *, files: Path | None = None) -> DatasetConfig:
    """The dataset with the encoder's own preprocessing: image size, normalisation, tokenizer."""
    names = {f.name for f in dataclasses.fields(dataset)}
    text_inputs = inputs.get("text", {})
    changes = {k: v for k, v in {**text_inputs, **inputs}.items() if k in names and v is not None}
    if files is not None and "tokenizer" in names and (files / "tokenizer.json").is_file():
        changes["tokenizer"] = str(files / "tokenizer.json")
    return dataclasses.replace(dataset, **changes)


def _timm_inputs(name: str) -> dict[str, Any]:
    import timm

    try:
        config = timm.get_pretrained_cfg(name)
    except RuntimeError:  # unknown tag
        config = None
    if config is None:
        raise ConfigError(f"encoder=timm:{name}: timm has no pretrained weights of that name")
    return {"image_size": config.input_size[-1], "channels": 3, "mean": list(config.mean), "std": list(config.std)}
