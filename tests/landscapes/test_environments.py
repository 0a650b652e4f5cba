"""Landscapes of environments of Gymnasium: against loops by hand, whatever the processes, whatever goes wrong."""

from __future__ import annotations

import dataclasses
import functools
import math
import pickle
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
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
    UnsupportedError,
)
from heatpg.landscapes import Actions, Batched, Parameters, Rollout, State, _snapshot
from heatpg.landscapes._stage import Plan, Stage
from heatpg.landscapes.directions import Directions, flatten, principal_directions, random_directions, unflatten

gymnasium: Any = pytest.importorskip("gymnasium")
from tests import toy_environments as toys  # noqa: E402

from_gymnasium = landscapes.from_gymnasium
Array = NDArray[Any]


def line(size: int = 5, lower: float = -1.0, upper: float = 1.0) -> Grid:
    return Grid(Axis("a", lower, upper, size, boundary="clip"))


def facts(landscape: Landscape) -> dict[str, Any]:
    found = landscape.provenance["parameters"]
    assert isinstance(found, dict)
    return found


def by_hand(
    environment: Any, begin: Callable[[], Any], first: Any, policy: Any, horizon: int, gamma: float
) -> tuple[float, int]:
    """Return and steps of one rollout, as anybody would write it."""
    observation = begin()
    total = 0.0
    for step in range(horizon):
        action = first if step == 0 and first is not None else policy(observation)
        observation, reward, terminated, _, _ = environment.step(action)
        total += gamma**step * float(reward)
        if terminated:
            return total, step + 1
    return total, horizon


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
    assert facts(q)["restored"] == "snapshot of attributes"
    assert facts(q)["state"] == [2.5, -0.75]
    assert (facts(q)["environment"], facts(q)["kind"], facts(q)["horizon"]) == ("Pendulum-v1", "actions", 40)
    assert "mujoco" not in facts(q)


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
    assert (q.name, facts(q)["policy"]) == ("held", None)


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
    assert facts(light)["environment_options"] == {"g": 1.0}


def test_the_default_state_is_a_reset_with_the_first_seed() -> None:
    environment = gymnasium.make("Pendulum-v1")
    q = from_gymnasium("Pendulum-v1", toys_torque, size=3, rollout=Rollout(horizon=20, gamma=0.9, seeds=[7]))
    for a, value in zip(np.linspace(-2, 2, 3), q.values, strict=True):
        first = np.array([a], dtype=np.float32)
        assert value == pytest.approx(
            by_hand(environment, lambda: environment.reset(seed=7)[0], first, toys_torque, 20, 0.9)[0], rel=1e-12
        )


def toys_torque(observation: Array) -> Array:
    return -observation[2:3]


# Hopper-v5


@pytest.fixture(scope="module")
def hopper() -> str:
    pytest.importorskip("mujoco")
    pytest.importorskip("imageio")
    return "Hopper-v5"


def test_hopper_in_flight_over_two_of_three_torques(hopper: str) -> None:
    after = np.random.default_rng(3).uniform(-1, 1, (9, 3))
    q = from_gymnasium(
        hopper,
        toys_hop,
        over=Actions((0, 2), held=[0.0, 0.3, 0.0]),
        size=3,
        state=State(11, after=after),
        rollout=Rollout(horizon=12, gamma=0.9),
    )
    assert q.grid.shape == (3, 3)
    assert [axis.name for axis in q.grid.axes] == ["action_1", "action_3"]
    environment = gymnasium.make(hopper)

    def begin() -> Any:
        observation, _ = environment.reset(seed=11)
        for action in after:
            observation, *_ = environment.step(action.astype(np.float32))
        return observation

    for index in np.ndindex(3, 3):
        first = np.array([index[0] - 1, 0.3, index[1] - 1], dtype=np.float32)
        expected, _ = by_hand(environment, begin, first, toys_hop, 12, 0.9)
        assert q.values[index] == pytest.approx(expected, rel=1e-13)
    assert facts(q)["restored"] == "snapshot of attributes and mjData"
    assert facts(q)["mujoco"]
    assert facts(q)["components"] == [0, 2]
    environment.close()


