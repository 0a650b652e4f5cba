"""What is wrong with a specification is said at once, each thing once, with its place."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest

from heatpg.batch import SpecError, read_spec
from heatpg.errors import OptionError
from tests.batch.specifications import changed, problems, written

FAULTY = """\
[batch]
nam = "x"
[landscape]
source = "double_pendulum"
gama = 0.9
boundary = "clp"
size = 12.5
[evolve]
sigma = [0.1, nan]
solver = "spektral"
checks = 7
tolerance = 1
[storage]
mode = "compakt"
[sweep.product]
"landscape.horizn" = [1.0]
"landscape.state" = [
    [1, 2, 3, "a"],
]
[[tusk]]
a = 1
"""


def test_everything_at_once_with_lines_and_near_words(tmp_path: Path) -> None:
    path = written(FAULTY, tmp_path)
    with pytest.raises(SpecError) as caught:
        read_spec(path)
    found = {(problem.line, problem.path): problem.message for problem in caught.value.problems}
    near = {
        (2, "batch.nam"): "name",
        (5, "landscape.gama"): "gamma",
        (6, "landscape.boundary"): "clip",
        (10, "evolve.solver"): "spectral",
        (14, "storage.mode"): "compact",
        (16, 'sweep.product."landscape.horizn"[0]'): "horizon",
        (20, "tusk"): "task",
    }
    for place, word in near.items():
        assert f"did you mean '{word}'" in found.pop(place), place
    assert set(found) == {
        (7, "landscape.size"),
        (9, "evolve.sigma[1]"),
        (11, "evolve.checks"),
        (12, "evolve.tolerance"),
        (17, 'sweep.product."landscape.state"[0]'),
    }
    text = str(caught.value)
    assert text.count("\n") == 12 and "12 problems" in text and str(path) in text
    assert all(str(problem) in text for problem in caught.value.problems)


def test_the_error_is_of_the_house_and_can_be_pickled() -> None:
    with pytest.raises(SpecError) as caught:
        read_spec({})
    assert isinstance(caught.value, OptionError) and isinstance(caught.value, ValueError)
    again = pickle.loads(pickle.dumps(caught.value))
    assert (str(again), again.problems) == (str(caught.value), caught.value.problems)


def test_problems_are_not_listed_without_end() -> None:
    found = problems({"landscape": {"source": "ridge", **{f"k{i}": 1 for i in range(5000)}}, "evolve": {"sigma": 1}})
    assert 100 <= len(found) < 110


def test_a_table_that_holds_itself_is_refused() -> None:
    loop: dict[str, Any] = {}
    loop["a"] = loop
    assert any("nested too deep" in message for message in problems(changed(landscape={"width": loop})).values())
