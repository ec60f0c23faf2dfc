"""HTML pages from this package's templates: self-contained files without scripts."""

from importlib import resources
from pathlib import Path
from typing import Any

from jinja2 import Environment
from markupsafe import Markup

from sslrun.core.atomic import write_text


def page(template: str, **values: Any) -> str:
    """Render a template of this package; `style` is page.css."""
    package = resources.files(__package__)
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    compiled = environment.from_string(package.joinpath(template).read_text("utf-8"))
    return compiled.render(style=Markup(package.joinpath("page.css").read_text("utf-8")), **values)


def write_page(path: Path, html: str) -> None:
    """Write a page; OSError if that fails."""
    write_text(path, html.encode("utf-8", "replace").decode())  # file system paths may contain lone surrogates
