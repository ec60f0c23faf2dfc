"""Tar files as WebDataset writes them."""

import io
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np

Sample = Mapping[str, bytes]


def write_shard(path: Path, samples: Mapping[str, Sample]) -> Path:
    """One tar: key -> extension -> content."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for key, files in samples.items():
            for extension, content in files.items():
                member = tarfile.TarInfo(f"{key}.{extension}")
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
    return path


def write_shards(folder: Path, samples: Sequence[Sample], *, per_shard: int) -> str:
    """Tars of `per_shard` samples each; returns their pattern in braces."""
    starts = range(0, len(samples), per_shard)
    for number, start in enumerate(starts):
        part = {f"{start + i:05d}": sample for i, sample in enumerate(samples[start : start + per_shard])}
        write_shard(folder / f"made-{number:03d}.tar", part)
    return f"{folder}/made-{{000..{len(starts) - 1:03d}}}.tar"


def picture(number: int, *, side: int = 16) -> bytes:
    """A PNG that is told by its number."""
    image = np.random.default_rng(number).integers(256, size=(side, side, 3), dtype=np.uint8)
    image[: side // 2] = 40 * (number % 5)
    return bytes(cv2.imencode(".png", image)[1])
