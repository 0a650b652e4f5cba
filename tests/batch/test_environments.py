"""Environments of Gymnasium in a batch: against `from_gymnasium`, the command line, an interruption, and refusals."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest

from heatpg import batch, load
from heatpg.batch import Task, names, predict, read_spec
from heatpg.batch.work import run_task
from heatpg.cli import main
from heatpg.landscapes import Actions, Rollout, from_gymnasium
from heatpg.planes import Draws, drawing, evolve_plane
from tests.batch.specifications import ids, problems

SMALL = {"source": "Pendulum-v1", "size": 7, "horizon": 5}


class Pushed(gymnasium.Env):  # type: ignore[misc]
    """Two of three components count, the noise comes from the seed, and it may be stopped at a step."""

    observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (1,))
    action_space = gymnasium.spaces.Box(-1.0, 1.0, (3,))
    steps = 0
    last = math.inf

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.place = self.np_random.normal(0.0, 0.1, 1)
        return self.place.astype(np.float32), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        type(self).steps += 1
        if type(self).steps > self.last:
            raise KeyboardInterrupt
        self.place = self.place + 0.1 * action[0] + 0.05 * action[1] + 0.01 * self.np_random.normal(size=1)
        return self.place.astype(np.float32), float(-((self.place[0] - 0.2) ** 2)), False, False, {}


@pytest.fixture
def pushed(monkeypatch: pytest.MonkeyPatch) -> type[Pushed]:
    monkeypatch.setitem(
        gymnasium.registry, "Pushed-v3", gymnasium.envs.registration.EnvSpec("Pushed-v3", entry_point=Pushed)
    )
    monkeypatch.setattr(Pushed, "steps", 0)
    monkeypatch.setattr(Pushed, "last", math.inf)
    return Pushed


def specification(**changes: Any) -> dict[str, Any]:
    return {"landscape": SMALL, "evolve": {"sigma": [0.5, 1.0], "checks": "none"}, **changes}


def shards(folder: Path) -> list[Path]:
    return sorted((folder / "shards").rglob("*.h5"))


def test_tasks_are_what_from_gymnasium_gives(tmp_path: Path) -> None:
    sweep = {"product": {"landscape.horizon": [5, 9], "landscape.state": [0, 3]}}
    found = batch.run(specification(sweep=sweep), out=tmp_path / "b", workers=0)
    assert found.done == 4 and not found.failed
    wanted = {}
    for horizon in (5, 9):
        for state in (0, 3):
            q = from_gymnasium("Pendulum-v1", size=7, state=state, rollout=Rollout(horizon=horizon))
            wanted[q.values.tobytes()] = q
    for path in shards(tmp_path / "b"):
        landscape = load(path).landscape
        q = wanted.pop(landscape.values.tobytes())
        assert landscape.grid == q.grid and landscape.provenance == q.provenance
    assert not wanted
    assert batch.verify(tmp_path / "b", full=True).sound == 4


@pytest.mark.filterwarnings("ignore:the seeds change nothing")
def test_a_task_is_what_the_command_line_gives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    given = ["--set", "size=7", "--set", "horizon=5", "--set", "seeds=2", "--set", "gamma=0.9"]
    words = [*given, "--sigma", "0.5,1.0", "--checks", "none", "--quiet", "-o", "one.h5"]
    assert main(["run", "gymnasium:Pendulum-v1", *words]) == 0
    spec = specification(landscape={**SMALL, "source": "gymnasium:Pendulum-v1", "seeds": 2, "gamma": 0.9})
    assert batch.run(spec, out=tmp_path / "b", workers=2).done == 1
    one, (shard,) = load("one.h5"), shards(tmp_path / "b")
    same = load(shard)
    assert same.values.tobytes() == one.values.tobytes()
    assert same.landscape.returns is not None and one.landscape.returns is not None
    assert same.landscape.returns.tobytes() == one.landscape.returns.tobytes()
    assert same.landscape.provenance == one.landscape.provenance


def test_seeds_and_components_are_those_of_the_task(pushed: type[Pushed], tmp_path: Path) -> None:
    options = {"source": "Pushed-v3", "size": 4, "horizon": 6, "seeds": 3, "components": [0, 1], "held": [0, 0, 0.5]}
    (task,) = read_spec(specification(landscape=options)).tasks()
    image, facts = run_task(task.resolved)
    again, _ = run_task(task.resolved)
    assert image == again and facts["task"] == task.id
    q = from_gymnasium(
        "Pushed-v3",
        over=Actions(components=(0, 1), held=(0.0, 0.0, 0.5)),
        size=4,
        state=0,
        rollout=Rollout(horizon=6, seeds=3),
    )
    assert q.returns is not None and len(q.returns) == 3 and q.returns.std(axis=0).min() > 0
    (tmp_path / "one.h5").write_bytes(image)
    same = load(tmp_path / "one.h5").landscape
    assert same.returns is not None and same.returns.tobytes() == q.returns.tobytes()
    assert same.provenance == q.provenance


def test_what_a_task_is(pushed: type[Pushed], monkeypatch: pytest.MonkeyPatch) -> None:
    (task,) = read_spec(specification()).tasks()
    landscape = task.resolved["landscape"]
    assert landscape["source"] == "Pendulum-v1"
    assert landscape["distribution"] == f"gymnasium {gymnasium.__version__}"
    # every default is written out, and two ways to write one thing are one task
    assert landscape["options"] == {
        "components": None,
        "held": None,
        "size": 7,
        "boundary": "clip",
        "state": 0,
        "horizon": 5,
        "gamma": 0.99,
        "seeds": 1,
    }
    for same in ({"source": "gymnasium:Pendulum-v1"}, {"gamma": 0.99}, {"components": "none", "state": 0}):
        assert ids(specification(landscape={**SMALL, **same})) == [task.id]
    for other in ({"gamma": 0.9}, {"state": 1}, {"seeds": 2}, {"components": [0]}, {"minimise": True}):
        assert ids(specification(landscape={**SMALL, **other})) != [task.id]
    assert Task.from_resolved(json.loads(json.dumps(task.resolved))).id == task.id
    assert ids(specification(landscape={"source": "Pushed-v3"})) != [task.id]
    # another version of the simulator is another landscape
    monkeypatch.setattr("heatpg.batch.names.packages_of_environment", lambda name: "gymnasium 0.0.1")
    assert ids(specification()) != [task.id]


def test_the_simulator_is_part_of_a_task() -> None:
    mujoco = pytest.importorskip("mujoco")
    (task,) = read_spec(specification(landscape={"source": "HalfCheetah-v5", "components": [0, 3]})).tasks()
    versions = f"gymnasium {gymnasium.__version__}, mujoco {mujoco.__version__}"
    assert task.resolved["landscape"]["distribution"] == versions


def drawn(**changes: Any) -> dict[str, Any]:
    landscape = {"source": "Pushed-v3", "size": 3, "horizon": 3, "components": [0, 1], "seeds": 2}
    return specification(landscape=landscape, draws={"count": 32}, **changes)


def test_draws_of_an_interrupted_task_go_on_with_equal_bits(
    pushed: type[Pushed], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drawing, "_SAVED_EVERY", 0.0)
    batch.run(drawn(), out=tmp_path / "whole", workers=0)
    steps = pushed.steps
    pushed.last = steps + 0.8 * steps
    with pytest.raises(KeyboardInterrupt):
        batch.run(drawn(), out=tmp_path / "halves", workers=0)
    assert len(list((tmp_path / "halves" / "draws").iterdir())) == 1
    pushed.last, pushed.steps = math.inf, 0
    assert batch.run(drawn(), out=tmp_path / "halves", workers=0).done == 1
    assert pushed.steps < 0.8 * steps  # not everything was drawn again
    (one,), (other,) = shards(tmp_path / "whole"), shards(tmp_path / "halves")
    assert one.read_bytes() == other.read_bytes()
    q = from_gymnasium(
        "Pushed-v3", over=Actions(components=(0, 1)), size=3, state=0, rollout=Rollout(horizon=3, seeds=2)
    )
    wanted = evolve_plane(q, [0.5, 1.0], Draws(count=32), checks="none")
    np.testing.assert_array_equal(load(one).values, wanted.values)
    assert wanted.drawn is not None and wanted.drawn["components"] == 3


@pytest.mark.parametrize(
    ("landscape", "path", "words"),
    [
        ({"source": "Pendulum-v7"}, "landscape.source", "It provides versioned environments: [ `v1` ]"),
        ({"source": "Pendulm-v1"}, "landscape.source", "Did you mean: `Pendulum`?"),
        ({"source": "ALE/Pong-v99"}, "landscape.source", "unknown environment"),
        ({"source": "Pendulum"}, "landscape.source", "for an environment, include its version, as in Pendulum-v1"),
        ({"source": "antigravity:Pendulum-v1"}, "landscape.source", "an installed package that requires Gymnasium"),
        ({**SMALL, "horizn": 3}, "landscape.horizn", "did you mean 'horizon'?"),
        ({**SMALL, "horizon": 0.5}, "landscape.horizon", "a whole number"),
        ({**SMALL, "boundary": "klip"}, "landscape.boundary", "did you mean 'clip'?"),
        ({**SMALL, "workers": 4}, "landscape.workers", "heatpg batch run --workers"),
    ],
)
def test_what_is_wrong_is_told(landscape: dict[str, Any], path: str, words: str) -> None:
    found = problems(specification(landscape=landscape))
    assert words in found[path] and len(found) == 1
    assert "antigravity" not in sys.modules


@pytest.mark.parametrize(
    ("landscape", "words"),
    [
        ({"source": "CartPole-v1"}, "actions of this space cannot be the axes"),
        ({**SMALL, "components": [4]}, "indices from 0 to 0"),
        ({**SMALL, "gamma": 2.0}, "gamma"),
        ({**SMALL, "held": [1, 2]}, "held"),
    ],
)
def test_what_the_environment_refuses_is_told_by_the_plan(landscape: dict[str, Any], words: str) -> None:
    with pytest.raises(batch.SpecError, match=words):
        predict(read_spec(specification(landscape=landscape)))


def test_a_module_is_imported_if_it_was_installed_for_gymnasium(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "pushed_for_a_batch"
    (tmp_path / f"{name}.py").write_text(
        "import gymnasium\n"
        "from gymnasium.envs.classic_control.pendulum import PendulumEnv as Mine\n"
        "gymnasium.register('Mine-v2', entry_point=__name__ + ':Mine')\n",
        encoding="utf-8",
    )
    monkeypatch.syspath_prepend(tmp_path)
    source = {**SMALL, "source": f"{name}:Mine-v2"}
    names._is_for_gymnasium.cache_clear()
    assert "an installed package" in problems(specification(landscape=source))["landscape.source"]
    assert name not in sys.modules
    installed = tmp_path / f"{name}-1.5.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text(
        f"Name: {name}\nVersion: 1.5\nRequires-Dist: gymnasium>=1.0\n", encoding="utf-8"
    )
    (installed / "top_level.txt").write_text(f"{name}\n", encoding="utf-8")
    names._is_for_gymnasium.cache_clear()
    try:
        (task,) = read_spec(specification(landscape=source)).tasks()
        versions = f"gymnasium {gymnasium.__version__}, {name} 1.5"
        assert task.resolved["landscape"]["distribution"] == versions
        image, _ = run_task(task.resolved)
        (tmp_path / "one.h5").write_bytes(image)
        q = from_gymnasium("Pendulum-v1", size=7, state=0, rollout=Rollout(horizon=5))
        assert load(tmp_path / "one.h5").landscape.values.tobytes() == q.values.tobytes()
        (tmp_path / f"{name}.py").write_text("1 / 0\n", encoding="utf-8")
        del sys.modules[name]
        assert "ZeroDivisionError" in problems(specification(landscape=source))["landscape.source"]
    finally:
        names._is_for_gymnasium.cache_clear()
        gymnasium.registry.pop("Mine-v2", None)
        sys.modules.pop(name, None)


def test_without_gymnasium_it_is_told_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gymnasium", None)
    found = problems(specification())
    assert "Gymnasium is not installed" in found["landscape.source"] and "pip install" in found["landscape.source"]
    read_spec({"landscape": {"source": "ridge"}, "evolve": {"sigma": 0.5}})


def test_the_cost_is_told_without_the_work(pushed: type[Pushed]) -> None:
    landscape = {"source": "Pushed-v3", "size": 40, "horizon": 50, "seeds": 4, "components": [0, 1]}
    spec = read_spec(specification(landscape=landscape))
    plan = predict(spec, budget=0.0)
    whole = 40 * 40 * 50 * 4
    assert pushed.steps < whole / 2
    pushed.steps = 0
    image, facts = run_task(spec.tasks()[0].resolved)
    assert plan.storage == pytest.approx(len(image), rel=0.25)  # the returns of four seeds are most of it
    assert facts["seconds"] / 3 < plan.seconds < 3 * facts["seconds"]
    assert pushed.steps >= whole
