"""Tracks, jumps and studies of u with noise in all components, against closed forms of two peaks in six of them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats
from scipy.optimize import brentq, minimize_scalar

from heatpg import Axis, Evolution, Grid, Landscape, load, plot, study, viewer
from heatpg.core.levels import LevelField
from heatpg.errors import UnsupportedError
from heatpg.planes import Draws, evolve_plane
from heatpg.risk import distribution
from heatpg.roughness.decay import band_decay
from heatpg.roughness.holder import holder_exponent
from heatpg.roughness.inversion import backward
from heatpg.scalespace import critical_points, track
from heatpg.scalespace.following import Follower
from heatpg.scalespace.units import RoundOff

Array = NDArray[np.float64]

COMPONENTS, APART, NARROW, LOWER = 6, 5.0, 0.3, 0.8  # the broad peak has width 1, and is five of them away


def peaks(*x: Array) -> Array:
    across = sum(c**2 for c in x[1:])
    first = np.exp(-(x[0] ** 2 + across) / 2 / NARROW**2)
    return np.asarray(first + LOWER * np.exp(-((x[0] - APART) ** 2 + across) / 2))


def exact(x: Array, sigma: float, derivative: int = 0) -> Array:
    total = np.zeros_like(x)
    for height, center, width in ((1.0, 0.0, NARROW), (LOWER, APART, 1.0)):
        variance, y = width**2 + sigma**2, x - center
        peak = height * (width**2 / variance) ** (COMPONENTS / 2) * np.exp(-(y**2) / 2 / variance)
        total += peak * (1.0, -y / variance, (y**2 / variance - 1) / variance)[derivative]
    return total


def two_peaks(seed: int, sigma: Array, count: int = 128) -> Evolution:
    grid = Grid(Axis("x", -2.0, 8.0, 101, boundary="clip"))
    q = Landscape.from_function(peaks, grid, dimensions=COMPONENTS, name="two peaks")
    return evolve_plane(q, sigma, Draws(count=count, seed=seed, budget=10**8), checks="none")


def exact_jump() -> float:
    """.0877 where the peaks are far from each other: where the two maxima are equal."""

    def lead(sigma: float) -> float:
        tops = [
            -minimize_scalar(lambda x: -float(exact(np.array(x), sigma)), bounds=b, method="bounded").fun
            for b in ((-0.5, 0.5), (4.5, 5.5))
        ]
        return tops[0] - tops[1]

    return float(brentq(lead, 0.05, 0.15))


def exact_death() -> float:
    """Where the maximum of the narrow peak and the minimum beside it meet: the slope between them is never below 0."""

    def largest_curvature(sigma: float) -> float:
        # the slope between the two is a hill, whose top reaches zero
        x = np.linspace(-0.5, 2.0, 20_001)
        return float(exact(x, sigma, 1).min())

    return float(brentq(largest_curvature, 0.3, 1.5))


def test_jumps_are_where_they_are_within_their_errors() -> None:
    right, sigma = exact_jump(), np.geomspace(0.05, 0.3, 8)
    assert right == pytest.approx(0.0877, abs=2e-4)
    events = [track(two_peaks(seed, sigma), "maximum").sigma_jump for seed in range(24)]
    found = np.array([event.sigma for event in events if event is not None])
    errors = np.array([event.uncertainty for event in events if event is not None])
    assert len(found) == 24
    # 128 draws that are common to nodes and sigmas: a relative error of .02 in these dimensions
    assert 0.005 < np.median(errors) / right < 0.05
    scores = (found - right) / errors
    # t of 15 degrees of freedom: variance 1.15; the mean of 24 within 4.5 / sqrt(24), the largest within its 1e-5
    assert abs(scores.mean()) < 0.95 and 0.4 < scores.std() < 1.9 and np.abs(scores).max() < 7.0


def test_tracks_end_where_the_exact_field_has_no_maximum() -> None:
    sigma = np.geomspace(0.1, 1.4, 14)
    space = track(two_peaks(0, sigma, 1500), "maximum")
    ends = [one.death for one in space.tracks if abs(one.positions[0, 0]) < 0.5]
    assert ends[0] is not None and ends[0].kind == "death"
    # within a percent: draws, and a cubic between levels of a factor 1.22
    assert ends[0].sigma == pytest.approx(exact_death(), rel=0.03)
    assert any(
        flag == "uncertainties of jumps, births and deaths are standard errors over the draws" for flag in space.flags
    )
    # what follows the track has its own derivative by t, and no Laplacian of the plane
    broad = next(one for one in space.tracks if abs(one.positions[0, 0] - APART) < 0.5)
    assert np.abs(broad.positions[:, 0] - APART).max() < 0.1
    predicted, observed = space.drift(broad.number)
    inside = np.isfinite(observed[:, 0])
    assert np.abs(predicted - observed)[inside].max() < 1e-3 * max(1.0, float(np.abs(predicted).max()))


def test_deaths_are_where_they_are_within_their_errors() -> None:
    right, sigma = exact_death(), np.geomspace(0.3, 1.4, 16)
    found, errors = [], []
    for seed in range(24):
        space = track(two_peaks(seed, sigma, 256), "maximum")
        (end,) = (one.death for one in space.tracks if abs(one.positions[0, 0]) < 0.5 and one.death is not None)
        assert end.kind == "death"
        found.append(np.log(end.sigma / right))
        errors.append(end.uncertainty / end.sigma)
    assert 0.002 < np.median(errors) < 0.1
    scores = np.array(found) / errors
    # as of jumps
    assert abs(scores.mean()) < 0.95 and 0.4 < scores.std() < 1.9 and np.abs(scores).max() < 7.0


def test_what_is_followed_has_the_rate_of_the_closed_form_and_not_the_laplacian_of_the_plane() -> None:
    grid = Grid(Axis("x", -2.0, 8.0, 101, boundary="clip"))
    sigma, x = np.geomspace(0.3, 1.2, 12), grid[0].coordinates
    field = LevelField(Landscape(exact(x, 0.0), grid), sigma, np.stack([exact(x, s) for s in sigma]))
    places, times = np.array([[0.33], [2.0], [5.21]]), np.array([0.2, 0.36, 0.8])
    (_, _, hessian), (u_t, g_t) = Follower(field, np.ones(1), RoundOff(1.0, 0.0)).moving(places, times, 1)
    step = 1e-4
    for order, found in enumerate((u_t, g_t[:, 0])):
        ends = [
            np.array([exact(y, np.sqrt(t + sign * step), order)[0] for y, t in zip(places, times, strict=True)])
            for sign in (-1, 1)
        ]
        rate = (ends[1] - ends[0]) / 2 / step
        # a cubic in log sigma over steps of .126
        assert np.abs(found - rate).max() < 5e-3
    assert np.abs(0.5 * hessian[:, 0, 0] - u_t).max() > 0.1


def test_the_field_between_levels_is_that_of_the_closed_form() -> None:
    grid = Grid(Axis("x", -2.0, 8.0, 101, boundary="clip"))
    sigma = np.geomspace(0.3, 1.2, 12)
    x = grid[0].coordinates
    field = LevelField(Landscape(exact(x, 0.0), grid), sigma, np.stack([exact(x, s) for s in sigma]))
    places, between = np.array([[0.33], [2.0], [5.21]]), 0.5 * (sigma[4] + sigma[5])
    for order in (0, 1, 2):
        arrays = field.local(field.derivatives(places, between, 2))
        # a cubic in log sigma over steps of .126, and a spline of degree 5 at a sixth of the width
        assert np.abs(arrays[order].ravel() - exact(places[:, 0], between, order)).max() < 2e-3
    step = 1e-4
    rate = (exact(places[:, 0], between * (1 + step)) - exact(places[:, 0], between * (1 - step))) / 2 / step
    assert np.abs(field.rates(places, between)[0] - rate).max() < 2e-3
    with pytest.raises(UnsupportedError):
        LevelField(Landscape(x, grid), sigma[:1], x[None])


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_no_points_are_no_values(axes: int) -> None:
    """As `HeatField` has it: a search that has found nothing asks all the same."""
    grid = Grid(*(Axis(name, 0.0, 1.0, 9, boundary="clip") for name in "xyz"[:axes]))
    wave = np.prod([np.cos(x) for x in grid.mesh()], axis=0)
    sigma = np.array([0.2, 0.3, 0.4])
    field = LevelField(Landscape(wave, grid), sigma, np.stack([wave, 0.9 * wave, 0.8 * wave]))
    nowhere = np.empty((0, axes))
    assert field.value(nowhere, 0.25).shape == (0,)
    for order in (0, 1, 2):
        assert field.derivatives(nowhere, 0.25, order).shape == (0, *((order + 1,) * axes))
        assert [each.shape for each in field.rates(nowhere, 0.25, order)] == [(0,), (0, axes), (0, axes, axes)][
            : order + 1
        ]


@pytest.mark.parametrize("axes", [1, 2])
def test_periodic_axes_and_all_mixed_derivatives(axes: int) -> None:
    grid = Grid(*(Axis(name, 0.0, 2 * np.pi, 24, boundary="periodic") for name in "xy"[:axes]))
    sigma = np.geomspace(0.5, 1.0, 8)
    wave = np.prod(np.meshgrid(*(np.sin(axis.coordinates) for axis in grid), indexing="ij"), axis=0)
    field = LevelField(Landscape(wave, grid), sigma, np.exp(-(sigma**2)).reshape(-1, *((1,) * axes)) * wave)
    points = np.array([[0.1, 6.2], [3.0, 0.05]])[:, :axes]
    found = field.derivatives(points, 0.7, 3)
    orders = [np.sin, np.cos, lambda x: -np.sin(x), lambda x: -np.cos(x)]
    for place in np.ndindex(*((4,) * axes)):
        expected = np.prod([orders[m](points[:, i]) for i, m in enumerate(place)], axis=0) * np.exp(-0.49)
        # beyond the order nothing is asked for; h^5 of the third derivative of degree 5, h = .26
        assert np.abs(found[(slice(None), *place)] - (expected if sum(place) <= 3 else 0.0)).max() < 5e-3


def test_a_study_quotes_the_error_of_the_draws(tmp_path: Path) -> None:
    flow = two_peaks(1, np.geomspace(0.05, 0.6, 8))
    page = study(flow)
    assert page.evolution is flow and "standard error over the draws" in page.sentences["jump"]
    assert (
        "noise in all 6 components" in page.sentences["slice"]
        and "standard errors over the draws" in page.sentences["draws"]
    )
    longer = study(two_peaks(1, np.geomspace(0.05, 1.4, 12)))
    assert "standard error over the draws" in longer.sentences["death"]
    plot.save(plot.study(page), tmp_path / "study.png")
    for kind in ("fingerprint", "price"):
        plot.save(flow.plot(kind), tmp_path / f"{kind}.png")
    flow.save(tmp_path / "flow.h5")
    again = study(load(tmp_path / "flow.h5"))
    jumps = [one.space.sigma_jump for one in (page, again)]
    assert jumps[0] is not None and jumps[1] is not None and jumps[0].sigma == pytest.approx(jumps[1].sigma, rel=1e-12)
    # the file keeps the groups of draws
    assert jumps[1].uncertainty == pytest.approx(jumps[0].uncertainty, rel=1e-12)
    drawn = study(flow.landscape, flow.sigma, draws=Draws(count=128, seed=1, budget=10**8), checks="none")
    assert drawn.evolution.values.tobytes() == flow.values.tobytes()
    for refused in ({"covariance": [[1.0]]}, {"risk": 0.1}):
        with pytest.raises(UnsupportedError, match="not available for noise in all components"):
            study(flow.landscape, draws=Draws(error=0.05), **refused)
    for ask in (
        lambda: distribution(flow),
        lambda: holder_exponent(flow),
        lambda: backward(flow, noise=1e-3),
        lambda: band_decay(flow),
        lambda: critical_points(flow, 0.2),
        lambda: plot.animate(flow, sigma=[0.1, 0.2], format="gif"),
    ):
        with pytest.raises(UnsupportedError, match="were sampled"):
            ask()
    loss = study(Evolution.of(flow, known_error=flow.known_error), minimise=True)
    assert loss.space.sense.minimise and loss.evolution.drawn == flow.drawn
    for options in ({"sigma": [0.1, 0.2]}, {"risk": 0.1}):
        with pytest.raises(UnsupportedError, match="were sampled"):
            study(flow, **options)


def test_pages_and_figures_tell_that_fields_were_drawn() -> None:
    """With the interval of u over the draws, and no solver that made them."""
    flow = two_peaks(1, np.geomspace(0.05, 0.6, 8))
    found = json.loads(re.search(r'id="data">(.*?)</script>', viewer.page(flow), re.DOTALL)[1])  # type: ignore[index]
    assert found["confidence"] == 0.95 and any("over the draws" in note for note in found["notes"])
    assert flow.standard_error is not None and flow.drawn is not None
    quantile = stats.t(flow.drawn["draws"] - 1).ppf(0.975)
    for frame, error in zip(found["frames"][1:], flow.standard_error, strict=True):
        (best,) = frame["best"]["index"]
        assert frame["best"]["error"] == pytest.approx(quantile * error[best], rel=1e-6)
    # Q is known
    assert found["frames"][0]["best"]["error"] == 0.0
    heading = flow.plot("summary").get_suptitle()
    assert "sampled with noise in all components" in heading and "solver" not in heading


def test_two_axes_are_studied() -> None:
    grid = Grid(Axis("x", -2.0, 8.0, 41, boundary="clip"), Axis("y", -2.0, 2.0, 17, boundary="clip"))
    q = Landscape.from_function(peaks, grid, dimensions=COMPONENTS)
    flow = evolve_plane(q, np.geomspace(0.05, 0.6, 8), Draws(count=64, budget=10**8), checks="none")
    space = track(flow, "maximum")
    assert space.sigma_jump is not None
    assert abs(space.sigma_jump.sigma - exact_jump()) < 6 * space.sigma_jump.uncertainty
