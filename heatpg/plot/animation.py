"""Animations over sigma: the landscape as noise grows, as GIF, animated PNG, or a page that needs nothing else."""

from __future__ import annotations

import base64
import html
import io
import json
import math
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from heatpg.core.extrema import peak
from heatpg.core.grid import first_of_batch
from heatpg.core.noise import Sigma
from heatpg.errors import MissingPackageError, NonFiniteError, OptionError
from heatpg.evolution import Evolution
from heatpg.plot.choices import noise_levels
from heatpg.plot.field import draw_field
from heatpg.plot.layout import COLOURS, line_colours, wrapped
from heatpg.plot.style import points
from heatpg.plot.words import headline, number, sigma_label, slice_label
from heatpg.tools.arguments import one_of
from heatpg.tools.calls import checked_call
from heatpg.tools.lines import visible
from heatpg.tools.pages import sealed_page
from heatpg.tools.resources import require_memory

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from PIL.Image import Image

__all__ = ["ANIMATIONS", "animate"]

ANIMATIONS = ("gif", "apng", "html")
"""Names of the formats, which are the endings of their files as well."""

_SCALES = ("landscape", "frame")  # colours of Q in every frame, or of each frame
# tastes: at 320 the labels of both axes still fit, 4096 is a large screen
_SMALLEST, _USUAL, _LARGEST = 320, 720, 4096  # pixels
_DPI = 100.0  # more beyond the usual size, so that text grows with it
_SMALL_TEXT = 7.0  # points, below two thirds of the usual size
# tastes: six or seven frames a second, and time to read the first and the last
_PACE, _REST = 0.15, 1.0  # seconds
_FASTEST, _SLOWEST = 0.02, 60.0  # below, browsers take 0.1 s instead
_JUMP = 0.25  # of the box: what is farther apart is not joined
# 160 + 32 + 4 * 16 = 256, all that a GIF has
_OF_THE_MAP, _GREYS, _BLENDED = 160, 32, 16  # entries of a GIF's palette, with four blends of each of the last


