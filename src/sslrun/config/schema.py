"""Bases of the groups that have several kinds, and the augmentation policy, which is a list of named transforms."""

from dataclasses import dataclass, field
from typing import Any, ClassVar

from omegaconf import MISSING

from sslrun.config.errors import ConfigError
from sslrun.config.node import Node, limited


@dataclass(kw_only=True)
class MethodConfig(Node):
    """Base of every method's configuration."""

    place: ClassVar[str] = "method"

    kind: str = MISSING


@dataclass(kw_only=True)
class BackboneConfig(Node):
    """Base of every backbone's configuration.

    Attributes:
        name: architecture, as its library names it.
        has_library_weights: whether `pretrained: true` means something.
        pretrained: null, `true` for the library's own weights, `hf:OWNER/NAME` for those of the hub, or a path: a
            weights file, an encoder folder, a run.
    """

    place: ClassVar[str] = "backbone"

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
        architecture: that of a checkpoint, so that the net is built again without it; exported encoders fill it.
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
        validation: share of train that is cut off, stratified, if the dataset has no validation split; of a single long
            text or recording it is the end.
        test_share: share of all that is cut off for testing likewise, if there is no test split.
        split_seed: seed of those cuts; apart from `seed`, so that repeated runs share their splits.
        limit: largest number of training items; null takes all.
        gives: batch types that a dataset of the kind can give, by their names in sslrun.core.batch.
    """

    place: ClassVar[str] = "dataset"

    gives: ClassVar[tuple[str, ...]] = ()

    kind: str = MISSING
    name: str = MISSING
    validation: float = limited(0.1, above=0, below=1)
    test_share: float = limited(0.2, above=0, below=1)
    split_seed: int = 0
    limit: int | None = limited(None, at_least=2)

    @property
    def given(self) -> tuple[str, ...]:
        """Those of `gives` that are possible with this configuration, known before anything is read."""
        return self.gives


@dataclass(kw_only=True)
class ViewConfig(Node):
    """One kind of view.

    Attributes:
        count: how many views of this kind each item gives.
        size: of images, side in pixels; null takes `dataset.image_size`; a fraction below 1 is that share of it, to
            the nearest multiple of 4 (multi-crop).
        transforms: in order, each `Name` or `{Name: {argument: value}}`; which names there are depends on the modality:
            Albumentations' for images, those of sslrun.data.text.corrupt for text.
    """

    place: ClassVar[str] = "augmentation.views"

    count: int = limited(1, at_least=1)
    size: float | None = limited(None, above=0)
    transforms: list[Any] = field(default_factory=list)


@dataclass(kw_only=True)
class AugmentationConfig(Node):
    """A policy: the kinds of views in order, largest first.

    Attributes:
        modalities: what its transforms are for: image, text, audio, series; empty for any.
    """

    place: ClassVar[str] = "augmentation"

    name: str = MISSING
    modalities: list[str] = field(default_factory=list)
    views: list[ViewConfig] = MISSING

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.views:
            raise ConfigError("augmentation.views is empty; name at least one kind of view")
