"""The HTML page: its contents, size limit, and content security policy."""

from __future__ import annotations

import base64
import dataclasses
import html
import itertools
import json
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from heatpg.core.extrema import peak
from heatpg.core.grid import Axis, Grid
from heatpg.errors import HeatpgError, NonFiniteError, OptionError, UnsupportedError
from heatpg.evolution import Evolution
from heatpg.planes.points import REPEATS
from heatpg.plot.words import sigma_label
from heatpg.store.record import data_digest
from heatpg.store.writing import file_environment
from heatpg.tools.calls import checked_call
from heatpg.tools.lines import typeset, visible
from heatpg.tools.numbers import number_words
from heatpg.tools.pages import sealed_page
from heatpg.tools.plain import json_like
from heatpg.tools.progress import Progress, progress_of
from heatpg.version import __version__
from heatpg.viewer.packing import Packed, fits, pack, reductions
from heatpg.viewer.structure import basins_of, masks, tracks_of

__all__ = ["MOST_BYTES", "page"]

Array = NDArray[Any]

MOST_BYTES = 5_000_000  # a taste: what can be mailed, and what a browser opens at once
_TRUST = 0.01  # as in the figures: hatched where 1 % of the noise leaves the box
_MOST_DIMENSIONS = 3  # two that are drawn, and a slider across the third
# even in lightness, all three; the second for the colour-blind, the third for print
_COLOURS = ("viridis", "cividis", "gray")
_CONFIDENCE = 0.95
_ERROR_BITS = 10  # an interval is not known to a thousandth
_BYTES_PER_FRAME = 120  # of numbers that depend on the rounding


@dataclasses.dataclass(frozen=True)
class _Frame:
    """One field with what is said of it: Q itself, or u at one sigma."""

    values: Array
    about: dict[str, Any]
    half_width: Array | None = None


def _half_widths(evolution: Evolution) -> tuple[list[Array], str]:
    """Half of the width of the interval of Q and of u, for each frame; none, where they are not known, and a note."""
    landscape, drawn = evolution.landscape, evolution.drawn
    try:
        errors = evolution.standard_error
    # whatever is refused, the page is made, and says why
    except HeatpgError as reason:
        return [], f"Sampling errors are not shown: {reason.one_line}."
    if errors is None:
        return [], ""
    # a normal distribution where nobody says of how many seeds or draws the errors are
    freedom = np.inf if landscape.returns is None else len(landscape.returns) - 1
    if drawn is not None and landscape.returns is None:
        # Sobol' points come in independent repeats, and only these tell the error
        freedom = (REPEATS if drawn.get("points") == "sobol" else int(drawn["draws"])) - 1
    quantile = float(stdtrit(freedom, 0.5 + 0.5 * _CONFIDENCE))
    share = f"{100 * _CONFIDENCE:g} %"
    if landscape.returns is not None:
        seeds = f"{len(landscape.returns)} seeds" + (" and all draws" if drawn is not None else "")
        whose = f"Student's t times the standard error, from {seeds}"
    elif drawn is not None:
        whose = f"{quantile:.3g} standard errors over the draws"
    else:
        whose = "1.96 standard errors, with errors of Q at single nodes assumed independent"
    # where Q is known, as of a function, only u is not
    of_q = np.zeros(landscape.values.shape) if landscape.standard_error is None else landscape.standard_error
    chosen = [of_q, *(errors[k] for k in np.flatnonzero(evolution.sigmas.any(axis=1)))]
    sentence = (
        f"Bands and \u00b1 are intervals per node: each holds {share} at its node separately, {whose}. They do not "
        "include the selection of the best node, and they are no intervals of differences: two nodes whose bands "
        "overlap may differ significantly, because the same seeds or draws are behind both. The intervals of heatpg "
        "study are paired."
    )
    return [quantile * one for one in chosen], sentence


