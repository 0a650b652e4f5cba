"""The sections of a specification: what can stand in them, what is refused, and what their defaults are."""

from __future__ import annotations

import datetime
import hashlib
import math
import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from heatpg import Landscape, evolve
from heatpg.batch import Task, read_spec
from heatpg.batch.files import landscape_in_file
from heatpg.landscapes import landscapes
from heatpg.solvers import solvers
from heatpg.tools.options import settable
from tests.batch.specifications import changed, ids, in_a_file, problems


def test_defaults_of_a_solver_are_written_out() -> None:
    implicit = {"solver": "implicit"}
    assert ids(changed(evolve=implicit)) == ids(changed(evolve={**implicit, "solver_options": {"steps": 64}}))
    assert ids(changed(evolve=implicit)) != ids(changed(evolve={**implicit, "solver_options": {"steps": 65}}))
    compact = {"mode": "compact"}
    assert ids(changed(storage=compact)) == ids(changed(storage={**compact, "tolerance": 1e-10}))


@pytest.mark.parametrize(
    ("sections", "path", "words"),
    [
        ({"landscape": {"source": "two_bump"}}, "landscape.source", "did you mean 'two_bumps'"),
        ({"landscape": {"source": 3}}, "landscape.source", "must be text"),
        ({"landscape": {"size": True}}, "landscape.size", "a whole number"),
        ({"landscape": {"size": 33.0}}, "landscape.size", "a whole number"),
        ({"landscape": {"size": 2**63}}, "landscape.size", "too large"),
        ({"landscape": {"width": math.inf}}, "landscape.width", "not a finite number"),
        ({"landscape": {"width": 10**400}}, "landscape.width", "too large"),
        ({"landscape": {"width": datetime.date(2026, 1, 1)}}, "landscape.width", "not allowed here"),
        ({"landscape": {"boundary": "x\ny"}}, "landscape.boundary", "printable"),
        ({"landscape": {"grid": 3}}, "landscape.grid", "unknown option"),
        ({"evolve": {"sigma": []}}, "evolve.sigma", "is empty"),
        ({"evolve": {"sigma": [1, 1.0]}}, "evolve.sigma", "repeated"),
        ({"evolve": {"sigma": ["1"]}}, "evolve.sigma", "not a finite number"),
        ({"evolve": {"sigma": True}}, "evolve.sigma", "not a finite number"),
        ({"evolve": {"sigma": {"first": 1, "last": 2}}}, "evolve.sigma", "{first = 0.1"),
        (
            {"evolve": {"sigma": {"first": 2, "last": 1, "count": 3}}},
            "evolve.sigma",
            "the first noise level exceeds the last",
        ),
        ({"evolve": {"sigma": {"first": 1, "last": 2, "count": 10**6}}}, "the specification", "values"),
        ({"evolve": {"sigma": {"first": 1, "last": 2, "count": 50_000}}}, "evolve.sigma", "at most 10,000"),
        ({"evolve": {"sigma": {"x": [1, 2], "y": [1, 2, 3]}}}, "evolve.sigma", "x has 2, y has 3"),
        ({"evolve": {"tolerance": 0.1}}, "evolve.tolerance", "out of range"),
        ({"evolve": {"solver": "direct", "tolerance": 1e-6}}, "evolve.tolerance", "solver_options"),
        ({"evolve": {"solver": "direct", "prefer": "monotone"}}, "evolve.prefer", "solver_options"),
        ({"evolve": {"solver_options": {"steps": 3}}}, "evolve.solver_options", "need a solver"),
        ({"evolve": {"solver": "implicit", "solver_options": {"step": "x"}}}, "evolve.solver_options.step", "number"),
        ({"evolve": {"solver": "implicit", "solver_options": {"steps": 0}}}, "evolve.solver_options", "steps"),
        ({"evolve": {"prefer": "monoton"}}, "evolve.prefer", "did you mean 'monotone'"),
        ({"evolve": {"checks": "ful"}}, "evolve.checks", "did you mean 'full'"),
        ({"storage": {"tolerance": 1e-6}}, "storage.tolerance", "compact"),
        ({"storage": {"compression": "gzip:10"}}, "storage.compression", "gzip:1"),
        ({"batch": {"name": "x" * 300}}, "batch.name", "at most 200"),
        ({"task": [{"landscape.width": [[1]]}]}, 'task[0]."landscape.width"', "a number"),
        ({"task": [{"batch.name": "b"}]}, 'task[0]."batch.name"', "unknown section"),
    ],
)
def test_values_that_are_refused(sections: dict[str, Any], path: str, words: str) -> None:
    found = problems(changed(**sections))
    assert words in found[path], found


