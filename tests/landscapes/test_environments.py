"""Landscapes of environments of Gymnasium: against loops by hand, whatever the processes, whatever goes wrong."""

from __future__ import annotations

import dataclasses
import functools
import math
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from heatpg import Axis, Grid, landscapes
from heatpg.core.landscape import Landscape
from heatpg.errors import (
    BoundaryError,
    GridError,
    HeatpgWarning,
    MissingPackageError,
    NonFiniteError,
    OptionError,
    ResourceError,
    RolloutError,
    UnsupportedError,
)
from heatpg.landscapes import Actions, Batched, Parameters, Rollout, State, _snapshot
from heatpg.landscapes._stage import Stage
from heatpg.landscapes.directions import Directions, flatten, principal_directions, unflatten

gymnasium: Any = pytest.importorskip("gymnasium")
from tests import toy_environments as toys  # noqa: E402

from_gymnasium = landscapes.from_gymnasium
Array = NDArray[Any]


def line(size: int = 5, lower: float = -1.0, upper: float = 1.0) -> Grid:
    return Grid(Axis("a", lower, upper, size, boundary="clip"))


# Pendulum-v1


def pendulum_return(
    theta: float, velocity: float, torques: Callable[[float, float, int], float], horizon: int
) -> float:
    """Gymnasium's pendulum written out: semi-implicit Euler, cost before the step, 0.9 per step."""
    total = 0.0
    for step in range(horizon):
        torque = min(max(torques(theta, velocity, step), -2.0), 2.0)
        angle = (theta + math.pi) % (2 * math.pi) - math.pi
        total -= 0.9**step * (angle**2 + 0.1 * velocity**2 + 0.001 * torque**2)
        velocity = min(max(velocity + 0.05 * (15.0 * math.sin(theta) + 3.0 * torque), -8.0), 8.0)
        theta += 0.05 * velocity
    return total


def test_pendulum_over_its_torque_against_its_equations() -> None:
    q = from_gymnasium(
        "Pendulum-v1",
        lambda seen: [-1.5 * float(seen[2])],
        size=9,
        state=[2.5, -0.75],
        rollout=Rollout(horizon=40, gamma=0.9, action_type="float64"),
    )
    axis = q.grid.axes[0]
    assert (axis.name, axis.lower, axis.upper, axis.size, axis.boundary) == ("action_1", -2.0, 2.0, 9, "clip")

    def torques(first: float) -> Callable[[float, float, int], float]:
        # what the policy sees is in single precision
        return lambda theta, velocity, step: first if step == 0 else -1.5 * float(np.float32(velocity))

    expected = [pendulum_return(2.5, -0.75, torques(a), 40) for a in axis.coordinates]
    np.testing.assert_allclose(q.values, expected, rtol=1e-12)
    assert q.standard_error is None
    assert toys.facts(q)["restored"] == "snapshot of attributes"
    assert toys.facts(q)["state"] == [2.5, -0.75]
    assert (toys.facts(q)["environment"], toys.facts(q)["kind"], toys.facts(q)["horizon"]) == (
        "Pendulum-v1",
        "actions",
        40,
    )
    assert "mujoco" not in toys.facts(q)


def test_without_a_policy_the_action_is_held() -> None:
    q = from_gymnasium(
        "Pendulum-v1",
        size=5,
        state=[2.5, -0.75],
        rollout=Rollout(horizon=30, gamma=0.9, action_type="float64"),
        name="held",
    )
    expected = [pendulum_return(2.5, -0.75, lambda *_, a=a: a, 30) for a in q.grid.axes[0].coordinates]
    np.testing.assert_allclose(q.values, expected, rtol=1e-12)
    assert (q.name, toys.facts(q)["policy"]) == ("held", None)


def test_between_the_nodes_and_beyond_the_box() -> None:
    q = from_gymnasium("Pendulum-v1", size=5, state=1, rollout=Rollout(horizon=5))
    np.testing.assert_array_equal(q.sample(q.grid.nodes()), q.values)
    assert q.sample([[0.123]])[0] not in q.values
    # clip: actions beyond the space are its edge
    assert q.sample([[7.0]])[0] == q.values[-1]
    assert q.sample(np.empty((0, 1))).shape == (0,)
    copied = pickle.loads(pickle.dumps(q))
    assert not copied.has_sampler
    np.testing.assert_array_equal(copied.values, q.values)


