"""The interface of all methods: a plain nn.Module from a batch to a loss."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from sslrun.backbones.base import Encoder, Tokens
from sslrun.config.errors import ConfigError
from sslrun.config.registry import entries, find, target_of
from sslrun.config.schema import AugmentationConfig, DatasetConfig, MethodConfig
from sslrun.core.batch import BATCH_NAMES, ViewsBatch


@dataclass
class StepOutput:
    """Output of a method for one batch.

    Attributes:
        loss: () float32, differentiable.
        embedding: (B, D) detached encoder outputs for the batch as it was trained on.
        logs: further scalars to log, by name.
    """

    loss: Tensor
    embedding: Tensor
    logs: dict[str, Tensor] = field(default_factory=dict)


class Method(nn.Module):
    """Base class, one subclass per paper.

    A subclass takes `(config, encoder)` and names the batch it reads. `progress` is the number of optimizer steps done
    so far / steps of the run, in [0, 1), and the same for all hooks of a step; schedules are pure functions of it.
    """

    batch_type: type
    also_reads: tuple[type, ...] = ()
    """Other batch types it accepts if the dataset does not give `batch_type`."""
    views: int = 1
    """Fewest views it accepts, if batch_type is ViewsBatch."""
    max_views: int | None = None
    """Most views it accepts; None accepts any number."""
    needs_labels: bool = False
    needs_encoder: type[Encoder] | None = None
    """Class of encoder it requires; None accepts any."""
    needs_tokens: Tokens | None = None
    """Kind of tokens the backbone must have; None needs only its pooled output."""
    needs_causal: bool | None = None
    """Whether the backbone must be causal (True) or bidirectional (False); None accepts both."""
    scores_anomalies: bool = False
    """Whether it implements `anomaly_scores`."""
    is_likelihood: bool = False
    """Whether `row_losses` are negative log-likelihoods, so that perplexity is defined."""
    syncs_batch_norm: bool = True
    """Whether BatchNorm statistics are synchronised over GPUs by default."""
    config: MethodConfig | None
    encoder: Encoder
    projector: nn.Module
    """(B, D) encoder outputs -> (B, P) projections; absent in methods without one."""

    def __init__(self, config: MethodConfig | None, encoder: Encoder) -> None:
        """`config` is None when fine-tuning."""
        super().__init__()
        self.config = config
        self.encoder = encoder

    def forward(self, batch: Mapping[str, Any]) -> StepOutput:
        """Loss of one batch on this rank."""
        raise NotImplementedError

    def before_step(self, progress: float) -> None:
        """Called before the forward pass: set scheduled values."""

    def after_backward(self, progress: float) -> None:
        """Called between backward pass and clipping: frozen layers drop their gradients here.

        (Toggling requires_grad during a run raises under DDP.)
        """

    def after_step(self, progress: float) -> None:
        """Called once per optimizer step, whatever the accumulation: update EMA networks and queues."""

    def param_groups(self) -> list[dict[str, Any]]:
        """Parameter groups that differ from the default, each `{"params": [...], ...}` with options.

        `lr_scale` multiplies the learning rate; `constant_lr` exempts it from the schedule; `decay_all` applies weight
        decay to biases and norms too.
        """
        return []

    def encoders(self) -> dict[str, Encoder]:
        """The encoders to evaluate and export, by name."""
        return {"encoder": self.encoder}

    def save_extras(self, folder: Path) -> None:
        """Write what the exported encoders share into their common folder."""

    def row_losses(self, batch: Mapping[str, Any]) -> tuple[Tensor, Tensor] | None:
        """Held-out loss: (B,) sums and (B,) counts of the terms that the loss averages, per row.

        None if a row's loss depends on other rows, as with negatives from the batch.
        """
        return None

    def anomaly_scores(self, series: Tensor) -> Tensor:
        """(B, T, C) with NaN for missing values -> (B, T), the anomaly score of each timestamp."""
        raise NotImplementedError

    def project(self, features: Tensor) -> Tensor | None:
        """(B, D) encoder outputs -> (B, P) projections; None without a projector."""
        return self.projector(features) if hasattr(self, "projector") else None


def zero_through(pooled: Tensor) -> Tensor:
    """() zero to add to a loss on tokens: layers used only in pooling get a gradient, which DDP waits for."""
    return 0 * pooled.float().sum()


def build_method(config: MethodConfig, encoder: Encoder) -> Method:
    """Build the configured method around an encoder.

    Raises:
        ConfigError: the backbone has the wrong class or lacks the tokens that the method needs.
    """
    cls: type[Method] = target_of("method", config)
    if cls.needs_tokens is Tokens.patches and encoder.tokens_are is not Tokens.patches:
        raise ConfigError(
            f"method={config.kind} needs a ViT backbone; {encoder.config.name} has no patch tokens; "
            "choose e.g. backbone=vit_tiny"
        )
    if cls.needs_tokens not in (None, encoder.tokens_are):
        raise ConfigError(
            f"method={config.kind} needs vectors for {cls.needs_tokens.value}; backbone={encoder.config.name} gives "
            "none; omit backbone= to use the method's default"
        )
    if cls.needs_encoder is not None and not isinstance(encoder, cls.needs_encoder):
        own = [entry.kind for entry in entries("backbone") if issubclass(entry.load(), cls.needs_encoder)]
        raise ConfigError(
            f"method={config.kind} needs its own backbone; backbone={encoder.config.name} is another; "
            f"choose backbone={' or '.join(own)}"
        )
    if cls.needs_causal is not None and cls.needs_causal != encoder.is_causal:
        wanted = "a causal backbone, e.g. gpt2_tiny" if cls.needs_causal else "one that reads both ways, e.g. bert_tiny"
        raise ConfigError(f"method={config.kind} needs {wanted}; backbone={encoder.config.name} is not one")
    return cls(config, encoder)


def check_fit(config: MethodConfig, augmentation: AugmentationConfig, dataset: DatasetConfig) -> type:
    """The batch type that the method reads and the dataset gives; no data are read.

    Raises:
        ConfigError: there is none; the augmentation policy gives too few or too many views, or is for another modality.
    """
    cls: type[Method] = target_of("method", config)
    batch_type = next((kind for kind in (cls.batch_type, *cls.also_reads) if BATCH_NAMES[kind] in dataset.given), None)
    if batch_type is None:
        given = " or ".join(dataset.given)
        raise ConfigError(
            f"method={config.kind} reads {BATCH_NAMES[cls.batch_type]}; dataset={dataset.name} gives {given}"
        )
    check_policy(augmentation, dataset)
    views = sum(view.count for view in augmentation.views)
    if views < cls.views:
        raise ConfigError(
            f"method={config.kind} reads {cls.views} views; augmentation={augmentation.name} gives {views}; "
            f"say augmentation.views.0.count={augmentation.views[0].count + cls.views - views}, or omit augmentation= "
            "to use the method's default"
        )
    if batch_type is ViewsBatch and cls.max_views is not None and views > cls.max_views:
        raise ConfigError(
            f"method={config.kind} reads {cls.max_views} views and would throw the others away; augmentation="
            f"{augmentation.name} gives {views}; omit augmentation= to use the method's default"
        )
    return batch_type


def check_policy(augmentation: AugmentationConfig, dataset: DatasetConfig) -> None:
    """Raise ConfigError if the policy's transforms are for another modality than the dataset's."""
    modality = find("dataset", dataset.kind).modality
    augmented = "image" if modality == "pair" else modality
    if augmentation.modalities and augmented not in augmentation.modalities:
        known = ", ".join(augmentation.modalities)
        raise ConfigError(
            f"augmentation={augmentation.name} is for {known}; dataset={dataset.name} holds {modality}; choose one for "
            f"{augmented} out of `sslrun list augmentations`"
        )


def check_labels(config: MethodConfig, *, dataset: str, labelled: bool) -> None:
    """Raise ConfigError if the method reads labels and the dataset's training items have none."""
    cls: type[Method] = target_of("method", config)
    if cls.needs_labels and not labelled:
        raise ConfigError(f"method={config.kind} reads labels; dataset={dataset} has none for training")
