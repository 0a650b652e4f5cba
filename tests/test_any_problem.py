"""Random problems of every kind: no traceback, no false alarm, and no fault in a solver that goes unseen.

A few hundred examples in every run; HEATPG_EXAMPLES=10000 tries as many.
"""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from heatpg import Axis, Grid, Landscape, evolve
from heatpg.boundaries import boundaries
from heatpg.errors import CheckError, HeatpgError, NonFiniteError
from heatpg.evolution import solve
from heatpg.solvers import solvers
from heatpg.verify import verify
from heatpg.verify.crosscheck import expected_error

Array = NDArray[Any]

EXAMPLES = int(os.environ.get("HEATPG_EXAMPLES", "300"))
LARGEST = {1: 60, 2: 14, 3: 7}  # nodes along an axis, by dimension: small, so that a hundred are solved in a second

DATA: dict[str, Callable[[np.random.Generator, tuple[int, ...]], Array]] = {
    "noise": lambda rng, shape: rng.standard_normal(shape),
    "delta": lambda rng, shape: (
        np.equal(np.arange(math.prod(shape)), rng.integers(math.prod(shape))).reshape(shape) * 1.0
    ),
    "step": lambda rng, shape: np.broadcast_to(np.arange(shape[-1]) > rng.integers(shape[-1]), shape) * 1.0,
    "constant": lambda rng, shape: np.full(shape, rng.standard_normal()),
    "ramp": lambda rng, shape: np.linspace(-1.0, 2.0, math.prod(shape)).reshape(shape),
    "smooth": lambda rng, shape: np.cos(sum(k / n for k, n in zip(np.indices(shape), shape, strict=True)) * 3.0 + 0.4),
    "checkerboard": lambda rng, shape: (-1.0) ** np.indices(shape).sum(axis=0),
    "far outlier": lambda rng, shape: rng.standard_normal(shape) * np.where(rng.random(shape) < 0.1, 1e8, 1.0),
}
# subnormal, tiny, large; and an offset
UNITS = (1.0, 1.0, 1.0, 1e-310, 1e-200, 1e200)
OFFSETS = (0.0, 0.0, 0.0, 1e6)


@dataclasses.dataclass(frozen=True)
class Problem:
    """What is solved, in words that can be repeated."""

    axes: tuple[Axis, ...]
    kind: str
    unit: float
    offset: float
    dtype: str
    batch: int
    seed: int
    sigmas: tuple[tuple[float, ...], ...]
    solver: str
    stated: bool

    @property
    def landscape(self) -> Landscape:
        rng = np.random.default_rng(self.seed)
        shape = tuple(axis.size for axis in self.axes)
        entries = [DATA[self.kind](rng, shape) for _ in range(max(1, self.batch))]
        values = np.stack(entries) if self.batch else entries[0]
        unit = self.unit
        if self.dtype == "float32":
            unit = {1e-310: 1e-42, 1e-200: 1e-30, 1e200: 1e24}.get(unit, unit)
        # numbers below the smallest become it or 0
        with np.errstate(under="ignore"):
            array = ((values + self.offset) * unit).astype(self.dtype)
        low, high = float(array.min()), float(array.max())
        walls = {}
        for i, axis in enumerate(self.axes):
            if self.stated and axis.faced:
                # as large as the data, or three times as far out on one side; along the other axes all the same, or not
                across = array.shape[self.batch > 0 :][:i] + array.shape[self.batch > 0 :][i + 1 :]
                walls[axis.name] = (low + (high - low) * rng.random(across), high + 3.0 * (high - low) * rng.random())
        try:
            return Landscape(array, Grid(*self.axes), faces=walls)
        except NonFiniteError:
            return Landscape(array, Grid(*self.axes))


