"""What draws cost, how they are kept, and what an evolution of them does and refuses."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from heatpg import Axis, Evolution, Grid, Landscape, evolve, load, plot, study
from heatpg.errors import (
    GridError,
    NonFiniteError,
    OptionError,
    ResourceError,
    SigmaError,
    StoreError,
    UnknownNameError,
    UnsupportedError,
)
from heatpg.planes import Draws, estimate_cost, evolve_plane
from heatpg.planes.moments import Moments, Repeats
from heatpg.verify import verify

Array = NDArray[np.float64]


def bump(*x: Array) -> Array:
    return np.asarray(np.exp(-sum((c - 0.1 * i) ** 2 for i, c in enumerate(x)) / 2))


def landscape(dimensions: int = 5, size: int = 17, function: Any = bump, **options: Any) -> Landscape:
    grid = Grid(*(Axis(name, -2.0, 2.0, size, boundary="clip") for name in "xy"))
    return Landscape.from_function(function, grid, dimensions=dimensions, **options)


def test_more_draws_make_a_smaller_error_and_the_pilot_says_how_many() -> None:
    q = landscape()
    for error in (0.05, 0.02, 0.01):
        flow = evolve_plane(q, [0.4, 1.0], Draws(error=error, budget=10**7))
        facts, found = flow.drawn, flow.standard_error
        assert facts is not None and found is not None
        # Var <= osc^2 / 4
        assert facts["draws"] <= 0.25 / error**2 * 1.1 and facts["reached"] <= error * 1.05
        assert found.max() == pytest.approx(facts["reached"] * facts["oscillation"], rel=1e-12)
        assert flow.report["sampling error"].status == "passed" and flow.report["cross-check"].status == "passed"


def test_the_cost_is_told_before_it_is_spent() -> None:
    q, asked = landscape(), []

    def counted(*x: Array) -> Array:
        asked.append(np.size(x[0]))
        return bump(*x)

    q = landscape(function=counted)
    asked.clear()
    cost = estimate_cost(q, [0.4, 1.0], Draws(error=0.01))
    assert cost.spent == sum(asked) and cost.spent < cost.rollouts
    assert cost.seeds_error == 0.0 and "out of reach" not in str(cost)
    assert "rollouts" in str(cost) and "about" in str(cost)
    asked.clear()
    with pytest.raises(ResourceError) as refused:
        evolve_plane(q, [0.4, 1.0], Draws(error=0.01, budget=cost.spent + 10_000))
    # the pilot, and nothing else
    assert sum(asked) == cost.spent
    assert (
        "5 %" in refused.value.advice and "fewer sigmas" in refused.value.advice and "count=128" in refused.value.advice
    )
    assert f"Draws(error=0.01, budget={cost.rollouts})" in refused.value.advice
    # what is asked for already is no advice, and is not lost from what is
    with pytest.raises(ResourceError) as refused:
        evolve_plane(q, [0.4, 1.0], Draws(count=128, budget=cost.spent + 1_000))
    assert "for sigma_jump alone" not in refused.value.advice
    assert "Draws(count=128, budget=" in refused.value.advice
    flow = evolve_plane(q, [0.4, 1.0], Draws(error=0.01, budget=2 * cost.rollouts), checks="none")
    assert flow.drawn is not None
    # with each shift the lattice has one node more or less an axis
    assert flow.drawn["rollouts"] == pytest.approx(cost.rollouts, rel=0.35)
    # what the checks take is told as well
    asked.clear()
    checked = evolve_plane(q, [0.4, 1.0], Draws(error=0.01, budget=2 * cost.rollouts))
    assert checked.drawn is not None and sum(asked) == checked.drawn["rollouts"] + cost.checks
    assert f"({cost.checks:,} rollouts)" in checked.report["cross-check"].message
    assert f"checks take {cost.checks:,} more" in str(cost)
    # a bar for the pilot: so many draws, or pairs of draws, as there are
    told: list[tuple[int, int]] = []
    estimate_cost(q, [0.4, 1.0], Draws(error=0.01), progress=lambda done, total: told.append((done, total)))
    assert [done for done, total in told if total == 16] == list(range(1, 17))
    asked.clear()
    with pytest.raises(ResourceError) as refused:
        evolve_plane(q, [0.4, 1.0], Draws(budget=100))
    assert asked == [] and "pilot draws" in refused.value.problem


@pytest.mark.parametrize("antithetic", [None, True, False])
def test_work_that_was_interrupted_ends_equal_to_the_bit(tmp_path: Path, antithetic: bool | None) -> None:
    kept = tmp_path / "draws.npz"
    draws = Draws(count=300, budget=10**8, antithetic=antithetic, seed=3)
    whole = evolve_plane(landscape(), [0.3, 0.9], draws, checks="none")

    class Interrupted(Exception):
        pass

    def stop(done: int, total: int) -> None:
        if done > 100:
            raise Interrupted

    with_state = Draws(count=300, budget=10**8, antithetic=antithetic, seed=3, state=kept)
    import heatpg.planes.drawing as drawing

    monkeypatch = pytest.MonkeyPatch()
    monkeypatch.setattr(drawing, "_SAVED_EVERY", 0.0)
    with pytest.raises(Interrupted):
        evolve_plane(landscape(), [0.3, 0.9], with_state, checks="none", progress=stop)
    monkeypatch.undo()
    left: list[int] = []
    again = evolve_plane(landscape(), [0.3, 0.9], with_state, checks="none", progress=lambda d, t: left.append(d))
    assert left and left[0] > 100
    assert again.values.tobytes() == whole.values.tobytes()
    assert again.standard_error is not None and whole.standard_error is not None
    assert again.standard_error.tobytes() == whole.standard_error.tobytes() and again.drawn == whole.drawn
    # once it is there, nothing is drawn any more
    left.clear()
    evolve_plane(landscape(), [0.3, 0.9], with_state, checks="none", progress=lambda d, t: left.append(d))
    assert left == []
    for other in ([0.3, 0.8], [0.3]):
        with pytest.raises(StoreError, match="other draws"):
            evolve_plane(landscape(), other, with_state)
    with pytest.raises(StoreError, match="other draws"):
        evolve_plane(landscape(), [0.3, 0.9], with_state, covariance=np.full(5, 2.0))
    kept.write_bytes(b"PK\x03\x04 no archive")
    with pytest.raises(StoreError, match="does not contain"):
        evolve_plane(landscape(), [0.3, 0.9], with_state)


@pytest.mark.parametrize("options", [{}, {"points": "sobol"}, {"points": "random"}], ids=str)
def test_an_error_that_was_asked_for_takes_as_many_draws_after_a_pause(tmp_path: Path, options: dict[str, Any]) -> None:
    """What is decided on the way is decided at the same counts, wherever the work was interrupted."""
    q, sigma = landscape(), [0.3, 0.9]
    whole = evolve_plane(q, sigma, Draws(error=0.004, budget=10**8, **options), checks="none")
    assert whole.drawn is not None and whole.drawn["points"] == options.get("points", "sobol")

    class Interrupted(Exception):
        pass

    import heatpg.planes.drawing as drawing

    for limit in (1, 300, 400):
        kept = Draws(error=0.004, budget=10**8, state=tmp_path / f"{limit}.npz", **options)

        def stop(done: int, total: int, limit: int = limit) -> None:
            if done > limit:
                raise Interrupted

        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(drawing, "_SAVED_EVERY", 0.0)
            with contextlib.suppress(Interrupted):
                evolve_plane(q, sigma, kept, checks="none", progress=stop)
        again = evolve_plane(q, sigma, kept, checks="none")
        assert again.values.tobytes() == whole.values.tobytes() and again.drawn == whole.drawn
        assert again.standard_error is not None and whole.standard_error is not None
        assert again.standard_error.tobytes() == whole.standard_error.tobytes()


class Several:
    """A function of all components with returns of several seeds."""

    def __init__(self, function: Any, count: int) -> None:
        self.function, self.seeds = function, range(count)

    def __call__(self, points: Array) -> Array:
        return np.asarray(self.function(points))

    def returns(self, points: Array) -> Array:
        return np.asarray(self(points)[:, None] + 0.1 * np.arange(len(self.seeds)) * points[:, :1])


@pytest.mark.parametrize("options", [{}, {"points": "sobol"}, {"points": "random"}], ids=str)
@pytest.mark.parametrize("seeds", [1, 3])
def test_a_pilot_that_was_interrupted_goes_on_where_it_was(
    tmp_path: Path, options: dict[str, Any], seeds: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is drawn twice: neither of its pairs of draws, nor of the trial of Sobol' points after it."""
    import heatpg.planes.drawing as drawing

    monkeypatch.setattr(drawing, "_SAVED_EVERY", 0.0)
    sigma = [0.3, 0.9]
    wanted = {"error": 0.004, "budget": 10**8, **options}

    def counted() -> tuple[Landscape, list[int]]:
        asked: list[int] = []

        def bumps(*x: Array) -> Array:
            asked.append(np.size(x[0]))
            return bump(*x)

        made = landscape(function=bumps)
        if seeds > 1:
            object.__setattr__(made.sampler, "whole", Several(made.sampler.whole, seeds))  # type: ignore[union-attr]
        asked.clear()
        return made, asked

    whole_q, once = counted()
    whole = evolve_plane(whole_q, sigma, Draws(**wanted), checks="none")

    class Interrupted(Exception):
        pass

    kept = Draws(**wanted, state=tmp_path / "draws.npz")
    q, asked = counted()
    steps = 0
    for _ in range(40):
        calls = [0]

        def stop(done: int, total: int, calls: list[int] = calls) -> None:
            calls[0] += 1
            if calls[0] == 3 and done < total:
                raise Interrupted

        try:
            estimate_cost(q, sigma, kept, progress=stop)
            break
        except Interrupted:
            steps += 1
    # of sixteen pairs, and of four blocks of the trial
    assert steps >= (1 if options.get("points") == "sobol" else 5)
    again = evolve_plane(q, sigma, kept, checks="none")
    assert again.values.tobytes() == whole.values.tobytes() and again.drawn == whole.drawn
    assert again.standard_error is not None and whole.standard_error is not None
    assert again.standard_error.tobytes() == whole.standard_error.tobytes()
    # the interrupted ones, the last estimate and the draws each know the function again by four points
    assert sum(asked) - 4 * (steps + 2) == sum(once)
    with np.load(tmp_path / "draws.npz") as file:
        assert not any(name.startswith(("pilot", "trial")) for name in file.files)