def test_options_reach_the_environment() -> None:
    light, heavy = (
        from_gymnasium(("Pendulum-v1", {"g": g}), size=3, state=[1.0, 0.0], rollout=Rollout(horizon=3))
        for g in (1.0, 10.0)
    )
    assert (light.values > heavy.values).all()
    assert toys.facts(light)["environment_options"] == {"g": 1.0}


def test_the_default_state_is_a_reset_with_the_first_seed() -> None:
    environment = gymnasium.make("Pendulum-v1")
    q = from_gymnasium("Pendulum-v1", toys_torque, size=3, rollout=Rollout(horizon=20, gamma=0.9, seeds=[7]))
    for a, value in zip(np.linspace(-2, 2, 3), q.values, strict=True):
        first = np.array([a], dtype=np.float32)
        assert value == pytest.approx(
            toys.by_hand(environment, lambda: environment.reset(seed=7)[0], first, toys_torque, 20, 0.9)[0], rel=1e-12
        )


def toys_torque(observation: Array) -> Array:
    return -observation[2:3]


# Chance


def test_the_standard_error_is_that_of_the_mean() -> None:
    q = from_gymnasium(
        toys.walk, toys.back, size=3, state=[0.3], rollout=Rollout(horizon=5, gamma=0.9, seeds=[3, 8, 5, 1])
    )
    environment = toys.walk()
    returns = np.empty((3, 4))
    for i, a in enumerate((-1.0, 0.0, 1.0)):
        for j, seed in enumerate((3, 8, 5, 1)):
            environment.reset(seed=0)
            environment.unwrapped.state = np.array([0.3])
            environment.unwrapped.np_random = gymnasium.utils.seeding.np_random(seed)[0]
            policy = lambda seen: np.clip(-seen, -1, 1)  # noqa: E731
            returns[i, j] = toys.by_hand(environment, lambda: None, np.array([a]), policy, 5, 0.9)[0]
    np.testing.assert_allclose(q.values, returns.mean(axis=1), rtol=1e-12)
    assert q.standard_error is not None
    np.testing.assert_allclose(q.standard_error, returns.std(axis=1, ddof=1) / 2.0, rtol=1e-10)
    assert toys.facts(q)["seeds"] == [3, 8, 5, 1]
    assert q.returns is not None
    np.testing.assert_allclose(q.returns, returns.T, rtol=1e-12)


def test_returns_need_not_be_kept() -> None:
    kept, dropped = (
        from_gymnasium(toys.walk, size=5, state=[0.0], rollout=Rollout(horizon=5, seeds=3, keep_returns=keep))
        for keep in (True, False)
    )
    assert kept.returns is not None and kept.returns.shape == (3, 5) and dropped.returns is None
    assert kept.values.tobytes() == dropped.values.tobytes() and dropped.standard_error is not None
    assert np.array_equal(kept.standard_error, dropped.standard_error)  # type: ignore[arg-type]
    # the provenance is what identifies a task, and the rollouts are the same
    assert kept.provenance == dropped.provenance


