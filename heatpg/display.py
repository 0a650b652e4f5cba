"""What a notebook shows of a grid, a landscape, an evolution, a report, a study: HTML that stands by itself.

No script and no style sheet: tables with inline styles and no colours of their own, so that they read in light and dark
notebooks alike, and small pictures inside the page. Everything that a user or a file has named is escaped and cut to a
length, which keeps any of them below 50 kB. Without matplotlib, which knows the colours, there are tables only.
"""

from __future__ import annotations

import base64
import html
import itertools
import re
import struct
import zlib
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from heatpg.tools.resources import human_bytes

if TYPE_CHECKING:
    from heatpg.core.grid import Grid
    from heatpg.core.landscape import Landscape
    from heatpg.core.report import Check, Report
    from heatpg.evolution import Evolution
    from heatpg.large import LargeSummary
    from heatpg.studies import Study

__all__ = ["evolution_html", "grid_html", "landscape_html", "report_html", "study_html", "summary_html"]

Array = NDArray[Any]

_PIXELS = 80  # along a side of a picture
_LEVELS = 64  # of colour, which the eye does not tell from more, and which compress better
_BINS = 120  # of a line, each with its least and its largest value
_LONGEST = 240  # bytes of one cell
_BRIEF = 24  # letters of a name among others
_MOST_ROWS = 16
_MOST_AXES = 8
_REPORT_BYTES = 14_000  # of the table of a report
_ENDS = 4  # rows shown at either end of a long table of noise levels
_SYMBOLS = {"passed": "✓", "finding": "▸", "failed": "✗"}
_ROW = "border-bottom:1px solid rgba(128,128,128,.35);background:transparent"
_CELL = "padding:.15em .9em .15em 0;text-align:left;vertical-align:top"
_TABLE = "border-collapse:collapse;border:0;margin:.4em 0;background:transparent;color:inherit;font-size:inherit"
_QUIET = "opacity:.75"


# Text and tables ---------------------------------------------------------------------------------------------------


def _text(value: object, longest: int = _LONGEST) -> str:
    """Anything as text that is safe inside HTML, cut to a length in bytes."""
    words = html.escape(" ".join(str(value).split()))
    if len(words.encode()) <= longest:
        return words
    kept, room = "", longest - 3
    for letter in re.findall(r"&[^;]*;|.", words[: longest + 8], flags=re.DOTALL):
        room -= len(letter.encode())
        if room < 0:
            break
        kept += letter
    return f"{kept}…"


def _brief(name: str) -> str:
    """A name or a unit inside a longer text."""
    return name if len(name) <= _BRIEF else f"{name[: _BRIEF - 1]}…"


def _number(value: Any) -> str:
    return f"{float(value):.6g}".replace("-", "\N{MINUS SIGN}")


