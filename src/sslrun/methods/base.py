"""What every method is: a plain nn.Module from one batch to a loss."""

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
    """What a method gives for one batch.

    Attributes:
        loss: () float32, differentiable.
        embedding: (B, D) detached: what the encoder gave for the batch as it was trained on.
        logs: further numbers, () each, by name.
    """

    loss: Tensor
    embedding: Tensor
    logs: dict[str, Tensor] = field(default_factory=dict)


class Method(nn.Module):
    """One paper.

    A subclass takes `(config, encoder)` and names the batch it reads. `progress` is optimizer steps done before
    this one / steps of the run, in [0, 1): the same for all hooks of a step; schedules are pure functions of it.
    """

    batch_type: type
    also_reads: tuple[type, ...] = ()
    """Other batch types that it takes if the dataset does not give `batch_type`."""
    views: int = 1
    """Views it reads at least, if batch_type is ViewsBatch."""
    most_views: int | None = None
    """Views it reads at most; None reads all that there are."""
    needs_labels: bool = False
    needs_encoder: type[Encoder] | None = None
    """Class of backbones that it is made for; None takes any."""
    needs_tokens: Tokens | None = None
    """What the backbone must give a vector for, besides the one for the whole input."""
    needs_causal: bool | None = None
    """Whether each token must see only the ones before it, must see all, or either."""
    scores_anomalies: bool = False
    """Whether `anomaly_scores` works."""
    is_likelihood: bool = False
    """Whether `row_losses` are negative log-likelihoods, which have a perplexity."""
    syncs_batch_norm: bool = True
    """Whether, by default, BatchNorm sees the batches of all GPUs: several then see what one would."""
    config: MethodConfig | None
    encoder: Encoder
    projector: nn.Module
    """(B, D) encoder outputs -> (B, P) what the loss compares; absent in methods that compare none."""

    def __init__(self, config: MethodConfig | None, encoder: Encoder) -> None:
        """Keep both; `config` is None for what fine-tuning trains."""
        super().__init__()
        self.config = config
        self.encoder = encoder

    def forward(self, batch: Mapping[str, Any]) -> StepOutput:
        """Loss of one batch on this rank."""
        raise NotImplementedError

    def before_step(self, progress: float) -> None:
        """Set scheduled values, before the forward pass."""

    def after_backward(self, progress: float) -> None:
        """Between backward pass and optimizer step, before clipping: frozen layers zero their gradients here.

        (Toggling requires_grad in mid-run raises under DDP.)
        """

    def after_step(self, progress: float) -> None:
        """Once per optimizer step, whatever the accumulation: momentum copies, queues."""

    def param_groups(self) -> list[dict[str, Any]]:
        """Parameters that differ from the default, each group `{"params": [...], ...}` with options.

        `lr_scale` multiplies the learning rate; `constant_lr` keeps it out of the schedule; `decay_all` decays biases
        and norms too, which else have no weight decay.
        """
        return []

    def encoders(self) -> dict[str, Encoder]:
        """What is evaluated and exported."""
        return {"encoder": self.encoder}

    def save_extras(self, folder: Path) -> None:
        """Write what the exported encoders share into the folder that holds them."""

    def row_losses(self, batch: Mapping[str, Any]) -> tuple[Tensor, Tensor] | None:
        """(B,) sums and (B,) counts of what the loss is a mean of, row by row: the loss on held-out data.

        None if a row has no loss of its own, as with negatives from the batch.
        """
        return None

    def anomaly_scores(self, series: Tensor) -> Tensor:
        """(B, T, C) with NaN where values are missing -> (B, T), how badly each timestamp fits."""
        raise NotImplementedError

    def project(self, features: Tensor) -> Tensor | None:
        """(B, D) encoder outputs -> (B, P) what the loss compares; None without a projector."""
        return self.projector(features) if hasattr(self, "projector") else None


def zero_through(pooled: Tensor) -> Tensor:
    """() zero to add to a loss of tokens, so that layers which only pool have a gradient too: DDP waits for all."""
    return 0 * pooled.float().sum()


def build_method(config: MethodConfig, encoder: Encoder) -> Method:
    """Build the method that `config` configures around an encoder.

    Raises:
        ConfigError: the method needs another class of backbone, or other tokens than it gives.
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
    """The batch type that method and dataset share; nothing of the dataset is read.

    Raises:
        ConfigError: the dataset does not give what the method reads; the policy gives too few views or too many, or is
            for another modality.
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
    if batch_type is ViewsBatch and cls.most_views is not None and views > cls.most_views:
        raise ConfigError(
            f"method={config.kind} reads {cls.most_views} views and would throw the others away; augmentation="
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