def test_a_state_of_a_pilot_that_holds_something_else_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import heatpg.planes.drawing as drawing

    monkeypatch.setattr(drawing, "_SAVED_EVERY", 0.0)

    class Interrupted(Exception):
        pass

    def stop(done: int, total: int) -> None:
        if done == 3:
            raise Interrupted

    q, kept = landscape(), tmp_path / "draws.npz"
    with pytest.raises(Interrupted):
        estimate_cost(q, [0.3], Draws(count=16, state=kept), progress=stop)
    with np.load(kept) as file:
        good = dict(file)
    assert good["pilot"].shape == (3, 2, 1, 1, 17, 17)
    whole = np.zeros((17, 2, 1, 1, 17, 17))
    for changed in ({"pilot": whole}, {"pilot": whole[:, 0]}, {"pilot": whole[:0]}, {"trial_count": np.array(2)}):
        np.savez(kept, **(good | changed))
        with pytest.raises(StoreError, match="does not contain"):
            estimate_cost(q, [0.3], Draws(count=16, state=kept))


@pytest.mark.parametrize("points", ["random", "sobol"])
def test_a_state_goes_on_to_whatever_is_asked_for_next(tmp_path: Path, points: str) -> None:
    """Its draws are those of fresh work, however many steps lead there."""
    q, sigma = landscape(), [0.3, 0.9]
    wanted: list[dict[str, Any]] = [{"error": error} for error in (0.1, 0.05, 0.03, 0.02, 0.01, 0.006)]
    wanted += [{"count": count} for count in (700, 1100, 3000)]
    for one in wanted:
        kept = Draws(**one, points=points, state=tmp_path / "draws.npz", budget=10**9)
        flow = evolve_plane(q, sigma, kept, checks="none")
        assert flow.drawn is not None and flow.drawn["draws"] >= one.get("count", 0)
        assert "error" not in one or flow.drawn["reached"] <= one["error"] * 1.05
    assert flow.drawn is not None
    fresh = evolve_plane(q, sigma, Draws(count=flow.drawn["draws"], points=points, budget=10**9), checks="none")
    assert fresh.values.tobytes() == flow.values.tobytes()


