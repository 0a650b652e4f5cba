"""Levels whose error is proven: the bound is true, and what a fault breaks is seen without reading every node back."""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from heatpg import Axis, Grid, Landscape, evolve, load, save
from heatpg.errors import StoreError
from heatpg.evolution import Evolution, solve
from heatpg.solvers.transforms import basis_along
from heatpg.store import bounds, compact
from heatpg.store.bounds import cardinal_functions, is_bounded, signs_of
from heatpg.store.compact import levels
from heatpg.store.lattices import Lattice, Level
from heatpg.tools.parallel import set_threads, threads

KINDS = list(itertools.product(("periodic", "reflect"), ("vertex", "cell")))
TOLERANCE = 1e-10
LINES = 60


def axis(boundary: str, nodes: Any, size: int = 128) -> Axis:
    both_ends = nodes == "vertex" and boundary != "periodic"
    return Axis("x", -1.0, -1.0 + (size - 1 if both_ends else size), size, boundary=boundary, nodes=nodes)


def landscape(boundary: str, nodes: Any, size: int = 128, lines: tuple[int, ...] = (LINES,)) -> Landscape:
    """Random walks, which end with slopes and in which all waves occur, of many sizes."""
    rng = np.random.default_rng(5)
    values = rng.normal(size=(*lines, size)).cumsum(axis=-1) * np.exp(rng.normal(size=(*lines, 1)))
    values -= values.mean(axis=-1, keepdims=True)
    return Landscape(values, Grid(axis(boundary, nodes, size)))


def solved(boundary: str = "reflect", nodes: Any = "cell", sigmas: Any = (8.0,), **options: Any) -> Evolution:
    return solve(landscape(boundary, nodes, **options), list(sigmas), "spectral")


def oscillation(flow: Evolution) -> np.ndarray:
    return np.asarray(np.ptp(flow.landscape.values.reshape(-1, flow.grid.shape[0]), axis=1))


def lost(flow: Evolution, level: Level, index: int) -> float:
    """The largest error at any node, in units of osc(Q) of its line."""
    return float((level.deviation(flow.values[index]) / oscillation(flow)).max())


@pytest.mark.parametrize("tolerance", [1e-5, 1e-8, 1e-10, 1e-11])
@pytest.mark.parametrize(("boundary", "nodes"), KINDS)
@pytest.mark.parametrize("size", [127, 128])
def test_a_bound_is_one(boundary: str, nodes: str, size: int, tolerance: float) -> None:
    # below three spacings too, where the flow of a kink is not yet that of its waves
    flow = solved(boundary, nodes, (2.2, 2.8, 3.5, 6.0, 13.0, 30.0), size=size)
    compactor = compact._Compactor(flow, tolerance)
    proven = 0
    for index in range(len(flow)):
        assert is_bounded(flow, index)
        level = compactor._bounded(index)
        if level is not None:
            proven += 1
            assert lost(flow, level, index) <= level.error <= tolerance
            # and no more than it has to be: the sum of the waves left out is reached where they are in phase
            assert level.error <= 60.0 * lost(flow, level, index) + 3e-12
    assert proven >= 4


@pytest.mark.parametrize(("boundary", "nodes"), KINDS)
def test_the_values_are_those_of_levels_that_are_read_back(boundary: str, nodes: str) -> None:
    flow = solved(boundary, nodes, (3.5, 9.0, 20.0))
    again = Evolution.of(flow, values=flow.values.copy())
    assert not any(is_bounded(again, index) for index in range(3))
    for one, other in zip(levels(flow, 1e-8), levels(again, 1e-8), strict=True):
        assert one.lattices == other.lattices
        assert one.values.tobytes() == other.values.tobytes()
        assert one.error >= other.error


def test_it_is_a_sample_that_is_read_back(monkeypatch: pytest.MonkeyPatch) -> None:
    read = []
    deviation = Level.deviation

    def counted(level: Level, field: Any) -> Any:
        read.append(len(level.values))
        return deviation(level, field)

    monkeypatch.setattr(Level, "deviation", counted)
    list(levels(solved(), TOLERANCE))
    assert read == [bounds.SAMPLED_LINES + 2]


