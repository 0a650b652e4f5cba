"""Relations that every solver keeps on every boundary, on drawn grids, inputs and noise levels."""

from __future__ import annotations

import dataclasses
import functools
import itertools
from typing import Any

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st
from numpy.typing import NDArray

from heatpg import Axis, Grid, Landscape
from heatpg.boundaries import boundaries, face_values
from heatpg.core.walls import wall_values
from heatpg.evolution import Evolution, solve
from heatpg.solvers import make, solvers
from heatpg.tools.parallel import set_threads, threads
from heatpg.verify.edge import kept_weights
from tests.references import flat_at_mirrors, on_circles

Array = NDArray[Any]

EPS = float(np.finfo(np.float64).eps)
EXAMPLES = hypothesis.settings(max_examples=60, suppress_health_check=[hypothesis.HealthCheck.too_slow])
CLOSED = [name for name in boundaries.names() if not boundaries.get(name).free_space]


@dataclasses.dataclass
class Case:
    """A landscape on a drawn grid, and one sigma per axis."""

    grid: Grid
    values: Array
    sigma: Array

    def solve(self, name: str, values: Array | None = None, sigma: Array | None = None) -> Evolution:
        landscape = Landscape(self.values if values is None else values, self.grid)
        return solve(landscape, (self.sigma if sigma is None else sigma)[None, :], name)

    def tolerance(self, name: str, scale: float | None = None) -> float:
        """Twice the round-off that the solver states for this problem."""
        solver = make(name)
        paths = [(0.0, float(s) ** 2) for s in self.sigma]
        rounding = sum(solver.rounding(a, p) for a, p in zip(self.grid, paths, strict=True) if p[-1] > 0)
        return 4.0 * EPS * (1.0 + rounding) * (float(np.abs(self.values).max()) if scale is None else scale)