def test_a_budget_that_is_raised_gives_what_it_would_have_given_at_once(tmp_path: Path) -> None:
    q, sigma, kept = landscape(), [0.5, 1.0], tmp_path / "draws.npz"
    with pytest.raises(ResourceError):
        evolve_plane(q, sigma, Draws(error=0.002, state=kept, budget=20_000))
    again = evolve_plane(q, sigma, Draws(error=0.002, state=kept, budget=10**8), checks="none")
    fresh = evolve_plane(q, sigma, Draws(error=0.002, budget=10**8), checks="none")
    assert again.drawn == fresh.drawn and again.values.tobytes() == fresh.values.tobytes()


def test_states_that_hold_something_else_are_refused(tmp_path: Path) -> None:
    q, kept = landscape(), tmp_path / "draws.npz"
    evolve_plane(q, [0.3], Draws(count=16, state=kept), checks="none")
    with np.load(kept) as file:
        good = dict(file)
    for name, value in (("count", np.array(-3)), ("mean", np.zeros(3)), ("squares", np.zeros((2, 17, 17)))):
        np.savez(kept, **{**good, name: value})
        with pytest.raises(StoreError, match="does not contain"):
            evolve_plane(q, [0.3], Draws(count=16, state=kept))
    kept.write_bytes(b"")
    with pytest.raises(StoreError, match="does not contain"):
        evolve_plane(q, [0.3], Draws(count=16, state=kept))
    with pytest.raises(StoreError, match="is a directory"):
        evolve_plane(q, [0.3], Draws(count=16, state=tmp_path))
    np.savez(kept, **good)
    with pytest.raises(StoreError, match="kind of draws"):
        evolve_plane(q, [0.3], Draws(count=16, state=kept, points="random"))


