"""Curves of unlearning: means over the seeds with their errors, verdicts in words and dashes."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from matplotlib.figure import Figure

from heatpg import errors, plot
from heatpg.policy import Unlearning

SEEDS, EPOCHS = 6, 3


def result(noise: str = "action") -> Unlearning:
    """Three noise levels: one that rises, one that falls, one that cannot be told."""
    rng = np.random.default_rng(4)
    change = np.array([0.5, -1.0, -0.01])[:, None, None] * np.arange(EPOCHS + 1)
    scatter = np.array([0.001, 0.01, 0.5])[:, None, None] * rng.normal(size=(3, SEEDS, EPOCHS + 1))
    scatter[..., 0] = 0.0
    gains = np.zeros((3, SEEDS, EPOCHS + 1, 2, 6))
    gains[..., 0, 0] = np.array([0.1, 1.0, 10.0])[:, None, None] * (np.arange(EPOCHS + 1) + np.abs(scatter))
    zeros = np.zeros((3, 2, 6))
    return Unlearning(
        noise, "lqr", np.array([0.1, 1.0, 10.0]), gains, 30.0 + change + scatter, 20.0 + change + 0.5 * scatter, zeros,
        zeros, zeros, zeros, np.zeros((2, 6)), 0.0, np.array([0.0, -1.0, 0.0]), 64, 0.1, False, 1e-3, 2.0,
    )  # fmt: skip


@pytest.mark.parametrize("quantity", ["return", "noisy return", "distance"])
def test_lines_are_means_over_the_seeds_and_bands_two_standard_errors(quantity: str) -> None:
    found = result()
    values = {"return": found.returns, "noisy return": found.noisy_returns, "distance": found.distance}[quantity]
    first = 1 if quantity == "distance" else 0
    ax = plot.unlearning_curves(found, quantity=quantity)
    for k in range(3):
        mean = values[k, :, first:].mean(axis=0)
        error = 2 * values[k, :, first:].std(axis=0, ddof=1) / np.sqrt(SEEDS)
        np.testing.assert_array_equal(ax.lines[k].get_xdata(), np.arange(first, EPOCHS + 1))
        np.testing.assert_allclose(np.asarray(ax.lines[k].get_ydata()), mean, rtol=1e-14)
        corners = np.asarray(ax.collections[k].get_paths()[0].vertices)
        for epoch, m, e in zip(range(first, EPOCHS + 1), mean, error, strict=True):
            heights = corners[corners[:, 0] == epoch, 1]
            np.testing.assert_allclose([heights.min(), heights.max()], [m - e, m + e], rtol=1e-12)
    assert ax.get_yscale() == ("log" if quantity == "distance" else "linear")


def test_verdicts_are_told_in_words_and_by_dashes() -> None:
    ax = plot.unlearning_curves(result())
    assert [line.get_label() for line in ax.lines] == [
        "σ = 0.1 N: kept", "σ = 1 N: left (drift)", "σ = 10 N: undecided", "0.1 % of the return lost",
    ]  # fmt: skip
    assert [line.get_linestyle() for line in ax.lines[:3]] == ["-", "--", "-."]
    assert len({line.get_marker() for line in ax.lines[:3]}) == 3
    assert np.asarray(ax.lines[3].get_ydata()).tolist() == [30.0 * 0.999] * 2
    assert ax.get_title() == "Unlearning of the LQR gain\nunder action noise"
    assert len(plot.unlearning_curves(result(), quantity="distance").lines) == 3
    assert plot.unlearning_curves(result("parameter")).lines[0].get_label() == "σ = 0.1: kept"


def test_a_controller_that_never_moves() -> None:
    found = result()
    still = dataclasses.replace(found, gains=np.zeros_like(found.gains))
    ax = plot.unlearning_curves(still, quantity="distance")
    assert ax.get_yscale() == "linear"
    ax.figure.draw_without_rendering()  # type: ignore[union-attr]


@pytest.mark.parametrize("width", [None, "column", "text"])
def test_the_legend_is_inside_and_below(width: plot.Width) -> None:
    ax = plot.unlearning_curves(result(), width=width)
    figure, legend = ax.get_figure(root=True), ax.get_legend()
    assert figure is not None and legend is not None
    figure.draw_without_rendering()
    box = legend.get_window_extent()
    assert box.x0 >= 0 and box.x1 <= figure.bbox.x1
    assert box.y0 >= 0 and box.y1 < ax.get_window_extent().y0
    assert ax.get_window_extent().height > 0.4 * ax.get_window_extent().width


def test_axes_are_drawn_into() -> None:
    axes = Figure().subplots(1, 2)
    assert plot.unlearning_curves(result(), axes[0]) is axes[0]
    assert plot.unlearning_curves(result(), axes[1], quantity="distance") is axes[1]


def test_an_unknown_quantity() -> None:
    with pytest.raises(errors.UnknownNameError, match="noisy return"):
        plot.unlearning_curves(result(), quantity="retrun")
