"""Text, tables, curves and pictures for notebooks: HTML that stands by itself, and knows nothing of what it shows.

No script and no style sheet: tables with inline styles and no colours of their own, so that they read in light and dark
notebooks alike, and small pictures inside the page. Everything that a user or a file has named is escaped and cut to a
length, which keeps a page below 50 kB. Without matplotlib, which knows the colours, there are tables only.
"""

from __future__ import annotations

import base64
import html
import io
import itertools
import re
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heatpg.tools.lines import visible

__all__ = [
    "QUIET",
    "brief",
    "curves",
    "folded",
    "heading",
    "number",
    "page",
    "palette",
    "picture",
    "place",
    "table",
    "text",
    "times",
]

Array = NDArray[Any]

QUIET = "opacity:.75"  # of what may be read last

# What bounds a page was measured: an evolution of everything at its longest takes 48 kB, three pictures among it.
_PIXELS = 80  # along a side of a picture
_LEVELS = 64  # of colour, which the eye does not tell from more, and which compress better
_BINS = 120  # of a line, each with its least and its largest value
_LONGEST = 240  # bytes of one cell
_BRIEF = 24  # letters of a name among others
_ROW = "border-bottom:1px solid rgba(128,128,128,.35);background:transparent"
_CELL = "padding:.15em .9em .15em 0;text-align:left;vertical-align:top"
_TABLE = "border-collapse:collapse;border:0;margin:.4em 0;background:transparent;color:inherit;font-size:inherit"


def text(value: object, longest: int = _LONGEST) -> str:
    """Anything as text that is safe inside HTML, cut to a length in bytes."""
    words = html.escape(visible(" ".join(str(value).split())))
    if len(words.encode()) <= longest:
        return words
    kept, room = "", longest - 3
    # an entity such as &lt; is kept or left out as a whole
    for letter in re.findall(r"&[^;]*;|.", words[: longest + 8], flags=re.DOTALL):
        room -= len(letter.encode())
        if room < 0:
            break
        kept += letter
    return f"{kept}…"


def brief(name: str) -> str:
    """A name or a unit inside a longer text."""
    return name if len(name) <= _BRIEF else f"{name[: _BRIEF - 1]}…"


def number(value: Any) -> str:
    """Six digits, with a true minus sign."""
    return f"{float(value):.6g}".replace("-", "\N{MINUS SIGN}")


def place(coordinates: Iterable[float]) -> str:
    """Coordinates in parentheses."""
    return f"({', '.join(map(number, coordinates))})"