class _Scene:
    """The figure of an animation, drawn again for each level: level 0 is Q, level k the stored sigma k - 1."""

    def __init__(self, evolution: Evolution, size: tuple[int, int], scale: str) -> None:
        from matplotlib.cm import ScalarMappable
        from matplotlib.colors import Normalize
        from matplotlib.figure import Figure
        from matplotlib.layout_engine import ConstrainedLayoutEngine

        self.evolution, self.grid = evolution, evolution.grid
        self.initial = first_of_batch(evolution.landscape.values, self.grid)
        self.sense = evolution.landscape.sense
        self.center = peak(self.initial, self.grid, self.sense).index
        # a stored sigma of zero is Q itself
        self.levels = [0, *(k for k, row in enumerate(evolution.sigmas, 1) if row.any())]
        # all of them at once: the strip below shows every level in every frame
        self.tops = [peak(self.field(level), self.grid, self.sense) for level in self.levels]
        self.per_frame = scale == "frame"
        # of Q, unless each frame has its own; the limits are changed in `_draw`
        self.norm = Normalize(float(self.initial.min()), float(self.initial.max()))
        dpi = _DPI * max(1.0, min(size) / _USUAL)
        # compressed: a map of equal scales keeps its colour bar beside it
        layout = ConstrainedLayoutEngine(compress=self.grid.dimensions > 1, h_pad=0.09, w_pad=0.07)
        self.figure = Figure(figsize=(size[0] / dpi, size[1] / dpi), dpi=dpi, layout=layout)
        # the strip and the heading keep their inches, the field has the rest
        heights = (max(size[1] / dpi - 1.6, 1.0), 1.0)
        self.main, self.strip = self.figure.subplots(2, 1, height_ratios=heights)
        if self.grid.dimensions > 1:
            # made once: a bar of an image would be drawn again with each
            mappable = ScalarMappable(self.norm, COLOURS)
            self.figure.colorbar(mappable, ax=self.main, label="Q, u", format=lambda value, place: number(value))
        self._draw_strip()
        # the layout is found once, for the longest heading, so that nothing moves from frame to frame
        self._draw(max(range(len(self.levels)), key=lambda place: len(self.label(self.levels[place]))))
        self.figure.draw_without_rendering()
        self.figure.set_layout_engine("none")

    def field(self, level: int) -> NDArray[Any]:
        values = self.initial if level == 0 else first_of_batch(self.evolution.values[level - 1], self.grid)
        if not np.isfinite(values).all():
            raise NonFiniteError("values to draw must be finite", given=self.label(level))
        return values

    def label(self, level: int) -> str:
        return "Q (σ = 0)" if level == 0 else f"u at {sigma_label(self.evolution, level - 1)}"

    def alternative(self, place: int) -> str:
        """A frame in words."""
        top, level = self.tops[place], self.levels[place]
        where = ", ".join(f"{axis.name} = {number(x)}" for axis, x in zip(self.grid, top.coordinates, strict=True))
        return f"{self.label(level)}: {self.sense.largest} value {number(top.value)} at {where}"

    def _draw_strip(self) -> None:
        """The best value at every level, on which the current one is marked."""
        ax, places = self.strip, np.arange(len(self.levels))
        values = [top.value for top in self.tops]
        # evenly spaced and not by sigma: a frame takes the same time whatever its level
        ax.plot(places, values, color="0.55", lw=points(1.2), marker=".", ms=points(4))
        ax.set_xlim(-0.5, len(places) - 0.5)
        sigma, along = noise_levels(self.evolution)
        most = max(2, int(self.figure.get_figwidth() / points(0.9)))
        ticks = _round_ticks(np.array([0.0, *(sigma[level - 1] for level in self.levels[1:])]), most)
        ax.set_xticks([place for place, _ in ticks], [number(value) for _, value in ticks])
        unit = self.grid.unit if along is None else self.grid[along].unit
        name = "σ" if along is None else f"σ along {self.grid[along].name}"
        ax.set_xlabel(f"{name} ({unit}), one frame for each" if unit else f"{name}, one frame for each")
        ax.set_ylabel(f"{self.sense.short} u")
        # room for the mark, which is larger than the curve
        ax.margins(y=0.15)
        style: dict[str, Any] = {"mfc": line_colours(2)[0], "mec": "black", "mew": points(0.8), "clip_on": False}
        # moved from frame to frame
        (self.mark,) = ax.plot([], [], "o", ms=points(9), **style)

    def _draw(self, place: int) -> None:
        level, grid, ax = self.levels[place], self.grid, self.main
        values = self.field(level)
        sigma = (0.0,) * grid.dimensions if level == 0 else tuple(self.evolution.sigmas[level - 1].tolist())
        if self.per_frame:
            # a flat frame still has a scale
            low, high = float(values.min()), float(values.max())
            self.norm.vmin, self.norm.vmax = low, high if high > low else low + 1.0
        # artists of the last frame, with their labels
        ax.clear()
        if grid.dimensions == 1:
            ax.plot(grid[0].coordinates, self.initial, color="0.7", lw=points(1.0))
        draw_field(ax, values, grid, self.center, sigma, self.norm, sense=self.sense)
        if grid.dimensions == 1:
            self._set_limits(ax, values)
        self._draw_trail(ax, place)
        scale = "each frame on its own scale" if self.per_frame else ""
        below = ", ".join(filter(None, [slice_label(grid, self.center), scale]))
        heading = headline(self.evolution, self.label(level)) + (f"\n{below}" if below else "")
        self.figure.suptitle(wrapped(heading, self.figure.get_figwidth()))
        self.mark.set_data([place], [self.tops[place].value])

    def _set_limits(self, ax: Axes, values: NDArray[Any]) -> None:
        low, high = (values.min(), values.max()) if self.per_frame else (self.initial.min(), self.initial.max())
        # a taste; of a flat Q the margin of 1
        margin = 0.06 * (float(high - low) or 1.0)
        ax.set_ylim(float(low) - margin, float(high) + margin)
        ax.set_xlim(self.grid[0].lower, self.grid[0].upper)
        ax.set_ylabel("Q, u")

    def _draw_trail(self, ax: Axes, place: int) -> None:
        """Where the best value was before; the ends of a jump, or of a way around a period, are not joined."""
        from matplotlib.patheffects import Normal, Stroke

        if place == 0:
            return
        # from Q to this frame
        tops = self.tops[: place + 1]
        places = np.array([top.coordinates for top in tops])
        x = places[:, 0]
        y = np.array([top.value for top in tops]) if self.grid.dimensions == 1 else places[:, 1]
        # in shares of the box, each axis by itself
        steps = np.abs(np.diff(places, axis=0)) / np.array([axis.length for axis in self.grid])
        broken = np.flatnonzero((steps > _JUMP).any(axis=1)) + 1
        outline = [Stroke(linewidth=points(2.6), foreground="black"), Normal()]
        # on a scale of its own a frame has no room for the heights before
        style: dict[str, Any] = {"zorder": 4, "clip_on": self.per_frame}
        # NaN ends a line and begins another
        x_broken, y_broken = np.insert(x, broken, np.nan), np.insert(y, broken, np.nan)
        ax.plot(x_broken, y_broken, color="white", lw=points(1.2), path_effects=outline, **style)
        ax.plot(x[:-1], y[:-1], "o", ms=points(4), mfc="white", mec="black", mew=points(0.7), **style)

    def pixels(self, place: int) -> NDArray[np.uint8]:
        """One frame, shape (height, width, 3)."""
        from matplotlib.backends.backend_agg import FigureCanvasAgg

        self._draw(place)
        # a new one for each frame: a renderer keeps the last clip path by its address, where another may lie by now
        canvas: Any = FigureCanvasAgg(self.figure)
        canvas.draw()
        return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def _round_ticks(sigma: NDArray[np.float64], most: int) -> list[tuple[float, float]]:
    """Places among the frames and the sigma there, at most so many, of as few digits as can be.

    Where not all of the stored ones are short, 1, 2 and 5 times powers of ten stand between them.
    """
    count = len(sigma)
    # evenly spread, the first and the last among them
    shown = sorted({round(place) for place in np.linspace(0, count - 1, min(most, count))})
    stored = [(float(place), float(sigma[place])) for place in shown]
    short = all(math.isclose(value, float(f"{value:.2g}"), rel_tol=1e-9) for _, value in stored)
    if short or count < 3 or not (np.diff(sigma) > 0).all():
        return stored
    # from sigma[1]: the first frame is Q, at 0
    decades = range(math.floor(math.log10(sigma[1])), math.ceil(math.log10(sigma[-1])) + 1)
    values = [float(f"{digit}e{decade}") for decade in decades for digit in (1, 2, 5)]
    inside = [
        (float(np.interp(value, sigma, range(count))), value) for value in values if sigma[1] <= value <= sigma[-1]
    ]
    ticks, room = [(0.0, 0.0)], (count - 1) / most
    for place, value in inside:
        # as many as there is room for
        if place - ticks[-1][0] >= room:
            ticks.append((place, value))
    return ticks if len(ticks) > 2 else stored