def test_returns_that_do_not_fit_are_refused_before_the_first_rollout(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(needed: float, what: str, advice: str) -> None:
        raise ResourceError(f"{what} need {needed:.0f} bytes", advice=advice)

    monkeypatch.setattr("heatpg.landscapes.sampling.require_memory", refuse)
    with pytest.raises(ResourceError, match=r"(?s)the returns of 15 rollouts need 420 bytes.*keep_returns=False"):
        from_gymnasium(toys.walk, size=5, state=[0.0], rollout=Rollout(horizon=5, seeds=3))
    with pytest.raises(ResourceError, match=r"(?s)15 rollouts need 300 bytes.*use a coarser grid or fewer seeds$"):
        from_gymnasium(toys.walk, size=5, state=[0.0], rollout=Rollout(horizon=5, seeds=3, keep_returns=False))


def test_all_points_share_their_chance() -> None:
    """With additive noise the noise of neighbours cancels: differences are known better than values."""
    q = from_gymnasium(toys.walk, size=21, state=[0.0], rollout=Rollout(horizon=5, seeds=2))
    assert q.standard_error is not None
    assert np.abs(np.diff(q.values, 3)).max() < 1e-6 < 1e-3 < q.standard_error.max()


def test_a_policy_may_draw_from_the_generator_of_its_rollout() -> None:
    call = functools.partial(
        from_gymnasium, toys.Walk, toys.noisy, size=3, state=[0.3], rollout=Rollout(horizon=5, seeds=3)
    )
    one, two = call(), call()
    assert one.values.tobytes() == two.values.tobytes()
    assert one.standard_error is not None and (one.standard_error > 0).all()


def test_what_does_not_repeat_is_said() -> None:
    with pytest.warns(HeatpgWarning, match="returns are not reproducible"):
        from_gymnasium(toys.Walk, toys.unseeded, size=3, state=[0.3], rollout=Rollout(horizon=5))


def test_environments_without_seeding() -> None:
    with pytest.raises(UnsupportedError, match=r"(?s)cannot be restored exactly.*differs by") as caught:
        from_gymnasium(toys.Random, size=3, state=1, rollout=Rollout(horizon=5))
    assert "self.np_random" in str(caught.value)
    over = functools.partial(
        from_gymnasium,
        policy=toys.proportional,
        over=Parameters([0.0, 0.0], directions=[[1.0, 0.0]], boundary="clip"),
        size=3,
    )
    with pytest.warns(HeatpgWarning) as told:
        over(toys.Random, rollout=Rollout(horizon=5))
    words = [str(warning.message) for warning in told]
    assert any("does not follow its seed" in text and "differs by" in text for text in words)
    assert any("returns are not reproducible" in text for text in words)
    with pytest.warns(HeatpgWarning, match="another run will have another state"):
        q = from_gymnasium(toys.Headstrong, size=3, rollout=Rollout(horizon=5))
    assert toys.facts(q)["restored"] == "snapshot of attributes"
    with (
        pytest.raises(UnsupportedError, match="another return in a worker process") as there,
        pytest.warns(HeatpgWarning, match="another run"),
    ):
        from_gymnasium(toys.Headstrong, size=3, rollout=Rollout(horizon=5), workers=1)
    assert any("in a worker process" in note for note in there.value.__notes__)
    assert (over(toys.Seedless, rollout=Rollout(horizon=2)).values < 0).all()


def test_generators_that_seeds_do_not_reach() -> None:
    with pytest.warns(HeatpgWarning, match="seeds do not reach: generator"):
        q = from_gymnasium(toys.OwnGenerator, size=3, state=[0.0], rollout=Rollout(horizon=5, seeds=2))
    assert q.standard_error is not None and not q.standard_error.any()


# Ends, and what is not a number


def test_after_an_end_nothing_is_earned() -> None:
    q = from_gymnasium(lambda: toys.Walk(end=0.25), size=3, state=[0.2], rollout=Rollout(horizon=10, gamma=1.0))
    # held actions -1 and 0 never end; 1 ends at once, at 0.3
    assert q.values[2] == pytest.approx(-(0.3**2) - 0.01, rel=1e-12)
    assert q.values[1] == pytest.approx(-10 * 0.2**2, rel=1e-12)
    assert toys.facts(q)["ended_early"] == pytest.approx(1 / 3)
    # an end at the last step is none
    last = from_gymnasium(lambda: toys.Walk(end=0.25), size=3, state=[0.2], rollout=Rollout(horizon=1))
    assert toys.facts(last)["ended_early"] == 0.0


def test_rewards_that_are_not_finite() -> None:
    call = functools.partial(from_gymnasium, toys.Missing, size=3, state=[0.85])
    with pytest.raises(NonFiniteError, match=r"nan at point \(1\), seed 0, step 1") as caught:
        call(rollout=Rollout(horizon=4, gamma=0.5))
    assert caught.value.__notes__ == ["heatpg was at point (1), seed 0, step 1"]
    q = call(rollout=Rollout(horizon=4, gamma=0.5, nan=-100.0))
    assert q.values[2] == pytest.approx(-(0.95**2) - 0.01 - 0.5 * 100.0, rel=1e-12)
    assert (toys.facts(q)["not_finite"], toys.facts(q)["nan"]) == (pytest.approx(1 / 3), -100.0)
    assert toys.facts(q)["ended_early"] == pytest.approx(1 / 3)


def test_an_error_of_the_environment_in_its_trial_is_told_with_its_place() -> None:
    over = Parameters([0.0], directions=[[1.0]], boundary="clip")
    words = (
        r"environment raised KeyError: 'joint'\W+got: before the first point, seed 0, step 0 of a trial with actions"
    )
    with pytest.raises(RolloutError, match=words) as caught:
        from_gymnasium(toys.Broken, policy=lambda t, o: t, over=over, size=3)
    assert isinstance(caught.value.__cause__, KeyError)
    with pytest.raises(RolloutError, match=r"(?s)raised ValueError: state.* in the function that sets the state"):
        from_gymnasium(toys.Walk, size=3, state=toys.raising_state, rollout=Rollout(horizon=2))


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize("batched", [False, True])
def test_an_error_in_a_rollout_is_told_with_its_place(workers: int, batched: bool) -> None:
    """Held at 0.5 or less the walk stays below 0.45; at 1 it steps on 0.5 in step 2, from 0.25, in both seeds."""
    call = functools.partial(from_gymnasium, size=5, workers=workers, rollout=Rollout(horizon=4, seeds=[3, 5]))
    policy: Any = Batched(toys.onward) if batched else toys.onward
    with pytest.raises(RolloutError) as caught:
        call(toys.Fragile, policy, state=[0.25])
    assert caught.value.problem == "the environment raised FloatingPointError: too far"
    assert caught.value.given == "at point (1), seed 3, step 2"
    assert isinstance(caught.value, RuntimeError) and isinstance(caught.value.__cause__, FloatingPointError)
    assert any("in a worker process" in note for note in getattr(caught.value, "__notes__", [])) == (workers > 0)
    with pytest.raises(RolloutError, match=r"the policy raised ZeroDivisionError: policy\W+got: at point") as other:
        call(toys.Walk, Batched(failing) if batched else failing, state=[0.2])
    assert other.value.given == "at point (-1), seed 3, step 1"
    assert isinstance(other.value.__cause__, ZeroDivisionError)


def failing(observation: Array) -> Array:
    raise ZeroDivisionError("policy")


@pytest.mark.parametrize("batched", [False, True])
def test_how_a_policy_is_called_is_said_where_its_arguments_are_others(batched: bool) -> None:
    call = functools.partial(from_gymnasium, toys.Walk, size=3, rollout=Rollout(horizon=3))
    seen = "observations" if batched else "observation"

    def given(policy: Callable[..., Any]) -> Any:
        return Batched(policy) if batched else policy

    with pytest.raises(RolloutError, match="missing 1 required") as caught:
        call(given(lambda parameters, observation: observation), state=1)
    assert caught.value.advice == f"without directions heatpg calls the policy as policy({seen})"
    over = Parameters([0.0], directions=[[1.0]], boundary="clip")
    with pytest.raises(RolloutError, match="2 were given") as caught:
        call(given(lambda observation: observation), over=over)
    assert caught.value.advice == f"with directions heatpg calls the policy as policy(parameters, {seen})"

    def own(observation: Any) -> Any:
        raise TypeError("of its own")

    with pytest.raises(RolloutError, match="of its own") as caught:
        call(given(own), state=1)
    assert not caught.value.advice


def test_actions_that_are_not_finite_or_do_not_fit() -> None:
    call = functools.partial(from_gymnasium, toys.Walk, size=3, state=[0.2], rollout=Rollout(horizon=3))
    with pytest.raises(NonFiniteError, match="action is not finite"):
        call(lambda seen: [np.nan])
    with pytest.raises(OptionError, match=r"wrong shape\W+got: shape \(2,\)\W+expected: shape \(1,\)"):
        call(lambda seen: [0.0, 0.0])
    with pytest.raises(OptionError, match=r"model\.predict"):
        call(lambda seen: (np.zeros(1), None))
    with pytest.raises(OptionError, match="reward must be one number"):
        from_gymnasium(toys.TwoElements, toys.back, size=3, state=[0.2], rollout=Rollout(horizon=3))
    with pytest.raises(OptionError, match="step does not follow"):
        Stage(toys.plan_of(toys.Old, kind="parameters", state=None, rollout=Rollout(horizon=2)))
    one, plain = (
        from_gymnasium(make, toys.back, size=3, state=[0.2], rollout=Rollout(horizon=3))
        for make in (toys.OneElement, toys.Walk)
    )
    np.testing.assert_array_equal(one.values, plain.values)


class Tensor:
    """A number with a gradient, which refuses to become one of NumPy, or to be copied, as in torch."""

    def __init__(self, number: float) -> None:
        self.number = number

    def detach(self) -> np.ndarray:
        return np.array(self.number)

    def __float__(self) -> float:
        raise RuntimeError("Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() instead.")

    def __array__(self, *_: Any, **__: Any) -> np.ndarray:
        raise RuntimeError("Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() instead.")

    def __deepcopy__(self, _: Any) -> Tensor:
        raise RuntimeError("Only Tensors created explicitly by the user support the deepcopy protocol at the moment")


class Differentiable(toys.Walk):
    def reward(self, action: Any) -> Any:
        return Tensor(super().reward(action))


class Masked(toys.Walk):
    def reward(self, action: Any) -> Any:
        return np.ma.masked_array(super().reward(action), mask=True)


def test_rewards_are_taken_without_their_gradient_and_masked_ones_are_refused() -> None:
    rollout = Rollout(horizon=3)
    for start in ([0.2], None):
        of_tensors, plain = (
            from_gymnasium(make, toys.back, size=3, rollout=rollout, state=start)
            for make in (Differentiable, toys.Walk)
        )
        np.testing.assert_array_equal(of_tensors.values, plain.values)
    with pytest.raises(OptionError, match="the reward is masked"):
        from_gymnasium(Masked, toys.back, size=3, state=[0.2], rollout=rollout)


@pytest.mark.parametrize("made", ["Pendulum-v1", toys.Walk])
def test_keywords_that_an_environment_does_not_take_are_named(made: Any) -> None:
    with pytest.raises(OptionError, match=r"takes no keyword 'gg'\W+got: gg=1\.0\W+(try: )?omit gg"):
        from_gymnasium((made, {"gg": 1.0}), size=3, rollout=Rollout(horizon=3))


def test_the_environment_gets_what_its_space_holds_and_may_spoil_it() -> None:
    picky, plain = (
        from_gymnasium(make, size=4, state=[0.2], rollout=Rollout(horizon=3)) for make in (toys.Picky, toys.Walk)
    )
    np.testing.assert_array_equal(picky.values, plain.values)
    policy = lambda seen: np.array([3.0], dtype=np.float32)  # noqa: E731
    clipped = from_gymnasium(toys.Picky, policy, size=3, state=[0.2], rollout=Rollout(horizon=3))
    for other in (
        [1],
        np.array([7]),
        np.array([1.5], dtype=np.float16),
    ):  # whole or half, they become what the space is
        same = from_gymnasium(
            toys.Picky, lambda seen, other=other: other, size=3, state=[0.2], rollout=Rollout(horizon=3)
        )
        np.testing.assert_array_equal(same.values, clipped.values)
    with pytest.raises(RolloutError, match="AssertionError"):
        from_gymnasium(toys.Picky, policy, size=3, state=[0.2], rollout=Rollout(horizon=3, action_type="float64"))
    free = from_gymnasium(toys.Walk, policy, size=3, state=[0.2], rollout=Rollout(horizon=3, clip=False))
    assert (clipped.values > free.values).all()


def test_time_limits() -> None:
    limited = lambda: gymnasium.wrappers.TimeLimit(toys.Walk(), 10)  # noqa: E731
    from_gymnasium(limited, size=3, state=State(1, after=np.zeros((4, 1))), rollout=Rollout(horizon=6))
    with pytest.raises(OptionError, match=r"1 to 6 steps\W+try: choose a shorter horizon"):
        from_gymnasium(limited, size=3, state=State(1, after=np.zeros((4, 1))), rollout=Rollout(horizon=7))
    over = functools.partial(
        from_gymnasium, policy=toys.proportional, over=Parameters([0.0, 0.0], directions=[[0.0, 1.0]], boundary="clip")
    )
    with pytest.raises(OptionError, match="1 to 10 steps"):
        over(limited, rollout=Rollout(horizon=11))
    assert over(limited, rollout=Rollout(horizon=10), size=3).grid.size == 3
    with pytest.raises(OptionError, match=r"truncated at point \(1\), seed 0, step"):
        over(toys.Restless, rollout=Rollout(horizon=30), size=3, state=[0.0])
    # an id is made without its limit
    assert from_gymnasium("Pendulum-v1", size=3, state=1, rollout=Rollout(horizon=250)).grid.size == 3


# Policies


def test_a_discrete_space_has_directions_but_no_axes() -> None:
    with pytest.raises(UnsupportedError, match=r"(?s)cannot be the axes.*directions"):
        from_gymnasium(toys.Choice, state=1)
    call = functools.partial(
        from_gymnasium,
        toys.Choice,
        over=Parameters([0.0], directions=[[1.0]], boundary="clip"),
        size=3,
        rollout=Rollout(horizon=3),
    )
    q = call(lambda theta, seen: int(seen[0] < theta[0]))
    assert len(set(q.values)) > 1
    with pytest.raises(OptionError, match="not in the action space"):
        call(lambda theta, seen: 2)
    with pytest.raises(OptionError, match="not in the action space"):
        call(lambda theta, seen: 0.5)


def test_a_discrete_space_is_seen_before_any_step(monkeypatch: pytest.MonkeyPatch) -> None:
    def step(self: Any, action: Any) -> Any:
        raise AssertionError("a step was taken")

    monkeypatch.setattr(toys.Choice, "step", step)
    with pytest.raises(UnsupportedError, match="cannot be the axes"):
        from_gymnasium(toys.Choice, size=3, state=1, rollout=Rollout(horizon=3))


def test_many_at_once_is_one_at_a_time() -> None:
    over = functools.partial(
        from_gymnasium,
        toys.ending,
        over=Parameters([-1.0, 0.1], directions=[[1.0, 0.0], [0.0, 1.0]], extent=2.0, boundary="clip"),
        size=9,
        rollout=Rollout(horizon=25, seeds=3),
    )
    one, many = over(toys.proportional), over(Batched(toys.proportional))
    apart = over(Batched(toys.proportional), workers=2)
    assert one.values.tobytes() == many.values.tobytes() == apart.values.tobytes()
    assert 0 < toys.facts(one)["ended_early"] < 1
    assert toys.facts(one)["ended_early"] == toys.facts(many)["ended_early"]
    q = functools.partial(from_gymnasium, toys.ending, size=70, state=2, rollout=Rollout(horizon=9, seeds=2))
    assert q(toys.back).values.tobytes() == q(Batched(toys.back)).values.tobytes()
    counts = set()

    def counting(seen: Array) -> Array:
        counts.add(len(seen))
        return -seen

    # the batches are the same whatever the workers, as matrix products of another size round otherwise
    from_gymnasium(toys.walk, Batched(counting), size=70, state=2, rollout=Rollout(horizon=3))
    assert counts == {1, 64, 6}
    missing = functools.partial(from_gymnasium, toys.Missing, size=5, state=[0.95])
    replaced = Rollout(horizon=4, nan=-1.0)
    one, many = (missing(policy, rollout=replaced) for policy in (toys.back, Batched(toys.back)))
    assert one.values.tobytes() == many.values.tobytes()
    with pytest.raises(NonFiniteError, match=r"nan at point \(1\), seed 0, step 0"):
        missing(Batched(toys.back), rollout=Rollout(horizon=4))
    with pytest.raises(UnsupportedError, match="two environments reach different states"):
        from_gymnasium(toys.Headstrong, Batched(toys.back), size=3, rollout=Rollout(horizon=3))
    with pytest.raises(OptionError, match=r"one action per observation\W+got: shape \(1, 3\)"):
        from_gymnasium(
            toys.Walk, Batched(lambda seen: seen[:, 0][None]), size=3, state=[0.1], rollout=Rollout(horizon=3)
        )


class Network:
    """A policy that holds its parameters."""

    def __init__(self) -> None:
        self.vector = np.array([-0.5, 0.1])
        self.resets = 0

    def flat_parameters(self) -> Array:
        return self.vector

    def set_flat_parameters(self, vector: Array) -> None:
        self.vector = vector

    def reset(self) -> None:
        self.resets += 1

    def __call__(self, observation: Array) -> Array:
        return toys.proportional(self.vector, observation)


def test_a_policy_that_holds_its_parameters() -> None:
    network = Network()
    call = functools.partial(
        from_gymnasium,
        toys.walk,
        size=5,
        rollout=Rollout(horizon=6),
    )
    q = call(network, over=Parameters(directions=[[1.0, 0.0]], boundary="clip"))
    expected = call(toys.proportional, over=Parameters([-0.5, 0.1], directions=[[1.0, 0.0]], boundary="clip"))
    np.testing.assert_array_equal(q.values, expected.values)
    np.testing.assert_array_equal(network.vector, [-0.5, 0.1])
    assert network.resets == 5 + 2
    q.sample([[0.3]])
    np.testing.assert_array_equal(network.vector, [-0.5, 0.1])


def test_a_network_of_torch() -> None:
    torch: Any = pytest.importorskip("torch")
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Linear(3, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1))
    theta, shapes = flatten(dict(network.named_parameters()))

    def policy(parameters: Array, observation: Array) -> Any:
        arrays = unflatten(parameters, shapes)
        assert isinstance(arrays, dict)
        named = {key: torch.as_tensor(value).float() for key, value in arrays.items()}
        return 2.0 * torch.func.functional_call(network, named, torch.as_tensor(observation))

    path = principal_directions([theta + 1.0, theta + np.arange(theta.size) / 10, theta])
    q = from_gymnasium(
        "Pendulum-v1",
        policy,
        over=Parameters(theta, directions=path, boundary="clip"),
        size=3,
        rollout=Rollout(horizon=10, gamma=0.9),
    )
    environment = gymnasium.make("Pendulum-v1")
    with torch.no_grad():
        expected, _ = toys.by_hand(
            environment,
            lambda: environment.reset(seed=0)[0],
            None,
            lambda seen: np.clip(2.0 * network(torch.as_tensor(seen)).numpy(), -2.0, 2.0),
            10,
            0.9,
        )
    assert q.values[1, 1] == pytest.approx(expected, rel=1e-9)
    told = toys.facts(q)["directions"]
    assert told["kind"] == "principal"
    assert np.shape(told["coordinates"]) == (3, 2)
    assert sum(told["explained"]) == pytest.approx(1.0)


