"""Draws the pictures of the documentation into docs/_static: ``python docs/pictures.py``, some seconds."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from heatpg import Axis, Grid, Landscape, evolve, landscapes, load, plot
from heatpg.risk import safest_action
from heatpg.scalespace import track
from heatpg.solvers import make

STATIC = Path(__file__).resolve().parent / "_static"
DATA = STATIC.parents[1] / "data"


def quadrotor() -> Landscape:
    thrusts = [Axis(name, 1.4, 3.4, 161, boundary="clip", unit="N") for name in ("u1", "u2")]
    return landscapes.quadrotor(Grid(*thrusts), horizon=2.0)


def fields() -> Figure:
    """The landscape of the tutorial and what noise leaves of it."""
    return plot.multiples(evolve(quadrotor(), [0.05, 0.1, 0.2]))


def fingerprint() -> Figure:
    """The critical points of the tutorial's landscape against sigma."""
    return plot.figures.get("fingerprint")(evolve(quadrotor(), np.geomspace(0.05, 1.0, 24)))


def creation() -> Figure:
    """One maximum, then two, then one: smoothing creates a maximum in the plane."""
    grid = Grid(Axis("x", -4.0, 6.0, 301, boundary="clip"), Axis("y", -3.0, 3.0, 241, boundary="clip"))
    q = landscapes.creation(grid)
    sigmas = (0.0, 0.1, 0.7)
    top = {"marker": "o", "ls": "none", "ms": 7, "mfc": "white", "mec": "black", "clip_on": False}
    figure = Figure(figsize=(10.0, 4.6), layout="constrained")
    maps, cuts = figure.subplots(2, 3, sharex=True, height_ratios=(3, 2))
    for above, below, sigma in zip(maps, cuts, sigmas, strict=True):
        values = q.exact(sigma)
        # one scale for all, so that a colour is one value
        levels = np.linspace(0.0, 1.1 * float(q.values.max()), 34)
        image = above.contourf(*(axis.coordinates for axis in grid), np.maximum(values, 0.0).T, levels, cmap="viridis")
        above.set_title(f"σ = {sigma:g}" if sigma else "Q (σ = 0)")
        ridge = values.max(axis=1)
        below.plot(grid[0].coordinates, ridge, color="0.2")
        inside = (ridge[1:-1] > ridge[:-2]) & (ridge[1:-1] > ridge[2:])
        tops = np.flatnonzero(inside) + 1
        below.plot(grid[0].coordinates[tops], ridge[tops], **top)
        above.plot(grid[0].coordinates[tops], [grid[1].coordinates[values[i].argmax()] for i in tops], **top)
        below.set_xlabel("x")
        below.set_ylim(0.0, 1.6)
    figure.colorbar(image, ax=maps, label="Q, u", ticks=[0.0, 0.5, 1.0, 1.5])
    maps[0].set_ylabel("y")
    cuts[0].set_ylabel("max over y")
    return figure


def symbols() -> Figure:
    """What each scheme leaves of a wave, against what the Gaussian leaves."""
    axis = Axis("x", 0.0, 1.0, 65, boundary="periodic")
    angle = np.linspace(0.0, np.pi, 200)
    figure = Figure(figsize=(9.0, 3.6), layout="constrained")
    panels = figure.subplots(1, 2)
    steps = {"implicit": {"steps": 4}, "crank_nicolson": {"steps": 4}}
    for name in ("exponential", "compact", "explicit", "implicit", "crank_nicolson"):
        for panel, cells in zip(panels, (1.0, 3.0), strict=True):
            variance = (cells * axis.spacing) ** 2
            symbol = make(name, **steps.get(name, {})).symbol(angle, axis, (0.0, variance))
            panel.plot(angle / np.pi, np.real(symbol), label=name + (", 4 steps" if name in steps else ""), lw=1.4)
    for panel, cells in zip(panels, (1.0, 3.0), strict=True):
        panel.plot(angle / np.pi, np.exp(-0.5 * (cells * angle) ** 2), "k--", lw=1.4, label="exp(-k² σ² / 2)")
        panel.set_xlabel("k h / π")
        panel.set_title(f"σ = {cells:g} h")
        panel.axhline(0.0, color="0.7", lw=0.8)
    panels[1].set_xlim(0.0, 0.6)
    panels[0].set_ylabel("remaining fraction of the amplitude")
    panels[0].legend(frameon=False, fontsize=9)
    return figure


