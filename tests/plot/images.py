"""Pictures, and how far two of them differ.

Two pictures are blurred over 4 pixels and compared in tiles of 24 pixels. Each tile may lie up to 2 pixels off, because
another version of FreeType measures text otherwise by a pixel, and the layout follows. The difference of a tile is the
root mean square over its pixels and colours, of 255; that of the pictures is the largest of a tile, so that a mark
that is missing in one corner counts as much as it would in a small picture.

Near letters the tolerance is 45, else 10. Measured: a stored picture itself 5 (of its few colours), all text 2 % larger
up to 13 beside letters, 33 where a line breaks elsewhere; another colour map at least 44, colours cut at 70 % 13, a
legend that is missing 27, a curve moved by 5 % of its panel 10 to 27, a cross that is missing 5 to 35.

A cross on a hatched map (5 to 10) and hatching alone (1 to 5) are less than what another FreeType may change. What each
picture shows is therefore kept as a list, too, one line for a mark, an area of hatching or a word; and that each of
them is seen, and lies under nothing else, is tried by drawing the figure without it.
"""

from __future__ import annotations

import importlib.util
import itertools
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure, FigureBase, SubFigure
from matplotlib.legend import Legend
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, PathPatch
from matplotlib.text import Text
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import uniform_filter

__all__ = [
    "BASELINE",
    "TEXT_TOLERANCE",
    "TOLERANCE",
    "all_cases",
    "baseline",
    "contents",
    "difference",
    "marks",
    "picture",
    "renew",
    "settings",
    "stored_contents",
]

HERE = Path(__file__).parent
BASELINE = HERE / "baseline"
DPI = 60
BLUR, TILE, SHIFT = 4, 16, 2
_FEW = 12  # points; of longer lines the number may follow a rounding error
TOLERANCE = 10.0
TEXT_TOLERANCE = 45.0

Pixels = NDArray[np.uint8]


def settings() -> dict[Any, Any]:
    """Matplotlib as it comes, with the font that it brings, and letters that do not snap to the pixels."""
    own: dict[Any, Any] = dict(matplotlib.rcParamsDefault)
    own.pop("backend", None)
    return own | {"font.family": "DejaVu Sans", "text.hinting": "none"}


def all_cases() -> dict[str, Callable[[], Figure]]:
    """Every figure whose picture is kept."""
    from tests.plot.cases import CASES

    cases = dict(CASES)
    if importlib.util.find_spec("tests.plot.cases_more") is not None:
        more: dict[str, Callable[[], Figure]] = importlib.import_module("tests.plot.cases_more").CASES
        twice = cases.keys() & more.keys()
        assert not twice, f"two pictures have one name: {sorted(twice)}"
        cases |= more
    return cases


def picture(figure: Figure) -> tuple[Pixels, NDArray[np.bool_]]:
    """A figure as an image, shape (height, width, 3), and which of its pixels are not near letters."""
    canvas = FigureCanvasAgg(figure)
    figure.dpi = DPI
    canvas.draw()
    image = np.asarray(canvas.buffer_rgba())[..., :3].copy()
    free = np.ones(image.shape[:2], dtype=bool)
    height, room = len(image), SHIFT + BLUR
    for text in figure.findobj(Text):
        box = text.get_window_extent()
        if text.get_visible() and text.get_text() and np.isfinite(box.extents).all():
            rows = slice(max(0, int(height - box.y1) - room), max(0, int(height - box.y0) + room + 1))
            free[rows, max(0, int(box.x0) - room) : max(0, int(box.x1) + room + 1)] = False
    return image, free


def marks(ax: Axes) -> list[Line2D | Patch]:
    """What is drawn over a field or beside a curve to say something of a place: single markers, and hatching."""
    lines = [line for line in ax.lines if line.get_marker() not in ("None", None, "", " ")]
    return [
        *(line for line in lines if 0 < len(np.atleast_1d(line.get_xdata())) <= _FEW),
        *(patch for patch in ax.patches if isinstance(patch, PathPatch) or patch.get_hatch()),
    ]


def contents(figure: Figure) -> list[str]:
    """What a figure shows, one line each: its panels with their words, lines, areas, collections and images."""
    parts: list[FigureBase] = [figure, *(part for part in figure.findobj(SubFigure) if isinstance(part, SubFigure))]
    texts = [text.get_text() for part in parts for text in part.texts if text.get_visible()]
    found = [f"figure {_worded(text)!r}" for text in texts if text]
    entries = [words for part in parts for legend in part.legends for words in _entries(legend)]
    found += [f"figure legend {_worded(text)!r}" for text in entries if text]
    for number, ax in enumerate(figure.axes):
        if ax.get_visible():
            found += [f"{number}: {line}" for line in (*_words(ax), *_artists(ax))]
    return found


