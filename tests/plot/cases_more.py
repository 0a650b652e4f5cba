"""More figures whose pictures are kept: checks, errors of solvers, ascents, unlearning, and a frame of an animation."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
from matplotlib.figure import Figure

from heatpg import Axis, Grid, Landscape, Report, landscapes, plot
from heatpg.core.report import Check, Place
from heatpg.evolution import solve
from heatpg.measure.work_precision import Work
from heatpg.plot import animation
from heatpg.plot.convergence import orders
from heatpg.policy import Ascent, Unlearning, ascend_all

__all__ = ["CASES"]


def _figure(ax: object) -> Figure:
    figure = ax.get_figure(root=True)  # type: ignore[attr-defined]
    assert isinstance(figure, Figure)
    return figure


@cache
def report() -> Report:
    """One of each: a fraction, nothing at all, no number, beyond the bound, beyond the scale, no number but NaN."""
    place = Place(2, (0, 7), (1.4, 1.54))
    return Report(
        [
            Check("range", "passed", "inside the range of Q", 8e-16, 2.6e-14),
            Check("joint maxima", "passed", "none", 0.0, 2.6e-14),
            Check("number of extrema", "passed", "the number of extrema does not grow with sigma"),
            Check(
                "box", "finding", "from sigma=0.4 on, noise at the optimum leaves the box with probability 0.75 and "
                "more: there the result rests on what the boundary says about the outside", 0.75, 0.01, where=place,
            ),
            Check("conservation", "failed", "the mean over the box moved", 3e-9, 4e-14, where=place, promised=True),
            Check("cross-check", "failed", "what was measured is no number", float("nan"), 1e-3),
        ],
        "full",
    )  # fmt: skip


@cache
def runs() -> list[Work]:
    """Errors of the declared orders, and times, without a clock."""
    found = []
    for label, order, scale in (("explicit", 4.0, 9.0), ("compact", 4.0, 30.0), ("exponential", 2.0, 3.0)):
        for k, n in enumerate((16, 24, 32, 48, 64, 96)):
            error = scale * (1 + 0.3 * np.sin(3 * k)) * n**-order
            found.append(Work(label, {}, label, order, n, 2 / n, error, 2e-8 * n**2 * scale))
    exact = [
        Work("direct", {}, "direct", "spectral", n, 2 / n, 10.0 ** max(2 - n / 3, -15), 9e-8 * n**2)
        for n in (16, 24, 32, 48, 64)
    ]
    return [*found, *exact]


@cache
def waves() -> Landscape:
    """Waves on a torus."""
    grid = Grid(*(Axis(name, -2, 2, 61, boundary="periodic", unit="rad") for name in "ab"))
    return Landscape.from_function(
        lambda a, b: np.sin(np.pi * a + 0.4) * np.cos(np.pi * b / 2) + 0.5 * np.cos(np.pi * (a - b)), grid, name="waves"
    )


@cache
def joint() -> list[Ascent]:
    """Ascents in (mu, sigma), around the torus."""
    return ascend_all(waves(), [[-1.6, -1.4], [-1.6, 1.2], [-0.2, -1.4]], 0.6, method="variance")


@cache
def unlearning() -> Unlearning:
    """Three noise levels with made-up scatter: kept, left, undecided."""
    rng = np.random.default_rng(4)
    epochs = np.arange(5)
    scatter = np.array([0.02, 0.05, 0.4])[:, None, None] * rng.normal(size=(3, 8, 5))
    scatter[..., 0] = 0.0
    change = np.array([0.5, -1.0, -0.01])[:, None, None] * epochs + scatter
    gains = np.zeros((3, 8, 5, 2, 6))
    gains[..., 0, 0] = np.array([0.1, 1.0, 10.0])[:, None, None] * (epochs + np.abs(scatter))
    zeros = np.zeros((3, 2, 6))
    return Unlearning(
        "action", "lqr", np.array([0.1, 1.0, 10.0]), gains, 30.0 + change, 28.0 + change, zeros, zeros, zeros, zeros,
        np.zeros((2, 6)), 0.0, np.array([0.0, -1.0, 0.0]), 64, 0.1, False, 1e-3, 2.0,
    )  # fmt: skip


def _line_ascents(width: plot.Width = None) -> Figure:
    q = landscapes.unequal_bumps(size=161)
    ascents = ascend_all(q, [[-1.8], [-0.6], [2.5]], 0.9, method="natural")
    return _figure(plot.ascent_paths(q, ascents, width=width))


def _map_ascents() -> Figure:
    flow = solve(waves(), [0.25])
    ascents = ascend_all(waves(), [[-1.6, -1.4], [-0.2, 1.2], [0.9, 1.2]], 0.25)
    return _figure(plot.ascent_paths(flow, ascents, index=0))


def _frame() -> Figure:
    grid = Grid(*(Axis(name, -1, 1, 31, boundary="clip", unit="N") for name in "ab"))
    bumps = Landscape.from_function(
        lambda a, b: np.exp(-((a - 0.5) ** 2 + (b - 0.5) ** 2) / 0.01)
        + 0.6 * np.exp(-((a + 0.4) ** 2 + (b + 0.4) ** 2) / 0.2),
        grid,
        name="bumps",
    )  # fmt: skip
    scene = animation._Scene(solve(bumps, [0.05, 0.1, 0.2, 0.4]), (480, 480), "landscape")
    scene.pixels(3)
    return scene.figure


CASES: dict[str, Callable[[], Figure]] = {
    "checks": lambda: _figure(plot.checks(report())),
    "checks_column": lambda: _figure(plot.checks(report(), width="column")),
    "orders": lambda: orders(runs()),
    "orders_column": lambda: orders(runs(), width="column"),
    "convergence": lambda: _figure(plot.convergence(runs())),
    "work_precision_column": lambda: _figure(plot.work_precision(runs(), width="column")),
    "ascent_on_a_line": _line_ascents,
    "ascent_on_a_map": _map_ascents,
    "ascent_joint_column": lambda: _figure(plot.ascent_paths(waves(), joint(), width="column")),
    "ascent_against_sigma": lambda: _figure(plot.ascent_paths(waves(), joint(), against="sigma", axis="b")),
    "unlearning_return": lambda: _figure(plot.unlearning_curves(unlearning())),
    "unlearning_distance_column": lambda: _figure(
        plot.unlearning_curves(unlearning(), quantity="distance", width="column")
    ),
    "animation_frame": _frame,
}