def test_a_state_of_a_function_that_differs_beside_the_plane_is_refused(tmp_path: Path) -> None:
    """Equal at every node, three times as large off the plane: the fields of the first would be a third of right."""

    def bump_times(factor: float) -> Any:
        # both are of one name, as are two that are edited in one place
        def function(*x: Array) -> Array:
            return np.asarray(bump(*x) * np.where(np.abs(x[2]) > 0, factor, 1.0))

        return function

    once, thrice = (landscape(3, function=bump_times(factor)) for factor in (1.0, 3.0))
    np.testing.assert_array_equal(once.values, thrice.values)
    assert once.provenance == thrice.provenance
    kept = Draws(count=32, state=tmp_path / "draws.npz")
    evolve_plane(once, [0.6], kept, checks="none")
    with pytest.raises(StoreError, match="state of other draws"):
        evolve_plane(thrice, [0.6], kept, checks="none")


def test_a_draw_in_many_components_is_asked_for_in_parts() -> None:
    """17 x 17 nodes, 3 levels, 20,000 components: 139 MB of places in a draw, of which 8 are held."""
    import tracemalloc

    sizes = []

    class Many:
        def __call__(self, *x: Array) -> Array:
            sizes.append(np.size(x[0]))
            return np.asarray(x[0] + x[1])

    q = landscape(20_000, function=Many())
    tracemalloc.start()
    evolve_plane(q, [0.5, 0.6, 0.7], Draws(count=16, budget=10**7), checks="none")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # the places, their copy as columns, and one draw of noise
    assert max(sizes[1:]) * 20_000 <= 2**20 and peak < 60e6


def test_a_constant_needs_no_comparison() -> None:
    flow = evolve_plane(landscape(function=lambda *x: 0.0 * x[0] + 3.0), [0.5], Draws(error=0.05))
    assert flow.report["cross-check"].status == "silent" and np.array_equal(flow.values[0], np.full((17, 17), 3.0))


def test_sobol_points_are_taken_where_many_draws_are_wanted() -> None:
    q, sigma = landscape(), [0.5, 1.0]
    few, many = (estimate_cost(q, sigma, Draws(error=error, budget=10**8)) for error in (0.05, 0.004))
    assert few.points == "random" and np.isnan(few.sobol_variance)
    assert many.points == "sobol" and many.sobol_variance < 1.0 and "Sobol' points" in str(many)
    drawn = []
    for points in (None, "random"):
        flow = evolve_plane(q, sigma, Draws(error=0.004, budget=10**8, points=points))
        assert flow.drawn is not None and flow.drawn["reached"] <= 0.004 * 1.05 and flow.report.passed
        drawn.append(flow.drawn["rollouts"])
    # smooth in five components: several times fewer
    assert drawn[0] < 0.5 * drawn[1]
    report = evolve_plane(q, sigma, Draws(error=0.004)).report
    assert all("scrambled Sobol' points" in report[name].message for name in ("sampling error", "slice"))