# What is refused


class Stateless(gymnasium.Env):  # type: ignore[misc]
    """Keeps its place under another name."""

    action_space = gymnasium.spaces.Box(-1.0, 1.0, (1,))
    observation_space = gymnasium.spaces.Box(-1.0, 1.0, (1,))

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Array, dict[str, Any]]:
        super().reset(seed=seed)
        return np.zeros(1, dtype=np.float32), {}


OVER: dict[str, Any] = {"policy": toys.proportional, "directions": [[1.0, 0.0]], "origin": [0.0, 0.0]}
ROLLOUT = {field.name for field in dataclasses.fields(Rollout)}
PARAMETERS = {field.name for field in dataclasses.fields(Parameters)}
ACTIONS = {field.name for field in dataclasses.fields(Actions)}


def grouped(options: dict[str, Any]) -> dict[str, Any]:
    """Keywords of `from_gymnasium`, those of its values put together."""
    given = {"environment": toys.Walk, "horizon": 3, "size": 3, **options}
    rollout = {name: given.pop(name) for name in ROLLOUT & given.keys()}
    if "directions" in given:
        given["over"] = Parameters(**{name: given.pop(name) for name in PARAMETERS & given.keys()})
    elif ACTIONS & given.keys():
        given["over"] = Actions(**{name: given.pop(name) for name in ACTIONS & given.keys()})
    if "after" in given:
        given["state"] = State(given.get("state"), after=given.pop("after"))
    return {"rollout": Rollout(**rollout), **given}


