"""The specification of a batch: what it means, what is refused, and that nothing else can come of it."""

from __future__ import annotations

import copy
import hashlib
import importlib.util
import json
import math
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from heatpg.batch import Spec, SpecError, Task, read_spec
from heatpg.batch import spec as module
from tests.batch.specifications import BASE, changed, ids, in_a_file, problems, written

ROOT = Path(__file__).resolve().parents[2]


def test_the_canonical_form_is_fixed() -> None:
    """Nobody's shards may be orphaned by chance: a change here needs a new schema."""
    (task,) = read_spec(BASE).tasks()
    expected = (
        b'{"checks":"standard","landscape":{"options":{"boundary":"clip","dimensions":1,"half_distance":1.0,"size":33,'
        b'"width":0.5},"source":"two_bumps"},"schema":1,"sigma":[0.1,0.3],"solver":{"name":"auto","options":{},'
        b'"prefer":"accurate","tolerance":null},"storage":{"compression":"none","mode":"full","tolerance":null}}'
    )
    assert task.canonical() == expected
    assert task.id == hashlib.sha256(expected).hexdigest()
    assert json.loads(expected) == task.resolved


@pytest.mark.parametrize(
    "same",
    [
        changed(landscape={"dimensions": 1, "width": 0.5, "boundary": "clip", "half_distance": 1}),
        changed(evolve={"sigma": (0.3, 0.1)}),
        changed(evolve={"sigma": np.array([0.1, 0.3])}, landscape={"size": np.int64(33)}),
        changed(evolve={"solver": "auto", "solver_options": {}, "prefer": "accurate", "checks": "standard"}),
        changed(evolve={"tolerance": "none"}, storage={"mode": "full", "compression": "none"}),
        changed(batch={"name": "another name"}),
        changed(landscape={"size": 65}, sweep={"product": {"landscape.size": [33]}}),
        changed(task=[{}]),
    ],
)
def test_the_same_work_has_the_same_identity(same: dict[str, Any]) -> None:
    assert ids(same) == ids(BASE)


@pytest.mark.parametrize(
    "other",
    [
        changed(landscape={"size": 34}),
        changed(landscape={"boundary": "zero"}),
        changed(landscape={"width": np.nextafter(0.5, 1)}),
        changed(landscape={"source": "unequal_bumps"}),
        changed(evolve={"sigma": [0.1, 0.30000000000000004]}),
        changed(evolve={"sigma": [0.1]}),
        changed(evolve={"sigma": {"x": [0.1, 0.3]}}),
        changed(evolve={"solver": "direct"}),
        changed(evolve={"prefer": "monotone"}),
        changed(evolve={"tolerance": 1e-9}),
        changed(evolve={"checks": "full"}),
        changed(storage={"mode": "compact"}),
        changed(storage={"compression": "gzip:1"}),
    ],
)
def test_other_work_has_another_identity(other: dict[str, Any]) -> None:
    assert ids(other) != ids(BASE)


def test_a_new_schema_changes_every_identity(monkeypatch: pytest.MonkeyPatch) -> None:
    before = ids(BASE)
    monkeypatch.setattr(module, "SCHEMA", 2)
    assert ids(BASE) != before


@st.composite
def specifications(draw: st.DrawFn) -> dict[str, Any]:
    """Specifications of analytic landscapes with a product in it."""
    numbers = st.integers(1, 9) | st.floats(0.1, 9.0)
    return {
        "landscape": {"source": "two_bumps", "width": draw(numbers), "half_distance": draw(numbers)},
        "evolve": {"sigma": draw(st.lists(numbers, min_size=1, max_size=4, unique_by=float))},
        "sweep": {
            "product": {
                "landscape.size": draw(st.lists(st.integers(5, 99), min_size=1, max_size=3, unique=True)),
                "landscape.width": draw(st.lists(numbers, min_size=1, max_size=3, unique_by=float)),
            }
        },
    }


