"""The page of `sslrun search`: the images that match a text, in one file."""

import base64
import io
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageOps

from sslrun.report.page import page, write_page

SIDE = 224
"""Longest side of a thumbnail, in pixels."""


@dataclass(frozen=True)
class Match:
    """An image: its rank, its cosine similarity with the text, its file."""

    rank: int
    score: float
    path: Path


def write_search(folder: Path, matches: list[Match], *, text: str, encoder: str, searched: int) -> Path:
    """Write search.html with embedded thumbnails and return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "search.html"
    values = {"text": text, "encoder": encoder, "searched": searched}
    write_page(path, page("search.html.j2", matches=matches, thumbnail=thumbnail, **values))
    return path


def thumbnail(path: Path) -> str:
    """Thumbnail as a data URL; empty if Pillow cannot read the file."""
    try:
        with Image.open(path) as image:
            small = ImageOps.exif_transpose(image).convert("RGB")
    except (OSError, ValueError):
        return ""
    small.thumbnail((SIDE, SIDE))
    data = io.BytesIO()
    small.save(data, format="JPEG", quality=85)
    return f"data:image/jpeg;base64,{base64.b64encode(data.getvalue()).decode()}"
