"""The pieces of a page: one HTML file that needs no other, with tables, and pictures in it (pure)."""

import base64
import math
from collections.abc import Sequence
from html import escape
from io import BytesIO

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

STYLE = """
body { font: 15px/1.45 sans-serif; max-width: 75em; margin: 2em auto; padding: 0 1em; color: #222 }
table { border-collapse: collapse; margin: 1em 0 } td, th { padding: .25em .8em; border-bottom: 1px solid #ddd }
td { text-align: right; white-space: nowrap } td:first-child, th { text-align: left } small { color: #666 }
img { max-width: 100% } .better { background: #e3f4e3 } .worse { background: #fbe4e0 }
td.text { text-align: left; white-space: normal } .wait { background: #fdf3d8 }
.banner { padding: .8em 1em; margin: 1em 0; border-left: 6px solid #999; background: #f3f3f3 }
.banner.better { border-color: #2e8b57; background: #e3f4e3 }
.banner.worse { border-color: #c0392b; background: #fbe4e0 }
.banner.wait { border-color: #d49a00; background: #fdf3d8 }
"""


def document(title: str, parts: Sequence[str]) -> str:
    """Return a whole page.

    Args:
        title: as text.
        parts: as HTML.
    """
    body = "\n".join(parts)
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{STYLE}</style></head><body>\n{body}\n</body></html>\n"
    )


def table(head: Sequence[str], rows: Sequence[Sequence[str]], texts: Sequence[int] = ()) -> str:
    """Return a table of cells that are HTML; the columns `texts` hold prose."""
    top = "".join(f"<th>{cell}</th>" for cell in head)
    body = "".join(
        f"<tr>{''.join(_cell(cell, is_text=place in texts) for place, cell in enumerate(row))}</tr>" for row in rows
    )
    return f"<table><tr>{top}</tr>{body}</table>"


def _cell(cell: str, *, is_text: bool) -> str:
    return f'<td class="text">{cell}</td>' if is_text else f"<td>{cell}</td>"


def folded(summary: str, content: str) -> str:
    """Return HTML that is shown when its summary is clicked."""
    return f"<details><summary>{summary}</summary>{content}</details>"


def image(png: bytes) -> str:
    """Return a picture as part of the page."""
    return f'<img alt="" src="data:image/png;base64,{base64.b64encode(png).decode()}">'


def number(value: float, places: int, *, sign: bool = False) -> str:
    """Return a number as a table shows it; nothing for a NaN."""
    return "" if math.isnan(value) else f"{value:{'+' if sign else ''}.{places}f}"


def blank_figure(width: float, height: float) -> Figure:
    """Return a figure of so many inches that needs no screen."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def png_of(figure: Figure) -> bytes:
    """Return a figure as PNG."""
    picture = BytesIO()
    figure.savefig(picture, dpi=90)
    return picture.getvalue()
