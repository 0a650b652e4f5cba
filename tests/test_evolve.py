"""evolve and Evolution: what goes in, what comes out, what is refused."""

from __future__ import annotations

import datetime
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import heatpg.tools.resources
from heatpg import Axis, Evolution, Grid, Landscape, evolve, load
from heatpg.core.centring import centring
from heatpg.core.noise import parse_covariance, parse_sigma
from heatpg.errors import (
    GridError,
    HeatpgError,
    HeatpgWarning,
    NonFiniteError,
    OptionError,
    ResourceError,
    SigmaError,
    StabilityError,
    UnknownNameError,
)
from heatpg.evolution import solve
from heatpg.landscapes import landscapes
from heatpg.solvers import make, solvers
from heatpg.verify import verify

FIXTURES = (
    *("cosine", "eigenmodes", "quadratic", "ramp", "plateau", "step", "absolute_value", "box", "gaussians"),
    *("two_bumps", "unequal_bumps", "peak_and_hill", "creation", "ridge", "weierstrass"),
)


@pytest.fixture
def grid() -> Grid:
    return Grid(Axis("x", 0.0, 1.0, 30, boundary="reflect"), Axis("y", 0.0, 2.0, 40, boundary="clip"))


@pytest.fixture
def landscape(grid: Grid, rng: np.random.Generator) -> Landscape:
    return Landscape(rng.standard_normal(grid.shape), grid, "noise")


def test_one_number_a_list_and_an_array(landscape: Landscape) -> None:
    one = evolve(landscape, 0.1)
    assert one.sigma.shape == (1,)
    assert one.values.shape == (1, 30, 40)
    with pytest.warns(HeatpgWarning, match=r"(?s)sigma is sorted in ascending order, .* in the input: 1, 0"):
        several = evolve(landscape, (0.2, 0.1))
    assert several.sigma.tolist() == [0.1, 0.2]
    assert np.array_equal(several.values[0], one.values[0])
    each = evolve(landscape, [[0.1, 0.1], [0.1, 0.3]])
    assert each.sigma.shape == (2, 2)
    assert np.array_equal(each.values[0], one.values[0])
    named = evolve(landscape, {"y": [0.1, 0.3], "x": 0.1})
    assert np.array_equal(named.values, each.values)
    assert named.sigmas.shape == (2, 2)
    assert np.array_equal(named.variances, named.sigmas**2)
    assert len(named) == 2


def test_zero_gives_the_landscape_back(landscape: Landscape) -> None:
    for name in (*solvers.names(), "auto"):
        assert np.array_equal(evolve(landscape, [0.0, 0.1], name).values[0], landscape.values)


def test_types_are_kept(grid: Grid) -> None:
    for given, kept in ((np.float32, np.float32), (np.float64, np.float64), (np.int16, np.float64), (bool, np.float64)):
        values = (np.indices(grid.shape).sum(axis=0) % 3).astype(given)
        assert evolve(Landscape(values, grid), 0.2).values.dtype == kept


@pytest.mark.parametrize("name", solvers.names())
def test_a_march_continues_and_a_list_is_no_different(name: str, landscape: Landscape) -> None:
    """Through several sigmas or straight to the last: within the error of the scheme, and exactly where it is exact."""
    straight = evolve(landscape, 0.3, name).values[0]
    through = evolve(landscape, [0.1, 0.2, 0.3], name)
    scale = landscape.oscillation
    if through.solver.exact_in_time:
        assert np.array_equal(through.values[-1], straight)
    else:
        assert np.abs(through.values[-1] - straight).max() <= 2e-3 * scale
    assert through.paths[-1][1] == (0.0, 0.3**2)  # in free space each sigma starts anew from Q


def test_sigmas_that_go_back_on_one_axis(landscape: Landscape) -> None:
    for name in solvers.names():
        flow = evolve(landscape, [[0.2, 0.1], [0.1, 0.25]], name)
        alone = evolve(landscape, [[0.1, 0.25]], name)
        assert np.array_equal(flow.values[1], alone.values[0])