def _place(coordinates: Iterable[float]) -> str:
    return f"({', '.join(map(_number, coordinates))})"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of cells that are HTML already."""
    top = "".join(f'<th style="{_CELL};font-weight:600">{_text(word)}</th>' for word in head)
    body = "".join(
        f'<tr style="{_ROW}">' + "".join(f'<td style="{_CELL}">{cell}</td>' for cell in row) + "</tr>" for row in rows
    )
    return f'<table style="{_TABLE}"><thead><tr style="{_ROW}">{top}</tr></thead><tbody>{body}</tbody></table>'


def _heading(kind: str, name: str, words: str) -> str:
    title = f"<b>{_text(kind)}</b> {_text(name, 80)}".rstrip()
    return f'<div>{title} <span style="{_QUIET}">{_text(words)}</span></div>'


def _page(*parts: str) -> str:
    return f'<div style="color:inherit;background:transparent;line-height:1.4">{"".join(filter(None, parts))}</div>'


def _folded(summary: str, content: str, *, is_open: bool = False) -> str:
    mark = " open" if is_open else ""
    return f'<details{mark}><summary style="cursor:pointer">{_text(summary)}</summary>{content}</details>'


def _times(shape: Sequence[int]) -> str:
    return " × ".join(f"{size:,}" for size in shape)


def _axes(grid: Grid) -> str:
    rows: list[tuple[str, ...]] = [
        (
            f"<b>{_text(axis.name, 40)}</b>",
            _number(axis.lower),
            _number(axis.upper),
            _text(axis.unit, 40),
            f"{axis.size:,}" + (" cells" if axis.nodes == "cell" else ""),
            _number(axis.spacing),
            f'{_text(axis.boundary)} <span style="{_QUIET}">{_text(axis.rule.meaning)}</span>',
        )
        for axis in grid.axes[:_MOST_AXES]
    ]
    more = grid.dimensions - len(rows)
    if more:
        rows.append((f"and {more} more", *[""] * 6))
    return _table(("axis", "from", "to", "unit", "nodes", "spacing", "boundary"), rows)


def _first(values: Array, grid: Grid) -> Array:
    """The first field of a batch."""
    return np.asarray(values[(0,) * (values.ndim - grid.dimensions)])


def _batch_words(landscape: Landscape) -> str:
    shape = landscape.batch_shape
    return f", the first of a batch of {_times(shape)} is shown" if shape else ""


# Pictures ----------------------------------------------------------------------------------------------------------


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def _png(pixels: NDArray[np.uint8], palette: NDArray[np.uint8]) -> bytes:
    """A picture of at most 256 colours as a PNG file; pixels (height, width) are numbers of rows of the palette."""
    height, width = pixels.shape
    # eight bits a pixel, colours from a palette, no interlacing; every row begins with the number of its filter, none
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    rows = np.zeros((height, width + 1), np.uint8)
    rows[:, 1:] = pixels
    return b"".join(
        (
            b"\x89PNG\r\n\x1a\n",
            _chunk(b"IHDR", header),
            _chunk(b"PLTE", palette.astype(np.uint8).tobytes()),
            _chunk(b"IDAT", zlib.compress(rows.tobytes(), 9)),
            _chunk(b"IEND", b""),
        )
    )


def _palette() -> NDArray[np.uint8] | None:
    """The colours, from low to high; None where matplotlib is not there or does not work."""
    try:
        from matplotlib import colormaps
    except Exception:  # an installation may be broken in any way, and the tables are worth having all the same
        return None
    colours = colormaps["viridis"](np.linspace(0.0, 1.0, _LEVELS))[:, :3]
    return np.asarray((255.0 * colours).round(), dtype=np.uint8)


def _share(values: Array, low: float, high: float) -> NDArray[np.float64]:
    """Values between low and high as numbers from 0 to 1; half of each, so that no difference overflows."""
    span = 0.5 * high - 0.5 * low
    if not 0 < span < np.inf:
        return np.zeros(values.shape)
    share = (0.5 * np.nan_to_num(values.astype(np.float64), nan=low) - 0.5 * low) / span
    return np.clip(share, 0.0, 1.0)


def _picked(size: int) -> NDArray[np.intp]:
    """Numbers of the nodes that become pixels, both ends among them."""
    return np.linspace(0, size - 1, min(size, _PIXELS)).round().astype(np.intp)


def _image(plane: Array, low: float, high: float, palette: NDArray[np.uint8], words: str) -> str:
    """A field over two axes: the first to the right, the second upwards."""
    chosen = plane[np.ix_(_picked(plane.shape[0]), _picked(plane.shape[1]))]
    pixels = np.asarray((_share(chosen, low, high) * (len(palette) - 1)).round(), dtype=np.uint8).T[::-1]
    code = base64.b64encode(_png(pixels, palette)).decode()
    return (
        f'<figure style="display:inline-block;margin:.4em 1em .4em 0"><img alt="{_text(words)}" '
        f'src="data:image/png;base64,{code}" style="width:128px;height:128px;image-rendering:pixelated;display:block">'
        f'<figcaption style="font-size:85%;{_QUIET}">{_text(words)}</figcaption></figure>'
    )


def _envelope(line: Array) -> tuple[Array, Array]:
    """Nodes and values that show every peak of a line: of each bin its least and its largest value, in order."""
    if len(line) <= 2 * _BINS:
        return np.arange(len(line)), line
    edges = np.linspace(0, len(line), _BINS + 1).astype(int)
    kept = {0, len(line) - 1}
    for begin, end in itertools.pairwise(edges):
        kept |= {int(begin + line[begin:end].argmin()), int(begin + line[begin:end].argmax())}
    nodes = np.array(sorted(kept))
    return nodes, line[nodes]


def _lines(lines: Sequence[tuple[Array, str]], low: float, high: float, words: str) -> str:
    """Fields over one axis as lines, each with the style of its stroke."""
    width, height, edge = 260.0, 110.0, 4.0
    drawn = ""
    for line, style in lines:
        nodes, values = _envelope(line)
        x = edge + (width - 2 * edge) * nodes / (len(line) - 1)
        y = height - edge - (height - 2 * edge) * _share(values, low, high)
        points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))
        drawn += f'<polyline points="{points}" fill="none" stroke="currentColor" {style}/>'
    return (
        f'<figure style="margin:.4em 0"><svg role="img" aria-label="{_text(words)}" width="{width:g}" '
        f'height="{height:g}" viewBox="0 0 {width:g} {height:g}" style="border-bottom:1px solid rgba(128,128,128,.6);'
        f'display:block">{drawn}</svg><figcaption style="font-size:85%;{_QUIET}">{_text(words)}</figcaption></figure>'
    )


def _range(values: Array) -> tuple[float, float]:
    return float(values.min()), float(values.max())


def _largest(values: Array) -> tuple[int, ...]:
    return tuple(int(i) for i in np.unravel_index(int(np.argmax(values)), values.shape))


def _pictures(grid: Grid, fields: Sequence[tuple[Array, str]]) -> str:
    """One picture a field, or one of all where there is one axis, in the range of the first field."""
    initial = fields[0][0]
    low, high = _range(initial)
    scale = f"{_number(low)} to {_number(high)}"
    if grid.dimensions == 1:
        styles = [
            'stroke-width="1" stroke-opacity=".55"',
            'stroke-width="1.2" stroke-dasharray="4 3"',
            'stroke-width="2.2"',
        ]
        looks = ["thin", "dashed", "bold"]
        chosen = [(0, 0)] if len(fields) == 1 else [(0, 0), (len(fields) - 1, 2)]
        if len(fields) > 2:
            chosen.insert(1, (1, 1))
        words = ", ".join(f"{looks[look]}: {fields[k][1]}" for k, look in chosen) if len(fields) > 1 else fields[0][1]
        line = grid[0]
        axis = f"{_brief(line.name)} {_number(line.lower)} to {_number(line.upper)} {_brief(line.unit)}".rstrip()
        return _lines(
            [(fields[k][0], styles[look]) for k, look in chosen], low, high, f"{words}; over {axis}, from {scale}"
        )
    palette = _palette()
    if palette is None:
        return ""
    center = _largest(initial)
    plane: tuple[Any, ...] = (slice(None), slice(None), *center[2:])
    images = [_image(np.asarray(field[plane]), low, high, palette, words) for field, words in fields]
    right, up = _brief(grid[0].name), _brief(grid[1].name)
    note = f"{right} to the right, {up} upwards; dark is {_number(low)}, bright is {_number(high)}"
    if grid.dimensions > 2:
        held = zip(grid.axes[2:], grid.point(center)[2:], strict=True)
        where = ", ".join(f"{_brief(axis.name)} = {_number(x)}" for axis, x in held)
        note += f"; the slice through the optimum of Q, {where}"
    return f'<div>{"".join(images)}</div><div style="font-size:85%;{_QUIET}">{_text(note)}</div>'


# The things --------------------------------------------------------------------------------------------------------


def grid_html(grid: Grid) -> str:
    """A grid: its axes, and what each boundary means.

    Examples
    --------
    >>> from heatpg import Axis, Grid
    >>> from heatpg.display import grid_html
    >>> "actions clipped" in grid_html(Grid(Axis("x", 0, 1, 5, boundary="clip")))
    True
    """
    nodes = f"{_times(grid.shape)} nodes" + (f" = {grid.size:,}" if grid.dimensions > 1 else "")
    return _page(_heading("Grid", "", nodes), _axes(grid))


def _landscape_words(landscape: Landscape) -> str:
    values = landscape.values
    low, high = _range(values)
    return (
        f"{_times(landscape.grid.shape)} nodes, {values.dtype}, Q from {_number(low)} to {_number(high)}"
        f"{_batch_words(landscape)}"
    )


def landscape_html(landscape: Landscape) -> str:
    """A landscape: a picture of Q, its range and its axes; of a batch the first."""
    grid = landscape.grid
    initial = _first(landscape.values, grid)
    best = _largest(initial)
    knows = [
        words
        for words, known in (
            ("its exact evolution is known", landscape.has_exact),
            ("Q can be had between the nodes", landscape.has_sampler),
        )
        if known
    ]
    optimum = f"largest Q: {_number(initial[best])} at {_place(grid.point(best))}"
    return _page(
        _heading("Landscape", landscape.name, _landscape_words(landscape)),
        _pictures(grid, [(initial, "Q")]),
        f"<div>{_text('; '.join([optimum, *knows]))}</div>",
        _axes(grid),
    )


def _sigma_words(evolution: Evolution, index: int) -> str:
    row = np.atleast_1d(evolution.sigma[index])
    unit = f" {_brief(evolution.grid.unit or '')}"
    return f"{_number(row[0]) if len(row) == 1 else _place(row)}{unit}".rstrip()


def _sigma_table(evolution: Evolution) -> str:
    """The largest value at each sigma and where it is; the first and the last of many."""
    grid, count = evolution.grid, len(evolution)
    initial = _first(evolution.landscape.values, grid)

    def row(label: str, field: Array) -> tuple[str, ...]:
        best = _largest(field)
        edge = any(not axis.rule.periodic and i in (0, axis.size - 1) for axis, i in zip(grid, best, strict=True))
        where = _text(_place(grid.point(best))) + (" on the edge" if edge else "")
        return label, _number(field[best]), where, _number(initial[best])

    chosen = list(range(count)) if count <= 2 * _ENDS + 1 else [*range(_ENDS), *range(count - _ENDS, count)]
    rows = [row("Q, without noise", initial)]
    for position, k in enumerate(chosen):
        if position and k - chosen[position - 1] > 1:
            rows.append((f"… {k - chosen[position - 1] - 1:,} more …", "", "", ""))
        rows.append(row(_text(_sigma_words(evolution, k)), _first(evolution.values[k], grid)))
    return _table(("sigma", "largest u", "where", "Q there"), rows)


def evolution_html(evolution: Evolution) -> str:
    """An evolution: Q and two of its fields, where the optimum goes, the solver, and the checks."""
    grid, landscape, report = evolution.grid, evolution.landscape, evolution.report
    count = len(evolution)
    shown = [("Q", _first(landscape.values, grid))]
    shown += [
        (f"sigma = {_sigma_words(evolution, k)}", _first(evolution.values[k], grid)) for k in sorted({0, count - 1})
    ]
    reason = f" (picked: {evolution.reason})" if evolution.reason else ""
    kind = "covariances" if evolution.covariance is not None else "sigma" if count == 1 else "sigmas"
    failed = bool(report.failures)
    return _page(
        _heading("Evolution", landscape.name, f"{count:,} {kind}; {_landscape_words(landscape)}"),
        _pictures(grid, [(field, words) for words, field in shown]),
        _sigma_table(evolution),
        f"<div>solver: {_text(repr(evolution.solver) + reason, 400)}</div>",
        _folded(_report_words(report), _report_table(report), is_open=failed) if len(report) else "no checks were made",
        _folded("axes", _axes(grid)),
    )


def _report_words(report: Report) -> str:
    total = len(report)
    bad, found = len(report.failures), len(report.findings)
    parts = [f"{total - bad - found} passed"]
    if found:
        parts.append(f"{found} finding{'s' if found > 1 else ''}")
    if bad:
        parts.append(f"{bad} failed")
    return f"checks ({report.level}): {', '.join(parts)}"


def _report_row(check: Check) -> tuple[str, ...]:
    status = f'<span style="white-space:nowrap">{_SYMBOLS.get(check.status, "")} {_text(check.status, 20)}</span>'
    if check.status == "failed":
        status = f"<b>{status}</b>"
    bound = ""
    if check.figure is not None and check.bound is not None:
        sign = "≤" if check.figure <= check.bound else "&gt;"
        bound = f'<span style="white-space:nowrap">{check.figure:.3g} {sign} {check.bound:.3g}</span>'
        if check.bound_source:
            bound += f' <span style="{_QUIET}">{_text(check.bound_source)}</span>'
    where = f" [{check.where}]" if check.where is not None and check.status != "passed" else ""
    return status, _text(check.name, 40), _text(check.message + where, 400), bound


def _report_table(report: Report) -> str:
    rows: dict[int, tuple[str, ...]] = {}
    room = _REPORT_BYTES
    # what failed is never among the entries that are left out
    order = {"failed": 0, "finding": 1, "passed": 2}
    for number, check in sorted(enumerate(report), key=lambda entry: order.get(entry[1].status, 0)):
        row = _report_row(check)
        room -= len(_table((), [row]).encode())
        if room < 0 and rows:
            break
        rows[number] = row
    shown = [rows[number] for number in sorted(rows)]
    if len(report) > len(shown):
        shown.append(("", f"and {len(report) - len(shown)} more", "", ""))
    return _table(("", "check", "what was found", "figure and bound"), shown)


def report_html(report: Report) -> str:
    """A report as a table, its status in words and signs.

    Examples
    --------
    >>> from heatpg.display import report_html
    >>> from heatpg.core.report import Check, Report
    >>> "✓ passed" in report_html(Report([Check("range", "passed", "inside the range of Q")]))
    True
    """
    if not len(report):
        return _page(_heading("Report", "", "no checks were made"))
    return _page(_heading("Report", "", _report_words(report)), _report_table(report))


def study_html(page: Study) -> str:
    """A study: its sentences, and the evolution below them."""
    from heatpg.scalespace.pricing import noise_words

    space, landscape = page.space, page.evolution.landscape
    first, last = (noise_words(space, float(sigma), 4) for sigma in (space.sigma[0], space.sigma[-1]))
    words = f"{_times(landscape.grid.shape)} nodes, {len(space.sigma)} sigmas from {first} to {last}"
    rows = [(_text(topic), _text(sentence, 600)) for topic, sentence in page.sentences.items()]
    rows += [("note", _text(flag, 600)) for flag in space.flags[:_MOST_ROWS]]
    return _page(
        _heading("Study", landscape.name, words),
        _table(("topic", "finding"), rows),
        _folded("the evolution", evolution_html(page.evolution)),
    )


def summary_html(summary: LargeSummary) -> str:
    """What became of a field that was evolved on the disk: where it is, what it took, and its report."""
    levels = f"{len(summary.sigma):,} sigma{'s' if len(summary.sigma) > 1 else ''}"
    work = f"{sum(summary.timing.values()):.1f} s, {summary.passes} passes in {human_bytes(summary.memory)} of memory"
    rows = [
        ("file", _text(summary.path, 400)),
        ("field", _text(f"{_times(summary.shape)} {summary.dtype}, at {levels}")),
        ("solver", _text(repr(summary.solver) + (f" (picked: {summary.reason})" if summary.reason else ""))),
        ("work", _text(f"{work}, {human_bytes(summary.disk)} of disk")),
    ]
    checks = _folded(_report_words(summary.report), _report_table(summary.report)) if len(summary.report) else ""
    return _page(_heading("Field on the disk", "", ""), _table(("", ""), rows), checks)