def reordered(value: Any) -> Any:
    """The same with every table in another order and whole numbers as real ones where they are meant."""
    if isinstance(value, dict):
        return {key: reordered(value[key]) for key in reversed(value)}
    return value


def with_floats(value: Any, path: str = "") -> Any:
    if isinstance(value, dict):
        return {key: with_floats(item, key) for key, item in value.items()}
    if isinstance(value, list):
        return [with_floats(item, path) for item in value]
    return value if isinstance(value, str) or path.endswith("size") else float(value)


@given(specifications())
def test_order_and_kind_of_number_do_not_matter(specification: dict[str, Any]) -> None:
    expected = sorted(ids(specification))
    assert sorted(ids(reordered(specification))) == expected
    assert sorted(ids(with_floats(specification))) == expected
    assert len(set(expected)) == len(expected)


@given(specifications(), st.data())
def test_every_value_matters(specification: dict[str, Any], data: st.DataObject) -> None:
    before = set(ids(specification))
    other = copy.deepcopy(specification)
    place = data.draw(st.sampled_from(["half_distance", "sigma"]))
    if place == "sigma":
        other["evolve"]["sigma"] = [*other["evolve"]["sigma"], 10.0]
    else:
        other["landscape"]["half_distance"] = math.nextafter(float(other["landscape"]["half_distance"]), math.inf)
    assert not before & set(ids(other))


@given(specifications())
def test_a_task_travels(specification: dict[str, Any]) -> None:
    for task in read_spec(specification).tasks():
        again = Task.from_resolved(json.loads(json.dumps(task.resolved)), task.number)
        assert (again.id, again.canonical(), again.number) == (task.id, task.canonical(), task.number)


@given(specifications())
def test_the_copy_in_toml_means_the_same(specification: dict[str, Any]) -> None:
    import tempfile

    spec = read_spec(specification)
    with tempfile.TemporaryDirectory() as folder:
        again = read_spec(written(spec.as_toml(), Path(folder)))
    assert [task.id for task in again.tasks()] == [task.id for task in spec.tasks()]
    assert again.as_toml() == spec.as_toml()


def test_order_of_the_tasks() -> None:
    spec = read_spec(
        changed(
            sweep={
                "product": {"landscape.width": [0.2, 0.4], "landscape.size": [9, 17]},
                "zip": {"landscape.boundary": ["clip", "zero"], "evolve.sigma": [0.1, [0.2, 0.3]]},
            },
            task=[{"evolve.checks": "none"}, {"evolve.checks": "full"}],
        )
    )
    tasks = spec.tasks()
    assert spec.count == len(tasks) == 16
    assert [task.number for task in tasks] == list(range(16))
    assert [value for task in tasks for key, value in task.changes if key == "landscape.width"] == [0.2] * 8 + [0.4] * 8
    assert [task.resolved["landscape"]["options"]["size"] for task in tasks] == [*[9] * 4, *[17] * 4] * 2
    assert [task.resolved["sigma"] for task in tasks[:4]] == [[0.1], [0.1], [0.2, 0.3], [0.2, 0.3]]
    assert [task.resolved["checks"] for task in tasks[:4]] == ["none", "full", "none", "full"]


def test_keys_without_quotes_mean_the_same(tmp_path: Path) -> None:
    quoted = '[sweep.product]\n"landscape.width" = [0.2, 0.4]\n"evolve.solver_options.steps" = [8, 16]\n'
    head = '[landscape]\nsource = "two_bumps"\n[evolve]\nsigma = 0.1\nsolver = "implicit"\n'
    assert ids(written(head + quoted, tmp_path)) == ids(written(head + quoted.replace('"', ""), tmp_path))


def test_one_option_of_the_solver_leaves_the_others() -> None:
    tasks = read_spec(
        changed(
            evolve={"solver": "crank_nicolson", "solver_options": {"steps": 8}},
            sweep={"product": {"evolve.solver_options.damping_steps": [0, 4]}},
        )
    ).tasks()
    assert [task.resolved["solver"]["options"] for task in tasks] == [
        {"damping_steps": 0, "step": None, "steps": 8},
        {"damping_steps": 4, "step": None, "steps": 8},
    ]


