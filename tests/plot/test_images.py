"""Every figure looks as it did: pictures are compared with stored ones; see `images.py` for the measure.

After a change on purpose: ``python tests/plot/renew.py NAME``, and look at the picture.
"""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure, SubFigure
from matplotlib.patches import Rectangle
from matplotlib.text import Text
from PIL import Image

from heatpg.plot.field import TRUST_WORDS
from tests.plot.images import (
    BASELINE,
    TEXT_TOLERANCE,
    TOLERANCE,
    all_cases,
    baseline,
    contents,
    difference,
    marks,
    picture,
    settings,
    stored_contents,
)

CASES = all_cases()
DASHES = {repr((0, (4, 3))), "'--'", "'dashed'"}


@pytest.mark.parametrize("name", CASES)
def test_picture(name: str, tmp_path: Path) -> None:
    with matplotlib.rc_context(settings()):
        figure = CASES[name]()
        drawn, free = picture(figure)
    assert contents(figure) == stored_contents(name), f"if that is meant: python tests/plot/renew.py {name}"
    stored = baseline(name)
    for region, tolerance in ((free, TOLERANCE), (np.ones_like(free), TEXT_TOLERANCE)):
        found, (row, column) = difference(drawn, stored, region)
        if found > tolerance:
            path = tmp_path / f"{name}.png"
            Image.fromarray(np.concatenate([drawn, stored], axis=1)).save(path)
            pytest.fail(
                f"the picture {name} differs by {found:.1f} (at most {tolerance:g}) near column {column}, row {row}; "
                f"drawn and stored side by side: {path}; if that is meant: python tests/plot/renew.py {name}"
            )


def test_every_picture_has_a_figure_and_is_small() -> None:
    stored = {path.stem: path.stat().st_size for path in BASELINE.glob("*.png")}
    assert stored.keys() == CASES.keys()
    assert max(stored.values()) < 35_000
    assert sum(stored.values()) < 600_000
    assert {path.stem for path in BASELINE.glob("*.txt")} == CASES.keys()


@pytest.mark.parametrize("name", CASES)
def test_every_mark_and_hatching_is_seen_and_would_be_missed(name: str) -> None:
    """Without it pixels change, so that nothing lies over it, and the list of what the figure shows is another."""
    with matplotlib.rc_context(settings()):
        figure = CASES[name]()
        with_all, _ = picture(figure)
        figure.set_layout_engine("none")
        for ax in figure.axes:
            for mark in marks(ax):
                if mark.get_visible():
                    mark.set_visible(False)
                    without, _ = picture(figure)
                    assert np.count_nonzero((without != with_all).any(axis=2)) > 1, mark
                    assert contents(figure) != stored_contents(name), mark
                    mark.set_visible(True)


def shown(figure: Figure) -> list[Any]:
    """Everything that a figure shows: curves, areas, images, words, legends, numbers along axes, panels."""
    parts = [figure, *(part for part in figure.findobj(SubFigure) if isinstance(part, SubFigure))]
    found: list[Any] = [thing for part in parts for thing in (*part.legends, *part.texts)]
    for ax in figure.axes:
        if ax.get_visible():
            found += [*ax.lines, *ax.patches, *ax.collections, *ax.images, *ax.texts]
            found += [ax.title, ax.get_legend(), *(axis.label for axis in ax._axis_map.values()), ax]
    return [thing for thing in found if thing is not None and thing.get_visible()]


@pytest.mark.parametrize("name", CASES)
def test_everything_that_is_shown_would_be_missed(name: str) -> None:
    with matplotlib.rc_context(settings()):
        figure = CASES[name]()
        picture(figure)
    stored = stored_contents(name)
    for thing in shown(figure):
        if isinstance(thing, Text) and not thing.get_text():
            continue
        thing.set_visible(False)
        assert contents(figure) != stored, thing
        thing.set_visible(True)


@pytest.mark.parametrize("name", [name for name in CASES if name != "animation_frame"])
def test_a_dashed_line_around_what_can_be_trusted_is_explained(name: str) -> None:
    with matplotlib.rc_context(settings()):
        figure = CASES[name]()
    dashed = [patch for patch in figure.findobj(Rectangle) if repr(patch.get_linestyle()) in DASHES]
    words = " ".join(" ".join(text.get_text() for text in figure.findobj(Text) if isinstance(text, Text)).split())
    for line in re.split(r"(?<=\.) ", TRUST_WORDS):
        assert not dashed or line in words