def _words(ax: Axes) -> list[str]:
    named = [("title", _seen(title)) for title in (ax._left_title, ax.title, ax._right_title)]  # type: ignore[attr-defined]
    for which, axis in ax._axis_map.items():  # a third one where the panel is in perspective
        named.append((f"{which} axis", _seen(axis.label)))
        if not any(label.get_visible() and label.get_text() for label in axis.get_ticklabels()):
            named.append((f"{which} axis", "no numbers"))
    named += [("text", text.get_text()) for text in ax.texts if text.get_visible()]
    named += [("legend", words) for words in _entries(ax.get_legend())]
    return [f"{what} {_worded(words)!r}" for what, words in named if words]


def _seen(text: Text) -> str:
    return text.get_text() if text.get_visible() else ""


def _entries(legend: Legend | None) -> list[str]:
    """The title of a legend and its entries."""
    if legend is None or not legend.get_visible():
        return []
    return [_seen(text) for text in (legend.get_title(), *legend.get_texts())]


def _worded(text: str) -> str:
    """The text on one line, without its numbers: those that are rounding errors differ between processors."""
    return re.sub(r"[-\N{MINUS SIGN}]?\d[\d.,]*(?:e[-+]?\d+)?", "#", " ".join(text.split()))


def _artists(ax: Axes) -> list[str]:
    found = []
    for artist in (*ax.lines, *ax.patches, *ax.collections, *ax.images):
        if artist.get_visible():
            name = type(artist).__name__
            if isinstance(artist, Line2D):
                size = len(np.atleast_1d(artist.get_xdata()))
                name += f" {artist.get_linestyle()!r} {artist.get_marker()!r} {size if size <= _FEW else 'many'}"
            elif isinstance(artist, Patch) and artist.get_hatch():
                name += f" hatched {artist.get_hatch()!r}"
            found.append(name)
    return found


def stored_contents(name: str) -> list[str]:
    """What the stored picture shows."""
    return (BASELINE / f"{name}.txt").read_text(encoding="utf-8").splitlines()


def baseline(name: str) -> Pixels:
    """The stored picture."""
    return np.asarray(Image.open(BASELINE / f"{name}.png").convert("RGB"))


def difference(one: Pixels, other: Pixels, free: NDArray[np.bool_] | None = None) -> tuple[float, tuple[int, int]]:
    """How far two pictures of one size differ at most, and in which tile: (row, column) of its first pixel.

    Parameters
    ----------
    one, other
        The pictures.
    free
        Which pixels count; by default all.
    """
    assert one.shape == other.shape, f"the size is {one.shape[1::-1]}, and was {other.shape[1::-1]}"
    blurred = [uniform_filter(image.astype(np.float64), (BLUR, BLUR, 0), mode="nearest") for image in (one, other)]
    height, width = (TILE * -(-n // TILE) for n in one.shape[:2])
    more = ((0, height - one.shape[0]), (0, width - one.shape[1]))
    first, second = (np.pad(image, (*more, (0, 0)), constant_values=255.0) for image in blurred)
    counts = np.pad(np.ones(one.shape[:2], dtype=bool) if free is None else free, more)
    around = np.pad(second, ((SHIFT, SHIFT), (SHIFT, SHIFT), (0, 0)), mode="edge")
    least = np.full((height // TILE, width // TILE), np.inf)
    moves = sorted(
        itertools.product(range(2 * SHIFT + 1), repeat=2), key=lambda move: np.hypot(*np.subtract(move, SHIFT))
    )
    for down, right in moves:
        squares = ((first - around[down : down + height, right : right + width]) ** 2).mean(axis=2) * counts
        least = np.minimum(least, squares.reshape(height // TILE, TILE, width // TILE, TILE).mean(axis=(1, 3)))
        if least.max() < (TOLERANCE / 2) ** 2:  # near enough: no more places are tried
            break
    row, column = np.unravel_index(int(least.argmax()), least.shape)
    return float(np.sqrt(least.max())), (int(row) * TILE, int(column) * TILE)


def renew(name: str, draw: Callable[[], Figure]) -> Path:
    """Store the picture of a figure, in as few colours as are enough, so that the file is small, and what it shows."""
    with matplotlib.rc_context(settings()):
        figure = draw()
        image, _ = picture(figure)
    BASELINE.mkdir(exist_ok=True)
    shown = "\n".join(contents(figure))
    (BASELINE / f"{name}.txt").write_text(f"{shown}\n", encoding="utf-8", newline="\n")
    path = BASELINE / f"{name}.png"
    for colours in (32, 48, 56, 64, 128, 256):
        fewer = Image.fromarray(image).quantize(colours, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
        if difference(image, np.asarray(fewer.convert("RGB")))[0] < TOLERANCE / 2:
            break
    fewer.save(path, optimize=True)
    return path
