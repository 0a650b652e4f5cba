"""The figures whose pictures are kept: name -> a function that draws one.

A new picture is a new entry here (or in `cases_more.py`), and ``python tests/plot/renew.py NAME``.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
from matplotlib.figure import Figure

from heatpg import Axis, Grid, Landscape, evolve, landscapes, plot
from heatpg.evolution import Evolution, solve
from heatpg.plot import figures

__all__ = ["CASES"]


def _peaks(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """A needle, a hill, and waves."""
    needle = np.exp(-((x - 0.6) ** 2 + (y - 0.8) ** 2) / 0.02)
    hill = 0.7 * np.exp(-((x - 1.4) ** 2 + (y - 1.5) ** 2) / 0.2)
    return np.asarray(needle + hill + 0.08 * np.cos(12 * x) * np.sin(10 * y))


@cache
def line() -> Evolution:
    """One axis, with noise that leaves the box."""
    grid = Grid(Axis("action", -4, 4, 201, boundary="clip", unit="N m"))
    bumps = Landscape.from_function(
        lambda x: np.exp(-((x - 1) ** 2) / 0.18) + 0.7 * np.exp(-((x + 1) ** 2) / 0.5) + 0.1 * np.cos(9 * x),
        grid,
        name="bumps",
    )
    return solve(bumps, np.geomspace(0.05, 2.0, 12))


@cache
def plane() -> Evolution:
    """Two axes, the second of them a wall."""
    grid = Grid(Axis("u1", 0, 2, 41, boundary="clip", unit="N"), Axis("u2", 0, 2.4, 37, boundary="reflect", unit="N"))
    return evolve(Landscape.from_function(_peaks, grid, name="peaks"), [0.05, 0.1, 0.2, 0.4, 1.0])


@cache
def finer() -> Evolution:
    """The same at the sigmas that a study needs."""
    return solve(plane().landscape, np.geomspace(0.1, 1.0, 8))


@cache
def units() -> Evolution:
    """Two axes of different units, each with its own sigma, and long names."""
    grid = Grid(
        Axis("torque_of_the_shoulder", 0, 2, 31, boundary="clip", unit="N m"),
        Axis("velocity_of_the_elbow", 0, 8, 25, boundary="clip", unit="rad/s"),
    )
    of_both = Landscape.from_function(lambda x, y: _peaks(x, y / 4), grid, name="arm")
    return solve(of_both, np.outer([0.05, 0.1, 0.3], [1.0, 3.0]))


@cache
def space() -> Evolution:
    """Three axes; the optimum leaves the slice that is shown."""
    grid = Grid(*(Axis(name, 0, 4, 21, boundary="clip", unit="V") for name in "abc"))

    def two(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        narrow = np.exp(-((x - 1) ** 2 + (y - 2) ** 2 + (z - 1.4) ** 2) / 0.5)
        return np.asarray(narrow + 0.8 * np.exp(-((x - 3) ** 2 + (y - 2.6) ** 2 + (z - 3) ** 2) / 2))

    return solve(Landscape.from_function(two, grid, name="two"), [0.2, 0.5, 1.0])


@cache
def correlated() -> Evolution:
    """Noise with a full covariance."""
    covariance = np.array([[[0.01, 0.006], [0.006, 0.01]], [[0.04, 0.03], [0.03, 0.09]]])
    grid = Grid(*(Axis(name, 0, 2.2, 41, boundary="clip", unit="N") for name in ("u1", "u2")))
    return evolve(Landscape.from_function(_peaks, grid, name="peaks"), covariance=covariance)


@cache
def lone_waves() -> Evolution:
    """Two waves with nothing between: no curve joins their bands."""
    grid = Grid(Axis("x", 0, 2 * np.pi, 64, boundary="periodic"))
    return solve(Landscape.from_function(lambda x: np.sin(x) + 0.3 * np.sin(7 * x), grid, name="two"), [0.1, 0.2, 0.4])


@cache
def waves() -> Evolution:
    """A rough landscape on a closed box."""
    grid = Grid(*(Axis(name, 0, 2, 48, boundary="periodic", unit="m") for name in "xy"))
    rough = Landscape(np.random.default_rng(5).normal(size=grid.shape), grid, "noise")
    return solve(rough, [0.03, 0.06, 0.12, 0.24], "spectral")


@cache
def batch() -> Evolution:
    """Two landscapes at once."""
    one = plane().landscape
    return solve(Landscape(np.stack([one.values, -one.values]), one.grid, "pair"), [0.1, 0.3])


@cache
def bumps() -> Evolution:
    """Two maxima, of which one dies."""
    return solve(landscapes.unequal_bumps(size=201), np.geomspace(0.1, 2.0, 12))


def _of(ax: object) -> Figure:
    figure = getattr(ax, "figure", None)
    assert isinstance(figure, Figure)
    return figure


CASES: dict[str, Callable[[], Figure]] = {
    "landscape": lambda: _of(plot.landscape(plane().landscape)),
    "landscape_column": lambda: _of(plot.landscape(plane().landscape, width="column")),
    "landscape_line": lambda: _of(plot.landscape(line().landscape, width="column")),
    "landscape_batch": lambda: _of(plot.landscape(batch().landscape, width="column")),
    "field": lambda: _of(plot.field(plane(), 2)),
    "field_untrusted": lambda: _of(plot.field(plane(), 4, width="column")),
    "field_line": lambda: _of(plot.field(line(), 9, width="column")),
    "field_slice": lambda: _of(plot.field(space(), 2, width="column")),
    "field_units": lambda: _of(plot.field(units(), 1, width="column")),
    "cut": lambda: _of(plot.cut(plane(), "u2", width="column")),
    "summary": lambda: plot.summary(plane(), width=8.0),
    "summary_column": lambda: plot.summary(units(), width="column"),
    "summary_line": lambda: plot.summary(line(), width="text"),
    "summary_space": lambda: plot.summary(space(), width="text"),
    "summary_correlated": lambda: plot.summary(correlated(), width="text"),
    "maxima": lambda: plot.maxima(units(), width="column"),
    "fingerprint": lambda: _of(plot.fingerprint(bumps())),
    "fingerprint_column": lambda: figures.get("fingerprint")(bumps(), width="column"),
    "study": lambda: plot.study(bumps(), width="text"),
    "study_plane": lambda: plot.study(finer(), width="text"),
    "study_column": lambda: plot.study(bumps(), width="column"),
    "risk": lambda: plot.risk(line()),
    "risk_column": lambda: plot.risk(finer(), width="column"),
    "price": lambda: figures.get("price")(bumps(), width="text"),
    "surface": lambda: _of(plot.surface(plane(), 1, width="column")),
    "surface_text": lambda: figures.get("surface")(plane(), width="text"),
    "multiples": lambda: plot.multiples(plane(), width="text"),
    "multiples_own_scales": lambda: plot.multiples(plane(), [0, 2, 4], shared=False, width="column"),
    "multiples_line": lambda: plot.multiples(line(), [0, 6, 9], width="text"),
    "waterfall": lambda: figures.get("waterfall")(line(), width="text"),
    "waterfall_cut": lambda: _of(plot.waterfall(plane(), "u2", width="column")),
    "spectrum": lambda: figures.get("spectrum")(waves(), width="text"),
    "spectrum_of_lone_waves": lambda: figures.get("spectrum")(lone_waves(), width="column"),
    "spectrum_free_space": lambda: figures.get("spectrum")(line(), width="column"),
}
