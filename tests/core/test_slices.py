"""Landscapes of few of many components say what noise they leave out, and in which unit sigma is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from heatpg import Landscape, evolve, landscapes, plot, study
from heatpg.core.slices import slice_words
from heatpg.landscapes import Actions, Parameters, Rollout


def of_parameters(lengths: list[float], cosines: Any, count: int) -> dict[str, Any]:
    return {
        "parameters": {
            "kind": "parameters",
            "parameters": count,
            "directions": {"lengths": lengths, "cosines": np.asarray(cosines).tolist()},
        }
    }


def test_directions_have_lengths_and_angles() -> None:
    words = slice_words(of_parameters([1.0, 2.5], [[1.0, 0.5], [0.5, 1.0]], 1217))
    assert "no noise in the other 1,215 parameters" in words
    # arccos(1/2)
    assert (
        "lengths 1 and 2.5" in words and "is 60 degrees" in words and "in units of the length of its direction" in words
    )
    three = slice_words(of_parameters([1.0, 1.0, 3.0], np.eye(3), 5))
    assert "angles between them are 90, 90 and 90 degrees" in three
    one = slice_words(of_parameters([4.0], [[1.0]], 2))
    assert "no noise in the other parameter; the direction has the length 4" in one and "angle" not in one


def test_what_is_no_slice_says_nothing() -> None:
    assert slice_words({}) == slice_words({"parameters": None}) == ""
    assert slice_words(of_parameters([1.0, 1.0], np.eye(2), 2)) == ""
    assert slice_words({"parameters": {"kind": "actions", "components": [0, 1], "action": [0.0, 0.0]}}) == ""
    # as a damaged file would have it
    for broken in ({"kind": "parameters", "directions": 3}, {"kind": "actions", "components": 3, "action": [1]}):
        assert slice_words({"parameters": broken}) == ""


def test_study_report_and_figure_of_a_slice_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("gymnasium")
    from tests import toy_environments as toys

    over = Actions(components=(0, 2))
    rollout = Rollout(horizon=1, action_type="float64")
    q = landscapes.from_gymnasium(toys.Target, over=over, state=0, size=17, rollout=rollout)
    flow = evolve(q, [2.0, 4.0])
    words = "no noise in the other 4 components"
    assert words in flow.report["slice"].message and flow.report["slice"].status == "finding"
    page = study(q)
    assert words in page.sentences["slice"]
    texts = [text.get_text() for part in plot.study(page).subfigs for text in part.texts]
    assert "noise in the other 4" in " ".join(" ".join(texts).split())
    line = Landscape(q.values, q.grid)
    assert "slice" not in study(line).sentences
    assert "slice" not in [check.name for check in evolve(line, [2.0, 4.0]).report]
    theta = Parameters([-0.5, 0.1], directions=[[1.0, 0.0]], boundary="clip")
    along = landscapes.from_gymnasium(toys.walk, toys.proportional, over=theta, size=17, rollout=Rollout(horizon=3))
    assert "no noise in the other parameter" in study(along).sentences["slice"]
