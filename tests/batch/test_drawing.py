"""Batches whose noise is in all components: against `evolve_plane` itself, after an interruption, and refusals."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from heatpg import Axis, Grid, Landscape, batch, load
from heatpg.batch import SpecError, read_spec
from heatpg.batch.spec import Task
from heatpg.landscapes import landscapes
from heatpg.planes import Draws, drawing, evolve_plane

NAME = "six_bumps_for_a_batch"


class Counted:
    """A bump in six components, which counts its calls and may be stopped at one."""

    def __init__(self) -> None:
        self.calls = 0
        self.last: int | None = None

    def __call__(self, width: float, *x: np.ndarray) -> np.ndarray:
        self.calls += 1
        if self.last is not None and self.calls > self.last:
            raise KeyboardInterrupt
        return np.asarray(np.exp(-sum(c**2 for c in x) / (2 * width**2)))


@pytest.fixture
def bump(monkeypatch: pytest.MonkeyPatch) -> Iterator[Counted]:
    counted = Counted()

    def slice_of_six(grid: Grid | None = None, *, size: int = 9, width: float = 1.0) -> Landscape:
        """A slice.

        Parameters
        ----------
        grid
            Where.
        size
            Nodes along each axis.
        width
            Of the bump.
        """
        grid = grid or Grid(*(Axis(name, -2.0, 2.0, size, boundary="clip") for name in ("x1", "x2")))
        return Landscape.from_function(lambda *x: counted(width, *x), grid, name=NAME, dimensions=6)

    monkeypatch.setattr(landscapes, "_entries", dict(landscapes._entries))
    landscapes.register(NAME)(slice_of_six)
    yield counted


def specification(**changes: Any) -> dict[str, Any]:
    return {
        "landscape": {"source": NAME},
        "evolve": {"sigma": [0.5, 1.0]},
        "draws": {"error": 0.05},
        **changes,
    }


def shards(folder: Path) -> list[Path]:
    return sorted((folder / "shards").rglob("*.h5"))


def test_tasks_are_what_evolve_plane_gives(bump: Counted, tmp_path: Path) -> None:
    spec = specification(sweep={"product": {"landscape.width": [0.7, 1.0], "draws.seed": [0, 3]}})
    found = batch.run(spec, out=tmp_path / "b", workers=0)
    assert found.done == 4 and not found.failed
    wanted = {}
    for width in (0.7, 1.0):
        for seed in (0, 3):
            flow = evolve_plane(
                landscapes.get(NAME)(width=width),
                [0.5, 1.0],
                Draws(error=0.05, seed=seed),
            )
            wanted[flow.values.tobytes()] = flow
    for path in shards(tmp_path / "b"):
        flow = load(path)
        same = wanted.pop(flow.values.tobytes())
        assert flow.drawn == same.drawn
        np.testing.assert_array_equal(flow.standard_error, same.standard_error)
    assert not wanted
    assert batch.verify(tmp_path / "b", full=True).sound == 4


def test_the_rule_beyond_the_box_is_that_of_the_task(bump: Counted, tmp_path: Path) -> None:
    batch.run(specification(draws={"count": 16, "beyond": "sampled"}), out=tmp_path / "b", workers=0)
    (shard,) = shards(tmp_path / "b")
    landscape = landscapes.get(NAME)()
    sampled, clipped = (
        evolve_plane(landscape, [0.5, 1.0], Draws(count=16), beyond=rule).values for rule in ("sampled", "")
    )
    assert load(shard).values.tobytes() == sampled.tobytes() != clipped.tobytes()


def test_an_interrupted_task_goes_on_with_equal_results(
    bump: Counted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drawing, "_SAVED_EVERY", 0.0)
    spec = specification(evolve={"sigma": [0.5, 1.0], "checks": "none"}, draws={"count": 32})
    batch.run(spec, out=tmp_path / "whole", workers=0)
    calls = bump.calls
    bump.last = calls + calls - 1
    with pytest.raises(KeyboardInterrupt):
        batch.run(spec, out=tmp_path / "halves", workers=0)
    assert len(list((tmp_path / "halves" / "draws").iterdir())) == 1
    bump.calls, bump.last = 0, None
    batch.run(spec, out=tmp_path / "halves", workers=0)
    assert bump.calls <= calls - 16  # none of the draws of the pilot is made again
    assert not list((tmp_path / "halves" / "draws").iterdir())
    (one,), (other,) = shards(tmp_path / "whole"), shards(tmp_path / "halves")
    np.testing.assert_array_equal(load(one).values, load(other).values)


def test_draws_are_part_of_a_task_and_nothing_without_them(bump: Counted) -> None:
    (drawn,) = read_spec(specification()).tasks()
    plain = specification()
    del plain["draws"]
    (without,) = read_spec(plain).tasks()
    assert "draws" not in without.resolved and drawn.id != without.id
    # the default of another key is no other task
    assert read_spec(specification(draws={"error": 0.05, "seed": 0})).tasks()[0].id == drawn.id
    assert Task.from_resolved(drawn.resolved).id == drawn.id
    assert read_spec(specification()).as_toml().count("[draws]\nerror = 0.05\n") == 1


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"draws": {}}, "the table is empty: write error = 0.05"),
        ({"draws": {"error": 2.0}}, "error"),
        ({"draws": {"eror": 0.1}}, "did you mean 'error'"),
        ({"draws": {"points": "grid"}}, "points"),
        ({"draws": {"count": 16, "beyond": "absorb"}}, "rule beyond the box"),
    ],
)
def test_wrong_tables_are_refused(bump: Counted, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(SpecError) as reason:
        read_spec(specification(**changes)).tasks()
    assert words in str(reason.value)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"landscape": {"source": "ridge", "size": 9}}, "needs a landscape with components beyond its axes"),
        ({"evolve": {"sigma": 0.5, "solver": "direct"}}, "evolve.solver cannot be used with [draws]"),
        ({"evolve": {"sigma": {"x1": 0.5, "x2": 1.0}}}, "evolve.sigma by axis cannot be used with [draws]"),
        ({"storage": {"mode": "compact"}}, "storage.mode cannot be used with [draws]"),
    ],
)
def test_what_does_not_go_with_draws_is_told_by_the_plan(bump: Counted, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(SpecError) as reason:
        batch.predict(read_spec(specification(**changes)))
    assert words in str(reason.value)