def test_a_source_may_be_swept() -> None:
    specification = changed(sweep={"product": {"landscape.source": ["ridge", "two_bumps"]}})
    del specification["landscape"]["source"]
    assert [task.resolved["landscape"]["source"] for task in read_spec(specification).tasks()] == ["ridge", "two_bumps"]
    specification["landscape"]["half_distance"] = 1.0
    assert "'ridge'" in problems(specification)["landscape.half_distance"]


def test_a_task_that_is_there_twice_is_refused() -> None:
    found = problems(changed(sweep={"product": {"landscape.width": [0.2, 0.4, 0.2]}}))
    (message,) = found.values()
    assert "task 2" in message and "task 0" in message and "width = 0.2" in message


def test_a_huge_sweep_is_counted_and_not_made() -> None:
    many = list(range(1000))
    begin = time.process_time()
    found = problems(
        changed(sweep={"product": {"landscape.width": many, "landscape.size": many, "landscape.half_distance": many}})
    )
    assert "1000 x 1000 x 1000" in found["sweep"]
    assert time.process_time() - begin < 1.0


def test_many_tasks_are_made_soon() -> None:
    spec = read_spec(
        changed(sweep={"product": {"landscape.size": list(range(5, 105)), "landscape.width": list(range(1, 101))}})
    )
    begin = time.process_time()
    assert len({task.id for task in spec.tasks()}) == 10_000
    assert time.process_time() - begin < 5.0  # half a second, on a quiet machine


@pytest.mark.parametrize(
    ("sections", "path", "words"),
    [
        ({"product": {"landscape.width": []}}, 'sweep.product."landscape.width"', "one or more"),
        ({"product": {"landscape.width": 0.3}}, 'sweep.product."landscape.width"', "must be a list"),
        ({"product": {"landscap.width": [1]}}, 'sweep.product."landscap.width"', "did you mean 'landscape'"),
        ({"product": {"evolve.solvr": ["direct"]}}, 'sweep.product."evolve.solvr"', "did you mean 'solver'"),
        ({"product": {"evolve": [1]}}, "sweep.product.evolve", '"evolve.key"'),
        ({"product": {"landscape.widht": [1]}}, 'sweep.product."landscape.widht"[0]', "did you mean 'width'"),
        ({"product": {"landscape.width": [1, "a"]}}, 'sweep.product."landscape.width"[1]', "a number"),
        ({"product": {"landscape.boundary": ["clip", "clp"]}}, 'sweep.product."landscape.boundary"[1]', "'clip'"),
        ({"product": {"evolve.sigma": [1, -1]}}, 'sweep.product."evolve.sigma"[1]', "negative"),
        ({"product": {"evolve.solver": ["auto", "spectrl"]}}, 'sweep.product."evolve.solver"[1]', "'spectral'"),
        ({"zip": {"landscape.width": [1, 2], "landscape.size": [9]}}, "sweep.zip", "has 2, landscape.size has 1"),
        (
            {"product": {"landscape.width": [1]}, "zip": {"landscape.width": [2]}},
            'sweep.zip."landscape.width"',
            "varied twice",
        ),
        (
            {"product": {"evolve.solver_options": [{}], "evolve.solver_options.steps": [2]}},
            'sweep.product."evolve.solver_options.steps"',
            "varied twice",
        ),
        ({"prodct": {}}, "sweep.prodct", "did you mean 'product'"),
    ],
)
def test_sweeps_that_are_refused(sections: dict[str, Any], path: str, words: str) -> None:
    found = problems(changed(sweep=sections))
    assert words in found[path]


@pytest.mark.parametrize("other", [None, 3, b"spec.toml", [("landscape", {})]])
def test_what_is_no_specification(other: Any) -> None:
    with pytest.raises(SpecError, match="a specification must be the path of a file"):
        read_spec(other)