def toys_hop(observation: Array) -> Array:
    return np.asarray(np.tanh(observation[:3] - observation[5:8]))


def plan_of(environment: Any, **options: Any) -> Plan:
    given: dict[str, Any] = {
        "options": {},
        "policy": None,
        "batched": False,
        "kind": "actions",
        "origin": None,
        "vectors": None,
        "action": np.zeros(3),
        "components": (0,),
        "state": 5,
        "prefix": np.empty((0, 0)),
        "rollout": Rollout(horizon=40, gamma=1.0),
    }
    return Plan(environment, **{**given, **options})


@pytest.mark.parametrize("name", ["Hopper-v5", "InvertedDoublePendulum-v5", "Humanoid-v5"])
def test_mujoco_goes_on_from_a_state_to_the_last_bit(name: str, hopper: str) -> None:
    """Humanoid sees and earns by quantities that lag behind its positions, so positions and velocities do not do."""
    space = gymnasium.make(name).action_space
    rng = np.random.default_rng(0)
    actions = 0.1 * rng.uniform(space.low, space.high, (14, *space.shape)).astype(np.float32)
    stage = Stage(plan_of(name, prefix=actions[:6].astype(float), rollout=Rollout(horizon=8)))
    assert stage.restored == "snapshot of attributes and mjData"

    def run(environment: Any, todo: Array) -> list[Any]:
        return [environment.step(action)[:3] for action in todo]

    environment = gymnasium.make(name)
    environment.reset(seed=5)
    truth = run(environment, actions)[6:]
    for _ in range(3):
        stage.begin(0)
        found = run(stage.environment, actions[6:])
        for (observation, reward, ended), (expected, expected_reward, expected_end) in zip(found, truth, strict=True):
            assert observation.tobytes() == expected.tobytes()
            assert reward == expected_reward
            assert ended == expected_end


def test_hopper_from_positions_and_velocities(hopper: str) -> None:
    state = np.array([0.0, 1.3, 0.1, -0.2, -0.1, 0.3, 0.5, 0.0, 0.1, 0.0, 0.0, -0.4])
    q = from_gymnasium(hopper, over=Actions([1]), size=3, state=state, rollout=Rollout(horizon=2))
    environment = gymnasium.make(hopper)
    environment.reset(seed=0)

    def begin() -> None:
        environment.unwrapped.set_state(state[:6], state[6:])
        environment.unwrapped.data.qacc_warmstart[:] = 0.0

    held = np.array([0.0, -1.0, 0.0], dtype=np.float32)
    assert q.values[0] == pytest.approx(by_hand(environment, begin, held, lambda _: held, 2, 0.99)[0], rel=1e-9)
    with pytest.raises(OptionError, match="6 positions and 6 velocities"):
        from_gymnasium(hopper, over=Actions([0]), state=state[:4])


def test_hopper_over_parameters_whatever_the_workers(hopper: str) -> None:
    theta = np.random.default_rng(1).normal(size=33) / 10
    call = functools.partial(
        from_gymnasium,
        hopper,
        toys.hopper_linear,
        over=Parameters(theta, directions=random_directions(theta, 2, seed=3), extent=(0.5, 0.25), boundary="clip"),
        size=3,
        rollout=Rollout(horizon=15, seeds=3),
    )
    alone, apart = call(), call(workers=2)
    assert alone.values.tobytes() == apart.values.tobytes()
    assert alone.standard_error is not None and apart.standard_error is not None
    assert alone.standard_error.tobytes() == apart.standard_error.tobytes()
    assert facts(alone) == facts(apart)
    assert [(axis.name, axis.upper) for axis in alone.grid.axes] == [("direction_1", 0.5), ("direction_2", 0.25)]
    environment = gymnasium.make(hopper)
    vectors = random_directions(theta, 2, seed=3).vectors
    place = theta - 0.5 * vectors[0] + 0.25 * vectors[1]
    policy = lambda seen: np.clip(toys.hopper_linear(place, seen), -1, 1)  # noqa: E731
    begins = [functools.partial(environment.reset, seed=seed) for seed in range(3)]
    returns = [by_hand(environment, lambda: begin()[0], None, policy, 15, 0.99)[0] for begin in begins]  # noqa: B023
    assert alone.values[0, 2] == pytest.approx(np.mean(returns), rel=1e-12)
    assert alone.standard_error[0, 2] == pytest.approx(np.std(returns, ddof=1) / math.sqrt(3), rel=1e-9)