def test_batches_are_carried_along(grid: Grid, rng: np.random.Generator) -> None:
    batch = rng.standard_normal((2, 3, *grid.shape))
    flow = evolve(Landscape(batch, grid), [0.1, 0.2], checks="full")
    assert flow.values.shape == (2, 2, 3, 30, 40)
    assert flow.gradient(0).shape == (2, 2, 3, 30, 40)
    assert flow.gradient().shape == (2, 2, 2, 3, 30, 40)
    assert flow.report.passed


def test_at_solves_between_the_stored_sigmas(landscape: Landscape) -> None:
    flow = evolve(landscape, [0.1, 0.3], "spectral")
    assert np.array_equal(flow.at(0.2), evolve(landscape, 0.2, "spectral").values[0])
    assert np.array_equal(flow.at((0.2, 0.0)), evolve(landscape, [[0.2, 0.0]], "spectral").values[0])
    with pytest.raises(SigmaError):
        flow.at(-1.0)


def test_auto_says_what_it_picked_and_why(landscape: Landscape) -> None:
    wide = evolve(landscape, [0.0, 0.2, 0.4])
    assert wide.solver.name == "spectral"
    assert "2.5" in wide.reason
    narrow = evolve(landscape, [0.01, 0.4])
    assert narrow.solver.name == "direct"
    assert "0.2 grid spacings" in narrow.reason
    assert evolve(landscape, 0.2, "direct").reason == ""
    assert evolve(landscape, [[0.0, 0.3]]).solver.name == "spectral"  # an axis that does not move is no reason


def test_progress_is_told_after_every_sigma(landscape: Landscape) -> None:
    seen: list[tuple[int, int]] = []
    evolve(landscape, [0.1, 0.2, 0.3], progress=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 3), (2, 3), (3, 3)]


def test_levels_of_checks(landscape: Landscape) -> None:
    assert len(evolve(landscape, 0.2, checks="none").report) == 0
    assert "no checks" in str(evolve(landscape, 0.2, checks="none").report)
    standard, full = (evolve(landscape, 0.2, checks=level).report for level in ("standard", "full"))
    assert {check.name for check in standard} | {"edge"} == {check.name for check in full}
    assert "all nodes" in full["cross-check"].message
    assert "all nodes" not in standard["cross-check"].message
    with pytest.raises(OptionError, match="none, standard, full"):
        evolve(landscape, 0.2, checks="some")


@pytest.mark.parametrize("name", ["spectral", "direct", "explicit", "exponential"])
def test_every_fixture_is_reproduced(name: str) -> None:
    """Each analytic landscape on its own grid, at a sigma that its grid resolves, at the accuracy of the solver."""
    for family in FIXTURES:
        landscape = landscapes.get(family)()
        spacing = max(landscape.grid.spacing)
        smoothness = {"step": 1, "box": 1, "plateau": 1, "absolute_value": 2, "ramp": 2}.get(family)
        sigma = 6.0 * spacing
        error = np.abs(evolve(landscape, sigma, name).values[0] - landscape.exact(sigma)).max() / (
            landscape.oscillation or 1.0
        )
        # a jump (a kink) between two nodes is known to half a spacing (to an eighth of its square) at best
        limit = {1: 0.5 / 6 / np.sqrt(2 * np.pi), 2: 1 / 8 / 36}.get(smoothness or 0, 2e-3)
        assert error <= limit * (2 if landscape.grid.dimensions > 1 else 1), (family, error, limit)


@pytest.mark.parametrize(
    "sigma",
    [-0.1, float("nan"), float("inf"), [], [0.1, -1], "wide", None, [[0.1, 0.2, 0.3]], np.zeros((2, 2, 2)), [0.1, 0.1]],
)
def test_bad_sigmas_are_refused(landscape: Landscape, sigma: Any) -> None:
    with pytest.raises(SigmaError) as caught:
        evolve(landscape, sigma)
    assert isinstance(caught.value, ValueError)
    assert "got: " in str(caught.value)