def _visible(value: Any) -> Any:
    """The same with every text in it as `visible` shows it."""
    if isinstance(value, str):
        return visible(value)
    if isinstance(value, Mapping):
        return {key: _visible(item) for key, item in value.items()}
    return [_visible(item) for item in value] if isinstance(value, list | tuple) else value


def _data_text(content: Mapping[str, Any]) -> str:
    """JSON that cannot end the element it stands in, whatever the names in it say."""
    # NaN is no JSON, and the page would not open; json_like has made words of it
    text = json.dumps(_visible(content), allow_nan=False, separators=(",", ":"))
    # no "<" and no "&" are left, so that neither a closing tag nor a comment can be spelled
    return text.replace("&", r"\u0026").replace("<", r"\u003c").replace(">", r"\u003e")


def _document(content: Mapping[str, Any]) -> str:
    parts = {"TITLE": html.escape(visible(str(content["title"]))), "DATA": _data_text(content)}
    return sealed_page("heatpg.viewer", ("page.html", "viewer.css", "viewer.js"), parts)


def _about(evolution: Evolution, k: int, values: Array) -> dict[str, Any]:
    """What is said of a frame of these values at a level, or of Q at -1."""
    grid, initial = evolution.grid, evolution.landscape.values
    if not np.isfinite(values).all():
        raise NonFiniteError("values to show must be finite", given="Q" if k < 0 else f"u at level {k}")
    sigma = (0.0,) * grid.dimensions if k < 0 else tuple(float(s) for s in evolution.sigmas[k])
    # found on all nodes and at full precision: the page rounds and thins what it draws
    best = peak(values, grid, evolution.landscape.sense)
    # the page hatches by itself
    margins = grid.margin(sigma, _TRUST)
    return {
        "label": "Q, \N{GREEK SMALL LETTER SIGMA} = 0" if k < 0 else sigma_label(evolution, k),
        "sigma": list(sigma),
        "least": float(values.min()),
        "most": float(values.max()),
        "best": {
            "index": list(best.index),
            "place": list(best.coordinates),
            "value": best.value,
            "initial": float(initial[best.index]),
            "edges": list(best.edges),
        },
        "margins": list(margins) if any(margins) else None,
    }


def _levels(evolution: Evolution) -> list[int]:
    """Those with noise; a stored sigma of 0 would be Q again."""
    return [int(k) for k in np.flatnonzero(evolution.sigmas.any(axis=1))]


def _frames(evolution: Evolution, half_widths: list[Array]) -> list[_Frame]:
    """Q, and u at every sigma above 0."""
    frames = []
    # -1 is Q
    for number, k in enumerate((-1, *_levels(evolution))):
        values = evolution.landscape.values if k < 0 else evolution.values[k]
        about = _about(evolution, k, values)
        half_width = half_widths[number] if half_widths else None
        if half_width is not None:
            about["best"]["error"] = float(half_width[tuple(about["best"]["index"])])
        frames.append(_Frame(values, about, half_width))
    return frames


def _worst(evolution: Evolution, q: float) -> tuple[dict[str, Any], list[_Frame], str]:
    """The mean of the worst q of all returns at every sigma above 0: its names, its frames, and a note."""
    # inside the function: pages without this layer need none of it
    from heatpg.risk import distribution

    tail = distribution(evolution).tail_mean(q)
    frames = [_Frame(tail.values[k], _about(evolution, k, tail.values[k])) for k in _levels(evolution)]
    names = {
        "name": f"mean of the worst {100 * tail.q:g} %",
        "symbol": f"CVaR {100 * tail.q:g} %",
        "best": f"best mean of the worst {100 * tail.q:g} %",
        "optimum": f"The safest {evolution.landscape.point_word}",
    }
    gap = float(tail.gap.max())
    what = "losses" if evolution.landscape.minimise else "returns"
    note = (
        f"The layer of the worst {100 * tail.q:g} % shows the mean of the worst {what} under noise (CVaR), "
        f"accurate to {gap:.2g} plus a grid error of order (spacing / sigma)^2. Its "
        f"{evolution.landscape.sense.largest} value is the safest {evolution.landscape.point_word}. Tracks, basins and "
        "intervals are those of u."
    )
    if not tail.resolved.all():
        note += f" At {int((~tail.resolved).sum())} noise levels more thresholds would be needed."
    return names, frames, note


