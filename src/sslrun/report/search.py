"""The page of `sslrun search`: pictures that fit a text, in one file."""

import base64
import io
import os
from dataclasses import dataclass
from html import escape
from pathlib import Path

from PIL import Image, ImageOps

from sslrun.core.atomic import replacing

SIDE = 224
"""Pixels that a picture is shown in at most."""
STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem; color: #1b1f24 }
ol { display: grid; grid-template-columns: repeat(auto-fill, minmax(14rem, 1fr)); gap: 1rem; padding: 0 }
li { list-style: none; overflow-wrap: anywhere } img { display: block } small { color: #57606a }
"""


@dataclass(frozen=True)
class Found:
    """A picture: its place, its cosine with the text, its file."""

    rank: int
    score: float
    path: Path


def write_search(folder: Path, found: list[Found], *, text: str, encoder: str, searched: int) -> Path:
    """Write search.html; the pictures are inside it."""
    folder.mkdir(parents=True, exist_ok=True)
    entries = "\n".join(
        f'<li><img src="{thumbnail(f.path)}" alt="{escape(f.path.name)}">{f.rank}. {f.score:.3f}<br>'
        f"<small>{escape(os.fspath(f.path))}</small></li>"
        for f in found
    )
    page = folder / "search.html"
    html = (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(text)}</title><style>{STYLE}</style>'
        f"<h1>{escape(text)}</h1><p>The {len(found)} nearest of {searched:,} pictures by cosine; "
        f"encoder {escape(encoder)}.</p><ol>\n{entries}\n</ol></html>\n"
    )
    with replacing(page) as temporary:
        temporary.write_text(html, encoding="utf-8")
    return page


def thumbnail(path: Path) -> str:
    """A picture as a data URL; none where only sslrun's own decoder reads it."""
    try:
        with Image.open(path) as image:
            small = ImageOps.exif_transpose(image).convert("RGB")
    except (OSError, ValueError):
        return ""
    small.thumbnail((SIDE, SIDE))
    data = io.BytesIO()
    small.save(data, format="JPEG", quality=85)
    return f"data:image/jpeg;base64,{base64.b64encode(data.getvalue()).decode()}"