def test_bad_dictionaries_of_sigmas_are_refused(landscape: Landscape) -> None:
    with pytest.raises(SigmaError, match="missing: y"):
        evolve(landscape, {"x": 0.1})
    with pytest.raises(GridError, match="no axis with this name"):
        evolve(landscape, {"x": 0.1, "z": 0.1})


def test_parse_sigma_sorts_by_total_variance(grid: Grid) -> None:
    with pytest.warns(HeatpgWarning, match="sigma is sorted"):
        assert parse_sigma([[0.3, 0.0], [0.1, 0.1]], grid).tolist() == [[0.1, 0.1], [0.3, 0.0]]
    with pytest.warns(HeatpgWarning, match=r"(?s)covariances are sorted in ascending order, .* in the input: 1, 2, 0"):
        parse_covariance(np.array([3.0, 1.0, 2.0])[:, None, None] * np.eye(2), grid)


def test_unknown_solvers_are_refused_with_near_misses(landscape: Landscape) -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'spectral'"):
        evolve(landscape, 0.1, "spektral")


def test_unstable_steps_are_refused_before_any_work(landscape: Landscape) -> None:
    with pytest.raises(StabilityError, match="along axis 'x'"):
        evolve(landscape, 0.1, make("explicit", step=0.002))


def test_memory_is_asked_for_beforehand(landscape: Landscape, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heatpg.tools.resources, "available_memory", lambda: 50_000.0)
    with pytest.raises(ResourceError, match="does not fit in memory") as caught:
        evolve(landscape, np.linspace(0.1, 0.2, 200), checks="none")
    assert isinstance(caught.value, RuntimeError)
    assert "fewer noise levels at a time" in str(caught.value)
    assert "float32" in str(caught.value)


@pytest.mark.skipif(sys.platform != "linux", reason="limits of memory are asked of Linux")
def test_the_limit_of_the_address_space_is_seen() -> None:
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    before = heatpg.tools.resources.available_memory()
    try:
        resource.setrlimit(resource.RLIMIT_AS, (20 * 2**30, hard))
        assert heatpg.tools.resources.available_memory() < 20 * 2**30
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
    assert before > 0


def test_numbers_whose_differences_overflow(grid: Grid) -> None:
    values = np.full(grid.shape, 1.7)
    values[3, 4] = -1.7
    huge = evolve(Landscape(np.ldexp(values, 1023), grid), 0.2, "spectral")
    np.testing.assert_array_equal(huge.values, np.ldexp(evolve(Landscape(values, grid), 0.2, "spectral").values, 1023))


def test_an_overflow_is_named(grid: Grid) -> None:
    values = np.full(grid.shape, 1.7e308)
    values[3, 4] = -1.7e308
    landscape = Landscape(values, grid)
    landscape._taken = (landscape.values, centring(np.arange(grid.size).reshape(grid.shape) * 1.0, grid))
    assert landscape.centring.trivial  # a fault: so large a scale has to be taken out
    with np.errstate(all="ignore"), pytest.raises(NonFiniteError, match="another solver"):
        solve(landscape, 0.2, "spectral")


def test_every_refusal_is_a_heatpg_error_of_a_standard_kind() -> None:
    import heatpg.errors

    kinds = [getattr(heatpg.errors, name) for name in heatpg.errors.__all__ if name.endswith("Error")]
    assert len(kinds) >= 10
    for kind in kinds:
        assert issubclass(kind, HeatpgError)
        if kind is not HeatpgError:
            assert issubclass(kind, ValueError) != issubclass(kind, RuntimeError)


