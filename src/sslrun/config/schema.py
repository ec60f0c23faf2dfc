"""Base classes of the groups with several kinds, and the augmentation policy, a list of named transforms."""

from dataclasses import dataclass, field
from typing import Any, ClassVar

from omegaconf import MISSING

from sslrun.config.errors import ConfigError
from sslrun.config.node import Node, limited


@dataclass(kw_only=True)
class MethodConfig(Node):
    """Base of every method's configuration."""

    section: ClassVar[str] = "method"

    kind: str = MISSING


@dataclass(kw_only=True)
class BackboneConfig(Node):
    """Base of every backbone's configuration.

    Attributes:
        name: architecture, by its library's name.
        has_library_weights: whether `pretrained: true` is possible.
        pretrained: null, `true` for the library's weights, `hf:OWNER/NAME` for weights on the hub, or a path: a weights
            file, an encoder folder, a run.
    """

    section: ClassVar[str] = "backbone"

    has_library_weights: ClassVar[bool] = False

    kind: str = MISSING
    name: str = MISSING
    pretrained: Any = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.pretrained is not None and not isinstance(self.pretrained, bool | str):
            raise ConfigError(f"{self.key_of('pretrained')} must be null, true or a path, got {self.pretrained!r}")
        if self.pretrained is True and not self.has_library_weights:
            raise ConfigError(
                f"{self.key_of('pretrained')}=true: no library has weights of {self.name}; name a run, an encoder "
                "folder or a file of weights"
            )


@dataclass(kw_only=True)
class CheckpointConfig(BackboneConfig):
    """Base of backbones whose sizes may come from a checkpoint of the library `transformers`.

    Attributes:
        architecture: of the checkpoint, to rebuild the model without it; exported encoders set it.
    """

    architecture: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.pretrained is True:
            raise ConfigError(
                f"{self.key_of('pretrained')}=true: name a folder that transformers wrote, or hf:OWNER/NAME"
            )
        super().__post_init__()


@dataclass(kw_only=True)
class DatasetConfig(Node):
    """Base of every dataset's configuration.

    Attributes:
        name: for tables and folders.
        validation: share of train to split off, stratified, if the dataset has no validation split; of a single long
            text or recording its end.
        test_share: likewise, share of all items to split off if there is no test split.
        split_seed: seed of these splits, separate from `seed`, so that repeated runs share them.
        limit: maximum number of training items; null takes all.
        gives: batch types that a dataset of this kind can give, by their names in sslrun.core.batch.
    """

    section: ClassVar[str] = "dataset"

    gives: ClassVar[tuple[str, ...]] = ()

    kind: str = MISSING
    name: str = MISSING
    validation: float = limited(0.1, above=0, below=1)
    test_share: float = limited(0.2, above=0, below=1)
    split_seed: int = 0
    limit: int | None = limited(None, at_least=2)

    @property
    def given(self) -> tuple[str, ...]:
        """Subset of `gives` that this configuration allows, known before any data are read."""
        return self.gives


@dataclass(kw_only=True)
class ViewConfig(Node):
    """One kind of view.

    Attributes:
        count: views of this kind per item.
        size: of images, side in pixels; null takes `dataset.image_size`; below 1 a fraction of it, rounded to a
            multiple of 4 (multi-crop).
        transforms: in order, each `Name` or `{Name: {argument: value}}`; available names depend on the modality:
            Albumentations' for images, those of sslrun.data.text.corrupt for text.
    """

    section: ClassVar[str] = "augmentation.views"

    count: int = limited(1, at_least=1)
    size: float | None = limited(None, above=0)
    transforms: list[Any] = field(default_factory=list)


@dataclass(kw_only=True)
class AugmentationConfig(Node):
    """A policy: the kinds of views in order, largest first.

    Attributes:
        modalities: that its transforms suit: image, text, audio, series; empty for any.
    """

    section: ClassVar[str] = "augmentation"

    name: str = MISSING
    modalities: list[str] = field(default_factory=list)
    views: list[ViewConfig] = MISSING

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.views:
            raise ConfigError("augmentation.views is empty; name at least one kind of view")