def test_a_specification_does_not_change() -> None:
    spec = read_spec(BASE)
    with pytest.raises(ValidationError, match="frozen"):
        spec.batch = None  # type: ignore[assignment]
    with pytest.raises(ValidationError, match="frozen"):
        spec.evolve.checks = "none"
    (task,) = spec.tasks()
    task.resolved["sigma"].append(5.0)
    assert task.resolved["sigma"] == [0.1, 0.3]
    with pytest.raises(AttributeError):
        task.id = "x"  # type: ignore[misc]
    assert isinstance(spec, Spec)


def test_the_copy_in_toml_finds_its_files(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.arange(9.0))
    spec = read_spec(in_a_file(tmp_path, source="a.npy", boundary="clip"))
    (tmp_path / "out").mkdir()
    assert ids(written(spec.as_toml(), tmp_path / "out")) == [task.id for task in spec.tasks()]


def test_specifications_that_are_no_files(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.toml")
    for name in ("pipe.toml", ".", "nothing.toml", "x" * 5000, "a\0b"):
        with pytest.raises(SpecError):
            read_spec(tmp_path / name)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\xff\xfe", "not UTF-8 text"),
        (b"a = 1\na = 2\n", "(?s)not TOML.*line 2"),
        (b"a = " + b"[" * 5000, "nested too deep"),
        (b"a." * 40_000 + b"a = 1", "nested too deep"),
        (b'"=".' * 40_000 + b"a = 1", "nested too deep"),
        (b"a = 0x" + b"f" * 10_000, "a whole number of 40000 bits is too large"),
        (b"a = " + b"9" * 10_000, "not TOML"),
        (b"a = [" + b"1," * 200_000 + b"]", "too long"),
        (b"#" * (2**20 + 1), "too large"),
        (b'a = "\\ud800"', "not TOML"),
        (b"\x00", "not TOML"),
        (b'"\\' * 200_000, "not TOML"),
    ],
    ids=lambda value: repr(value[:20]),
)
def test_texts_that_are_refused(content: bytes, words: str, tmp_path: Path) -> None:
    path = tmp_path / "spec.toml"
    path.write_bytes(content)
    begin = time.process_time()
    with pytest.raises(SpecError, match=words):
        read_spec(path)
    assert time.process_time() - begin < 1.0  # of forty thousand dots tomllib alone makes several seconds


def test_marks_and_ends_of_lines_do_not_matter(tmp_path: Path) -> None:
    text = '[landscape]\nsource = "two_bumps"\nsize = 33\n[evolve]\nsigma = [0.1, 0.3]\n'
    expected = ids(BASE)
    for other in (text, "\ufeff" + text, text.replace("\n", "\r\n")):
        assert ids(written(other, tmp_path)) == expected


def without(table: dict[str, Any], key: str) -> dict[str, Any]:
    return {k: value for k, value in table.items() if k != key}


def faulty_tasks() -> Iterator[Any]:
    (task,) = read_spec(BASE).tasks()
    good = task.resolved
    yield from ({}, [], None, {"schema": 1})
    yield from (without(good, key) for key in good)
    yield good | {"schema": 2}
    yield good | {"schema": True}
    yield good | {"extra": 1}
    yield good | {"sigma": [0.3, 0.1]}  # not in its order
    yield good | {"sigma": [math.nan]}
    yield good | {"landscape": without(good["landscape"], "options")}
    yield good | {"landscape": good["landscape"] | {"source": "/tmp/a.npy"}}
    yield good | {
        "landscape": {"source": "file", "file": "/a.npy", "sha256": "0" * 63, "options": {"boundary": "clip"}}
    }
    yield good | {"landscape": {"source": "file", "file": "/a", "sha256": "0" * 64, "options": {"boundary": "clip"}}}
    yield good | {"landscape": {"source": "file", "file": "/a.npy", "sha256": "0" * 64, "options": {}}}
    yield good | {"landscape": good["landscape"] | {"options": without(good["landscape"]["options"], "size")}}
    yield good | {"landscape": good["landscape"] | {"options": good["landscape"]["options"] | {"sise": 3}}}
    yield good | {"solver": good["solver"] | {"name": "nothing"}}
    yield good | {"storage": good["storage"] | {"mode": "nothing"}}