def test_sobol_points_are_left_where_pairs_are_better() -> None:
    """Odd across the plane but for what is small and rough: a pair has next to no error, and its 256 points have."""

    def rough(*x: Array) -> Array:
        return np.asarray(np.sin(x[0]) + np.sign(x[2] + x[3] + x[4]) + 0.2 * np.sin(40.0 * (x[2] * x[3] + x[4])))

    cost = estimate_cost(landscape(5, function=rough), [1.0], Draws(error=0.0005, budget=10**9))
    assert cost.points == "random" and cost.antithetic and cost.sobol_variance > 1.25


def test_a_count_stays_as_it_is_asked_for() -> None:
    assert estimate_cost(landscape(), [0.5], Draws(count=1000, budget=10**8)).draws == 1000
    points = estimate_cost(landscape(), [0.5], Draws(count=1000, budget=10**8, points="sobol"))
    assert points.draws == 1024 and points.points == "sobol"


def test_pairs_are_taken_where_the_pilot_shows_that_they_help() -> None:
    """Q linear across the plane: a pair has no error at all. Q even across it: a pair is worth one draw."""

    def linear(*x: Array) -> Array:
        return np.asarray(x[0] + 0.0 * x[1] + 2.0 * x[2] + x[3])

    def even(*x: Array) -> Array:
        return np.asarray(x[0] * 0.0 + np.exp(-sum(c**2 for c in x[2:])))

    helped = estimate_cost(landscape(4, function=linear), [0.5])
    assert helped.antithetic and helped.pairs_variance < 1e-3
    useless = estimate_cost(landscape(4, function=even), [0.5])
    assert not useless.antithetic and useless.pairs_variance == pytest.approx(2.0, abs=0.2)
    flow = evolve_plane(landscape(4, function=linear), [0.5], Draws(error=0.05))
    assert flow.drawn is not None and flow.drawn["draws"] == 16
    # clipped at both ends of the box, where x1 is worth less than it says
    inside = np.abs(flow.grid[0].coordinates) < 0.1
    assert np.abs(flow.values[0][inside] - flow.grid[0].coordinates[inside][:, None]).max() < 0.05


def test_the_result_is_stored_drawn_and_refuses_what_it_cannot(tmp_path: Path) -> None:
    flow = evolve_plane(landscape(), [0.0, 0.3, 0.9], Draws(error=0.05))
    assert flow.standard_error is not None
    assert np.array_equal(flow.values[0], flow.landscape.values) and not flow.standard_error[0].any()
    flow.save(tmp_path / "flow.h5")
    back = load(tmp_path / "flow.h5")
    assert back.drawn == flow.drawn and back.values.tobytes() == flow.values.tobytes()
    assert back.standard_error is not None and back.standard_error.tobytes() == flow.standard_error.tobytes()
    assert back.report.as_dict() == flow.report.as_dict()
    assert load(tmp_path / "flow.h5", untrusted=True).drawn == flow.drawn
    # what can be told from the file alone is told again
    assert {check.name for check in verify(back)} == {check.name for check in flow.report} - {"cross-check"}
    assert "noise in all 5 components" in back.report["slice"].message
    data = back.to_xarray()
    assert data.u_standard_error.shape == data.u.shape
    for kind in ("summary", "surface", "multiples", "maxima", "waterfall", "checks"):
        plot.save(back.plot(kind), tmp_path / f"{kind}.png")
    for what in (
        back.again,
        lambda: study(back, [0.3, 0.4]),
        lambda: back.at(0.5),
        lambda: list(back.deviations()),
    ):
        with pytest.raises(UnsupportedError, match="sampled"):
            what()
    with pytest.raises(UnsupportedError, match="compact"):
        back.save(tmp_path / "compact.h5", storage="compact")
    with pytest.raises(UnsupportedError, match="no components beyond"):
        evolve_plane(back.landscape, [0.3])
    # what is evolved from its landscape is an evolution like any other
    assert evolve(back.landscape, [0.5]).drawn is None
    assert isinstance(back.centred(), Evolution) and back.centred().drawn is not None


