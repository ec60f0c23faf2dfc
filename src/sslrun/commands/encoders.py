"""From `encoder=` to a built encoder and the dataset it is measured on."""

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
    """What is measured: an encoder by reference, its architecture, and the dataset as it must be read for it.

    Attributes:
        backbone: architecture, also of the untrained baseline; None for `pixels`.
        dataset: with the encoder's image size, channels, mean and std, where it was trained with some.
        asked: the dataset before that.
    """

    ref: EncoderRef
    backbone: BackboneConfig | None
    dataset: DatasetConfig
    asked: DatasetConfig | None = None

    def describe(self) -> dict[str, str]:
        """A line for the resolved block where the encoder reads the data otherwise than the dataset says."""
        differing = [
            f"{key} {getattr(self.dataset, key)}, not {getattr(self.asked, key)}"
            for key in ("image_size", "channels", "mean", "std")
            if getattr(self.asked, key, None) not in (None, getattr(self.dataset, key, None))
        ]
        return {"read as trained": "; ".join(differing)} if differing else {}

    def build(self, inputs: dict[str, Any]) -> Encoder:
        """The encoder itself.

        Args:
            inputs: of the dataset, as `Data.encoder_inputs` tells them.
        """
        match self.ref:
            case FolderRef(folder=folder):
                return load_encoder(folder, inputs=inputs)
            case CheckpointRef(file=file, run=run):
                manifest, config = load_run(run)
                encoders, _ = restore_encoders(config, manifest, file)  # heads: the run's classes
                encoder = next(iter(encoders.values()))
                encoder.inputs = inputs
                return encoder
        return build_encoder(self._architecture, inputs)

    def untrained(self, inputs: dict[str, Any], *, seed: int) -> Encoder:
        """The same architecture as it is before any training."""
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
        ConfigError: the encoder is not there, a group is missing that only a run could have supplied, or weights are
            named for a net that is to be untrained.
    """
    reads_text = dataset is not None and find("dataset", dataset.kind).modality == "text"
    tower = "text" if reads_text else "image"
    ref = parse_encoder(encoder, tower=tower)
    match ref:
        case FolderRef(folder=folder):
            described = read_config(folder)
            chosen = dataset or _dataset_of_run(ref)
            read = _read_as(chosen, described["inputs"], files=folder)
            return Subject(ref, group_from_plain("backbone", described["backbone"]), read, chosen)
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
            opened, inputs = open_checkpoint(folder, encoder=source, tower=tower)
            return Subject(ref, opened, _read_as(dataset, inputs, files=folder), dataset)
        case RandomRef() if backbone is None:
            raise ConfigError("encoder=random is an untrained net; say which: backbone=…")
    if backbone is not None and backbone.pretrained:
        weights = "timm:NAME" if backbone.pretrained is True else backbone.pretrained
        raise ConfigError(
            f"backbone.pretrained={backbone.pretrained}: with encoder={encoder} the backbone is an untrained net; "
            f"omit backbone.pretrained, or start from the weights: encoder={weights}"
        )
    return Subject(ref, backbone, dataset)


def _dataset_of_run(ref: FolderRef) -> DatasetConfig:
    run = ref.run
    while run is not None:  # a fine-tuned encoder's dataset may stand in the run it came from
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
    """The dataset read as the encoder was trained: another normalisation, size or tokenizer would measure something
    else."""
    names = {f.name for f in dataclasses.fields(dataset)}
    of_captions = inputs.get("text", {})
    same = {k: v for k, v in {**of_captions, **inputs}.items() if k in names and v is not None}
    if files is not None and "tokenizer" in names and (files / "tokenizer.json").is_file():
        same["tokenizer"] = str(files / "tokenizer.json")
    return dataclasses.replace(dataset, **same)


def _timm_inputs(name: str) -> dict[str, Any]:
    import timm

    try:
        config = timm.get_pretrained_cfg(name)
    except RuntimeError:  # a tag that it does not know
        config = None
    if config is None:
        raise ConfigError(f"encoder=timm:{name}: timm has no pretrained weights of that name")
    return {"image_size": config.input_size[-1], "channels": 3, "mean": list(config.mean), "std": list(config.std)}