@pytest.mark.parametrize("resolved", list(faulty_tasks()))
def test_a_task_that_does_not_fit_is_refused(resolved: Any) -> None:
    with pytest.raises(SpecError):
        Task.from_resolved(resolved)


def fuzzer() -> ModuleType:
    path = Path(__file__).with_name("fuzz_spec.py")
    specification = importlib.util.spec_from_file_location("fuzz_spec", path)
    assert specification is not None and specification.loader is not None
    loaded = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(loaded)
    return loaded


def test_broken_texts_give_only_errors_of_the_house() -> None:
    fuzz = fuzzer()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    end = time.perf_counter() + 3.0
    ends = []
    for content, ended, seconds in fuzz.run(5000, seed=20260122):
        assert seconds < fuzz.SECONDS, content
        ends.append(ended)
        if time.perf_counter() > end and len(ends) > 200:
            break
    assert {"SpecError", "read"} == set(ends)
    assert len(ends) > 200
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 < fuzz.BYTES


@pytest.mark.parametrize(
    "value",
    [
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
        st.lists(st.integers() | st.floats() | st.text(), max_size=4),
        st.dictionaries(st.text() | st.integers(), st.integers() | st.text() | st.floats(), max_size=4),
    ],
)
def test_any_value_anywhere(value: st.SearchStrategy[Any]) -> None:
    keys = {
        "landscape": ("source", "size", "width", "boundary"),
        "evolve": ("sigma", "solver", "solver_options", "tolerance", "checks"),
        "storage": ("mode", "tolerance"),
        "sweep": ("product", "zip"),
        "batch": ("name",),
    }
    places = st.sampled_from([(section, key) for section, names in keys.items() for key in names])

    @given(places, value)
    def attempt(place: tuple[str, str], thing: Any) -> None:
        section, key = place
        try:
            read_spec(changed(**{section: {key: thing}})).tasks()
        except SpecError as reason:
            assert str(reason)

    attempt()


@pytest.mark.parametrize("name", ["pendulum_gammas", "quadrotor_horizons"])
def test_samples(name: str) -> None:
    spec = read_spec(ROOT / "data" / f"{name}.toml")
    assert len(spec.tasks()) == spec.count == 6
    assert spec.batch.name


def test_pydantic_is_loaded_when_it_is_needed() -> None:
    code = "import sys, heatpg, heatpg.batch, heatpg.cli; print('pydantic' in sys.modules, 'numba' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


@pytest.mark.parametrize(
    "text",
    [
        '"landscape.horizon" = [0.5, 1.0]\n[landscape]\nsource = "quadrotor"\n[evolve]\nsigma = [0.1]\n',
        '[landscape]\nsource = "quadrotor"\nhorizon = [0.5, 1.0]\n[evolve]\nsigma = [0.1]\n',
        '[landscape]\nsource = "quadrotor"\n"landscape.horizon" = 0.5\n[evolve]\nsigma = [0.1]\n',
        '[landscape]\nsource = "quadrotor"\n[evolve]\nsigma = [0.1]\n"landscape.horizon" = 0.5\n',
    ],
    ids=["at the top", "a list for a number", "in its table", "in another table"],
)
def test_what_varies_is_sent_to_the_sweep(text: str, tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SpecError) as caught:
        read_spec(path)
    hint = 'to vary it, write "landscape.horizon" under [sweep.product], [sweep.zip] or [[task]]'
    (problem,) = caught.value.problems
    assert hint in problem.message
    assert "did you mean" not in problem.message
    # the hint is right
    path.write_text(
        '[landscape]\nsource = "quadrotor"\n[evolve]\nsigma = [0.1]\n'
        '[sweep.product]\n"landscape.horizon" = [0.5, 1.0]\n',
        encoding="utf-8",
    )
    read_spec(path)