@pytest.mark.parametrize("name", ["risk", "risk_column"])
def test_no_line_of_both_actions_is_hidden(name: str) -> None:
    """Also where they are the same action, and their lines are one."""
    with matplotlib.rc_context(settings()):
        figure = CASES[name]()
        with_all, _ = picture(figure)
        figure.set_layout_engine("none")
        curves = [
            line for line in figure.axes[1].lines if not str(line.get_label()).startswith(("_", "start to differ"))
        ]
        assert len(curves) == 4
        for line in curves:
            line.set_visible(False)
            without, _ = picture(figure)
            # of the legend entry, which stays, nothing changes
            assert np.count_nonzero((without != with_all).any(axis=2)) > 40, line
            line.set_visible(True)


def faulty(figure: Figure, fault: str) -> bool:
    """Spoil a figure on purpose; whether there was something to spoil."""
    for ax in figure.axes:
        if fault == "colours" and ax.images:
            ax.images[0].set_cmap("plasma")
        elif fault == "axes swapped" and ax.images:
            ax.images[0].set_data(np.asarray(ax.images[0].get_array()).T)
        elif fault == "cross missing" and any(line.get_marker() == "X" for line in ax.lines):
            next(line for line in ax.lines if line.get_marker() == "X").remove()
        elif fault == "legend missing" and (legend := ax.get_legend()) is not None:
            legend.remove()
        elif fault == "curve moved" and not ax.images and ax.lines and ax.get_yscale() == "linear":
            low, high = ax.get_ylim()
            line = ax.lines[0]
            line.set_ydata(np.asarray(line.get_ydata(), dtype=float) + 0.07 * (high - low))
            ax.set_ylim(low, high)
        else:
            continue
        return True
    return False


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("landscape", "colours"),
        ("landscape", "axes swapped"),
        ("landscape", "cross missing"),
        ("summary_space", "cross missing"),
        ("summary", "colours"),
        ("price", "legend missing"),
        ("price", "curve moved"),
        ("cut", "curve moved"),
        ("summary_line", "legend missing"),
    ],
)
def test_faults_are_seen(name: str, fault: str) -> None:
    with matplotlib.rc_context(settings()):
        figure = CASES[name]()
        assert faulty(figure, fault)
        drawn, free = picture(figure)
    assert difference(drawn, baseline(name), free)[0] > TOLERANCE


def test_another_place_of_text_is_not_a_fault() -> None:
    with matplotlib.rc_context(settings()):
        figure = CASES["landscape"]()
        for text in figure.findobj(Text):
            assert isinstance(text, Text)
            text.set_fontsize(1.01 * float(text.get_fontsize()))
        drawn, free = picture(figure)
    assert difference(drawn, baseline("landscape"), free)[0] < TOLERANCE
    assert difference(drawn, baseline("landscape"))[0] < TEXT_TOLERANCE


def test_the_measure() -> None:
    white = np.full((40, 50, 3), 255, dtype=np.uint8)
    dot = white.copy()
    dot[20:26, 30:36] = 0
    assert difference(white, white) == (0.0, (0, 0))
    found, place = difference(dot, white)
    assert found > TOLERANCE and place == (16, 32)
    moved = np.roll(dot, (1, -2), axis=(0, 1))
    assert difference(dot, moved)[0] == 0.0
    assert difference(dot, np.roll(dot, 6, axis=1))[0] > TOLERANCE
    nowhere = np.ones((40, 50), dtype=bool)
    nowhere[10:40, 20:45] = False
    assert difference(dot, white, nowhere)[0] == 0.0
    with pytest.raises(AssertionError, match="the size is"):
        difference(white, white[:-1])


@pytest.mark.parametrize("name", ["study", "study_plane", "study_column"])
def test_no_words_of_a_study_lie_on_others(name: str) -> None:
    """The answer, its three numbers, and the notes: all texts that stand in a part of the figure and in no panel."""
    with matplotlib.rc_context(settings()):
        figure = CASES[name]()
        picture(figure)
        for part in figure.findobj(SubFigure):
            assert isinstance(part, SubFigure)
            boxes = [(text.get_text(), text.get_window_extent()) for text in part.texts if text.get_text()]
            for (words, box), (others, other) in itertools.combinations(boxes, 2):
                assert not box.overlaps(other), f"{words!r} and {others!r}"