def _axis(axis: Axis, stride: int) -> dict[str, Any]:
    nodes = axis.coordinates[::stride]
    return {
        "name": axis.name,
        "label": _plain(axis.heading),
        "unit": axis.unit,
        "lower": axis.lower,
        "upper": axis.upper,
        "size": len(nodes),
        # nodes may lie half a spacing inside the box
        "first": float(nodes[0]),
        "spacing": stride * axis.spacing,
        "periodic": axis.rule.periodic,
    }


def _plain(text: str) -> str:
    """Mathematics as it is read aloud, for a canvas, which cannot set it."""
    return re.sub(r"[$\\{}]", "", text) if "$" in text else text


def _ends(axis: Axis) -> str:
    """Both ends, told apart also where the axis is far from 0 and short."""
    lower, upper = (number_words(end, axis.lower, axis.upper, 3) for end in (axis.lower, axis.upper))
    return f"{lower} to {upper}".replace("-", "\N{MINUS SIGN}")


def _grid_lines(grid: Grid) -> list[str]:
    return [f"{axis.heading}: {_ends(axis)}, {axis.size} nodes, {axis.boundary} ({axis.rule.meaning})" for axis in grid]


def _subtitle(evolution: Evolution, frames: int) -> str:
    """What is shown, in one line."""
    grid = evolution.grid
    axes = [f"{axis.name} {_ends(axis)} {axis.unit}".rstrip() + f" ({axis.boundary})" for axis in grid]
    levels = f"{frames - 1} noise levels" if frames != 2 else "one noise level"
    shape = " \N{MULTIPLICATION SIGN} ".join(map(str, grid.shape))
    return f"{', '.join(axes)}; {shape} nodes; {levels}"


def _abscissa(evolution: Evolution, frames: list[_Frame]) -> tuple[list[float], str]:
    """Where each frame stands on an axis, and its name: sigma of the noisiest axis, if that tells the frames apart."""
    # of the noisiest axis
    noise = [max(frame.about["sigma"]) for frame in frames]
    # levels that this number does not tell apart stand side by side, numbered
    if any(second <= first for first, second in itertools.pairwise(noise)):
        return [float(k) for k in range(len(frames))], "level"
    unit = evolution.grid.unit
    return noise, f"\N{GREEK SMALL LETTER SIGMA} ({unit})" if unit else "\N{GREEK SMALL LETTER SIGMA}"


def _provenance(evolution: Evolution, frames: list[_Frame]) -> list[list[str]]:
    """Where the fields come from, as names and texts."""

    def text(value: object) -> str:
        return json.dumps(json_like(value), ensure_ascii=False)

    landscape = evolution.landscape
    rows = [
        ["landscape", landscape.name],
        ["made with", text(landscape.provenance) if landscape.provenance else "not said"],
        ["SHA-256 of Q", data_digest(landscape.values)],
        *(["axis", line] for line in _grid_lines(evolution.grid)),
        ["sigma", "; ".join(frame.about["label"] for frame in frames[1:]) or "none above 0"],
        ["solver", repr(evolution.solver) + (f", chosen: {evolution.reason}" if evolution.reason else "")],
        ["numbers", str(landscape.values.dtype)],
    ]
    # without host and date: the same evolution gives the same page
    versions = file_environment(repeatable=True)["versions"]
    rows.append(["page made with", ", ".join(f"{name} {v}" for name, v in {"heatpg": __version__, **versions}.items())])
    return rows


def _colours() -> dict[str, str]:
    """256 colours a map, three bytes each."""
    from matplotlib import colormaps

    # the maps travel with the page, which loads nothing
    places = np.linspace(0.0, 1.0, 256)
    return {
        name.replace("gray", "grey"): base64.b64encode(
            (colormaps[name](places)[:, :3] * 255).round().astype(np.uint8).tobytes()
        ).decode("ascii")
        for name in _COLOURS
    }