def _palette() -> NDArray[np.uint8]:
    """256 colours for all frames, shape (256, 3): the map, greys, and the map blended with black and with white."""
    from matplotlib import colormaps

    def of_the_map(count: int) -> NDArray[np.float64]:
        return np.asarray(colormaps[COLOURS](np.linspace(0.0, 1.0, count)))[:, :3]

    # antialiasing mixes the map with black and white lines: in thirds that is near enough
    blends = [share * of_the_map(_BLENDED) + (1.0 - share) * end for share in (1 / 3, 2 / 3) for end in (0.0, 1.0)]
    greys = np.repeat(np.linspace(0.0, 1.0, _GREYS)[:, None], 3, axis=1)
    return np.rint(255.0 * np.concatenate([of_the_map(_OF_THE_MAP), greys, *blends])).astype(np.uint8)


class _Nearest:
    """The nearest colour of a palette for each colour; no dithering, so a colour looks alike in all frames."""

    def __init__(self, palette: NDArray[np.uint8]) -> None:
        # signed and wide enough for the products below
        self.palette = palette.astype(np.int32)
        self.table = np.full(2**24, -1, dtype=np.int16)  # of all colours, filled in as they are met

    def __call__(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        red, green, blue = np.moveaxis(pixels.astype(np.int32), -1, 0)
        # each colour as one number: an index into the table
        codes = red << 16 | green << 8 | blue
        # colours that no frame has shown before; most are met in the first
        new = np.unique(codes[self.table[codes] < 0])
        colours = np.stack([new >> 16, new >> 8 & 255, new & 255], axis=1)
        # |c - p|^2 without |c|^2, which is the same for all p
        distance = (self.palette**2).sum(axis=1) - 2 * colours @ self.palette.T
        self.table[new] = distance.argmin(axis=1)
        return np.asarray(self.table[codes].astype(np.uint8))


def _with_palette(scene: _Scene) -> Iterator[Image]:
    """The frames in 256 colours, the same ones in all."""
    from PIL import Image

    palette = _palette()
    nearest = _Nearest(palette)
    for place in range(len(scene.levels)):
        frame = Image.fromarray(nearest(scene.pixels(place)))
        frame.putpalette(palette.tobytes())
        yield frame


def _gif(scene: _Scene, seconds: Sequence[float], loop: bool) -> bytes:
    frames = _with_palette(scene)
    # in memory, so that a file appears whole or not at all
    content = io.BytesIO()
    # 0 repeats for ever; without the entry a GIF is shown once
    options: dict[str, Any] = {"loop": 0} if loop else {}
    # the palette is named once more, or Pillow would give each frame its own
    next(frames).save(
        content, "GIF", save_all=True, append_images=frames, duration=_milliseconds(seconds, 10), disposal=1,
        palette=_palette().tobytes(), optimize=False, **options,
    )  # fmt: skip
    return content.getvalue()


def _apng(scene: _Scene, seconds: Sequence[float], loop: bool) -> bytes:
    from PIL import Image

    first, *others = (Image.fromarray(scene.pixels(place)) for place in range(len(scene.levels)))
    content = io.BytesIO()
    first.save(
        content, "PNG", save_all=True, append_images=others, duration=_milliseconds(seconds, 1), disposal=0, blend=0,
        loop=0 if loop else 1,
    )  # fmt: skip
    return content.getvalue()


def _html(scene: _Scene, seconds: Sequence[float], loop: bool) -> bytes:
    images = []
    for place, frame in enumerate(_with_palette(scene)):
        content = io.BytesIO()
        frame.save(content, "PNG")
        words = html.escape(visible(scene.alternative(place)))
        source = base64.b64encode(content.getbuffer()).decode()
        shown = ' class="shown"' if place == 0 else ""
        images.append(
            f'<img{shown} alt="{words}" width="{frame.width}" height="{frame.height}" decoding="sync" '
            f'src="data:image/png;base64,{source}">'
        )
    parts = {
        "TITLE": html.escape(visible(f"{scene.evolution.landscape.name} against σ")),
        "SECONDS": json.dumps(list(seconds)),
        "LOOP": json.dumps(loop),
        "FRAMES": "\n".join(images),
        "LAST": str(len(images) - 1),
        "WORDS": html.escape(visible(scene.alternative(0))),
    }
    return sealed_page("heatpg.plot", ("animation.html", "animation.css", "animation.js"), parts).encode()


_WRITERS: dict[str, Callable[[_Scene, Sequence[float], bool], bytes]] = {"gif": _gif, "apng": _apng, "html": _html}


def _milliseconds(seconds: Sequence[float], unit: int) -> list[int]:
    # in units of the format, and never 0, which viewers take for their own default
    return [unit * max(1, round(1000.0 * each / unit)) for each in seconds]


def _choose_format(path: Path | None, format: str) -> str:
    # the ending names the format; told twice, both must agree
    ending = path.suffix.lower()[1:] if path is not None else ""
    if not format:
        if ending not in ANIMATIONS:
            raise OptionError(
                "unknown format of the animation",
                given="no format" if path is None else path,
                allowed=", ".join(f".{name}" for name in ANIMATIONS),
                advice="or pass format='gif'",
            )
        return ending
    one_of("format of an animation", format, ANIMATIONS)
    if ending in ANIMATIONS and ending != format:
        raise OptionError("the file name and format= disagree", given=f"{path}, format={format!r}")
    return format


def _parse_size(size: Sequence[int]) -> tuple[int, int]:
    allowed = f"two whole numbers of pixels, width and height, from {_SMALLEST} to {_LARGEST}"
    try:
        # 2.0 is a whole number, 2.5 is none
        values = [int(value) for value in size]
        whole = all(value == given for value, given in zip(values, size, strict=True))
    except (TypeError, ValueError, OverflowError):
        values, whole = [], False
    if not whole or len(values) != 2 or not all(_SMALLEST <= value <= _LARGEST for value in values):
        raise OptionError("the size of an animation is out of range", given=repr(size), allowed=allowed)
    return values[0], values[1]


def _parse_seconds(duration: float | Sequence[float] | None, frames: int) -> list[float]:
    """Seconds of every frame."""
    if duration is None:
        # of a single frame only the first
        return [_REST, *[_PACE] * (frames - 2), _REST][:frames]
    try:
        values = np.asarray(duration, dtype=np.float64)
    except (TypeError, ValueError):
        # no number at all: refused below like one out of range
        values = np.full(1, math.nan)
    fits = values.ndim == 0 or values.shape == (frames,)
    if not fits or not ((values >= _FASTEST) & (values <= _SLOWEST)).all():
        raise OptionError(
            "the duration of a frame is out of range",
            given=repr(duration),
            allowed=f"seconds from {_FASTEST:g} to {_SLOWEST:g}: a number, or one per frame ({frames})",
        )
    return [float(value) for value in np.broadcast_to(values, frames)]


def _require_pillow() -> None:
    try:
        import PIL.Image  # noqa: F401
    except ImportError:
        raise MissingPackageError(
            "Pillow, which writes animations, is not installed", advice="pip install pillow"
        ) from None


@checked_call()
def animate(
    evolution: Evolution,
    path: str | os.PathLike[str] | None = None,
    *,
    format: str = "",
    sigma: Sigma | None = None,
    scale: str = "landscape",
    size: tuple[int, int] = (720, 720),
    duration: float | Sequence[float] | None = None,
    loop: bool = True,
    force: bool = False,
) -> bytes:
    """Write an animation over sigma: the landscape with its argmax and its track, and max u as a function of sigma.

    The first frame is Q; each further one is a stored sigma. Nothing is made up in between: for a smoother animation
    evolve to more sigmas, or name them with ``sigma``. In one dimension a line is drawn, in more than two the slice
    through the argmax of Q, of a batch the first landscape. Steps of the argmax of more than a quarter of the box are
    jumps and not joined.

    Parameters
    ----------
    evolution
        Evolution to draw.
    path
        Where to write; the file is complete under this name, or not there. None: nothing is written.
    format
        ``gif``, ``apng`` or ``html``; by default the ending of the path. An HTML page has the frames in it, a slider
        and a button, and loads nothing. Only an animated PNG has the exact colours; the others have one palette for
        all frames, 160 of its 256 colours from the colour map, and no dithering.
    sigma
        Other levels to show, solved from Q by the same solver; by default those stored.
    scale
        Colour scale: range of Q in every frame (``landscape``), or of each frame (``frame``).
    size
        Width and height in pixels.
    duration
        Seconds of a frame, or one number for each; by default 0.15, and 1 for the first and the last. A GIF counts in
        hundredths.
    loop
        Whether it restarts after the last frame.
    force
        Whether an existing file may be replaced.

    Returns
    -------
    content
        The bytes of the file, the same every time.

    Raises
    ------
    OptionError, UnknownNameError
        For an argument that is not an evolution, an unknown format or scale, a size or duration out of range.
    UnsupportedError
        For other levels of correlated noise, or of drawn fields.
    MissingPackageError
        Where Pillow is not installed.
    SigmaError
        For noise levels that `heatpg.core.noise.parse_sigma` refuses.
    NonFiniteError
        For fields that are not finite.
    StoreError, ResourceError
        If the file cannot be written, or the frames do not fit in memory.

    Examples
    --------
    >>> from heatpg import landscapes, plot
    >>> from heatpg.evolution import solve
    >>> flow = solve(landscapes.ridge(size=21), [0.1, 0.2])
    >>> plot.animate(flow, format="gif", size=(320, 320))[:6]
    b'GIF89a'
    """
    # everything is checked before the first frame, and the target before the work
    target = None if path is None else Path(path)
    kind = _choose_format(target, format)
    one_of("colour scale", scale, _SCALES)
    pixels = _parse_size(size)
    if target is not None:
        from heatpg.tools.publishing import prepare_output

        target = prepare_output(target, force=force)
    _require_pillow()
    if sigma is not None:
        evolution = evolution.again(sigma)
    # Q, and every level but 0
    frames = 1 + int(evolution.sigmas.any(axis=1).sum())
    seconds = _parse_seconds(duration, frames)
    require_memory(
        # four bytes a pixel: Pillow keeps all frames, and the canvas is two more
        4.0 * pixels[0] * pixels[1] * (frames + 2),
        f"an animation of {frames} frames",
        "use a smaller size=...",
    )
    from matplotlib import rc_context

    # small pictures with smaller text, or it would cover them
    with rc_context({"font.size": _SMALL_TEXT} if min(pixels) < 2 * _USUAL // 3 else {}):
        content = _WRITERS[kind](_Scene(evolution, pixels, scale), seconds, bool(loop))
    if target is not None:
        from heatpg.tools.publishing import publish

        publish(content, target, force=force)
    return content