def test_the_gradient_is_that_of_u() -> None:
    flow = evolve_plane(landscape(3), [1.0], Draws(error=0.01, budget=10**7), beyond="sampled")
    x, y = (axis.coordinates for axis in flow.grid)
    t = 1.0
    exact = (1 + t) ** -1.5 * np.exp(-(np.add.outer(x**2, (y - 0.1) ** 2) + 0.2**2) / 2 / (1 + t))
    slopes = flow.gradient(0)
    # differences of fourth order at h = .25: h^4 |u'''''| / 30 < 1e-3, and the standard error of u over a width
    assert np.abs(slopes[0] + x[:, None] / (1 + t) * exact).max() < 0.02
    offset = evolve_plane(
        landscape(3, function=lambda *x: 1e9 + bump(*x)), [1.0], Draws(error=0.01, budget=10**7), beyond="sampled"
    )
    assert np.abs(offset.gradient(0) - slopes).max() < 1e-4
    assert offset.report.passed


def test_what_does_not_fit_is_told() -> None:
    q = landscape()
    grid = q.grid
    with pytest.raises(UnsupportedError, match="no components beyond"):
        evolve_plane(Landscape.from_function(lambda x, y: x + y, grid), [0.3])
    with pytest.raises(SigmaError, match="one sigma per level"):
        evolve_plane(q, {"x": 0.3, "y": 0.2})
    with pytest.raises(OptionError, match="has the wrong shape"):
        evolve_plane(q, 0.3, covariance=np.eye(3))
    with pytest.raises(OptionError, match="must be positive definite"):
        evolve_plane(q, 0.3, covariance=np.full((5, 5), 1.0) - 0.5 * np.eye(5))
    with pytest.raises(OptionError, match="must be symmetric"):
        evolve_plane(q, 0.3, covariance=np.eye(5) + np.eye(5, k=1))
    with pytest.raises(OptionError, match="variances must be positive"):
        evolve_plane(q, 0.3, covariance=np.zeros(5))
    absorbing = Grid(*(Axis(name, -2.0, 2.0, 9, boundary="absorb") for name in "xy"))
    with pytest.raises(UnsupportedError, match="'absorb' is not supported"):
        evolve_plane(Landscape.from_function(bump, absorbing, dimensions=3), 0.3)
    with pytest.raises(NonFiniteError, match="Q is not finite"):
        evolve_plane(landscape(3, function=lambda x, y, z: np.where(z > 0.5, np.nan, x)), 0.5)
    with pytest.raises(UnsupportedError, match="no Sobol' points"):
        evolve_plane(landscape(21200), 0.5, Draws(points="sobol"))
    with pytest.raises(UnknownNameError, match="kind of points"):
        Draws(points="halton")
    with pytest.raises(OptionError, match="not paired"):
        Draws(points="sobol", antithetic=True)
    for wrong in ({"error": 0.0}, {"error": 0.6}, {"count": 3}, {"budget": 0}, {"seed": -1}):
        with pytest.raises(OptionError):
            Draws(**wrong)
    for slices in ({"dimensions": 1}, {"dimensions": 3, "origin": [0.0]}, {"directions": [[1.0, 2.0], [2.0, 4.0]]}):
        with pytest.raises((GridError, OptionError)):
            landscape(**slices)


def test_a_loss_is_minimised() -> None:
    q = landscape(3, function=lambda *x: -bump(*x), minimise=True)
    flow = evolve_plane(q, [0.3, 0.9], Draws(error=0.05))
    assert {"joint minima", "spatial minima"} <= {check.name for check in flow.report}


def test_components_of_an_environment_and_its_seeds() -> None:
    pytest.importorskip("gymnasium")
    from heatpg import landscapes
    from heatpg.landscapes import Actions, Rollout
    from tests import toy_environments as toys

    q = landscapes.from_gymnasium(
        toys.Target, over=Actions(components=(0, 2)), state=0, size=9, rollout=Rollout(horizon=1, action_type="float64")
    )
    flow = evolve_plane(q, [0.5, 1.0], Draws(error=0.05))
    assert flow.drawn is not None and flow.drawn["components"] == 6 and flow.report.passed
    assert "cross-check" in {check.name for check in flow.report}