def fill(kind: str, shape: tuple[int, ...], seed: int) -> Array:
    """Deltas, steps, checkerboards, cliffs, chaotic signs; noise alone never violates the maximum principle."""
    rng = np.random.default_rng(seed)
    index = np.indices(shape)
    if kind == "delta":
        values = np.zeros(shape)
        values[tuple(int(rng.integers(n)) for n in shape)] = 1.0
        return values
    if kind == "step":
        return np.asarray(index[0] >= rng.integers(shape[0] + 1), dtype=np.float64)
    if kind == "checkerboard":
        return np.asarray((-1.0) ** index.sum(axis=0))
    if kind == "cliff":
        return np.asarray(np.where(index[-1] < shape[-1] // 2, np.sin(0.3 * index.sum(axis=0)), -5.0))
    if kind == "signs":
        return np.asarray(np.sign(np.sin(1e3 * np.sin(1.0 + index.sum(axis=0) ** 2))))
    return rng.standard_normal(shape)


@st.composite
def cases(
    draw: Any, names: list[str] | None = None, least: float = 0.1, dimensions: int = 2, vertex_only: bool = False
) -> Case:
    axes = []
    for i in range(draw(st.integers(1, dimensions))):
        axes.append(
            Axis(
                f"x{i}",
                0.0,
                draw(st.sampled_from([1.0, 3.7])),
                draw(st.integers(3, 40)),
                boundary=draw(st.sampled_from(names or boundaries.names())),
                nodes="vertex" if vertex_only else draw(st.sampled_from(["vertex", "cell"])),
            )
        )
    grid = Grid(*axes)
    kind = draw(st.sampled_from(["delta", "step", "checkerboard", "cliff", "signs", "noise"]))
    values = fill(kind, grid.shape, draw(st.integers(0, 2**32 - 1))) * draw(st.sampled_from([1e-3, 1.0, 1e3]))
    ratios = [draw(st.floats(np.log(least), np.log(12.0))) for _ in axes]
    return Case(grid, values, np.array([np.exp(r) * axis.spacing for r, axis in zip(ratios, axes, strict=True)]))


pytestmark = pytest.mark.parametrize("name", solvers.names())


@EXAMPLES
@hypothesis.given(case=cases(), first=st.floats(-2, 2), second=st.floats(-2, 2), seed=st.integers(0, 99))
def test_linearity(name: str, case: Case, first: float, second: float, seed: int) -> None:
    other = fill("noise", case.grid.shape, seed) * np.abs(case.values).max()
    together = case.solve(name, first * case.values + second * other).values
    apart = first * case.solve(name).values + second * case.solve(name, other).values
    scale = max(float(np.abs(case.values).max()), float(np.abs(other).max()))
    assert np.abs(together - apart).max() <= 5.0 * case.tolerance(name, scale)


@EXAMPLES
@hypothesis.given(case=cases(names=CLOSED, least=3.0), more=st.floats(3.0, 9.0))
def test_semigroup(name: str, case: Case, more: float) -> None:
    """S(s) S(t) = S(s + t); a marching scheme takes the same steps only if both are whole numbers of them."""
    hypothesis.assume(not any(axis.faced for axis in case.grid))  # the values on faces would be taken anew
    if not make(name).exact_in_time:
        total = np.sqrt(2.0) * case.sigma
        through = solve(Landscape(case.values, case.grid), np.stack([case.sigma, total]), name).values[1]
        again = case.solve(name, case.solve(name).values[0], case.sigma).values[0]
        # a start that damps the first steps (Rannacher) is taken anew in the second run
        if "damping_steps" not in make(name).options():
            assert np.abs(through - again).max() <= 2.0 * case.tolerance(name)
        return
    second = more * np.array(case.grid.spacing)
    if name == "compact":
        # of a kink it adds the flow of the Gaussian, and not its own
        case = dataclasses.replace(case, values=flat_at_mirrors(case.values, case.grid))
    both = case.solve(name, sigma=np.hypot(case.sigma, second)).values[0]
    # u is flat between mirrors, but found so to some order only: nothing is corrected again on the circle
    field, circles = on_circles(case.solve(name).values[0], case.grid)
    after = Case(circles, field, second).solve(name).values[0][tuple(slice(n) for n in case.grid.shape)]
    assert np.abs(both - after).max() <= 3.0 * case.tolerance(name)


@EXAMPLES
@hypothesis.given(case=cases(names=["periodic"]), shift=st.integers(-20, 20))
def test_translation(name: str, case: Case, shift: int) -> None:
    moved = case.solve(name, np.roll(case.values, shift, axis=0)).values[0]
    assert np.abs(moved - np.roll(case.solve(name).values[0], shift, axis=0)).max() <= case.tolerance(name)


@EXAMPLES
@hypothesis.given(case=cases())
def test_reflection(name: str, case: Case) -> None:
    turned = np.flip(case.solve(name, np.flip(case.values)).values[0])
    assert np.abs(turned - case.solve(name).values[0]).max() <= case.tolerance(name)


@EXAMPLES
@hypothesis.given(case=cases(dimensions=3), order=st.integers(0, 5))
def test_axis_permutation(name: str, case: Case, order: int) -> None:
    turn = list(itertools.permutations(range(case.grid.dimensions)))[order % (1, 1, 2, 6)[case.grid.dimensions]]
    grid = Grid(*(case.grid[i] for i in turn))
    turned = Case(grid, case.values.transpose(turn), case.sigma[list(turn)]).solve(name).values[0]
    assert np.abs(turned - case.solve(name).values[0].transpose(turn)).max() <= case.tolerance(name)


@EXAMPLES
@hypothesis.given(case=cases(names=[*CLOSED, "clip"]), constant=st.sampled_from([-3.0, 1e6]))
def test_constants_and_offsets(name: str, case: Case, constant: float) -> None:
    lifted = case.solve(name, case.values + constant).values[0] - case.solve(name).values[0]
    assert np.abs(lifted - constant).max() <= 2.0 * case.tolerance(name, abs(constant) + np.abs(case.values).max())


def kept(name: str, case: Case) -> Array:
    """Weights of the mean of Q that stays that of u, by the trapezoid rule."""
    lines = [kept_weights(make(name), a, float(s) ** 2) for a, s in zip(case.grid, case.sigma, strict=True)]
    weights = functools.reduce(np.multiply.outer, lines)
    return np.asarray(weights / weights.sum())


@EXAMPLES
@hypothesis.given(case=cases(names=["periodic", "reflect"]))
def test_mass_and_adjoint(name: str, case: Case) -> None:
    weights = case.grid.weights / case.grid.weights.sum()
    field = case.solve(name).values[0]
    assert abs((weights * field - kept(name, case) * case.values).sum()) <= case.tolerance(name)
    # the correction takes weights of the end nodes, and gives nothing back to them
    other = fill("noise", case.grid.shape, 5)
    if make(name).target == "continuous":
        other = flat_at_mirrors(other, case.grid)
        case = dataclasses.replace(case, values=flat_at_mirrors(case.values, case.grid))
        field = case.solve(name).values[0]
    across = (weights * case.solve(name, other).values[0] * case.values).sum()
    bound = 2.0 * case.tolerance(name, float(np.abs(case.values).max() * np.abs(other).max()))
    assert abs((weights * field * other).sum() - across) <= bound


@EXAMPLES
@hypothesis.given(case=cases(least=3.0), seed=st.integers(0, 99))
def test_comparison_and_contraction(name: str, case: Case, seed: int) -> None:
    solver = make(name)
    promised = all(solver.monotone(axis, float(s) ** 2) for axis, s in zip(case.grid, case.sigma, strict=True))
    hypothesis.assume(promised)
    field = case.solve(name).values[0]
    scale = float(np.abs(case.values).max())
    if any(axis.faced for axis in case.grid):
        # some cells weigh less than zero in the values on the walls: these bound the field with the cells
        scale = max(scale, *(float(np.abs(value).max()) for value in wall_values(case.values, case.grid)))
    else:
        above = case.values + scale * np.abs(fill("noise", case.grid.shape, seed)) ** 3
        assert (case.solve(name, above).values[0] - field).min() >= -case.tolerance(name, float(np.abs(above).max()))
    assert np.abs(field).max() <= scale + case.tolerance(name)
    if all(axis.rule.conserves_mass for axis in case.grid):
        weights = case.grid.weights / case.grid.weights.sum()
        # sum_i w_i |sum_j A_ij Q_j|^p is at most sum_j (sum_i w_i A_ij) |Q_j|^p, by convexity
        fields = ((field, weights), (case.values, kept(name, case)))
        for power in (1, 2):
            norms = [float((shares * np.abs(u) ** power).sum()) ** (1 / power) for u, shares in fields]
            assert norms[0] <= norms[1] + case.tolerance(name)


@EXAMPLES
@hypothesis.given(case=cases(), stretch=st.sampled_from([0.125, 4.0, 1024.0]))
def test_scaling(name: str, case: Case, stretch: float) -> None:
    """u(a x) at a sigma: stretching the axes by a power of two changes no bit but those of the coordinates."""
    grid = Grid(*(dataclasses.replace(axis, upper=axis.upper * stretch) for axis in case.grid))
    stretched = Case(grid, case.values, case.sigma * stretch).solve(name).values[0]
    assert np.abs(stretched - case.solve(name).values[0]).max() <= case.tolerance(name)


@EXAMPLES
@hypothesis.given(case=cases(dimensions=1), seed=st.integers(0, 99))
def test_separability(name: str, case: Case, seed: int) -> None:
    other = Axis("other", 0.0, 1.0, 9, boundary="reflect")
    line = fill("noise", (9,), seed)
    sigma = np.array([2.0 * other.spacing])
    grid = Grid(*case.grid, other)
    product = Case(grid, np.multiply.outer(case.values, line), np.concatenate([case.sigma, sigma]))
    apart = np.multiply.outer(case.solve(name).values[0], Case(Grid(other), line, sigma).solve(name).values[0])
    assert np.abs(product.solve(name).values[0] - apart).max() <= 2.0 * product.tolerance(name)


@EXAMPLES
@hypothesis.given(case=cases(names=["reflect", "absorb"], dimensions=1))
def test_walls_against_periodic_lines_of_twice_the_length(name: str, case: Case) -> None:
    axis, values = case.grid[0], case.values
    solver, variance = make(name), float(case.sigma[0]) ** 2
    if solver.end_nodes(axis, variance) or solver.holds_slopes(axis, variance):
        values = flat_at_mirrors(values, case.grid)  # for others there is no end on the circle
    if axis.faced:
        low, high = (float(value[0]) for value in face_values(values, 0))
        chord = low + (high - low) * (np.arange(axis.size) + 0.5) / axis.size
        values = values - chord
        twice = np.concatenate([values, -values[::-1]])
    elif axis.boundary == "absorb":
        values = values - np.linspace(values[0], values[-1], axis.size)
        values[[0, -1]] = 0.0
        twice = np.concatenate([values, -values[-2:0:-1]])
    elif axis.nodes == "vertex":
        twice = np.concatenate([values, values[-2:0:-1]])
    else:
        twice = np.concatenate([values, values[::-1]])
    ring = Grid(Axis("x", 0.0, len(twice) * axis.spacing, len(twice), boundary="periodic"))
    around = Case(ring, twice, case.sigma)
    wall = case.solve(name, values).values[0]
    assert np.abs(around.solve(name).values[0][: axis.size] - wall).max() <= 2.0 * around.tolerance(name)


@EXAMPLES
@hypothesis.given(case=cases())
def test_single_precision(name: str, case: Case) -> None:
    single = case.solve(name, case.values.astype(np.float32)).values
    double = case.solve(name, case.values.astype(np.float32).astype(np.float64)).values
    assert single.dtype == np.float32
    assert np.abs(single - double).max() <= case.tolerance(name) / EPS * float(np.finfo(np.float32).eps)


@EXAMPLES
@hypothesis.given(case=cases(), count=st.integers(1, 5))
def test_batches(name: str, case: Case, count: int) -> None:
    batch = np.stack([case.values * (-1.0) ** i + i for i in range(count)])
    whole = case.solve(name, batch).values[0]
    apart = np.stack([case.solve(name, each).values[0] for each in batch])
    assert np.abs(whole - apart).max() <= case.tolerance(name, float(np.abs(batch).max()))


@EXAMPLES
@hypothesis.given(case=cases(dimensions=3))
def test_threads_and_memory_layout_change_no_bit(name: str, case: Case) -> None:
    before = threads()
    spread = np.zeros((*case.grid.shape[:-1], 2 * case.grid.shape[-1]))[..., ::2]
    spread[...] = case.values
    try:
        set_threads(1)
        one = case.solve(name).values
        set_threads(2)
        assert np.array_equal(one, case.solve(name).values)
        assert np.array_equal(one, case.solve(name, np.asfortranarray(case.values)).values)
        assert np.array_equal(one, case.solve(name, spread).values)
    finally:
        set_threads(before)