def times(shape: Sequence[int]) -> str:
    """A shape as ``1,000 × 20``."""
    return " × ".join(f"{size:,}" for size in shape)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of cells that are HTML already."""
    top = "".join(f'<th style="{_CELL};font-weight:600">{text(word)}</th>' for word in head)
    body = "".join(
        f'<tr style="{_ROW}">' + "".join(f'<td style="{_CELL}">{cell}</td>' for cell in row) + "</tr>" for row in rows
    )
    return f'<table style="{_TABLE}"><thead><tr style="{_ROW}">{top}</tr></thead><tbody>{body}</tbody></table>'


def heading(kind: str, name: str, words: str) -> str:
    """The line above all others: what this is, its name, and what it amounts to."""
    title = f"<b>{text(kind)}</b> {text(name, 80)}".rstrip()
    return f'<div>{title} <span style="{QUIET}">{text(words)}</span></div>'


def page(*parts: str) -> str:
    """What ``_repr_html_`` returns; empty parts are left out."""
    return f'<div style="color:inherit;background:transparent;line-height:1.4">{"".join(filter(None, parts))}</div>'


def folded(summary: str, content: str, *, is_open: bool = False) -> str:
    """Content that is shown when its summary is clicked at."""
    mark = " open" if is_open else ""
    return f'<details{mark}><summary style="cursor:pointer">{text(summary)}</summary>{content}</details>'


def palette() -> NDArray[np.uint8] | None:
    """The colours, from low to high; None where matplotlib is not there or does not work."""
    try:
        from matplotlib import colormaps
    except Exception:  # an installation may be broken in any way, and the tables are worth having all the same
        return None
    colours = colormaps["viridis"](np.linspace(0.0, 1.0, _LEVELS))[:, :3]
    return np.asarray((255.0 * colours).round(), dtype=np.uint8)


def encoded(pixels: NDArray[np.uint8], colours: NDArray[np.uint8]) -> bytes:
    """A picture of at most 256 colours as a PNG file; pixels (height, width) are numbers of rows of the palette."""
    from PIL import Image  # matplotlib requires it, and gave the colours

    image = Image.fromarray(pixels)
    image.putpalette(colours.tobytes())
    content = io.BytesIO()
    image.save(content, "PNG", optimize=True)
    return content.getvalue()


def _share(values: Array, low: float, high: float) -> NDArray[np.float64]:
    """Values between low and high as numbers from 0 to 1; half of each, so that no difference overflows."""
    span = 0.5 * high - 0.5 * low
    if not 0 < span < np.inf:
        return np.zeros(values.shape)
    # NaN is drawn as the lowest value: the picture stays, and the table says nan
    share = (0.5 * np.nan_to_num(values.astype(np.float64), nan=low) - 0.5 * low) / span
    return np.clip(share, 0.0, 1.0)


def _picked(size: int) -> NDArray[np.intp]:
    """Numbers of the nodes that become pixels, both ends among them."""
    return np.linspace(0, size - 1, min(size, _PIXELS)).round().astype(np.intp)


def picture(plane: Array, low: float, high: float, colours: NDArray[np.uint8], words: str) -> str:
    """An array of two axes as a picture: the first to the right, the second upwards."""
    chosen = plane[np.ix_(_picked(plane.shape[0]), _picked(plane.shape[1]))]
    pixels = np.asarray((_share(chosen, low, high) * (len(colours) - 1)).round(), dtype=np.uint8).T[::-1]
    code = base64.b64encode(encoded(np.ascontiguousarray(pixels), colours)).decode()
    return (
        f'<figure style="display:inline-block;margin:.4em 1em .4em 0"><img alt="{text(words)}" '
        f'src="data:image/png;base64,{code}" style="width:128px;height:128px;image-rendering:pixelated;display:block">'
        f'<figcaption style="font-size:85%;{QUIET}">{text(words)}</figcaption></figure>'
    )


def envelope(line: Array) -> tuple[Array, Array]:
    """Nodes and values that show every peak of a line: of each bin its least and its largest value, in order."""
    if len(line) <= 2 * _BINS:
        return np.arange(len(line)), line
    # with both extremes of each bin no peak is lost, however narrow
    edges = np.linspace(0, len(line), _BINS + 1).astype(int)
    kept = {0, len(line) - 1}
    for begin, end in itertools.pairwise(edges):
        kept |= {int(begin + line[begin:end].argmin()), int(begin + line[begin:end].argmax())}
    nodes = np.array(sorted(kept))
    return nodes, line[nodes]


def curves(lines: Sequence[tuple[Array, str]], low: float, high: float, words: str) -> str:
    """Arrays of one axis as curves, each with the style of its stroke."""
    width, height, edge = 260.0, 110.0, 4.0
    drawn = ""
    for line, style in lines:
        nodes, values = envelope(line)
        x = edge + (width - 2 * edge) * nodes / (len(line) - 1)
        y = height - edge - (height - 2 * edge) * _share(values, low, high)
        points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))
        drawn += f'<polyline points="{points}" fill="none" stroke="currentColor" {style}/>'
    return (
        f'<figure style="margin:.4em 0"><svg role="img" aria-label="{text(words)}" width="{width:g}" '
        f'height="{height:g}" viewBox="0 0 {width:g} {height:g}" style="border-bottom:1px solid rgba(128,128,128,.6);'
        f'display:block">{drawn}</svg><figcaption style="font-size:85%;{QUIET}">{text(words)}</figcaption></figure>'
    )