def test_auto_goes_by_tolerance_and_preference(landscape: Landscape) -> None:
    coarse = evolve(landscape, 0.2, tolerance=1e-4)
    assert coarse.solver == make("direct", tolerance=1e-4)
    assert "tolerance" in coarse.reason
    assert np.abs(coarse.values - evolve(landscape, 0.2).values).max() <= 1e-4 * landscape.oscillation
    wide = evolve(landscape, 0.5, tolerance=1e-6)
    assert wide.solver == make("multiresolution", tolerance=1e-6)
    assert wide.report.passed
    monotone = evolve(landscape, [0.01, 0.02, 0.4], prefer="monotone")
    assert monotone.solver.name == "exponential"
    assert monotone.report["joint maxima"].status == "passed"
    assert evolve(landscape, 0.1, prefer="monotone").solver.name == "direct"
    for options in ({"tolerance": 0.5}, {"tolerance": 1e-20}, {"prefer": "fast"}):
        with pytest.raises(OptionError, match="expected: "):
            evolve(landscape, 0.2, **options)
    with pytest.raises(OptionError, match="options to a named"):
        evolve(landscape, 0.2, "direct", tolerance=1e-4)


class Own(np.ndarray):
    """An array with rules of its own."""


def test_a_caller_is_told_once_that_sigma_is_sorted() -> None:
    landscape = Landscape.from_array(np.eye(30), boundary="clip")
    for noise in ({"sigma": [2.0, 1.0]}, {"covariance": [2 * np.eye(2), np.eye(2)]}):
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            evolve(landscape, **noise)
        assert sum("sorted" in str(each.message) for each in told) == 1


@pytest.mark.parametrize(
    ("sigma", "words"),
    [
        ("0.3", r"write the number, or float\('0.3'\)"),
        (["0.3", "0.4"], r"convert each text with float\(\)"),
        (datetime.timedelta(seconds=3), r"convert with t.total_seconds\(\)"),
        ([datetime.timedelta(seconds=3)], r"convert with t.total_seconds\(\)"),
    ],
)
def test_noise_that_is_no_number_is_told_what_to_write(landscape: Landscape, sigma: Any, words: str) -> None:
    with pytest.raises(SigmaError, match=words):
        evolve(landscape, sigma)


def test_a_report_is_stored_with_the_values_it_was_made_for_alone(tmp_path: Path) -> None:
    """Memory that was given can be written to by whoever gave it; noise levels cannot."""
    bumps = landscapes.get("unequal_bumps")(size=101)
    out = np.empty((2, 101))
    flow = evolve(bumps, [0.2, 0.4], out=out)
    flow.save(tmp_path / "as_checked.h5")
    assert load(tmp_path / "as_checked.h5").report.passed and len(load(tmp_path / "as_checked.h5").report)
    with pytest.raises(ValueError, match="read-only"):
        flow.sigma[0] = 9.0
    out[1, 50] += 1e-12
    with pytest.warns(HeatpgWarning, match="changed since they were checked"):
        flow.save(tmp_path / "changed.h5")
    assert len(load(tmp_path / "changed.h5").report) == 0 == len(flow.report)
    # whatever is checked anew has its report, and so has a copy on the same memory
    out[1] = bumps.values
    flow.report = verify(flow)
    flow.save(tmp_path / "again.h5")
    assert len(load(tmp_path / "again.h5").report) == len(flow.report) > 0
    copy = Evolution.of(flow)
    out[0, 3] = 7.0
    for one, name in ((copy, "copy.h5"), (flow, "original.h5")):
        with pytest.warns(HeatpgWarning, match="changed since they were checked"):
            one.save(tmp_path / name)
    own = np.array(flow.values)
    flow.values = own
    flow.report = verify(flow)
    own[0, 3] = 8.0
    with pytest.warns(HeatpgWarning, match="changed since they were checked"):
        flow.save(tmp_path / "own.h5")


