"""Matplotlib figures as inline SVG with the page's fonts and light or dark colours, and unique ids."""

import io
import re
import warnings
from collections.abc import Callable, Sequence
from html import escape

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

INK, FAINT = "#101418", "#909598"
"""Placeholders, replaced by the page's colours for text and for thin lines."""
SERIES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c6bb1", "#6e7781", "#7a4a1e", "#9aa800")
"""Six of Okabe and Ito's colour-blind-safe colours that are legible on white, and four more; markers differ too."""
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
_STYLE = {
    "svg.fonttype": "none",
    "text.parse_math": False,  # a class named `$x$` is a name
    "font.size": 10,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": FAINT,
    "axes.linewidth": 0.8,
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.formatter.useoffset": False,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "grid.color": FAINT,
    "grid.alpha": 0.35,
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "lines.linewidth": 1.8,
}


def draw(
    name: str,
    alt: str,
    paint: Callable[[list[Axes]], None],
    *,
    width: float,
    height: float,
    columns: int = 1,
    ratios: Sequence[float] | None = None,
) -> str:
    """Draw a figure and return its `<svg>` element.

    Args:
        name: unique on the page; prefixes every id.
        alt: text alternative.
        paint: draws on `columns` axes, which share y.
        width, height: inches; the page scales the figure, so they set its aspect ratio and relative text size.
    """
    buffer = io.StringIO()
    with matplotlib.rc_context({**_STYLE, "svg.hashsalt": name}), warnings.catch_warnings():
        # the browser has glyphs that Matplotlib's font lacks
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure = Figure(figsize=(width, height), layout="constrained")
        axes = figure.subplots(1, columns, sharey=True, squeeze=False, width_ratios=ratios)
        paint(list(axes[0]))
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    return _inline(buffer.getvalue(), name, alt)


def series(index: int) -> tuple[str, str]:
    """Colour and marker of the n-th series; pairs repeat after 70."""
    return SERIES[index % len(SERIES)], MARKERS[(index + index // len(SERIES)) % len(MARKERS)]


def _inline(svg: str, name: str, alt: str) -> str:
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg[svg.index("<svg") :], flags=re.S)
    svg = re.sub(r'\bid="', f'id="{name}-', svg)
    svg = re.sub(r"url\(#", f"url(#{name}-", svg)
    svg = re.sub(r'href="#', f'href="#{name}-', svg)
    svg = re.sub(r"(font: [^;\"]*?px) [^;\"]+", r"\1 system-ui, sans-serif", svg)
    svg = svg.replace(INK, "currentColor").replace(FAINT, "var(--faint, #909598)")
    for i, colour in enumerate(SERIES):
        svg = svg.replace(colour, f"var(--series-{i}, {colour})")
    size = re.compile(r'<svg [^>]*?(viewBox="[^"]+")[^>]*>', re.S)
    return size.sub(rf'<svg \1 role="img" aria-label="{escape(alt).replace(chr(92), "")}">', svg, count=1).strip()