def test_every_option_of_every_landscape_and_solver_can_be_written() -> None:
    """The annotations in use are among those that are understood."""
    for name in landscapes.names():
        source = {"landscape": {"source": name}, "evolve": {"sigma": 1.0}}
        (task,) = read_spec(source).tasks()
        assert set(task.resolved["landscape"]["options"]) == set(settable(landscapes.get(name)))
        for key, value in task.resolved["landscape"]["options"].items():
            assert ids({**source, "landscape": {"source": name, key: value}}) == [task.id]
    for name in solvers.names():
        (task,) = read_spec(changed(evolve={"solver": name})).tasks()
        again = changed(evolve={"solver": name, "solver_options": task.resolved["solver"]["options"]})
        assert ids(again) == [task.id]


def test_a_file_is_known_by_its_content(tmp_path: Path) -> None:
    values = np.arange(9.0)
    np.save(tmp_path / "a.npy", values)
    (tmp_path / "sub").mkdir()
    np.save(tmp_path / "sub" / "b.npy", values)
    (first,) = read_spec(in_a_file(tmp_path, source="a.npy", boundary="clip")).tasks()
    (second,) = read_spec(in_a_file(tmp_path, source="sub/b.npy", boundary="clip")).tasks()
    assert first.id == second.id
    assert first.resolved["landscape"] == {
        "source": "file",
        "file": str(tmp_path / "a.npy"),
        "sha256": hashlib.sha256((tmp_path / "a.npy").read_bytes()).hexdigest(),
        "options": {"boundary": "clip"},
    }
    assert Task.from_resolved(first.resolved).resolved == first.resolved
    assert ids(in_a_file(tmp_path, source="a.npy", boundary="zero")) != [first.id]
    np.save(tmp_path / "a.npy", values + 1)
    assert ids(in_a_file(tmp_path, source="a.npy", boundary="clip")) != [first.id]


def test_a_file_has_a_boundary_for_each_axis(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", values=np.eye(5, 4), x=np.arange(5.0), y=np.arange(4.0))
    boundary = {"x": "clip", "y": "reflect"}
    (task,) = read_spec(in_a_file(tmp_path, source="a.npz", boundary=boundary)).tasks()
    read = landscape_in_file(task.resolved["landscape"])
    assert [axis.boundary for axis in read.grid] == ["clip", "reflect"]
    assert read.grid == Landscape.from_file(tmp_path / "a.npz", boundary=boundary).grid


def test_a_file_of_heatpg_holds_its_boundaries(tmp_path: Path) -> None:
    flow = evolve(Landscape.from_array(np.arange(9.0), boundary="clip"), 1.0, checks="none")
    flow.save(tmp_path / "a.h5")
    assert len(ids(in_a_file(tmp_path, source="a.h5"))) == 1
    assert (
        "contains the boundary conditions"
        in problems(in_a_file(tmp_path, source="a.h5", boundary="clip"))["landscape.boundary"]
    )


@pytest.mark.parametrize(
    ("options", "path", "words"),
    [
        ({"source": "a.npy"}, "landscape.boundary", "no boundary condition"),
        ({"source": "a.npy", "boundary": "clp"}, "landscape.boundary", "did you mean 'clip'"),
        ({"source": "a.npy", "boundary": {"x1": "clp"}}, "landscape.boundary", "did you mean 'clip'"),
        ({"source": "a.npy", "boundary": {"x1": 3}}, "landscape.boundary", "must be text"),
        ({"source": "a.npy", "boundary": {}}, "landscape.boundary", "a table with one entry per axis"),
        ({"source": "a.npy", "boundary": "clip", "size": 3}, "landscape.size", "unknown option"),
        ({"source": "b.npy", "boundary": "clip"}, "landscape.source", "No such file"),
        ({"source": "pipe.npy", "boundary": "clip"}, "landscape.source", "not a file"),
        ({"source": "folder.npy", "boundary": "clip"}, "landscape.source", "not a file"),
        ({"source": "/etc/passwd"}, "landscape.source", "neither a landscape nor a file"),
        ({"source": "/dev/zero"}, "landscape.source", "neither a landscape nor a file"),
        ({"source": "a/" * 400 + "a.npy", "boundary": "clip"}, "landscape.source", "File name too long|No such file"),
    ],
)
def test_files_that_are_refused(options: dict[str, Any], path: str, words: str, tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.arange(9.0))
    os.mkfifo(tmp_path / "pipe.npy")
    (tmp_path / "folder.npy").mkdir()
    assert re.search(words, problems(in_a_file(tmp_path, **options))[path])


def test_a_file_that_no_task_could_read_is_told_with_the_words_of_a_specification(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.where(np.arange(9.0) == 4.0, np.nan, 1.0))
    found = problems(in_a_file(tmp_path, source="a.npy", boundary="clip"))
    assert list(found) == ["landscape.source"]
    assert "fill = NUMBER in a specification" in found["landscape.source"]
    assert ids(in_a_file(tmp_path, source="a.npy", boundary="clip", fill=0.0))
