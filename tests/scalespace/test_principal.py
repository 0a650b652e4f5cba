"""Studies of correlated noise: along principal axes they are those of the same landscape, turned beforehand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from heatpg import Axis, Grid, Landscape, evolve, study
from heatpg.errors import OptionError, SigmaError, UnsupportedError
from heatpg.scalespace.principal import principal_axes

Array = NDArray[Any]


def plane(size: int = 61, boundary: str = "clip", half: float = 4.0) -> Grid:
    return Grid(Axis("x", -half, half, size, boundary=boundary), Axis("y", -half, half, size, boundary=boundary))


def bump(x: Array, y: Array) -> Array:
    return np.asarray(np.exp(-0.5 * ((x - 0.4) ** 2 / 0.5 + (y + 0.2) ** 2 / 0.9)))


def test_noise_along_the_axes_is_the_covariance() -> None:
    """Against `evolve` with the full covariance, and the closed form of a Gaussian, 1 / sqrt(det(1 + W^-1 S))."""
    sigma = np.array([[0.5, 0.35], [0.35, 0.6]])
    q = Landscape.from_function(bump, plane())
    found = principal_axes(q, sigma)
    assert found.basis is not None
    # one unit of each axis with its deviation makes the covariance again
    np.testing.assert_allclose(found.basis @ np.diag(found.deviations**2) @ found.basis.T, sigma, rtol=1e-13)
    flow = evolve(found.landscape, [found.deviations], checks="none")
    own = np.linalg.solve(found.basis, [0.4, -0.2])
    from heatpg.core.field import HeatField

    value = HeatField(found.landscape).value(own[None], found.deviations)[0]
    exact = 1 / np.sqrt(np.linalg.det(np.eye(2) + np.diag([1 / 0.5, 1 / 0.9]) @ sigma))
    # the bump is 5 spacings wide and ends at 4.5 widths: exp(-4.5^2 / 2) = 4e-5 of it is cut
    assert value == pytest.approx(exact, abs=1e-4)
    whole = evolve(q, covariance=sigma, checks="none")
    assert float(flow.values[0].max()) == pytest.approx(float(whole.values[0].max()), abs=2e-3)


def test_a_diagonal_covariance_is_one_sigma_for_each_axis() -> None:
    q = Landscape.from_function(bump, plane())
    found = principal_axes(q, np.diag([0.04, 0.25]))
    assert found.landscape is q and found.basis is None
    page = study(q, covariance=np.diag([0.04, 0.25]))
    same = study(q, found.levels())
    assert page.sentences["price"] == same.sentences["price"]
    ratio = page.evolution.sigmas[:, 1] / page.evolution.sigmas[:, 0]
    np.testing.assert_allclose(ratio, 2.5, rtol=1e-12)
    assert "sigma = 0.5 along" in page.sentences["covariance"]


def test_units_of_the_axes_do_not_matter() -> None:
    sigma = np.array([[0.5, 0.35], [0.35, 0.6]])
    q = Landscape.from_function(bump, plane(41))
    grid = Grid(Axis("x", -4.0, 4.0, 41, boundary="clip"), Axis("y", -4000.0, 4000.0, 41, boundary="clip"))
    scaled = Landscape.from_function(lambda x, y: bump(x, y / 1000), grid)
    change = np.diag([1.0, 1000.0])
    one, other = principal_axes(q, sigma), principal_axes(scaled, change @ sigma @ change)
    np.testing.assert_allclose(one.landscape.values, other.landscape.values, atol=1e-12)
    np.testing.assert_allclose(one.deviations, other.deviations, rtol=1e-12)


def test_beyond_the_box_the_boundary_goes_on() -> None:
    def slope(x: Array, y: Array) -> Array:
        return np.asarray(2.0 + x)

    sigma = np.array([[1.0, 0.5], [0.5, 1.0]])
    for boundary, beyond in (("clip", 3.0), ("zero", 0.0)):
        grid = plane(9, boundary, 1.0)
        for q in (
            Landscape.from_function(slope, grid),
            Landscape(slope(*np.meshgrid(*[grid[0].coordinates] * 2, indexing="ij")), grid),
        ):
            found = principal_axes(q, sigma)
            assert found.basis is not None
            places = found.landscape.grid.nodes() @ found.basis.T
            values = found.landscape.values.ravel()
            inside = (np.abs(places) < 1 - 1e-9).all(axis=1)
            np.testing.assert_allclose(values[inside], 2 + places[inside, 0], rtol=1e-12)
            right = (places[:, 0] > 1 + 1e-9) & (np.abs(places[:, 1]) < 1)
            assert right.any()
            np.testing.assert_allclose(values[right], beyond, rtol=1e-12)


def test_a_study_of_a_full_covariance_names_its_axes() -> None:
    q = Landscape.from_function(bump, plane(41))
    page = study(q, covariance=[[0.5, 0.35], [0.35, 0.6]])
    assert "principal_1" in page.sentences["covariance"] and page.principal is not None
    # the best place, back in the axes of the landscape
    assert page.principal.basis is not None
    best = page.principal.basis @ page.curve.best_position
    # within the spacing of the turned grid
    np.testing.assert_allclose(best, [0.4, -0.2], atol=0.15)


def test_what_is_no_such_covariance_is_refused() -> None:
    q = Landscape.from_function(bump, plane(21))
    full = np.array([[1.0, 0.5], [0.5, 1.0]])
    with pytest.raises(OptionError, match="sigma or covariance"):
        study(q, [0.5, 1.0], covariance=full)
    with pytest.raises(SigmaError, match="a single covariance"):
        study(q, covariance=np.stack([full, 2 * full]))
    with pytest.raises(UnsupportedError, match="free space"):
        study(Landscape.from_function(bump, plane(21, "reflect")), covariance=full)
    with pytest.raises(SigmaError, match="too coarse"):
        study(q, covariance=np.diag([1.0, 1e-6]))


def turned(page: Any) -> Array:
    """Where the optimum is, on the axes that were given."""
    assert page.principal is not None
    return np.asarray(page.space.optimum_positions @ page.principal.basis.T)


def test_nothing_beyond_the_box_of_the_data_is_counted() -> None:
    """Two Gaussians, against the closed form of their sum on a fine grid."""
    sigma = np.array([[0.4, 0.25], [0.25, 0.3]])
    hills = [(1.0, (-1.0, 0.5), np.diag([0.3, 0.6])), (0.8, (1.5, -0.5), np.array([[0.5, 0.2], [0.2, 0.4]]))]

    def smoothed(x: Array, y: Array, factor: float) -> Array:
        total = np.zeros_like(x)
        for height, centre, width in hills:
            wide = width + factor * sigma
            apart = np.stack([x - centre[0], y - centre[1]])
            square = np.einsum("i...,ij,j...->...", apart, np.linalg.inv(wide), apart)
            total = total + height * np.sqrt(np.linalg.det(width) / np.linalg.det(wide)) * np.exp(-0.5 * square)
        return np.asarray(total)

    page = study(Landscape.from_function(lambda x, y: smoothed(x, y, 0.0), plane(81, half=6.0)), covariance=sigma)
    assert page.principal is not None and page.principal.basis is not None
    largest = float(page.principal.deviations.max())
    x, y = np.meshgrid(*(np.linspace(-6.0, 6.0, 481),) * 2, indexing="ij")
    counts = page.space.count()
    for level in range(0, 64, 7):
        u = smoothed(x, y, (page.space.sigma[level] / largest) ** 2)
        inner = u[1:-1, 1:-1]
        around = [u[1 + i : 480 + i, 1 + j : 480 + j] for i in (-1, 0, 1) for j in (-1, 0, 1) if i or j]
        assert counts[level] == np.logical_and.reduce([inner > other for other in around]).sum()
    assert (np.abs(turned(page)) <= 6.0).all()
    for one in page.space.tracks:
        assert (np.abs(one.positions @ page.principal.basis.T) <= 6.0 + 1e-6).all()
    for event in page.space.events:
        assert event.kind == "jump" or all(number < len(page.space.tracks) for number in event.tracks)


@pytest.mark.parametrize("slope", [(1.0, 0.5), (-1.0, 0.2), (0.3, -1.0)])
def test_an_optimum_on_the_edge_of_the_box_of_the_data_stays_there(slope: tuple[float, float]) -> None:
    q = Landscape.from_function(lambda x, y: slope[0] * x + slope[1] * y, plane(41, half=2.0))
    page = study(q, covariance=[[0.4, 0.25], [0.25, 0.3]])
    places = turned(page)
    spacing = max(axis.length / (axis.size - 1) for axis in page.evolution.grid)
    # at a corner of it, up to a node of the turned grid
    assert (np.abs(places) <= 2.0).all() and np.abs(places - 2.0 * np.sign(slope)).max() < 2.0 * spacing
    assert (page.space.count() == 1).all() and not page.space.jumps
    assert "vanished" not in page.verdict.sentence
    # by symmetry the mean of Q over the box is that at its middle
    problem = page.space.pure.problem
    assert float(problem.units.values(problem.mean)) == pytest.approx(0.0, abs=1e-9)


def test_the_seeds_come_along_and_errors_alone_are_said_to_be_left_out() -> None:
    """The standard error at the middle of the box, against that of the full covariance on the grid of the data."""
    sigma = np.array([[0.5, 0.35], [0.35, 0.6]])
    grid = plane(41)
    x, y = np.meshgrid(*(axis.coordinates for axis in grid), indexing="ij")
    factors = np.random.default_rng(0).normal(size=(8, 2, 1, 1))
    # smooth in space, so that reading between the nodes changes little
    returns = bump(x, y) + 0.2 * factors[:, 0] + 0.05 * factors[:, 1] * x
    q = Landscape(None, grid, returns=returns)
    found = principal_axes(q, sigma)
    assert found.landscape.returns is not None and not found.errors_left_out
    np.testing.assert_allclose(found.landscape.returns.mean(axis=0), found.landscape.values, atol=1e-14)
    turned = evolve(found.landscape, [found.deviations], checks="none")
    whole = evolve(q, covariance=sigma, checks="none")
    assert turned.standard_error is not None and whole.standard_error is not None
    middle = tuple(size // 2 for size in found.landscape.grid.shape)
    place = float(np.linalg.norm(found.landscape.grid.point(middle)))
    # straight functions are read exactly between nodes, so only the place differs, by up to a spacing of either grid
    error = whole.standard_error[0, 20, 20]
    assert turned.standard_error[0][middle] == pytest.approx(error, abs=0.05 * (place + 0.2))
    page = study(q, covariance=sigma)
    assert page.intervals is not None and "noise" in page.sentences
    alone = study(Landscape(q.values, grid, standard_error=0.1 + 0.0 * q.values), covariance=sigma)
    assert "standard errors of Q are left out" in alone.sentences["covariance"]
    assert "left out" not in page.sentences["covariance"]


def test_risk_is_refused_under_a_full_covariance() -> None:
    """The safest action would be sought beyond the box of the data, where the turned grid has edge values."""
    q = Landscape.from_function(bump, plane(41))
    with pytest.raises(UnsupportedError, match="risk is not available for correlated noise"):
        study(q, covariance=[[0.5, 0.35], [0.35, 0.6]], risk=0.1)
    assert study(q, covariance=np.diag([0.04, 0.25]), risk=0.1).risk is not None