def test_an_unstable_simulation_is_noticed(hopper: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # where MuJoCo leaves its log

    def push(environment: Any) -> None:
        velocity = np.full(6, 1e11)
        environment.unwrapped.set_state(environment.unwrapped.data.qpos.copy(), velocity)

    options = {"terminate_when_unhealthy": False}
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        with pytest.raises(NonFiniteError, match="unstable"):
            from_gymnasium((hopper, options), over=Actions([0]), size=3, state=push, rollout=Rollout(horizon=3))


# States of own environments


@pytest.mark.parametrize(
    ("make", "restored"),
    [
        (toys.walk, "snapshot of attributes"),
        (functools.partial(toys.Locked, 0.2), "reset and replay"),
        (toys.Elsewhere, "reset and replay"),
        (lambda: gymnasium.wrappers.TimeLimit(toys.walk(), 50), "snapshot of attributes"),
    ],
)
def test_every_way_back_gives_the_same_landscape(make: Any, restored: str) -> None:
    q = from_gymnasium(
        make, toys.back, size=5, state=State(4, after=[[0.5], [-1.0], [0.25]]), rollout=Rollout(horizon=6, gamma=0.9)
    )
    assert facts(q)["restored"] == restored
    again = from_gymnasium(
        make, toys.back, size=5, state=State(4, after=[[0.5], [-1.0], [0.25]]), rollout=Rollout(horizon=6, gamma=0.9)
    )
    assert q.values.tobytes() == again.values.tobytes()
    environment = make()
    for a, value in zip(np.linspace(-1, 1, 5), q.values, strict=True):
        observation, _ = environment.reset(seed=4)
        for before in (0.5, -1.0, 0.25):
            observation, *_ = environment.step(np.array([before], dtype=np.float32))
        environment.unwrapped.np_random = np.random.Generator(np.random.PCG64(0))

        def begin(observation: Any = observation) -> Any:
            return observation

        first = np.array([a], dtype=np.float32)
        policy = lambda seen: np.clip(-seen, -1, 1)  # noqa: E731
        assert value == pytest.approx(by_hand(environment, begin, first, policy, 6, 0.9)[0], rel=1e-12)


def test_the_present_state_is_used_and_left() -> None:
    environment = gymnasium.wrappers.TimeLimit(toys.Walk(0.2), 20)
    environment.reset(seed=1)
    for _ in range(5):
        environment.step(np.array([0.3], dtype=np.float32))
    place, drawn = environment.unwrapped.state.copy(), environment.unwrapped.np_random.bit_generator.state
    q = from_gymnasium(environment, toys.back, size=3, state="current", rollout=Rollout(horizon=8))
    for _ in range(2):
        assert environment.unwrapped.state == place
        assert environment.unwrapped.np_random.bit_generator.state == drawn
        assert environment.get_wrapper_attr("_elapsed_steps") == 5
        q.sample([[0.2]])
    same = from_gymnasium(lambda: toys.Walk(0.2), toys.back, size=3, state=place, rollout=Rollout(horizon=8))
    np.testing.assert_array_equal(q.values, same.values)
    assert facts(q)["state"] == "current"


def test_a_function_may_set_the_state() -> None:
    def there(environment: Any) -> tuple[Array, dict[str, Any]]:
        environment.unwrapped.state = np.array([0.5])
        return np.array([0.5]), {}

    told = from_gymnasium(toys.walk, toys.back, size=3, state=there, rollout=Rollout(horizon=4))
    given = from_gymnasium(toys.walk, toys.back, size=3, state=[0.5], rollout=Rollout(horizon=4))
    np.testing.assert_array_equal(told.values, given.values)
    assert facts(told)["state"]["function"].endswith("there")


def test_parameters_from_one_state() -> None:
    call = functools.partial(
        from_gymnasium,
        over=Parameters([0.0, 0.0], directions=[[1.0, 0.0]], boundary="clip"),
        size=3,
        rollout=Rollout(horizon=3, gamma=1.0),
    )
    q = call(toys.Walk, toys.proportional, state=[0.5])
    expected = []
    for k in (-1.0, 0.0, 1.0):
        x, total = 0.5, 0.0
        for _ in range(3):
            a = min(max(k * x, -1.0), 1.0)
            x += 0.1 * a
            total -= x**2 + 0.01 * a**2
        expected.append(total)
    np.testing.assert_allclose(q.values, expected, rtol=1e-14)
    wrapped = lambda: gymnasium.wrappers.TransformObservation(toys.Walk(), lambda seen: 2 * seen, None)  # noqa: E731
    twice = call(wrapped, lambda theta, seen: toys.proportional(theta, seen / 2), state=[0.5])
    np.testing.assert_allclose(twice.values, expected, rtol=1e-14)
    stacked = lambda: gymnasium.wrappers.FrameStackObservation(toys.Walk(), 2)  # noqa: E731
    with pytest.raises(UnsupportedError, match="observation at this state is not known"):
        call(stacked, lambda theta, seen: toys.proportional(theta, seen[-1]), state=[0.5])


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
            returns[i, j] = by_hand(environment, lambda: None, np.array([a]), policy, 5, 0.9)[0]
    np.testing.assert_allclose(q.values, returns.mean(axis=1), rtol=1e-12)
    assert q.standard_error is not None
    np.testing.assert_allclose(q.standard_error, returns.std(axis=1, ddof=1) / 2.0, rtol=1e-10)
    assert facts(q)["seeds"] == [3, 8, 5, 1]


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
    with pytest.warns(HeatpgWarning, match="returns do not repeat"):
        from_gymnasium(toys.Walk, toys.unseeded, size=3, state=[0.3], rollout=Rollout(horizon=5))


def test_environments_without_seeding() -> None:
    with pytest.raises(UnsupportedError, match=r"cannot be put back exactly.*differs by") as caught:
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
    assert any("returns do not repeat" in text for text in words)
    with pytest.warns(HeatpgWarning, match="another run will have another state"):
        q = from_gymnasium(toys.Headstrong, size=3, rollout=Rollout(horizon=5))
    assert facts(q)["restored"] == "snapshot of attributes"
    with (
        pytest.raises(UnsupportedError, match="worker process behaves otherwise") as there,
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
    assert facts(q)["ended_early"] == pytest.approx(1 / 3)
    # an end at the last step is none
    last = from_gymnasium(lambda: toys.Walk(end=0.25), size=3, state=[0.2], rollout=Rollout(horizon=1))
    assert facts(last)["ended_early"] == 0.0


def test_rewards_that_are_not_finite() -> None:
    call = functools.partial(from_gymnasium, toys.Missing, size=3, state=[0.85])
    with pytest.raises(NonFiniteError, match=r"nan at point \(1\), seed 0, step 1") as caught:
        call(rollout=Rollout(horizon=4, gamma=0.5))
    assert caught.value.__notes__ == ["heatpg met this at point (1), seed 0, step 1"]
    q = call(rollout=Rollout(horizon=4, gamma=0.5, nan=-100.0))
    assert q.values[2] == pytest.approx(-(0.95**2) - 0.01 - 0.5 * 100.0, rel=1e-12)
    assert (facts(q)["not_finite"], facts(q)["nan"]) == (pytest.approx(1 / 3), -100.0)
    assert facts(q)["ended_early"] == pytest.approx(1 / 3)


def test_an_error_of_the_environment_comes_through_with_its_place() -> None:
    with pytest.raises(KeyError) as caught:
        from_gymnasium(
            toys.Broken, policy=lambda t, o: t, over=Parameters([0.0], directions=[[1.0]], boundary="clip"), size=3
        )
    assert "joint" in str(caught.value)


@pytest.mark.parametrize("workers", [0, 1])
def test_an_error_of_the_policy_comes_through_with_its_place(workers: int) -> None:
    with pytest.raises(ZeroDivisionError) as caught:
        from_gymnasium(toys.Walk, failing, size=3, state=[0.2], rollout=Rollout(horizon=3), workers=workers)
    assert "heatpg met this at point (-1), seed 0, step 1" in caught.value.__notes__


def failing(observation: Array) -> Array:
    raise ZeroDivisionError("policy")


@pytest.mark.parametrize("batched", [False, True])
def test_how_a_policy_is_called_is_said_where_its_arguments_are_others(batched: bool) -> None:
    call = functools.partial(from_gymnasium, toys.Walk, size=3, rollout=Rollout(horizon=3))
    seen = "observations" if batched else "observation"

    def given(policy: Callable[..., Any]) -> Any:
        return Batched(policy) if batched else policy

    with pytest.raises(TypeError, match="missing 1 required") as caught:
        call(given(lambda parameters, observation: observation), state=1)
    assert caught.value.__notes__[1] == f"without directions heatpg calls the policy as policy({seen})"
    over = Parameters([0.0], directions=[[1.0]], boundary="clip")
    with pytest.raises(TypeError, match="2 were given") as caught:
        call(given(lambda observation: observation), over=over)
    assert caught.value.__notes__[1] == f"with directions heatpg calls the policy as policy(parameters, {seen})"

    def own(observation: Any) -> Any:
        raise TypeError("of its own")

    with pytest.raises(TypeError, match="of its own") as caught:
        call(given(own), state=1)
    assert len(caught.value.__notes__) == 1


def test_actions_that_are_not_finite_or_do_not_fit() -> None:
    call = functools.partial(from_gymnasium, toys.Walk, size=3, state=[0.2], rollout=Rollout(horizon=3))
    with pytest.raises(NonFiniteError, match="action is not finite"):
        call(lambda seen: [np.nan])
    with pytest.raises(OptionError, match=r"wrong shape; given: shape \(2,\); allowed: shape \(1,\)"):
        call(lambda seen: [0.0, 0.0])
    with pytest.raises(OptionError, match=r"model\.predict"):
        call(lambda seen: (np.zeros(1), None))
    with pytest.raises(OptionError, match="reward must be one number"):
        from_gymnasium(toys.TwoElements, toys.back, size=3, state=[0.2], rollout=Rollout(horizon=3))
    with pytest.raises(OptionError, match="step does not follow"):
        Stage(plan_of(toys.Old, kind="parameters", state=None, rollout=Rollout(horizon=2)))
    one, plain = (
        from_gymnasium(make, toys.back, size=3, state=[0.2], rollout=Rollout(horizon=3))
        for make in (toys.OneElement, toys.Walk)
    )
    np.testing.assert_array_equal(one.values, plain.values)


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
    with pytest.raises(AssertionError):
        from_gymnasium(toys.Picky, policy, size=3, state=[0.2], rollout=Rollout(horizon=3, action_type="float64"))
    free = from_gymnasium(toys.Walk, policy, size=3, state=[0.2], rollout=Rollout(horizon=3, clip=False))
    assert (clipped.values > free.values).all()


def test_time_limits() -> None:
    limited = lambda: gymnasium.wrappers.TimeLimit(toys.Walk(), 10)  # noqa: E731
    from_gymnasium(limited, size=3, state=State(1, after=np.zeros((4, 1))), rollout=Rollout(horizon=6))
    with pytest.raises(OptionError, match="1 to 6 steps; choose a shorter horizon"):
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
    with pytest.raises(UnsupportedError, match=r"no axes.*directions"):
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
    with pytest.raises(UnsupportedError, match="no axes"):
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
    assert 0 < facts(one)["ended_early"] < 1
    assert facts(one)["ended_early"] == facts(many)["ended_early"]
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
    with pytest.raises(UnsupportedError, match="two environments come to different states"):
        from_gymnasium(toys.Headstrong, Batched(toys.back), size=3, rollout=Rollout(horizon=3))
    with pytest.raises(OptionError, match=r"one action for each observation; given: shape \(1, 3\)"):
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
        expected, _ = by_hand(
            environment,
            lambda: environment.reset(seed=0)[0],
            None,
            lambda seen: np.clip(2.0 * network(torch.as_tensor(seen)).numpy(), -2.0, 2.0),
            10,
            0.9,
        )
    assert q.values[1, 1] == pytest.approx(expected, rel=1e-9)
    told = facts(q)["directions"]
    assert told["kind"] == "principal"
    assert np.shape(told["coordinates"]) == (3, 2)
    assert sum(told["explained"]) == pytest.approx(1.0)


# Processes


def test_results_do_not_depend_on_the_number_of_workers() -> None:
    call = functools.partial(
        from_gymnasium,
        toys.ending,
        toys.back,
        size=23,
        state=State(3, after=[[0.2]]),
        rollout=Rollout(horizon=12, seeds=2),
    )
    seen: list[tuple[int, int]] = []
    found = [call()]
    found.append(call(workers=2, progress=lambda done, total: seen.append((done, total))))
    assert len({q.values.tobytes() for q in found}) == 1
    assert all(facts(q) == facts(found[0]) for q in found)
    assert seen == sorted(seen) and seen[-1] == (23, 23) and len(seen) > 3
    np.testing.assert_array_equal(found[1].sample(found[1].grid.nodes()), found[0].values)


def test_progress_in_points() -> None:
    seen: list[tuple[int, int]] = []
    from_gymnasium(toys.Walk, size=4, state=1, rollout=Rollout(horizon=2), progress=lambda *count: seen.append(count))
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_a_worker_that_dies() -> None:
    deadly = functools.partial(
        from_gymnasium, toys.Deadly, line_policy, size=9, state=[0.0], rollout=Rollout(horizon=2), workers=2
    )
    with pytest.raises(ResourceError, match=r"worker process has died; given: exit code 3.*__main__"):
        deadly(grid=line(9, -1.0, 1.0), over=Actions(held=[0.0]))


def test_a_script_without_its_guard_is_told_the_line(tmp_path: Path) -> None:
    script = tmp_path / "unguarded.py"
    script.write_text(
        "from heatpg import landscapes\nlandscapes.from_gymnasium('Pendulum-v1', state=0, size=3, workers=1)\n"
    )
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=False)
    line = 'the line if __name__ == "__main__":'
    assert f"below {line}" in done.stderr  # of the worker
    assert f"ResourceError: a worker process has died; given: exit code 1; a script that uses workers needs {line}" in (
        done.stderr
    )
    assert "bootstrapping" not in done.stderr


def line_policy(observation: Array) -> Array:
    return np.zeros(1)


@pytest.mark.parametrize(
    ("environment", "policy", "what"),
    [
        (lambda: toys.Walk(), toys.back, "the environment cannot be sent"),
        (toys.Walk, lambda seen: seen, "the policy cannot be sent"),
    ],
)
def test_what_cannot_be_sent_is_refused(environment: Any, policy: Any, what: str) -> None:
    with pytest.raises(UnsupportedError, match=rf"{what}.*lambda.*workers=0"):
        from_gymnasium(environment, policy, size=3, state=1, rollout=Rollout(horizon=2), workers=2)


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
        ({"policy": 3}, OptionError, "cannot be called"),
        ({"state": "home"}, OptionError, "'current'"),
        ({"state": "current"}, OptionError, "present state"),
        ({"state": -1}, OptionError, "from 0"),
        ({"state": [np.nan]}, NonFiniteError, "state"),
        ({"state": [0.0, 0.0]}, OptionError, "does not fit the attribute 'state'"),
        ({"environment": Stateless, "state": [0.0]}, UnsupportedError, "given: state of shape (1,) for Stateless"),
        ({"after": [[0.0, 0.0]]}, OptionError, "do not fit the action space"),
        ({"after": [[np.nan]]}, NonFiniteError, "after"),
        ({"after": 5.0}, GridError, "(steps, ...)"),
        ({"after": [[0.0], [0.0, 1.0]]}, OptionError, "after must be numbers"),
        (
            {**OVER, "boundary": "clip", "directions": [[1.0], [0.0, 1.0]]},
            OptionError,
            "directions must be numbers",
        ),
        ({"components": (1,)}, OptionError, "0 to 0"),
        ({"components": ()}, OptionError, "components"),
        ({"components": (0, 0)}, OptionError, "different"),
        ({"held": [0.0, 0.0]}, GridError, "2 numbers"),
        ({"held": [np.inf]}, NonFiniteError, "action"),
        ({"held": "up"}, OptionError, "numbers"),
        ({"grid": Grid(*(Axis(n, 0, 1, 3, boundary="clip") for n in "ab"))}, GridError, "one axis for each component"),
        ({"grid": 5}, GridError, "heatpg.Grid"),
        ({"size": 2}, GridError, "at least 3"),
        ({"over": [1.0]}, OptionError, "Parameters(origin, directions=...)"),
        ({"rollout": 5}, OptionError, "Rollout(horizon=200, ...)"),
        ({"policy": Batched(None)}, OptionError, "no policy"),  # type: ignore[arg-type]
        ({"policy": Batched(toys.noisy)}, OptionError, "draws"),
        ({"policy": Batched(Network())}, OptionError, "with a state"),
        ({"environment": 5}, OptionError, "no environment"),
        ({"environment": ("Pendulum-v1",)}, OptionError, "keywords for it"),
        ({"environment": "Nowhere-v9"}, OptionError, "cannot be made"),
        ({"environment": dict}, OptionError, "no environment of Gymnasium"),
        ({"environment": toys.Walk(), "workers": 2}, OptionError, "several places"),
        ({"environment": functools.partial(toys.Walk, size=4)}, OptionError, "components=(0, 2)"),
        ({"environment": functools.partial(toys.Walk, bound=np.inf)}, GridError, "has no bounds"),
        ({"environment": functools.partial(toys.Walk, end=-9.0), "after": [[0.0]]}, OptionError, "on the way"),
        (OVER, BoundaryError, "boundary='clip'"),
        ({**OVER, "policy": None}, OptionError, "policy(parameters, observation)"),
        ({**OVER, "boundary": "clip", "origin": None}, OptionError, "flat_parameters()"),
        ({**OVER, "boundary": "clip", "origin": [1.0]}, GridError, "do not fit the parameters"),
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
        ({**OVER, "boundary": "clip", "after": [[0.0]]}, OptionError, "need a state"),
    ],
)
def test_what_does_not_fit_is_refused(options: dict[str, Any], kind: type[Exception], words: str) -> None:
    with pytest.raises(kind) as caught:
        from_gymnasium(**grouped(options))
    assert words in str(caught.value)


