"""Out of the units of Q and the axes, and back: exactly."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heatpg import Axis, Grid, Landscape
from heatpg.errors import UnsupportedError
from heatpg.evolution import solve
from heatpg.scalespace.units import FLAT, NOISE, Problem, RoundOff, Units, require_structure


def line(lower: float, upper: float, size: int = 33, **options: Any) -> Grid:
    return Grid(Axis("x", lower, upper, size, **{"boundary": "clip", **options}))


BOXES = [(-3.0, 3.0), (1.4, 3.4), (-9.0, -2.0), (1.7e9, 1.7e9 + 3600.0), (-1e12 - 5.0, -1e12), (1e-100, 3e-100)]


@pytest.mark.parametrize("box", BOXES)
def test_ends_are_met_exactly_and_spacings_are_from_one_to_two(box: tuple[float, float]) -> None:
    units = Units(line(*box))
    (axis,) = units.pure
    assert 1.0 <= axis.spacing < 2.0
    assert units.places(np.array([[axis.lower], [axis.upper]])).ravel().tolist() == list(box)
    # places inside are those of the nodes, each within the rounding of its own
    nodes = units.grid[0].coordinates
    np.testing.assert_array_less(
        np.abs(units.places(axis.coordinates[:, None]).ravel() - nodes), 4.0 * np.spacing(np.abs(nodes))
    )


@given(st.floats(0.0, 1.0), st.sampled_from(BOXES))
def test_places_there_and_back(share: float, box: tuple[float, float]) -> None:
    units = Units(line(*box))
    (axis,) = units.pure
    place = np.array([[axis.lower + share * axis.length]])
    error = float(np.ldexp(np.spacing(max(map(abs, box))), -int(units.exponents[0])))
    assert abs(units.pure_places(units.places(place)) - place).max() <= 4.0 * error + 1e-14 * axis.length


def test_a_box_at_zero_is_not_moved() -> None:
    # then powers of two are all that is taken out, and every bit stays
    grid = line(-0.3, 0.7)
    units = Units(grid)
    assert units.origin.tolist() == [0.0]
    assert (units.places(units.pure[0].coordinates[:, None]).ravel() == grid[0].coordinates).all()


@pytest.mark.parametrize("factor", [1e-310, 1e-200, 1e-8, 1.0, 1e20, 1e290])
@pytest.mark.parametrize("offset", [0.0, 1e3, -1e12])
def test_a_problem_is_of_the_size_of_one(factor: float, offset: float) -> None:
    grid = line(-3.0, 3.0)
    q = factor * (offset + np.cos(grid[0].coordinates))
    problem = Problem(solve(Landscape(q, grid), [0.3, 0.5]))
    assert 1.0 <= np.ptp(problem.landscape.values) < 2.0 and 1.0 <= problem.round_off.size < 2.0
    # Q less its offset, and back, to the bit
    assert (problem.units.values(problem.landscape.values) == q).all()
    assert (problem.values(-1) == problem.landscape.values).all()
    # the flow has shrunk it, and not moved it
    assert 0.0 < np.ptp(problem.values(1)) < np.ptp(problem.values(0)) < np.ptp(problem.values(-1))
    spacing = float(np.spacing(np.abs(q).max()))
    assert problem.round_off.data == pytest.approx(spacing / np.ptp(q) * problem.round_off.size, rel=1e-6)


def test_samplers_are_taken_out_of_their_units() -> None:
    grid = line(1e6, 1e6 + 2.0)
    landscape = Landscape.from_function(lambda x: 1e9 + np.cos(x - 1e6), grid)
    problem = Problem(solve(landscape, [0.2]))
    places = problem.units.pure_places([[1e6 + 0.5], [1e6 + 1.25]])
    found = problem.units.differences(problem.landscape.sample(places)) + problem.units.offset - 1e9
    np.testing.assert_allclose(found, np.cos([0.5, 1.25]), rtol=0, atol=1e-6)


def test_what_cannot_be_told_from_zero() -> None:
    plain, coarse = RoundOff(2.0), RoundOff(2.0, 1e-4)
    assert (plain.computed, plain.slope) == (2.0 * NOISE, 2.0 * NOISE)
    assert (plain.singular, plain.flat) == (2.0 * FLAT, 2.0 * FLAT)
    # what is computed is exact for Q as its nodes are; what is said of it knows that they were rounded
    assert (coarse.computed, coarse.singular) == (plain.computed, plain.singular)
    assert coarse.slope == 1e-4 and coarse.flat > 1e-4


def test_rounded_nodes_cannot_make_a_curvature_above_flat(rng: np.random.Generator) -> None:
    # the worst signs: those of the weights of the second derivative, at sigma = h and above
    for ratio in (1.0, 1.5, 4.0):
        z = np.arange(-60, 61) / ratio
        gauss = np.exp(-0.5 * z**2) / (np.sqrt(2.0 * np.pi) * ratio)
        slope, curvature = np.abs(z * gauss).sum(), np.abs((z**2 - 1.0) * gauss).sum()
        assert 0.5 * slope < 1.0 and 3.0 * 0.5 * curvature < RoundOff(0.0, 1.0).flat


def test_flat_landscapes_are_refused_whatever_their_unit() -> None:
    grid = line(0.0, 1.0)
    wave = np.cos(grid[0].coordinates)
    for values in (
        np.full(33, 3.0),
        np.zeros(33),
        1e16 + wave,
        1e-310 + 1e-323 * wave,
        (1e7 + wave).astype(np.float32),
    ):
        with pytest.raises(UnsupportedError, match="constant"):
            require_structure(Landscape(values, grid))
    for values in (wave, 1e-310 * wave, 1e300 * wave, 1e12 + wave):
        assert require_structure(Landscape(values, grid)) == np.ptp(values)