def test_fields_are_put_where_they_are_wanted(landscape: Landscape) -> None:
    expected = solve(landscape, [0.1, 0.2], "spectral").values
    out = np.full(expected.shape, np.nan)
    flow = evolve(landscape, [0.1, 0.2], "spectral", out=out)
    assert np.shares_memory(flow.values, out)
    np.testing.assert_array_equal(out, expected)
    for bad in (out[:1], out.astype("float32"), out[:, :, ::-1], out.tolist(), out[:, ::-1]):
        with pytest.raises(OptionError, match=r"^out "):
            solve(landscape, [0.1, 0.2], "spectral", out=bad)
    masked = (np.ma.array(out), "(?s)plain NumPy array.*MaskedArray.*data")
    for kind, words in (masked, (out.view(Own), "(?s)plain NumPy array.*Own")):
        with pytest.raises(OptionError, match=words):
            solve(landscape, [0.1, 0.2], "spectral", out=kind)
    own = np.zeros((1, *landscape.values.shape))
    shared = Landscape(own[0], landscape.grid)
    shared.values = own[0]
    with pytest.raises(OptionError, match="shares no memory"):
        solve(shared, 0.1, "spectral", out=own)


@pytest.mark.parametrize("name", ["spectral", "explicit"])
@pytest.mark.parametrize("shape", [(30,), (20, 24), (6, 7, 8)])
def test_what_is_not_finite_is_found_wherever_it_is(
    name: str, shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A flow may look while it writes; what it has not looked at is looked through afterwards."""
    grid = Grid(*(Axis(f"x{i}", 0.0, 1.0, size, boundary="periodic") for i, size in enumerate(shape)))
    huge = Landscape(np.full(shape, 1.7e308), grid)  # finite, although its sum is not
    assert np.isfinite(solve(huge, 0.0).values).all()
    given = Landscape(np.random.default_rng(1).normal(size=shape), grid)
    solver = make(name)
    for place in ((0,) * len(shape), tuple(size // 2 for size in shape), tuple(size - 1 for size in shape)):
        start = type(solver).start

        def broken(self: Any, values: Any, grid: Any, place: Any = place, start: Any = start) -> Any:
            # no landscape holds what is not finite, but what a solver makes of one may
            changed = values.copy()
            changed[place] = np.nan
            return start(self, changed, grid)

        with monkeypatch.context() as patch:
            patch.setattr(type(solver), "start", broken)
            with pytest.raises(NonFiniteError, match="not finite at index"):
                solve(given, [0.1, 0.2], solver)


def test_what_is_no_landscape_is_told_what_is() -> None:
    with pytest.raises(OptionError, match=r"(?s)got: ndarray\W+(try: )?.*Landscape.from_array"):
        evolve(np.zeros((9, 9)), 0.3)  # type: ignore[arg-type]


def test_axes_with_different_numbers_of_sigmas(landscape: Landscape) -> None:
    first, second = (axis.name for axis in landscape.grid)
    with pytest.raises(SigmaError, match=rf"got: {first}: 2, {second}: 3\W+expected: one number per axis"):
        evolve(landscape, {first: [0.1, 0.2], second: [0.1, 0.2, 0.3]})


def test_an_evolution_is_drawn_and_told_in_a_line(landscape: Landscape) -> None:
    flow = solve(landscape, [0.1, 0.25])
    assert "2 sigmas from 0.1 to 0.25" in repr(flow)
    assert ": 1 sigma 0.3, " in repr(solve(landscape, 0.3))
    first, second = (axis.name for axis in landscape.grid)
    each = solve(landscape, {first: [0.1, 0.2], second: [0.3, 0.4]})
    assert "from (0.1, 0.3) to (0.2, 0.4)" in repr(each)
    assert flow.plot(width="column").get_figwidth() == pytest.approx(3.5)
    assert len(flow.plot("multiples").axes) > len(flow.plot("maxima").axes)
    with pytest.raises(UnknownNameError, match="summary"):
        flow.plot("sumary")