@st.composite
def problems(draw: st.DrawFn) -> Problem:
    dimensions = draw(st.sampled_from([1, 1, 1, 2, 2, 3]))
    axes, columns = [], []
    count = draw(st.integers(1, 3))
    shared = draw(st.booleans())
    for i in range(dimensions):
        length = 10.0 ** draw(st.floats(-3.0, 3.0))
        boundary = draw(st.sampled_from(boundaries.names()))
        axes.append(
            Axis(
                "xyz"[i],
                0.0,
                length,
                draw(st.integers(3, LARGEST[dimensions])),
                boundary,
                draw(st.sampled_from(["vertex", "cell"])),
            )
        )
        if not shared or i == 0:
            # from far below a spacing to far beyond the box, and now and then no noise at all
            low, high = math.log10(1e-9 * axes[i].spacing), math.log10(1e4 * length)
            column = [10.0 ** draw(st.floats(low, high)) for _ in range(count)]
            if not shared and draw(st.integers(0, 9)) == 0:
                column[0] = 0.0
        columns.append(column)
    return Problem(
        tuple(axes),
        draw(st.sampled_from(sorted(DATA))),
        draw(st.sampled_from(UNITS)),
        draw(st.sampled_from(OFFSETS)),
        draw(st.sampled_from(["float64", "float64", "float32"])),
        draw(st.sampled_from([0, 0, 2])),
        draw(st.integers(0, 2**31)),
        tuple(zip(*columns, strict=True)),
        draw(st.sampled_from(["auto", *solvers.names()])),
        draw(st.booleans()),
    )


@settings(max_examples=EXAMPLES)
@given(problems())
def test_no_problem_ends_in_a_traceback_or_a_false_alarm(problem: Problem) -> None:
    landscape, sigmas = problem.landscape, np.array(problem.sigmas)
    # in ascending order, of which there would be a warning, and none twice
    sigmas = sigmas[np.argsort(np.square(sigmas).sum(axis=1), kind="stable")]
    if len(np.unique(sigmas, axis=0)) < len(sigmas):
        sigmas = sigmas[:1]
    try:
        flow = evolve(landscape, sigmas, solver=problem.solver, checks="full")
        gradient = flow.gradient()
    except CheckError:
        raise
    except HeatpgError as reason:
        # refused, with words of our own; but none of these problems is too large
        assert "memory" not in str(reason) and "hours" not in str(reason), reason
        return
    assert not flow.report.failures, str(flow.report)
    assert np.isfinite(flow.values).all()
    assert np.isfinite(gradient).all()


def _times(factor: float) -> Callable[[Any], Any]:
    """A function whose result is a little off."""
    return lambda function: lambda *arguments, **options: factor * function(*arguments, **options)


def _moved(function: Any) -> Any:
    """Weights that stand one node too far."""
    return lambda *arguments: np.roll(function(*arguments), 1)