def test_lines_that_do_not_vary_are_all_read_back() -> None:
    given = landscape("reflect", "cell")
    values = given.values.copy()
    values[7:20] = 0.0
    flow = solve(Landscape(values, given.grid), [8.0], "spectral")
    level = compact._Compactor(flow, TOLERANCE)._bounded(0)
    assert level is not None
    back = np.empty_like(values)
    level.read_back(back)
    assert not back[7:20].any()


def test_threads_do_not_matter() -> None:
    flow, before = solved(sigmas=(5.0, 12.0)), threads()
    try:
        found = []
        for count in (1, 3):
            set_threads(count)
            found.append([(level.values.tobytes(), level.error) for level in levels(flow, TOLERANCE)])
    finally:
        set_threads(before)
    assert found[0] == found[1]


# ----------------------------------------------------------------------------------------------------------------------
# Where nothing is proven, every node is read back


def other(**changes: Any) -> Any:
    def make() -> Evolution:
        return solve(landscape("reflect", "cell"), [8.0], **changes)

    return make


UNKNOWN = {
    "another solver": other(solver="direct"),
    "a caller's memory": other(solver="spectral", out=np.empty((1, LINES, 128))),
    "free space": lambda: solve(landscape("clip", "cell"), [8.0], "spectral"),
    "held ends": lambda: solve(landscape("absorb", "vertex"), [8.0], "spectral"),
    "correlated": lambda: solve(landscape("periodic", "cell"), None, covariance=np.array([[64.0]])),
    "no noise": lambda: solve(landscape("reflect", "cell"), [0.0], "spectral"),
    "very wide": lambda: solve(landscape("reflect", "cell"), [128.0 * 4], "spectral"),
    "an offset": lambda: solve(
        Landscape(landscape("reflect", "cell").values + 1e9, Grid(axis("reflect", "cell"))), [8.0], "spectral"
    ),
    "few lines": lambda: solve(landscape("reflect", "cell", lines=(3,)), [8.0], "spectral"),
    "two axes": lambda: solve(
        Landscape(
            np.random.default_rng(0).normal(size=(40, 32, 32)),
            Grid(*(Axis(n, 0.0, 32.0, 32, boundary="reflect") for n in "ab")),
        ),
        [8.0],
        "spectral",
    ),
}


@pytest.mark.parametrize("case", UNKNOWN)
def test_elsewhere_nothing_is_claimed(case: str) -> None:
    assert not is_bounded(UNKNOWN[case](), 0)


def test_fields_are_as_solved_until_someone_may_have_changed_them(tmp_path: Path) -> None:
    flow = solved()
    assert flow.as_solved
    assert evolve(landscape("reflect", "cell"), [8.0], solver="spectral").as_solved
    assert Evolution.of(flow, reason="").as_solved
    save(flow, tmp_path / "a.h5")
    for changed in (
        load(tmp_path / "a.h5"),
        flow.entry(3),
        Evolution.of(flow, values=flow.values.copy()),
        Evolution.of(flow, solver=dataclasses.replace(flow.solver)),
        Evolution.of(flow, landscape=landscape("reflect", "cell")),
    ):
        assert not changed.as_solved
    flow.values = flow.values
    assert not flow.as_solved


# ----------------------------------------------------------------------------------------------------------------------
# Planted faults


def refused(flow: Evolution) -> bool:
    """Whether the proof is given up, and what is handed over after that is right nevertheless."""
    assert compact._Compactor(flow, TOLERANCE)._bounded(0) is None
    (level,) = levels(flow, TOLERANCE)
    back = np.empty_like(flow.values[0])
    level.read_back(back)
    return bool((np.abs(back - flow.values[0]).max(axis=1) <= TOLERANCE * oscillation(flow)).all())