def _notes(evolution: Evolution, batch_index: int, batch_shape: tuple[int, ...]) -> list[str]:
    notes = []
    # only one landscape of a batch is in the page
    if batch_shape:
        place = ", ".join(str(i) for i in np.unravel_index(batch_index, batch_shape))
        notes.append(
            f"Landscape ({place}) of a batch of shape {batch_shape} is shown; the checks cover the whole batch."
        )
    if (np.ptp(evolution.sigmas, axis=1) > 0).any():
        notes.append(
            "A single noise level, as in the curves and the events, is that of the axis with the largest noise."
        )
    if evolution.stored_tolerance:
        notes.append(f"The fields were read from compact storage, within {evolution.stored_tolerance:g} of osc(Q).")
    return notes


def _packed(field: Packed) -> dict[str, Any]:
    return {"low": field.low, "step": field.step, "passes": field.passes, "data": field.text}


def _rounding(packed_steps: list[float], bits: int) -> str:
    return (
        f"Values are stored in {bits} bits, with an error of at most {typeset(f'{max(packed_steps) / 2:.2g}')}; those "
        "of the optimum, the best node, are not rounded."
    )


def _thinning(grid: Grid, stride: int) -> str:
    shown = " x ".join(str(len(range(0, size, stride))) for size in grid.shape)
    return (
        f"To limit the size of the page, one of {stride} nodes along each axis is shown, {shown} of "
        f"{' x '.join(map(str, grid.shape))}; best values, tracks and basins are computed from all nodes."
    )


