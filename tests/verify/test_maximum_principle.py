"""What the maximum principle says, and what it does not say, on landscapes where the answer is known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from heatpg import Axis, Grid, Landscape, evolve
from heatpg.evolution import Evolution, solve
from heatpg.landscapes import landscapes
from heatpg.solvers import solvers
from heatpg.verify.maximum_principle import maximum_principle


def counts(report_message: str) -> list[int]:
    return [int(word) for word in report_message.split(":")[1].split(";")[0].split("->")]


@pytest.mark.parametrize("name", solvers.names())
@pytest.mark.parametrize("boundary", ["periodic", "reflect", "absorb", "clip", "zero"])
@pytest.mark.parametrize("kind", ["noise", "step", "checkerboard", "delta", "offset"])
def test_correct_solutions_never_fail(name: str, boundary: str, kind: str, rng: np.random.Generator) -> None:
    """Rough data, sigmas far apart and close together, below and above the resolution."""
    grid = Grid(Axis("x", 0.0, 1.0, 33, boundary=boundary), Axis("y", 0.0, 1.0, 40, boundary=boundary))
    x, y = grid.mesh()
    index = np.indices(grid.shape).sum(axis=0)
    values = {
        "noise": rng.standard_normal(grid.shape),
        "step": (x > 0.4).astype(float) - (y > 0.7),
        "checkerboard": (-1.0) ** index,
        "delta": (index == 20) * 1.0,
        "offset": 1e6 + rng.standard_normal(grid.shape),
    }[kind]
    flow = evolve(Landscape(values, grid), [0.004, 0.01, 0.0101, 0.06, 0.061, 0.3, 2.0], name)
    assert flow.report.passed, flow.report


@pytest.mark.parametrize("name", solvers.names())
def test_single_precision_never_fails(name: str, rng: np.random.Generator) -> None:
    grid = Grid(Axis("x", 0.0, 1.0, 33, boundary="reflect"), Axis("y", 0.0, 1.0, 40, boundary="clip"))
    values = rng.standard_normal((2, *grid.shape)).astype(np.float32)
    assert evolve(Landscape(values, grid), [0.01, 0.06, 0.3], name, checks="full").report.passed


def test_a_rise_that_nodes_may_hide_is_told() -> None:
    """At sigma = h the weights of ``direct`` become those of a sampled Gaussian, 1 / sqrt(2 pi) in the middle."""
    grid = Grid(Axis("x", 0.0, 64.0, 64, boundary="periodic"))
    flow = evolve(Landscape((np.arange(64) == 30) * 1.0, grid), [0.99, 1.0], "direct")
    low, high = float(flow.values[0].max()), float(flow.values[1].max())
    assert high == pytest.approx(1 / math.sqrt(2 * math.pi), abs=1e-8)
    check = flow.report["range"]
    assert check.status == "passed" and "no more than they can miss" in check.message
    assert check.bound is not None
    assert check.figure == pytest.approx(high - low, rel=1e-12)
    # the top of a parabola through three nodes is an eighth of their second difference above the middle one
    assert check.bound == pytest.approx(np.abs(np.diff(flow.values[0], 2)).max() / 8, rel=1e-10)
    # three times as much cannot be hidden between nodes, and a rise that is none has no such words
    values = flow.values.copy()
    values[1, 30] += 3 * check.bound
    told = {one.name: one for one in maximum_principle(Evolution.of(flow, values=values))}
    assert told["range"].status == "finding"
    assert "does not rise" in evolve(flow.landscape, [0.98, 0.99], "direct").report["range"].message


def test_two_bumps_keep_two_maxima_until_the_closed_form_says_so() -> None:
    """Maxima at a fixed sigma are a finding: two until sigma^2 = a^2 - w^2, and no failure."""
    landscape = landscapes.get("two_bumps")(half_distance=1.0, width=0.3, size=801)
    death = float(np.sqrt(1.0 - 0.09))
    flow = evolve(landscape, [0.3, 0.99 * death, 1.01 * death])
    assert counts(flow.report["spatial maxima"].message) == [2, 2, 2, 1]
    assert flow.report["spatial maxima"].status == "finding"
    assert flow.report.passed
    assert "no local max" not in str(flow.report).replace("no joint local max", "")


def test_smoothing_creates_a_maximum_in_two_dimensions() -> None:
    landscape = landscapes.get("creation")(size=401)
    flow = evolve(landscape, np.sqrt([0.0025, 0.01, 0.3, 0.42]))
    report = flow.report
    assert counts(report["spatial maxima"].message) == [1, 1, 2, 2, 1]
    assert "can create" in report["spatial maxima"].message
    assert report["joint maxima"].status == "passed"


def test_merging_bumps_are_no_joint_maximum() -> None:
    """Where two bumps merge the value between them rises: only a neighbourhood that grows with sigma judges that."""
    landscape = landscapes.get("two_bumps")(half_distance=0.5, width=0.3, size=401)
    flow = evolve(landscape, [0.35, 0.45])
    middle = landscape.grid.shape[0] // 2
    assert flow.values[0][middle] > landscape.values[middle]
    assert int(np.argmax(flow.values[1])) == middle
    assert flow.report.passed


def test_sturm_on_a_rough_line(rng: np.random.Generator) -> None:
    grid = Grid(Axis("x", 0.0, 1.0, 200, boundary="periodic"))
    landscape = Landscape(rng.standard_normal(200), grid)
    checks = {check.name: check for check in maximum_principle(solve(landscape, [0.002, 0.01, 0.05], "exponential"))}
    assert checks["number of extrema"].status == "passed"
    numbers = counts(checks["spatial maxima"].message)
    assert numbers == sorted(numbers, reverse=True)
    assert numbers[0] > 50


def test_an_optimum_on_the_edge_is_flagged() -> None:
    grid = Grid(Axis("x", 0.0, 1.0, 51, boundary="clip"))
    flow = evolve(Landscape.from_function(np.exp, grid), [0.05, 0.1])
    check = flow.report["optimum on the edge"]
    assert check.status == "finding"
    assert check.where is not None
    assert check.where.index == (50,)
    assert check.where.coordinates == (1.0,)
    inside = evolve(Landscape.from_function(lambda x: -((x - 0.5) ** 2), grid), [0.05])
    assert inside.report["optimum on the edge"].status == "passed"
    ring = Grid(Axis("x", 0.0, 1.0, 50, boundary="periodic"))
    around = evolve(Landscape.from_function(lambda x: np.cos(2 * np.pi * x), ring), [0.05])
    assert around.report["optimum on the edge"].status == "passed"  # a circle has no edge


@pytest.mark.parametrize("offset", [0.0, 1e6])
def test_a_flat_field_has_no_optimum_on_the_edge(offset: float) -> None:
    """Much noise between reflecting walls leaves the mean everywhere: its first node is no optimum."""
    x = np.linspace(-1.0, 1.0, 41)
    grid = Grid(Axis("x", -1.0, 1.0, 41, boundary="reflect"))
    landscape = Landscape(np.exp(-4 * (x - 0.1) ** 2) + offset, grid)
    assert evolve(landscape, [0.2, 40.0]).report["optimum on the edge"].status == "passed"
    slope = evolve(Landscape(1e-6 * x + offset, grid), [0.2])  # what is left of it is far above round-off
    assert slope.report["optimum on the edge"].status == "finding"


def test_per_axis_sigmas_that_cross_are_compared_with_the_landscape(rng: np.random.Generator) -> None:
    grid = Grid(Axis("x", 0.0, 1.0, 40, boundary="reflect"), Axis("y", 0.0, 1.0, 40, boundary="reflect"))
    landscape = Landscape(rng.standard_normal(grid.shape), grid)
    for name in solvers.names():
        assert evolve(landscape, np.array([[0.3, 0.01], [0.01, 0.31], [0.31, 0.31]]), name).report.passed


def test_flat_landscapes_have_nothing_to_violate() -> None:
    grid = Grid(Axis("x", 0.0, 1.0, 20, boundary="reflect"))
    for value in (0.0, -3.0):
        flow = evolve(Landscape(np.full(20, value), grid), [0.1, 0.3], checks="full")
        assert flow.report.passed
        assert flow.report["spatial maxima"].message == "0 maxima in Q and at each sigma"


def test_a_number_of_maxima_that_never_changes_is_no_finding() -> None:
    grid = Grid(Axis("x", -4.0, 4.0, 201, boundary="clip"))
    hill = Landscape.from_function(lambda x: np.exp(-(x**2)), grid)
    check = evolve(hill, [0.3, 0.6]).report["spatial maxima"]
    assert (check.status, check.message) == ("passed", "1 maximum in Q and at each sigma")
    well = evolve(Landscape.from_function(lambda x: -np.exp(-(x**2)), grid, minimise=True), [0.3]).report
    assert (well["spatial minima"].status, well["spatial minima"].message) == (
        "passed", "1 minimum in Q and at each sigma",
    )  # fmt: skip


def test_the_report_names_what_the_grid_cannot_show() -> None:
    grid = Grid(Axis("x", 0.0, 1.0, 101, boundary="clip"))
    landscape = Landscape.from_function(lambda x: np.exp(-((x - 0.5) ** 2) / 0.01), grid)
    report = evolve(landscape, [0.005, 0.4]).report
    assert report["resolution"].status == "finding"
    assert "0.5 grid spacings" in report["resolution"].message
    assert report["box"].status == "finding"
    calm = evolve(landscape, [0.05]).report
    assert calm["resolution"].status == "passed"
    assert calm["box"].status == "passed"


def test_a_sigma_in_degrees_on_an_axis_in_radians_is_asked_about() -> None:
    def found(unit: str, sigma: list[float]) -> str:
        axis = Axis("angle", -math.pi, math.pi, 101, boundary="clip", unit=unit)
        return evolve(Landscape.from_function(np.cos, axis), sigma).report["box"].message

    for unit in ("rad", "radians"):
        assert "10, exceeds the length of axis 'angle', 6.283" in found(unit, [5.0, 10.0])
        assert found(unit, [5.0, 10.0]).endswith("is it in degrees?")
        assert "degrees" not in found(unit, [2.0, 5.0])
    assert "degrees" not in found("deg", [5.0, 10.0]) and "degrees" not in found("m", [5.0, 10.0])
