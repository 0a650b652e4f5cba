"""Power of Q and of u against the wavenumber, compared with the prediction of the heat equation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from heatpg.core.landscape import Landscape
from heatpg.errors import UnsupportedError
from heatpg.evolution import Evolution
from heatpg.plot.breaks import alone
from heatpg.plot.choices import shown_sigmas
from heatpg.plot.layout import line_colours, logarithmic_numbers, sheet, words_below
from heatpg.plot.style import Width, panel, points
from heatpg.plot.words import headline, sigma_label
from heatpg.tools.calls import checked_call
from heatpg.tools.figures import figures

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from heatpg.scalespace import BandDecay

__all__ = ["decay", "spectrum", "spectrum_figure"]

_MOST = 4  # a taste: more curves, each with its prediction, cannot be told apart
# of amplitudes in double precision round-off is 1e-16, of power its square; the floor only ends the axis
_FLOOR = 1e-16  # of the power of Q
_STRONG = 1e-6  # of the strongest band; in weaker ones leakage of the taper is larger than what is there
_WIDTH = 12.0  # inches, on the screen, for two panels
_LEAST = 3.4  # inches that a panel needs beside text of 10 points


def _wavenumber_label(evolution: Evolution) -> str:
    unit = evolution.grid.unit or ""
    # a unit of several words, as N m, needs its parentheses
    per = f" (1/({unit}))" if not unit.isalnum() else f" (1/{unit})"
    return f"angular wavenumber |k|{per if unit else ''}"


def _expected(evolution: Evolution) -> BandDecay | None:
    """Measured and predicted decay; None for correlated noise, which damps waves of one |k| differently."""
    from heatpg.scalespace import band_decay

    return None if evolution.covariance is not None else band_decay(evolution)


@checked_call()
def spectrum(
    evolution: Evolution,
    ax: Axes | None = None,
    *,
    width: Width = None,
) -> Axes:
    """Draw the power of Q and of u at up to four sigmas per band of |k|, with the predicted factor exp(-sigma^2 |k|^2).

    The dashed curves are the power of Q with every wave damped by its own factor, exp(-sum_i sigma_i^2 k_i^2), averaged
    over the band. Bands without neighbours have marks, as a line does not show them. Values below rounding error are
    omitted. For correlated noise there is no prediction per band.

    Parameters
    ----------
    evolution
        Evolution to draw; the first of a batch.
    ax
        Where to draw; without it, in a new figure.
    width
        ``"column"`` (3.5 in), ``"text"`` (7.2 in) or inches, with text for print; by default a figure for the screen.

    Returns
    -------
    ax
        The axes; ``ax.figure`` is the figure.

    Raises
    ------
    OptionError
        For an argument that is not an evolution, an unknown width, or both a width and axes.
    UnsupportedError
        For a flat landscape.

    Examples
    --------
    >>> from heatpg import landscapes, plot
    >>> from heatpg.evolution import solve
    >>> plot.spectrum(solve(landscapes.ridge(size=41), [0.1, 0.2])).get_xlabel()
    'angular wavenumber |k|'
    """
    from heatpg.scalespace import power_spectrum

    one = evolution.entry()
    expected = _expected(one)
    initial = power_spectrum(one.landscape)
    shown = shown_sigmas(one, _MOST)
    if not initial.power.any():
        raise UnsupportedError(
            "a constant landscape has no spectrum", given=f"Q = {one.landscape.values.flat[0]:g} everywhere"
        )
    k = initial.wavenumber
    lowest = _FLOOR * float(initial.power.max())
    with panel(ax, width) as ax:
        _draw(ax, k, _above(initial.power, lowest), "s", color="0.55", lw=points(1.3), label="Q")
        for level, colour in zip(shown, line_colours(len(shown)), strict=True):
            left = power_spectrum(Landscape(one.values[level], one.grid))
            power = np.ldexp(left.power, 2 * (left.exponent - initial.exponent))
            # without a prediction nothing says what round-off hides
            seen = np.ones(len(k), dtype=bool) if expected is None else expected.visible[level]
            label = sigma_label(one, level)
            seen_power = _above(np.where(seen, power, np.nan), lowest)
            _draw(ax, k, seen_power, "o", color=colour, lw=points(1.8), label=label)
        if expected is not None:
            for level in shown:
                # power is the square of an amplitude
                drawn = _above(expected.power * expected.predicted[level] ** 2, lowest)
                # named once in the legend
                words = "predicted" if level == shown[0] else None
                _draw(ax, k, drawn, "+", color="black", lw=points(0.9), ls=(0, (3, 3)), label=words)
        ax.set_xscale("log")
        ax.set_yscale("log")
        logarithmic_numbers(ax.xaxis, float(np.nanmin(k)), float(np.nanmax(k)))
        ax.set_xlabel(_wavenumber_label(one))
        ax.set_ylabel("power (mean square per band)")
        ax.set_title(headline(evolution, "power spectrum"))
        ax.legend(fontsize="small", loc="lower left")
    return ax


def _draw(ax: Axes, k: np.ndarray, power: np.ndarray, lone: str, **style: Any) -> None:
    """A curve, with marks for bands whose neighbours hold nothing, which a line does not show."""
    single = np.flatnonzero(alone(power)).tolist()
    if single:
        style |= {"marker": lone, "markevery": single, "ms": points(7), "mfc": "none", "mew": points(1.2)}
    ax.plot(k, power, **style)


def _above(power: np.ndarray, lowest: float) -> np.ndarray:
    """What a logarithmic axis can show."""
    return np.where(power > lowest, power, np.nan)


@checked_call()
def decay(evolution: Evolution, ax: Axes | None = None, *, width: Width = None) -> Axes:
    """Draw the power of u over that of Q per band of |k| at up to four sigmas, on the predicted exp(-sigma^2 |k|^2).

    Marks are measured, curves (for lone waves rings) predicted: every wave of Q damped by its own factor, averaged over
    the band, in free space with the taper, which leaks from strong bands into weak ones. The dashed curve, for one
    sigma on all axes, is exp(-sigma^2 |k|^2) itself. Bands that round-off hides, or with less than 1e-6 of the power of
    the strongest, are left out. A solver of the semi-discrete flow lies above the curves at large |k|.

    Parameters
    ----------
    evolution
        Evolution to draw; the first of a batch.
    ax
        Where to draw; without it, in a new figure.
    width
        ``"column"`` (3.5 in), ``"text"`` (7.2 in) or inches, with text for print; by default a figure for the screen.

    Returns
    -------
    ax
        The axes; ``ax.figure`` is the figure.

    Raises
    ------
    OptionError
        For an argument that is not an evolution, an unknown width, or both a width and axes.
    UnsupportedError
        For correlated noise, or a flat landscape.

    Examples
    --------
    >>> from heatpg import landscapes, plot
    >>> from heatpg.evolution import solve
    >>> plot.decay(solve(landscapes.ridge(size=41), [0.1, 0.2])).get_ylabel()
    'power of u / power of Q'
    """
    from heatpg.scalespace import band_decay

    one = evolution.entry()
    expected = band_decay(one)
    shown = shown_sigmas(one, _MOST)
    with panel(ax, width) as ax:
        strong = expected.power > _STRONG * expected.power.max()
        for level, colour, marker in zip(shown, line_colours(len(shown)), "osD^", strict=False):
            visible, sigma = strong & expected.visible[level], expected.sigma[level]
            k = expected.wavenumber
            predicted = np.where(visible, expected.predicted[level], np.nan) ** 2
            _draw(ax, k, predicted, "o", color=colour, lw=points(1.2))
            if np.ptp(sigma) == 0:
                # at most 700, beyond which exp is 0 in double precision, and has no place on a logarithmic axis
                alone = np.where(visible, np.exp(-np.minimum((sigma[0] * k) ** 2, 700.0)), np.nan)
                lowest = 0.1 * np.nanmin(predicted) if visible.any() else _FLOOR
                ax.plot(k, _above(alone, lowest), color="black", lw=points(0.8), ls=(0, (3, 3)), zorder=1)
            # the root is stored: measured and predicted are amplitudes
            measured = np.where(visible, expected.measured[level], np.nan) ** 2
            marks: dict[str, Any] = {
                "marker": marker,
                "ms": points(4),
                "mec": "black",
                "mew": points(0.4),
                "ls": "none",
            }
            ax.plot(k, measured, color=colour, label=sigma_label(one, level), **marks)
        ax.set_yscale("log")
        ax.set_xlabel(_wavenumber_label(one))
        ax.set_ylabel("power of u / power of Q")
        ax.set_title(headline(evolution, "decay compared with exp($-$σ²|k|²)"))
        ax.legend(fontsize="small", loc="best")
    return ax


@figures.register("spectrum")
def spectrum_figure(evolution: Evolution, *, width: Width = None) -> Figure:
    """Power of Q and of u against the wavenumber, and their ratio with the predicted exp(-sigma^2 |k|^2).

    For correlated noise, which damps waves of one |k| differently, the power alone.

    Parameters
    ----------
    evolution
        Evolution to draw; the first of a batch.
    width
        ``"column"`` (3.5 in), ``"text"`` (7.2 in) or inches, with text for print; by default a figure for the screen.

    Returns
    -------
    figure
        Made without pyplot, so nothing is shown; `heatpg.plot.save` writes it.

    Raises
    ------
    OptionError
        For an argument that is not an evolution, and for an unknown width.
    UnsupportedError
        For a flat landscape.

    Examples
    --------
    >>> from heatpg import landscapes, plot
    >>> from heatpg.evolution import solve
    >>> len(plot.figures.get("spectrum")(solve(landscapes.ridge(size=41), [0.1, 0.2])).axes)
    2
    """
    # the decay has no prediction for correlated noise
    count = 2 if evolution.covariance is None else 1
    heading = headline(evolution, "attenuation of each wavenumber by exploration noise σ")
    with sheet(width, count, heading, screen=0.5 * _WIDTH * count, least=_LEAST, height=4.2) as (figure, axes):
        spectrum(evolution, axes[0])
        axes[0].set_title("")
        if count > 1:
            decay(evolution, axes[1])
            axes[1].set_title("")
            words_below(figure, _prediction_words(evolution), float(figure.get_figwidth()))
    return figure


def _prediction_words(evolution: Evolution) -> str:
    words = "Predicted, and the lines of the ratio: every wave of Q damped by exp($-$σ²k²), averaged over each band."
    if any(axis.rule.free_space for axis in evolution.grid):
        words += " The taper at the edges of the box leaks from strong bands into weak ones."
    if np.ptp(evolution.sigmas, axis=1).max() == 0:
        words += " Dashed in the ratio: exp($-$σ²|k|²) by itself."
    return words
