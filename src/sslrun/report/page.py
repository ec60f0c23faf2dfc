"""HTML pages from this room's templates: one file each, without scripts or links to load."""

from importlib import resources
from pathlib import Path
from typing import Any

from jinja2 import Environment
from markupsafe import Markup

from sslrun.core.atomic import write_text


def page(template: str, **values: Any) -> str:
    """A template of this folder, filled; `style` is page.css."""
    room = resources.files(__package__)
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    filled = environment.from_string(room.joinpath(template).read_text("utf-8"))
    return filled.render(style=Markup(room.joinpath("page.css").read_text("utf-8")), **values)


def write_page(path: Path, html: str) -> None:
    """Write a page; OSError if that fails."""
    write_text(path, html.encode("utf-8", "replace").decode())  # paths of the system may hold lone surrogates