def risk() -> Figure:
    """A peak and a hill: the safest action leaves the peak at a smaller noise than the best mean one."""
    grid = Grid(Axis("torque", -4.0, 4.0, 2001, boundary="clip", unit="N m"))
    q = Landscape.from_function(
        lambda a: np.exp(-((a + 1) ** 2) / 0.02) + 0.8 * np.exp(-((a - 0.8) ** 2) / 0.32), grid, name="peak and hill"
    )
    return plot.risk(safest_action(q, 0.1, sigma=np.geomspace(0.015, 0.2, 24)))


def double_well() -> Figure:
    """A deep, narrow well and a wide, shallow one: smoothed, and their minima against sigma."""
    grid = Grid(Axis("a", -4.0, 4.0, 801, boundary="clip"))
    q = Landscape.from_function(
        lambda a: -np.exp(-((a - 2) ** 2) / 0.08) - 0.8 * np.exp(-((a + 2) ** 2) / 0.5), grid, minimise=True
    )
    figure = Figure(figsize=(10.0, 4.0), layout="constrained")
    left, right = figure.subplots(1, 2)
    plot.cut(evolve(q, [0.1, 0.15, 0.2, 0.4]), 0, left)
    left.set_title("loss and smoothed loss, dots: best action")
    left.legend(frameon=False, fontsize="small", loc="lower center")
    plot.fingerprint(track(evolve(q, np.geomspace(0.05, 2.0, 48))), right)
    right.set_title("minima, and the maximum between them")
    right.set_ylim(-4.3, 6.6)  # room for the legend above the box
    right.legend(frameon=False, fontsize="small", loc="upper left", ncols=2)
    return figure


def beside(name: str) -> Figure:
    """Noise in the plane above noise in all components, of what docs/all_components.py has sampled."""
    everywhere = load(DATA / f"{name}_all_components.h5")
    alone = evolve(everywhere.landscape, everywhere.sigma)
    grid, count = everywhere.grid, (everywhere.drawn or {})["components"]
    figure = Figure(figsize=(9.0, 5.6), layout="constrained")
    panels = figure.subplots(2, len(everywhere), sharex=True, sharey=True)
    low = min(alone.values.min(), everywhere.values.min())
    high = max(alone.values.max(), everywhere.values.max())
    ends = [end for axis in grid for end in (axis.lower - axis.spacing / 2, axis.upper + axis.spacing / 2)]
    for row, flow, words in zip(panels, (alone, everywhere), ("in these 2", f"in all {count:,}"), strict=True):
        for panel, sigma, values in zip(row, flow.sigma, flow.values, strict=True):
            image = panel.imshow(values.T, origin="lower", extent=ends, vmin=low, vmax=high, cmap="viridis")
            panel.set_title(f"noise {words}, σ = {sigma:g}", fontsize=10)
            best = grid.point(np.unravel_index(int(values.argmax()), grid.shape))
            panel.plot(*best, marker="x", color="white", markeredgewidth=3.5, markersize=9)
            panel.plot(*best, marker="x", color="black", markeredgewidth=1.5, markersize=8)
    figure.supxlabel(grid[0].heading.replace("_", " "))
    figure.supylabel(grid[1].heading.replace("_", " "))
    figure.colorbar(image, ax=panels, label="mean return")
    return figure


def main() -> None:
    for name, draw in (
        ("tutorial_fields", fields),
        ("tutorial_fingerprint", fingerprint),
        ("creation", creation),
        ("symbols", symbols),
        ("risk", risk),
        ("double_well", double_well),
        ("half_cheetah", partial(beside, "half_cheetah")),
        ("ppo_pendulum", partial(beside, "ppo_pendulum")),
    ):
        draw().savefig(STATIC / f"{name}.png", dpi=100, metadata={"Software": None})


if __name__ == "__main__":
    main()