def test_the_scatter_of_seeds_is_in_every_error_that_is_told() -> None:
    """Seeds that differ by far more than draws do: no number of draws lessens what they leave open."""
    pytest.importorskip("gymnasium")
    from tests import toy_environments as toys

    q = toys.noisy_targets()
    # it is told before anything but the pilot is spent
    cost = estimate_cost(q, [0.5, 1.0], Draws(error=0.05))
    flow = evolve_plane(q, [0.5, 1.0], Draws(error=0.05))
    assert flow.drawn is not None and flow.standard_error is not None and q.standard_error is not None
    assert cost.seeds_error == pytest.approx(flow.drawn["reached"], rel=0.2)
    assert f"out of reach: the seeds alone leave {cost.seeds_error:.2g}" in str(cost)
    largest = float(flow.standard_error.max()) / flow.drawn["oscillation"]
    # that of Q at the wall, where clipped noise of .05 of the box takes little of it, and more than was asked for
    assert largest > 0.8 * float(q.standard_error.max()) / flow.drawn["oscillation"] > 0.05
    check = flow.report["sampling error"]
    assert check.figure == pytest.approx(largest, rel=1e-12) and check.status == "finding"
    assert "with the scatter of the seeds" in check.message and flow.drawn["reached"] == check.figure
    page = study(evolve_plane(q, np.geomspace(0.5, 2.0, 8), Draws(count=16), checks="none"))
    assert "over the draws and the seeds" in page.sentences["draws"]


@pytest.mark.parametrize("kind", [Moments, Repeats])
def test_the_error_of_several_seeds_is_that_of_their_mean(kind: type[Moments] | type[Repeats]) -> None:
    """Seeds of variance 1, draws of 1/4, and 16 of what is in both: 1/S + 1/(4 N) + 16/(N S), over 4,000 nodes."""
    seeds, count, nodes = 8, 32, 4000
    random = np.random.default_rng(5)
    of_seeds = random.standard_normal((seeds, nodes))
    sums = kind.of(1, seeds, (nodes,))
    for _ in range(count):
        of_draw = 0.5 * random.standard_normal(nodes)
        sums.add((of_seeds + of_draw + 4.0 * random.standard_normal((seeds, nodes)))[None])
    expected = 1 / seeds + 0.25 / count + 16.0 / (count * seeds)
    # each is an estimate of 7 degrees of freedom at least: the mean of 4,000 of them is known to 1 %
    assert np.mean(sums.error**2) == pytest.approx(expected, rel=0.05)
    assert np.mean(sums.draws_error**2) == pytest.approx(0.25 / count + 16.0 / (count * seeds), rel=0.05)
    assert sums.group_deviations.shape == (16, 1, nodes)


@pytest.mark.parametrize("factor", [2.0**-600, 2.0**600, 1e-170, 1e-300, 1e160, 1e300])
def test_draws_follow_a_factor_beyond_the_range_of_squares(factor: float) -> None:
    grid = Grid(Axis("x", -3.0, 3.0, 25, boundary="clip"))

    def drawn(factor: float) -> Evolution:
        def bump(*x: Array) -> Array:
            return np.asarray(factor * np.exp(-sum(c**2 for c in x) / 2))

        q = Landscape.from_function(bump, grid, dimensions=4)
        return evolve_plane(q, [0.5, 1.0], Draws(error=0.05))

    plain, moved = drawn(1.0), drawn(factor)
    assert moved.report.passed and moved.drawn is not None and plain.drawn is not None
    assert moved.drawn["draws"] == plain.drawn["draws"]
    assert plain.standard_error is not None and moved.standard_error is not None
    # a power of two rounds nothing; another factor each value of Q, and the smallest ones below 1e-308 to 5e-324
    tight = 0.0 if factor in (2.0**-600, 2.0**600) else 1e-12
    np.testing.assert_allclose(moved.values / factor, plain.values, rtol=tight, atol=tight)
    np.testing.assert_allclose(moved.standard_error / factor, plain.standard_error, rtol=tight, atol=tight)


def test_more_draws_than_were_asked_for_are_announced(tmp_path: Path) -> None:
    grid = Grid(Axis("x", -3.0, 3.0, 25, boundary="clip"))
    bump = Landscape.from_function(lambda *x: np.exp(-sum(c**2 for c in x) / 2), grid, dimensions=4)
    cost = estimate_cost(bump, [0.5, 1.0], Draws(count=600, points="sobol"))
    assert cost.draws == 1024 and cost.asked == 600
    assert "1,024" in str(cost) and "next power of two to the 600 asked for" in str(cost)
    assert "asked for" not in str(estimate_cost(bump, [0.5, 1.0], Draws(count=600, points="random")))
    assert "asked for" not in str(estimate_cost(bump, [0.5, 1.0], Draws(count=512, points="sobol")))