@checked_call()
def page(
    evolution: Evolution,
    *,
    batch_index: int = 0,
    most_bytes: int = MOST_BYTES,
    tracks: bool = True,
    basins: bool = True,
    risk: float | None = None,
    progress: Progress = None,
) -> str:
    """An evolution as a page for the browser: one HTML text that needs nothing else and may reach nothing.

    It contains Q and u at every sigma, rounded to 16 bits of the range of each frame, or to 14, 12 or 10 bits if the
    page would be too large, and coarsened if that is not enough; the page says so.

    Parameters
    ----------
    evolution
        In one to three dimensions.
    batch_index
        Which landscape of a batch, in the order of the flattened batch.
    most_bytes
        Largest size of the page.
    tracks
        Whether to follow the maxima through sigma; needs two sigmas of at least 1.5 grid spacings.
    basins
        Whether to find the basin of the optimum at every sigma.
    risk
        A fraction, as .1: a second layer shows the mean of the worst tenth of all returns (CVaR) at every sigma.
    progress
        A function that is called as ``progress(done, total)``, or True for a progress bar.

    Returns
    -------
    text
        The whole page. It runs one script, identified by its hash; names from the file stand in it as data only.

    Raises
    ------
    OptionError
        For a batch index that is not there, or a limit that no page fits in.
    UnsupportedError
        For more than three dimensions; with `risk` for what `heatpg.risk.distribution` refuses.
    NonFiniteError
        For a field with NaN or infinity.

    Notes
    -----
    Where the landscape has the returns of its seeds, or standard errors, u has the interval of 95 % at each node: a
    band about every line. Unavailable parts, such as tracks for correlated noise, are omitted with the reason.
    Of more tracks than a reader can tell apart the most important are shown.

    Examples
    --------
    >>> from heatpg import landscapes, viewer
    >>> from heatpg.evolution import solve
    >>> text = viewer.page(solve(landscapes.unequal_bumps(size=201), [0.2, 0.4, 0.8]))
    >>> text.splitlines()[0], len(text) < 200_000
    ('<!doctype html>', True)
    """
    report = progress_of(progress, "writing the page")
    grid = evolution.grid
    if grid.dimensions > _MOST_DIMENSIONS:
        raise UnsupportedError(
            "a page supports at most three dimensions",
            given=f"{grid.dimensions} axes: {', '.join(axis.name for axis in grid)}",
            advice="evolve and show a slice: Landscape(values[:, :, i], Grid(*grid.axes[:2]))",
        )
    # remembered before one of the batch is taken
    batch_shape = evolution.landscape.batch_shape
    one = evolution.entry(batch_index)
    notes = _notes(evolution, batch_index, batch_shape)
    half_widths, sentence = _half_widths(one)
    notes.extend([sentence] if sentence else [])
    frames = _frames(one, half_widths)
    names, worst, told = ({}, [], "") if risk is None else _worst(one, risk)
    notes.extend([told] if told else [])
    total = len(frames) + len(worst) + 3

    def tell(done: int) -> None:
        if report is not None:
            report(done, total)

    tell(0)
    abscissa, abscissa_name = _abscissa(one, frames)
    followed = tracks_of(one, np.array(abscissa)) if tracks else None
    tell(2)
    around, inside = basins_of(one, len(frames)) if basins else (None, None)
    tell(3)
    title = f"{one.landscape.name} under exploration noise"
    initial = one.landscape.values
    content: dict[str, Any] = {
        "title": title,
        "name": one.landscape.name,
        "subtitle": _subtitle(one, len(frames)),
        "abscissa": abscissa,
        "abscissa_name": abscissa_name,
        "range": [float(initial.min()), float(initial.max())],
        "words": {
            name: getattr(one.landscape.sense, name) for name in ("extremum", "extrema", "short", "largest", "ascent")
        }
        | {"point": one.landscape.point_word},
        "confidence": _CONFIDENCE if half_widths else None,
        "tracks": followed.content if followed else None,
        "report": one.report.as_dict()["checks"],
        "provenance": _provenance(one, frames),
        "colours": _colours(),
        "alike": grid.unit is not None,
        "unit": grid.unit or "",
    }
    notes.extend(found.sentence for found in (followed, around) if found and found.sentence)
    # once, before the loop: only what depends on rounding and thinning is set below
    content = json_like(content)
    fields = [frame.values for frame in (*frames, *worst)]
    # from the finest to the coarsest, until it fits
    for stride, bits in reductions(grid.shape):
        content["axes"] = [_axis(axis, stride) for axis in grid]
        content["stride"], content["bits"] = stride, bits
        content["basins"] = (
            None if inside is None or around is None else {**(around.content or {}), "masks": masks(inside, stride)}
        )
        content["notes"] = [*notes, _rounding([0.0], bits), *([_thinning(grid, stride)] if stride > 1 else [])]
        content["frames"] = [frame.about for frame in frames]
        content["risk"] = None if not worst else {**names, "frames": [frame.about for frame in worst]}
        # what the fields may take, beside everything else
        room = most_bytes - len(_document(content)) - _BYTES_PER_FRAME * len(fields)
        # an estimate from samples, as packing all frames takes seconds
        if room <= 0 or not fits([*fields, *half_widths], stride, bits, room):
            continue
        thinned = (slice(None, None, stride),) * grid.dimensions
        packed, abouts = [], []
        for k, frame in enumerate((*frames, *worst)):
            packed.append(pack(frame.values[thinned], bits))
            about = frame.about | _packed(packed[-1])
            if frame.half_width is not None:
                about["error"] = _packed(pack(frame.half_width[thinned], min(bits, _ERROR_BITS)))
            abouts.append(about)
            tell(3 + k)
        content["frames"] = abouts[: len(frames)]
        if worst:
            content["risk"]["frames"] = abouts[len(frames) :]
        content["notes"][len(notes)] = _rounding([found.step for found in packed], bits)
        text = _document(content)
        # the estimate may be wrong; the page itself decides
        if len(text.encode("utf-8")) <= most_bytes:
            tell(total)
            return text
    raise OptionError(
        "the size limit is too small for a page of this evolution",
        given=f"{most_bytes:,} bytes for {len(frames)} frames of {grid.shape} nodes",
        advice="raise the limit, or store fewer noise levels",
    )
