"""Pictures, and how far two of them differ.

Two pictures are blurred over 4 pixels and compared in tiles of 24 pixels. Each tile may lie up to 2 pixels off, because
another version of FreeType measures text otherwise by a pixel, and the layout follows. The difference of a tile is the
root mean square over its pixels and colours, of 255; that of the pictures is the largest of a tile, so that a mark
that is missing in one corner counts as much as it would in a small picture.

Near letters the tolerance is 45, else 10. Measured: a stored picture itself 5 (of its few colours), all text 2 % larger
up to 13 beside letters, 33 where a line breaks elsewhere; another colour map at least 44, colours cut at 70 % 13, a
legend that is missing 27, a curve moved by 5 % of its panel 10 to 27, a cross that is missing 6 to 35 on all but the
most hatched map. Hatching alone, 5 to 18, is held by tests of the artists in `test_plot.py`, as are the words.
"""

from __future__ import annotations

import importlib.util
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
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
    "difference",
    "picture",
    "renew",
    "settings",
]

HERE = Path(__file__).parent
BASELINE = HERE / "baseline"
DPI = 60
BLUR, TILE, SHIFT = 4, 16, 2
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
    """Store the picture of a figure, in as few colours as are enough, so that the file is small."""
    with matplotlib.rc_context(settings()):
        image, _ = picture(draw())
    BASELINE.mkdir(exist_ok=True)
    path = BASELINE / f"{name}.png"
    for colours in (32, 48, 56, 64, 128, 256):
        fewer = Image.fromarray(image).quantize(colours, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
        if difference(image, np.asarray(fewer.convert("RGB")))[0] < TOLERANCE / 2:
            break
    fewer.save(path, optimize=True)
    return path