@pytest.mark.parametrize(("boundary", "nodes"), KINDS)
@pytest.mark.parametrize("place", [0, 11, -1])
def test_one_wrong_value_of_a_lattice_is_seen(
    boundary: str, nodes: str, place: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    flow = solved(boundary, nodes)
    size = compact._Compactor(flow, TOLERANCE)._bounded(0).lattices[0].size  # type: ignore[union-attr]
    # a thousandth of what any node of the other lines could hide, and as little as the tolerance of its own line
    fault = TOLERANCE * oscillation(flow)[33]
    coarse = Lattice.coarse

    @dataclasses.dataclass
    class Faulty:
        basis: Any

        def __getattr__(self, name: str) -> Any:
            return getattr(self.basis, name)

        def inverse(self, coefficients: Any, position: int) -> Any:
            result = self.basis.inverse(coefficients, position)
            if len(result) > 33:
                result[33, place] += fault
            return result

    monkeypatch.setattr(Lattice, "coarse", lambda self: Faulty(coarse(self)) if self.size == size else coarse(self))
    assert compact._Compactor(flow, TOLERANCE)._bounded(0) is None


def test_a_wrong_scale_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader would not see it: what it multiplies by is as wrong, so that the two make good for each other."""
    factor = Lattice.factor
    monkeypatch.setattr(Lattice, "factor", lambda self: (1.0 + 1e-8) * factor(self))
    assert compact._Compactor(solved(), TOLERANCE)._bounded(0) is None


def test_another_sigma_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    multiplier = compact._Lines.multiplier
    monkeypatch.setattr(compact._Lines, "multiplier", lambda self, t: multiplier(self, t * (1.0 + 1e-7)))
    assert refused(solved())


def test_lines_in_another_order_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    transformed = compact._transformed

    def swapped(*arguments: Any) -> Any:
        lines = transformed(*arguments)
        lines.coefficients[[21, 40]] = lines.coefficients[[40, 21]]
        return lines

    monkeypatch.setattr(compact, "_transformed", swapped)
    assert refused(solved())


def test_kinks_left_out_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compact, "kink_waves", lambda axis, orders, *rest: np.zeros((2, len(orders), axis.size)))
    assert refused(solved())


def test_a_bound_that_is_too_large_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "kink_waves", lambda axis, orders, *rest: np.zeros((2, len(orders), axis.size)))
    bounds._waves.cache_clear()
    try:
        assert refused(solved())
    finally:
        bounds._waves.cache_clear()


def test_a_chunk_that_was_cut_off_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    save(solved(), path, storage="compact")
    with h5py.File(path) as file:
        chunk = file["levels/0/u"].id.get_chunk_info(0)
    content = path.read_bytes()
    cut = chunk.byte_offset + chunk.size // 2
    path.write_bytes(content[:cut] + bytes(chunk.size - chunk.size // 2) + content[chunk.byte_offset + chunk.size :])
    with pytest.raises(StoreError):
        load(path)


# ----------------------------------------------------------------------------------------------------------------------
# Closed forms


@pytest.mark.parametrize(("boundary", "nodes"), KINDS)
@pytest.mark.parametrize("size", [4, 7, 30, 31, 64])
def test_cardinal_functions_are_what_a_reader_makes_of_units(boundary: str, nodes: str, size: int) -> None:
    one = axis(boundary, nodes, 64)
    if size < 64:
        expected = Lattice(one, size).prolong(np.eye(size))
    else:  # a lattice of all nodes is the grid; without its shortest wave where that has no phase
        expected = basis_along(one).forward(np.eye(64), 1)
        if not (boundary == "reflect" and nodes == "cell"):
            expected[:, -1] = 0.0
        expected = basis_along(one).inverse(expected, 1)
    found = cardinal_functions(one, size, np.arange(64))
    np.testing.assert_allclose(found, expected, rtol=0, atol=64 * np.finfo(float).eps)


@pytest.mark.parametrize(("boundary", "nodes"), KINDS)
@pytest.mark.parametrize("size", [4, 7, 30, 31])
def test_signed_sums_of_values_and_of_coefficients_are_the_same(boundary: str, nodes: str, size: int) -> None:
    one = axis(boundary, nodes, size)
    signs, weights = signs_of(one, size)
    assert set(np.abs(signs)) == {1.0}
    values = np.random.default_rng(1).normal(size=(5, size))
    coefficients = basis_along(one).forward(values.copy(), 1)
    np.testing.assert_allclose(values @ signs, coefficients @ weights, rtol=0, atol=size * 8 * np.finfo(float).eps)
