"""Folders of image files, with or without class folders."""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from sslrun.config.dataset.vision import ImageFolderConfig
from sslrun.config.errors import DataError
from sslrun.data.content import content_digest
from sslrun.data.folders import cache_folder, walk
from sslrun.data.labels import digest, encode_labels
from sslrun.data.split_names import find_splits, split_named
from sslrun.data.vision.decode import EXTENSIONS, Decoder
from sslrun.data.vision.images import ImageData, decoder_of

EXPECTED_LAYOUT = "expected {root}/*.jpg, {root}/<class>/*.jpg or {root}/{{train,val,test}}/…"


class ImageFolder(ImageData):
    """Classes are the first-level folders of train if at least two of them contain images."""

    def __init__(self, config: ImageFolderConfig) -> None:
        root = Path(str(config.root)).expanduser()
        if not root.is_dir():
            raise DataError(f"dataset.root={config.root}: no such folder")
        folders = split_folders(root, val_is_test=config.val_is_test)
        files = {name: image_files(folder) for name, folder in folders.items()}
        for name, found in files.items():
            if not found:
                raise DataError(f"dataset.root: no images under {folders[name]}; {EXPECTED_LAYOUT.format(root=root)}")
        classes = class_names(files["train"], root=folders["train"])
        decoder, scratch = decoder_of(config), cache_folder(config.cache_dir)
        sources = {
            name: FolderSource(folders[name], found, classes=classes, decoder=decoder, scratch=scratch)
            for name, found in files.items()
        }
        super().__init__(config, sources, classes=classes)
        self.unread = unread_folders(root, list(folders.values()))

    def describe(self) -> dict[str, str]:
        """Also lists image folders that belong to no split."""
        lines = super().describe()
        if self.unread:
            more = ", …" if len(self.unread) > 5 else ""
            lines["not read"] = f"{', '.join(self.unread[:5])}{more}: images beside the folders of the splits"
        return lines


class FolderSource:
    """Image files below a root, by sorted relative path; `scratch` caches their content digest."""

    embedded = False

    def __init__(
        self, root: Path, files: list[str], *, classes: tuple[str, ...] | None, decoder: Decoder, scratch: Path
    ) -> None:
        self.labels: np.ndarray | None = None
        if classes is not None and all("/" in f for f in files):
            of_file = np.array([f.split("/")[0] for f in files])
            self.labels = encode_labels(of_file, classes=classes, where=str(root))
        self.fingerprint = digest(content_digest(root, files, folder=scratch), self.labels is None)
        self._root, self._files, self._decoder = root, files, decoder

    def __len__(self) -> int:
        return len(self._files)

    def read(self, position: int) -> np.ndarray:
        return self._decoder(self._root / self._files[position], name=self.name(position))

    def name(self, position: int) -> str:
        return f"{self._root.name}/{self._files[position]}"


def split_folders(root: Path, *, val_is_test: bool) -> dict[str, Path]:
    """Splits with their own folders; without root/train, all of `root` is train.

    Raises:
        DataError: two folders of one split, or folders of splits but none of train, which would become classes.
    """
    below = [f for f in root.iterdir() if f.is_dir() and not f.name.startswith(".")]
    splits = [split_named(f.name) for f in below]
    if "train" not in splits and None in splits:  # among class folders, `valid` may be one of them
        below = [f for f in below if f.name.lower() != "valid"]
    found = find_splits(root, ((f.name, f) for f in below)) or {"train": root}
    if val_is_test and "validation" in found:
        return {"train": found["train"], "test": found["validation"]}
    return found


def unread_folders(root: Path, folders: list[Path]) -> list[str]:
    """Folders next to those of the splits that contain images."""
    if folders == [root]:
        return []
    below = (f for f in sorted(root.iterdir()) if f.is_dir() and not f.name.startswith(".") and f not in folders)
    return [f"{f.name}/" for f in below if next(_images(f), None) is not None]


def image_files(root: Path) -> list[str]:
    """Sorted relative POSIX paths; links are followed, hidden files and folders are skipped."""
    return sorted(_images(root))


def _images(root: Path) -> Iterator[str]:
    seen = {os.path.realpath(root)}
    for folder, below, names in walk(root, followlinks=True):
        below[:] = [b for b in below if not b.startswith(".") and _is_new(Path(folder, b), seen)]
        prefix = Path(folder).relative_to(root)
        images = (n for n in names if not n.startswith(".") and Path(n).suffix.lower() in EXTENSIONS)
        yield from ((prefix / n).as_posix() for n in images)


def _is_new(folder: Path, seen: set[str]) -> bool:
    """False for a linked folder that was visited before: links may form cycles."""
    if not folder.is_symlink():
        return True
    real = os.path.realpath(folder)
    new = real not in seen
    seen.add(real)
    return new


def class_names(files: list[str], *, root: Path) -> tuple[str, ...] | None:
    """First-level folders, sorted; None if fewer than two contain images.

    Raises:
        DataError: there are images next to the class folders.
    """
    folders = sorted({f.split("/")[0] for f in files if "/" in f})
    if len(folders) < 2:
        return None
    stray = next((f for f in files if "/" not in f), None)
    if stray is not None:
        raise DataError(f"{root / stray} lies beside the class folders {', '.join(folders[:3])}, …; move it into one")
    return tuple(folders)
