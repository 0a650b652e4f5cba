"""What is printed, shown in a notebook or raised has no letter that a terminal or a browser would obey."""

from __future__ import annotations

import re
import warnings
from typing import Any

import numpy as np
import pytest

from heatpg import Axis, Grid, Landscape, errors, evolve, study
from heatpg.batch.problems import Problem
from heatpg.batch.summaries import Failure, State, Summary, TaskState, Verification
from heatpg.core.report import Check, Report

# ESC, BEL, CR, backspace, DEL, CSI of one byte, right-to-left override and isolate, line separator
BAD = "\x1b]0;owned\x07\r\x08\x7f\x9b31m\u202e\u2066\u2028"
OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
FORGED = "forged 1 passed"
PLANTED = f"{BAD}\n{FORGED}"


def objects() -> dict[str, Any]:
    """Everything of heatpg that shows a name, a unit or a reason, each of them planted."""
    axes = (Axis(name, -1.0, 1.0, 33, boundary="clip", unit=f"N{PLANTED}") for name in "xy")
    grid = Grid(*axes)
    x, y = grid.mesh()
    values = np.cos(3 * x) + np.sin(2 * y) + 0.3 * np.exp(-((x - 0.5) ** 2) / 0.02)
    landscape = Landscape(values, grid, f"hill{PLANTED}", {"made by": PLANTED})
    flow = evolve(landscape, [0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7])
    flow.reason = f"because{PLANTED}"
    check = Check(f"name{PLANTED}", "failed", f"message{PLANTED}", 1.0, 2.0, f"source{PLANTED}")
    flow.report = Report([*flow.report, check])
    page = study(flow)
    failure = Failure("a" * 64, 0, f"task{PLANTED}", f"reason{PLANTED}", 1)
    return {
        "grid": grid,
        "axis": grid[0],
        "landscape": landscape,
        "evolution": flow,
        "report": flow.report,
        "study": page,
        "space": page.space,
        "basins": page.basins,
        "curve": page.curve,
        "failure": failure,
        "summary": Summary(f"folder{PLANTED}", 1, 0, 0, (failure,), (("a", PLANTED),), 0.1),
        "state": State(f"folder{PLANTED}", f"name{PLANTED}", 1, 0, (failure,), 0, 0, (PLANTED,), 0.1),
        "task": TaskState(0, "a" * 64, f"task{PLANTED}", "failed", None, f"file{PLANTED}", f"reason{PLANTED}"),
        "verification": Verification(f"folder{PLANTED}", True, 1, ((f"a{PLANTED}", PLANTED),), (PLANTED,), 0, ()),
        "problem": Problem(f"path{PLANTED}", f"message{BAD}"),
    }


def test_what_is_shown_is_obeyed_by_nothing() -> None:
    for name, thing in objects().items():
        shown = {"str": str(thing), "repr": repr(thing), "html": getattr(thing, "_repr_html_", str)()}
        for way, text in shown.items():
            assert not OBEYED.search(text), (name, way)
            # nor does a name begin a line of its own, which would pass for one of heatpg
            assert FORGED not in [line.strip() for line in text.splitlines()], (name, way)
    for sentence in objects()["study"].sentences.values():
        assert not OBEYED.search(sentence)


KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.HeatpgError)]


@pytest.mark.parametrize("kind", KINDS)
def test_errors(kind: type[errors.HeatpgError]) -> None:
    error = kind(f"problem{BAD}", given=BAD, allowed=BAD, advice=BAD)
    assert not OBEYED.search(str(error)) and "\\x1b]0;owned" in str(error)
    # what was given is kept as it was
    assert error.given == BAD


def test_warnings() -> None:
    with pytest.warns(errors.HeatpgWarning) as told:
        warnings.warn(BAD, errors.HeatpgWarning, stacklevel=1)
    message = told[0]
    shown = warnings.formatwarning(str(message.message), message.category, message.filename, message.lineno)
    assert not OBEYED.search(shown) and "\\x1b]0;owned" in shown