def _one_weight(function: Any) -> Any:
    """One weight, beside the middle, a thousandth too large."""

    def wrong(*arguments: Any) -> Array:
        weights = np.array(function(*arguments))
        weights[len(weights) // 2 + 1] *= 1.001
        return weights

    return wrong


def _one_row(function: Any) -> Any:
    """A pyramid that prolongs one group of nodes by a thousandth too much."""

    def wrong(*arguments: Any) -> Any:
        pyramid = function(*arguments)
        up = pyramid.up.copy()
        up[len(up) // 2] *= 1.001
        return dataclasses.replace(pyramid, up=up)

    return wrong


def _wrong_end(function: Any) -> Any:
    """Ghosts beyond the upper end that repeat the row next to the right one."""

    def wrong(line: Any, ghosts: int) -> Any:
        closure = function(line, ghosts)
        return dataclasses.replace(closure, upper=np.maximum(closure.upper - 1, 0))

    return wrong


def _first_factor(function: Any) -> Any:
    """A matrix of which one row is eliminated wrongly."""

    def wrong(*arguments: Any) -> Any:
        factors, corner = function(*arguments)
        factors = factors.copy()
        factors[0, len(factors[0]) // 2] *= 1.001
        return factors, corner

    return wrong


# what is wrong, in which solver, and in whose name; none of these is seen by the symbol that a solver gives of itself
FAULTS: dict[str, tuple[str, str, Callable[[Any], Any]]] = {
    "a weight of the sum": ("direct", "heatpg.solvers.direct._fold_weights", _one_weight),
    "a sum one node away": ("direct", "heatpg.solvers.direct._fold_weights", _moved),
    "a multiplier": ("spectral", "heatpg.solvers.transforms._multiplier", _times(0.999)),
    "a multiplier of the discrete flow": ("exponential", "heatpg.solvers.transforms._multiplier", _times(0.999)),
    "a row of the pyramid": ("multiresolution", "heatpg.solvers.multiresolution._pyramid", _one_row),
    "ghosts of the explicit scheme": ("explicit", "heatpg.solvers.lines.Closure.of", _wrong_end),
    "ghosts of the stabilized scheme": ("stabilized", "heatpg.solvers.lines.Closure.of", _wrong_end),
    "the elimination": ("implicit", "heatpg.solvers.tridiagonal.factorise", _first_factor),
    "the elimination of Crank-Nicolson": ("crank_nicolson", "heatpg.solvers.tridiagonal.factorise", _first_factor),
    "a residue": ("rational", "heatpg.solvers.rational._roots", lambda f: lambda *a: tuple(0.98 * x for x in f(*a))),
    "the weights of wide noise": ("implicit", "heatpg.solvers.direct.wide_weights", _one_weight),
}


def _forget() -> None:
    """Drop operators and multipliers that are kept."""
    from heatpg.solvers import base, direct, multiresolution, transforms, wide

    for module in (base, direct, multiresolution, transforms, wide):
        for value in vars(module).values():
            if hasattr(value, "cache_clear"):
                value.cache_clear()


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.filterwarnings("ignore::heatpg.errors.HeatpgWarning")
def test_no_fault_of_a_solver_goes_unseen(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever moves a field by more than the bound from theory is told, on whatever problem."""
    solver, target, wrong = FAULTS[fault]
    rng = np.random.default_rng(5)
    wide = "wide" in fault
    seen = 0
    for number in range(60):
        boundary = str(rng.choice(["clip", "zero"] if wide else boundaries.names()))
        nodes: Any = str(rng.choice(["vertex", "cell"]))
        axis = Axis("x", 0.0, float(10.0 ** rng.uniform(-3, 3)), int(rng.integers(16, 120)), boundary, nodes)
        low, high = (10 * axis.length, 1e3 * axis.length) if wide else (0.3 * axis.spacing, 2 * axis.length)
        sigma = float(np.exp(rng.uniform(math.log(low), math.log(high))))
        # rough, and smooth, where a solver of second order has a bound that is small enough
        smooth = np.cos(rng.uniform(1, 4) * axis.coordinates / axis.length + rng.uniform(0, 6))
        landscape = Landscape(smooth if number % 2 else rng.standard_normal(axis.size), Grid(axis))
        _forget()
        right = solve(landscape, sigma, solver)
        bound = expected_error(right, 0)
        with monkeypatch.context() as patch:
            _forget()
            module, _, name = target.rpartition(".")
            patch.setattr(target, wrong(_attribute(module, name)))
            found = solve(landscape, sigma, solver)
            # by twice the bound: the right field may be off by one itself
            if np.abs(found.values - right.values).max() <= 2 * bound:
                continue
            seen += 1
            assert verify(found, "full").failures, (axis, sigma)
        _forget()
    assert seen >= 5


def _attribute(path: str, name: str) -> Any:
    """A module's function, or a method of its class, by its full name."""
    import importlib

    try:
        return getattr(importlib.import_module(path), name)
    except ModuleNotFoundError:
        module, _, owner = path.rpartition(".")
        return getattr(getattr(importlib.import_module(module), owner), name)