@pytest.mark.parametrize(
    ("options", "kind", "words"),
    [
        ({"horizon": 0}, OptionError, "horizon"),
        ({"horizon": 2.5}, OptionError, "whole number"),
        ({"gamma": 1.5}, OptionError, "gamma"),
        ({"gamma": np.nan}, OptionError, "gamma"),
        ({"seeds": 0}, OptionError, "seeds"),
        ({"seeds": []}, OptionError, "seeds"),
        ({"seeds": [1, 1]}, OptionError, "different"),
        ({"seeds": [-1]}, OptionError, "seeds"),
        ({"seeds": [0.5]}, OptionError, "whole"),
        ({"seeds": "many"}, OptionError, "whole"),
        ({"nan": "ignore"}, OptionError, "'raise'"),
        ({"nan": np.inf}, OptionError, "nan"),
        ({"workers": -1}, OptionError, "workers"),
        ({"action_type": "int8"}, OptionError, "'float32' or 'float64'"),
        ({"policy": 3}, OptionError, "must be callable"),
        ({"state": "home"}, OptionError, "'current'"),
        ({"state": "current"}, OptionError, "needs an existing environment"),
        ({"state": -1}, OptionError, ">= 0"),
        ({"state": [np.nan]}, NonFiniteError, "state"),
        ({"state": [0.0, 0.0]}, OptionError, "another shape than the attribute 'state'"),
        ({"environment": Stateless, "state": [0.0]}, UnsupportedError, "Stateless has no attribute 'state'"),
        ({"after": [[0.0, 0.0]]}, OptionError, "wrong shape for the action space"),
        ({"after": [[np.nan]]}, NonFiniteError, "after"),
        ({"after": 5.0}, GridError, "(steps, ...)"),
        ({"after": [[0.0], [0.0, 1.0]]}, OptionError, "after must be real numbers"),
        (
            {**OVER, "boundary": "clip", "directions": [[1.0], [0.0, 1.0]]},
            OptionError,
            "directions must be real numbers",
        ),
        ({"components": (1,)}, OptionError, "0 to 0"),
        ({"components": ()}, OptionError, "components"),
        ({"components": (0, 0)}, OptionError, "different"),
        ({"held": [0.0, 0.0]}, GridError, "2 numbers"),
        ({"held": [np.inf]}, NonFiniteError, "action"),
        ({"held": "up"}, OptionError, "numbers"),
        ({"grid": Grid(*(Axis(n, 0, 1, 3, boundary="clip") for n in "ab"))}, GridError, "one axis per component"),
        ({"grid": 5}, GridError, "heatpg.Grid"),
        ({"size": 2}, GridError, "at least 3"),
        ({"over": [1.0]}, OptionError, "Parameters(origin, directions=...)"),
        ({"rollout": 5}, OptionError, "Rollout(horizon=200, ...)"),
        ({"policy": Batched(None)}, OptionError, "a policy is required"),  # type: ignore[arg-type]
        ({"policy": Batched(toys.noisy)}, OptionError, "draws"),
        ({"policy": Batched(Network())}, OptionError, "with a state"),
        ({"environment": 5}, OptionError, "environment must be an id"),
        ({"environment": ("Pendulum-v1",)}, OptionError, "and its keywords"),
        ({"environment": "Nowhere-v9"}, OptionError, "cannot be made"),
        ({"environment": dict}, OptionError, "make a Gymnasium environment"),
        ({"environment": toys.Walk(), "workers": 2}, OptionError, "several times"),
        ({"environment": functools.partial(toys.Walk, size=4)}, OptionError, "components=(0, 2)"),
        ({"environment": functools.partial(toys.Walk, bound=np.inf)}, GridError, "has no bounds"),
        (
            {"environment": functools.partial(toys.Walk, end=-9.0), "after": [[0.0]]},
            OptionError,
            "before the state is reached",
        ),
        (OVER, BoundaryError, "boundary='clip'"),
        ({**OVER, "policy": None}, OptionError, "policy(parameters, observation)"),
        ({**OVER, "boundary": "clip", "origin": None}, OptionError, "flat_parameters()"),
        ({**OVER, "boundary": "clip", "origin": [1.0]}, GridError, "differ in size"),
        ({**OVER, "boundary": "clip", "origin": [np.nan, 0.0]}, NonFiniteError, "parameters"),
        ({**OVER, "boundary": "clip", "extent": (1.0, 2.0)}, GridError, "extent"),
        ({**OVER, "boundary": "clip", "extent": -1.0}, GridError, "lower must be below upper"),
        ({**OVER, "boundary": "clip", "directions": np.ones((4, 2))}, OptionError, "1 to 3"),
        (
            {**OVER, "boundary": "clip", "directions": np.eye(5)[:, :2], "origin": np.zeros(5)},
            GridError,
            "transposed",
        ),
        ({"over": Actions}, OptionError, "Actions(components)"),
        ({**OVER, "boundary": "clip", "after": [[0.0]]}, OptionError, "needs a starting state"),
    ],
)
def test_what_does_not_fit_is_refused(options: dict[str, Any], kind: type[Exception], words: str) -> None:
    with pytest.raises(kind) as caught:
        from_gymnasium(**grouped(options))
    assert words in str(caught.value)


