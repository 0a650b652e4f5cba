"""The safest action and the action with the best mean: their returns, and both as functions of sigma."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from heatpg.evolution import Evolution
from heatpg.plot.field import TRUST_WORDS, draw_field, hatched
from heatpg.plot.layout import legend_below, line_colours, sheet, sigma_axis, words_below
from heatpg.plot.style import Width, points
from heatpg.plot.words import axis_label, drawable, name_label, number
from heatpg.tools.figures import figures

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from heatpg.risk import SafestAction

__all__ = ["risk"]

_WIDTH = 13.0  # inches, on the screen
_LEAST = 3.0  # inches that a panel needs beside text of 10 points
_ENTRY = 1.9  # inches that an entry of a legend needs beside text of 10 points
_LOW, _LAST = 0.5, 0.8  # tastes: heights of a panel of locations without its legend, and with it, in a stack
_TAIL = 0.1  # the fraction of the worst returns for an evolution (taste)


def _apart(found: SafestAction) -> NDArray[np.bool_]:
    """At which levels the two actions are apart."""
    result = np.zeros(len(found.sigma), dtype=bool)
    for parting in found.partings:
        result[np.searchsorted(found.sigma, parting.sigma) :] = parting.apart
    return result


def _shown(found: SafestAction) -> int:
    """The level to look at: of those where the two actions are apart, if there are any, where safety gains most."""
    apart = _apart(found)
    return int(np.argmax(np.where(apart | ~apart.any(), found.tail_gained, -np.inf)))


def _noise(found: SafestAction, level: int) -> str:
    grid, row = found.distribution.grid, found.distribution.noise[level]
    words = number(row[0]) if np.ptp(row) == 0 else f"({', '.join(map(number, row))})"
    return f"σ = {words} {grid.unit or ''}".rstrip()


def _what(found: SafestAction) -> str:
    """What the values of Q are."""
    return "losses" if found.distribution.landscape.minimise else "returns"


def _safest(found: SafestAction) -> str:
    return f"safest {found.distribution.landscape.point_word}"


def _marks(found: SafestAction) -> dict[str, Any]:
    """Both actions; the safest one is a disc, and that with the best mean a cross."""
    common = {"mec": "black", "mew": points(0.8), "ls": "none", "zorder": 6, "clip_on": False}
    return {
        "safest": {"marker": "o", "ms": points(9), "mfc": "white", "label": _safest(found), **common},
        "best_mean": {"marker": "X", "ms": points(8), "mfc": "0.6", "label": "best mean", **common},
    }


def _returns(ax: Axes, found: SafestAction, level: int) -> None:
    """Mean, tail mean and the middle 80 % of returns along a line of actions."""
    law, dark_light = found.distribution, line_colours(2)
    x = law.grid[0].coordinates
    ax.plot(x, law.landscape.values, color="0.5", lw=points(1.0), label="Q (σ = 0)", zorder=0)
    low, high = (law_at.values[0] for law_at in _quantiles(found, level))
    ax.fill_between(x, low, high, color="0.88", lw=0, zorder=-1, label=f"10 to 90 % of {_what(found)}")
    fields = {"best_mean": law.mean()[level], "safest": found.tail.values[level]}
    names = {"best_mean": "mean u", "safest": f"mean of the worst {found.q:.0%}"}
    for (which, field), colour in zip(fields.items(), dark_light, strict=True):
        ax.plot(x, field, color=colour, lw=points(1.5), label=names[which])
        actions = getattr(found, which)
        ax.plot(actions.positions[level, 0], actions.values[level], **_marks(found)[which])
    ax.set_xlabel(axis_label(law.grid[0]))
    ax.set_ylabel("in units of Q")
    ax.set_xlim(x[0], x[-1])
    ax.set_title(f"{_what(found).capitalize()} at {_noise(found, level)}")
    legend_below(ax, _ENTRY)


def _quantiles(found: SafestAction, level: int) -> list[Any]:
    """The 10 % and the 90 % quantile at one level."""
    from heatpg.risk import distribution

    law = distribution(
        found.distribution.landscape, found.distribution.noise[level : level + 1], solver=found.distribution.solver
    )
    return [law.quantile(share, tolerance=0.005 * law.landscape.oscillation) for share in (0.1, 0.9)]


def _map(ax: Axes, found: SafestAction, level: int) -> None:
    """The tail mean over two axes, through the safest action along the others."""
    from matplotlib.ticker import MaxNLocator

    law = found.distribution
    grid, sense = law.grid, law.landscape.sense
    field = found.tail.values[level]
    center = np.unravel_index(int(np.argmax(sense.sign * field)), grid.shape)
    noise = tuple(law.noise[level].tolist())
    image = draw_field(ax, field, grid, tuple(map(int, center)), noise, sense=sense)
    # its own cross is that of the best node, which the disc below stands for
    ax.lines[-1].remove()
    for which, style in _marks(found).items():
        ax.plot(*getattr(found, which).positions[level, :2], **style)
    # ticks that do not depend on the height, so that the layout knows their width
    ax.figure.colorbar(image, ax=ax, shrink=0.85, ticks=MaxNLocator(5), label="in units of Q")
    # two lines, because the colour bar leaves the panel little width
    ax.set_title(f"Mean of the worst {found.q:.0%}\nat {_noise(found, level)}")
    legend_below(ax, _ENTRY)


def _against_sigma(ax: Axes, found: SafestAction) -> None:
    law = found.distribution
    along = None if np.ptp(law.noise[-1]) == 0 else int(np.argmax(law.noise[-1]))
    sigma_axis(ax, found.sigma, law.grid, along)
    for i, parting in enumerate(found.partings):
        line = ax.axvline(parting.sigma, color="0.4", lw=points(1.0), ls="--", zorder=0)
        if i == 0:
            line.set_label("start to differ, or agree again")


def _earned(ax: Axes, found: SafestAction) -> None:
    """Mean and tail mean at both actions, against sigma."""
    sign = found.distribution.landscape.sense.sign
    dark, light = line_colours(2)
    # where the lines of both actions are one, the dashes are seen on the wide pale line
    pale: dict[str, Any] = {"lw": points(4.0), "alpha": 0.35}
    dashed: dict[str, Any] = {"lw": points(1.5), "ls": "--", "zorder": 3}
    rows = (
        ("mean at best mean", found.best_mean.values, dark, pale),
        ("mean at safest", found.best_mean.values - sign * found.mean_lost, dark, dashed),
        (f"worst {found.q:.0%} at safest", found.safest.values, light, pale),
        (f"worst {found.q:.0%} at best mean", found.safest.values - sign * found.tail_gained, light, dashed),
    )
    # the other action's line ends where the two meet, and begins where they part
    breaks = np.searchsorted(found.sigma, [parting.sigma for parting in found.partings])
    for label, values, colour, style in rows:
        gaps = breaks if style is dashed else breaks[:0]
        ax.plot(
            np.insert(found.sigma, gaps, np.nan), np.insert(values, gaps, np.nan), color=colour, label=label, **style
        )
    _against_sigma(ax, found)
    ax.set_ylabel("in units of Q")
    ax.set_title(f"{_what(found).capitalize()} of both {found.distribution.landscape.point_word}s")
    legend_below(ax, _ENTRY)


def _places(ax: Axes, found: SafestAction, axis: int, *, named: bool, numbered: bool) -> None:
    """Both actions along one axis, against sigma; with a legend, and with numbers and a label below the axes."""
    grid = found.distribution.grid
    dark, light = line_colours(2)
    ax.plot(
        found.sigma, found.best_mean.positions[:, axis], "X", color=dark, ms=points(4), clip_on=False, label="best mean"
    )
    ring: dict[str, Any] = {"mec": light, "mfc": "none", "ms": points(7), "mew": points(1.2), "clip_on": False}
    ax.plot(found.sigma, found.safest.positions[:, axis], "o", label=_safest(found), **ring)
    _against_sigma(ax, found)
    ax.set_ylabel(axis_label(grid[axis]))
    ax.set_title("Their locations" + (f" along {drawable(grid[axis].title)}" if grid.dimensions > 1 else ""))
    if named:
        legend_below(ax, _ENTRY)
    if not numbered:
        ax.set_xlabel("")
        ax.tick_params(labelbottom=False)


@figures.register("risk")
def risk(source: Evolution | SafestAction, *, width: Width = None) -> Figure:
    """The safest action and the action with the best mean: tail means where they differ most, and both against sigma.

    A dashed vertical line marks where they start to differ, or agree again. Their locations are drawn along every axis.

    Parameters
    ----------
    source
        Result of `heatpg.risk.safest_action`; or an evolution, for which the worst tenth of all returns is used.
    width
        ``"column"`` (3.5 in), ``"text"`` (7.2 in) or inches, with text for print; by default a figure for the screen.

    Returns
    -------
    figure
        Made without pyplot, so nothing is shown; `heatpg.plot.save` writes it.

    Raises
    ------
    OptionError, UnsupportedError
        For an evolution that `heatpg.risk.safest_action` refuses, and for an unknown width.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg import landscapes, plot
    >>> from heatpg.evolution import solve
    >>> flow = solve(landscapes.unequal_bumps(size=201), np.geomspace(0.1, 2.0, 8))
    >>> [ax.get_title() for ax in plot.risk(flow).axes][1:]
    ['Returns of both actions', 'Their locations']
    """
    from heatpg.risk import SafestAction, safest_action

    found = source if isinstance(source, SafestAction) else safest_action(source, _TAIL)
    level = _shown(found)
    whose = name_label(found.distribution.landscape)
    point = found.distribution.landscape.point_word
    heading = f"{whose}: safest {point} and {point} with the best mean under exploration noise σ"
    dimensions = found.distribution.grid.dimensions
    # the panels of locations have one legend, and in a stack one axis of sigma
    stacked = (1.0, 1.0, *(_LOW,) * (dimensions - 1), _LAST)
    with sheet(width, 2 + dimensions, heading, screen=_WIDTH, least=_LEAST, height=4.3, stacked=stacked) as (
        figure,
        axes,
    ):
        if dimensions == 1:
            _returns(axes[0], found, level)
        else:
            _map(axes[0], found, level)
        _earned(axes[1], found)
        place = axes[0].get_subplotspec()
        in_a_stack = place is not None and place.get_gridspec().ncols == 1
        for axis in range(dimensions):
            last = axis == dimensions - 1
            _places(axes[2 + axis], found, axis, named=last, numbered=last or not in_a_stack)
        law = found.distribution
        if law.grid.dimensions > 1 and hatched(law.grid, [law.noise[level].tolist()]):
            words_below(figure, TRUST_WORDS, float(figure.get_figwidth()))
    return figure
