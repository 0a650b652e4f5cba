"""Fields that were read from compact storage are held to what the file promises, neither to less nor to more."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

from heatpg import Axis, Grid, Landscape, load, save
from heatpg.core.report import Check
from heatpg.evolution import Evolution, solve
from heatpg.roughness.decay import band_decay
from heatpg.scalespace.units import Problem
from heatpg.scalespace.watershed import basins
from heatpg.store.record import promised_errors
from heatpg.verify import verify

KINDS = list(itertools.product(("periodic", "reflect", "absorb", "clip", "zero"), ("vertex", "cell")))
PAIRS = list(zip(KINDS, KINDS[3:] + KINDS[:3], strict=True))


def landscape(*kinds: tuple[str, str], size: int = 65, dtype: str = "float64", scale: float = 1.0) -> Landscape:
    """Waves with slopes and values at every wall."""
    axes = (Axis(f"x{i}", -1.0, 1.5, size, boundary=b, nodes=n) for i, (b, n) in enumerate(kinds))  # type: ignore[arg-type]
    grid = Grid(*axes)
    values = sum(np.exp(0.7 * x) + 0.3 * np.sin(5.0 * x) for x in grid.mesh())
    return Landscape((scale * np.asarray(values)).astype(dtype), grid)


def stored(flow: Evolution, path: Path, tolerance: float) -> Evolution:
    save(flow, path / "compact.h5", storage="compact", tolerance=tolerance)
    return load(path / "compact.h5")


def statuses(flow: Evolution) -> dict[str, str]:
    return {check.name: check.status for check in verify(flow, "full")}


@pytest.mark.parametrize("tolerance", [1e-10, 1e-5])
@pytest.mark.parametrize("kinds", [*((kind,) for kind in KINDS), *PAIRS], ids=str)
def test_what_is_read_back_is_judged_as_what_was_solved(
    tmp_path: Path, kinds: tuple[tuple[str, str], ...], tolerance: float
) -> None:
    q = landscape(*kinds, size=65 if len(kinds) == 1 else 31)
    spacing = max(q.grid.spacing)
    flow = solve(q, [2 * spacing, 8 * spacing])
    back = stored(flow, tmp_path, tolerance)
    # the file is one of those that would not pass bounds of round-off
    assert np.abs(back.values - flow.values).max() > 1e-14 * q.oscillation
    assert statuses(back) == statuses(flow)
    assert verify(back, "full").passed


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("scale", [1e-30, 1e30])
@pytest.mark.parametrize("offset", [0.0, 1e3])
def test_in_any_unit_and_beside_any_offset(tmp_path: Path, dtype: str, scale: float, offset: float) -> None:
    plain = landscape(("clip", "vertex"), dtype=dtype, scale=scale)
    q = Landscape(plain.values + plain.values.dtype.type(offset * scale), plain.grid)
    flow = solve(q, np.array([2.0, 8.0]) * q.grid.spacing[0])
    back = stored(flow, tmp_path, 1e-5)
    assert statuses(back) == statuses(flow)


def test_a_constant_beside_others_is_held_to_the_digits_of_its_offset(tmp_path: Path) -> None:
    plain = landscape(("reflect", "vertex"))
    q = Landscape(np.stack([plain.values, np.full(plain.grid.shape, 0.1), plain.values * 1e-6]), plain.grid)
    flow = solve(q, [8 * plain.grid.spacing[0]], "direct")
    back = stored(flow, tmp_path, 1e-10)
    np.testing.assert_allclose(
        back.storage_errors() / [q.values[0].max() - q.values[0].min(), 0.1, np.ptp(q.values[2])],
        [1e-10, 12 * np.finfo(float).eps, 1e-10],
        rtol=1e-12,
    )
    assert (np.abs(back.values - flow.values)[0].max(axis=1) <= back.storage_errors()).all()
    assert verify(back, "full").passed


def planted(flow: Evolution, node: int, change: float) -> list[Check]:
    values = flow.values.copy()
    values[0, node] += change
    flow.values = values
    return list(verify(flow, "full").failures)


@pytest.mark.parametrize("tolerance", [1e-10, 1e-5])
@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_a_fault_larger_than_the_tolerance_fails(tmp_path: Path, kind: tuple[str, str], tolerance: float) -> None:
    q = landscape(kind)
    flow = solve(q, [6 * q.grid.spacing[0]], "direct")
    back = stored(flow, tmp_path, tolerance)
    # a node may be off by once the tolerance already, the other way
    fault = 2.5 * back.value_error
    for node in (1, 32):
        assert "cross-check" in [check.name for check in planted(load(tmp_path / "compact.h5"), node, fault)]
    if kind[0] != "periodic":
        # that check is on the distance from an integral, which one sign lessens before it makes it larger
        found = [planted(load(tmp_path / "compact.h5"), 0, sign * fault) for sign in (1.0, -1.0)]
        assert "edge" in [check.name for failures in found for check in failures]
    # what a file of the whole field promises is round-off
    assert "cross-check" in [check.name for check in planted(solve(q, flow.sigma, "direct"), 32, fault / 1000)]


@pytest.mark.parametrize("kind", [("reflect", "vertex"), ("reflect", "cell"), ("periodic", "vertex")], ids=str)
def test_a_mean_that_changes_by_more_fails(tmp_path: Path, kind: tuple[str, str]) -> None:
    q = landscape(kind)
    back = stored(solve(q, [6 * q.grid.spacing[0]], "direct"), tmp_path, 1e-5)
    assert "conservation" not in [check.name for check in planted(back, 32, 0.9 * back.value_error)]
    back = load(tmp_path / "compact.h5")
    back.values = back.values + 2.5 * back.value_error
    assert "conservation" in [check.name for check in verify(back, "full").failures]


def test_bounds_say_what_they_allow_for(tmp_path: Path) -> None:
    q = landscape(("zero", "vertex"))
    flow = solve(q, [6 * q.grid.spacing[0]], "direct")
    back = stored(flow, tmp_path, 1e-6)
    # zero outside counts in osc(Q), which is then the largest value here
    assert back.value_error == pytest.approx(1e-6 * q.values.max(), rel=1e-12)
    assert flow.value_error == 0.0
    for name in ("cross-check", "range", "edge"):
        before, after = (verify(one, "full")[name] for one in (flow, back))
        assert "compact" not in before.bound_source
        assert "1e-06 of compact storage" in after.bound_source
        assert before.bound is not None
        assert after.bound is not None
        assert 0.9e-6 < after.bound - before.bound < 1e-5


def test_basins_and_bands_allow_for_it_too(tmp_path: Path) -> None:
    q = landscape(("reflect", "vertex"))
    flow = solve(q, [2 * q.grid.spacing[0], 8 * q.grid.spacing[0]], "spectral")
    back = stored(flow, tmp_path, 1e-5)
    size = float(np.ptp(q.values))
    problem = Problem(back)
    assert problem.units.differences(problem.value_error) == pytest.approx(1e-5 * size, rel=1e-12)
    for a, b in zip(basins(flow).partitions, basins(back).partitions, strict=True):
        assert len(a) == len(b)
    for one, least in ((flow, 0.0), (back, 1e-5)):
        decay = band_decay(one)
        lowest = decay.floor * np.sqrt(decay.power)
        assert (lowest >= 1e-5 * size).all() == (least > 0)
        assert (np.abs(decay.measured - decay.predicted) <= decay.floor)[:, decay.power > 0].all()


def test_the_promise_of_an_entry() -> None:
    assert promised_errors(np.array([4.0]), np.array([3.0]), 1e-3) == pytest.approx([4e-3])