def test_without_gymnasium_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "gymnasium", None)
    with pytest.raises(MissingPackageError, match=r"pip install 'gymnasium>=\S+ 'mujoco>="):
        _snapshot.load_gymnasium()


def test_the_standard_error_of_a_landscape() -> None:
    grid = line(3)
    q = Landscape([1, 2, 3], grid, standard_error=[0, 1, 2])
    assert q.standard_error is not None and q.standard_error.dtype == np.float64
    copied = pickle.loads(pickle.dumps(q))
    np.testing.assert_array_equal(copied.standard_error, [0, 1, 2])
    assert Landscape([1, 2, 3], grid).standard_error is None
    with pytest.raises(GridError, match="another shape than the values"):
        Landscape([1, 2, 3], grid, standard_error=[0, 1])
    with pytest.raises(NonFiniteError, match="1 places"):
        Landscape([1, 2, 3], grid, standard_error=[0, 1, np.nan])
    with pytest.raises(OptionError, match="not be negative"):
        Landscape([1, 2, 3], grid, standard_error=[0, 1, -1])


def test_directions_of_an_array_are_told() -> None:
    q = from_gymnasium(
        toys.Walk,
        toys.proportional,
        over=Parameters([0.0, 0.0], directions=Directions(np.array([[0.0, 2.0]]), "mine"), boundary="zero"),
        size=3,
        rollout=Rollout(horizon=2),
    )
    assert (toys.facts(q)["directions"]["kind"], toys.facts(q)["directions"]["lengths"]) == ("mine", [2.0])
    assert len(toys.facts(q)["parameters_digest"]) == 64