def test_without_gymnasium_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "gymnasium", None)
    with pytest.raises(MissingPackageError, match=r"pip install 'heatpg\[rl\]'"):
        _snapshot.load_gymnasium()


def test_the_standard_error_of_a_landscape() -> None:
    grid = line(3)
    q = Landscape([1, 2, 3], grid, standard_error=[0, 1, 2])
    assert q.standard_error is not None and q.standard_error.dtype == np.float64
    copied = pickle.loads(pickle.dumps(q))
    np.testing.assert_array_equal(copied.standard_error, [0, 1, 2])
    assert Landscape([1, 2, 3], grid).standard_error is None
    with pytest.raises(GridError, match="does not fit the values"):
        Landscape([1, 2, 3], grid, standard_error=[0, 1])
    with pytest.raises(NonFiniteError, match="1 places"):
        Landscape([1, 2, 3], grid, standard_error=[0, 1, np.nan])
    with pytest.raises(UnsupportedError, match="below zero"):
        Landscape([1, 2, 3], grid, standard_error=[0, 1, -1])


def test_directions_of_an_array_are_told() -> None:
    q = from_gymnasium(
        toys.Walk,
        toys.proportional,
        over=Parameters([0.0, 0.0], directions=Directions(np.array([[0.0, 2.0]]), "mine"), boundary="zero"),
        size=3,
        rollout=Rollout(horizon=2),
    )
    assert (facts(q)["directions"]["kind"], facts(q)["directions"]["lengths"]) == ("mine", [2.0])
    assert len(facts(q)["parameters_digest"]) == 64
