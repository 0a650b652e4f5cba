"""A loss: every number is that of its negative, maximised; every word is of the minimum."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from heatpg import Axis, Grid, Landscape, evolve, landscapes, load, plot, study
from heatpg.cli import main
from heatpg.errors import OptionError
from heatpg.evolution import Evolution, solve
from heatpg.large import LargeLandscape, evolve_large
from heatpg.plot import figures
from heatpg.policy.ascent import Stepping, ascend, ascend_all
from heatpg.scalespace import basins, critical_points, track
from heatpg.viewer import page

# Words that would be wrong of a loss. The maximum principle and norms are no words on its optimum.
WRONG = re.compile(r"maxim\w*|argmax|\bmax\b|highest|\blargest\b|ascent|uphill|\bearn\w*|\bdrop\b", re.IGNORECASE)
# of noise levels and of basins the largest is the largest for a loss too
RIGHT = re.compile(
    r"maximum_principle|maximum principle|max \|Q\||the largest by|largest\s+noise\s+level|largest\s+share",
    re.IGNORECASE,
)


def wrong_words(text: str) -> list[str]:
    return WRONG.findall(RIGHT.sub("", text))


def hills(offset: float = 0.0) -> Landscape:
    """A narrow high peak and a broad low one on a plane, with a sampler."""
    grid = Grid(Axis("x", -4.0, 4.0, 65, boundary="clip"), Axis("y", -3.0, 3.0, 49, boundary="reflect"))

    def heights(x: Any, y: Any) -> Any:
        narrow = 1.2 * np.exp(-((x + 2.0) ** 2) / 0.5 - (y - 1.0) ** 2 / 0.8)
        return offset + narrow + np.exp(-((x - 1.5) ** 2) / 4.0 - (y + 0.5) ** 2 / 3.0)

    return Landscape.from_function(heights, grid, name="hills")


def negative(q: Landscape) -> Landscape:
    return Landscape(
        -q.values,
        q.grid,
        q.name,
        sampler=(lambda points: -q.sample(points)) if q.has_sampler else None,
        standard_error=q.standard_error,
        minimise=True,
    )


SIGMAS = np.geomspace(0.3, 2.5, 12)
CASES = {
    "plane": hills,
    "offset": lambda: hills(1e9),
    "line": lambda: Landscape(
        landscapes.unequal_bumps(size=201).values, landscapes.unequal_bumps(size=201).grid, "bumps"
    ),
    "cliff": lambda: landscapes.quadrotor(size=33),
    # a top between two nodes, which the grid misses
    "coarse": lambda: Landscape.from_function(
        lambda x: (
            np.exp(-(((x - 0.125) / 0.08) ** 2)) + np.exp(-((x - 0.125) ** 2)) + 1.5 * np.exp(-((x + 3.0) ** 2) / 0.1)
        ),
        Grid(Axis("x", -4.0, 4.0, 33, boundary="clip")),
    ),
}


def pages(name: str) -> tuple[Any, Any]:
    q = CASES[name]()
    levels = SIGMAS if name != "cliff" else np.geomspace(0.1, 0.6, 10)
    return study(q, levels), study(negative(q), levels)


def same(one: Any, other: Any, *, sign: float = 1.0) -> None:
    np.testing.assert_array_equal(np.asarray(one), sign * np.asarray(other))


@pytest.mark.parametrize("name", list(CASES))
def test_a_study_of_the_negative_says_the_same_numbers(name: str) -> None:
    gain, loss = pages(name)
    # values change their sign and nothing else: to the last bit, as negation rounds nothing
    same(gain.evolution.values, loss.evolution.values, sign=-1.0)
    for word in ("sigma", "optimum", "optimum_positions"):
        same(getattr(gain.space, word), getattr(loss.space, word))
    same(gain.space.optimum_values, loss.space.optimum_values, sign=-1.0)
    assert [event.kind for event in gain.space.events] == [event.kind for event in loss.space.events]
    for one, other in zip(gain.space.events, loss.space.events, strict=True):
        assert (one.sigma, one.uncertainty, one.position, one.tracks) == (
            *(other.sigma, other.uncertainty, other.position, other.tracks),
        )
        assert one.value == -other.value
    for mine, its in zip(gain.space.tracks, loss.space.tracks, strict=True):
        assert {mine.kind, its.kind} in ({"maximum", "minimum"}, {"saddle"})
        same(mine.positions, its.positions)
        same(mine.eigenvalues, its.eigenvalues[:, ::-1], sign=-1.0)
        assert mine.index + its.index == gain.space.grid.dimensions
    for word in ("price", "drop", "uncertainty", "positions", "best_position", "jump_price", "on_edge", "above_mean"):
        same(getattr(gain.curve, word), getattr(loss.curve, word))
    assert gain.curve.best == -loss.curve.best
    assert (gain.keeps, gain.price, gain.needle_lost) == (loss.keeps, loss.price, loss.needle_lost)
    assert gain.single.sigma == loss.single.sigma
    same(gain.basins.of_optimum(), loss.basins.of_optimum())
    same(gain.basins.earned().original, loss.basins.earned().original, sign=-1.0)
    assert gain.basins.best == -loss.basins.best
    if not isinstance(gain.shape, str):
        same(gain.shape.widths, loss.shape.widths)
        assert str(loss.shape).startswith("minimum at")
    same(gain.space.count(), loss.space.count())
    same(gain.space.count("saddle"), loss.space.count("saddle"))
    assert (gain.curve.missed is None) == (loss.curve.missed is None)
    assert name != "coarse" or gain.curve.missed is not None
    if gain.curve.missed is not None:
        assert gain.curve.missed[1] == -loss.curve.missed[1]
    # and the verdicts on the solution are the same
    assert [check.status for check in gain.evolution.report] == [check.status for check in loss.evolution.report]


@pytest.mark.parametrize("name", ["plane", "line", "cliff", "coarse"])
def test_the_words_of_a_study_are_of_the_minimum(name: str) -> None:
    gain, loss = pages(name)
    said = "\n".join([str(loss), str(loss.curve), str(loss.basins), loss._repr_html_()])
    # the tracks are of all critical points: that a loss has maxima as well is true
    said += re.sub(r"^maxima +\d.*$", "", str(loss.space), flags=re.MULTILINE)
    assert wrong_words(said) == []
    assert "minim" in said
    assert "minima" in loss.sentences
    assert wrong_words(str(loss.evolution.report)) == []
    # the words that are looked for are those that a return has
    assert len(set(map(str.lower, wrong_words(str(gain))))) >= 5
    # the JSON: what is said, and the names of its keys
    record = loss.as_dict()
    assert record["minimise"] is True
    assert "single_minimum" in record
    assert wrong_words(json.dumps(record["sentences"])) == []
    assert "minimise" not in gain.as_dict()


def test_critical_points_are_named_as_they_are() -> None:
    q = hills()
    mine, its = critical_points(q, 0.4), critical_points(negative(q), 0.4)
    order = {"maximum": "minimum", "minimum": "maximum", "saddle": "saddle"}
    assert sorted(zip(mine.positions.tolist(), mine.kinds, strict=True)) == sorted(
        zip(its.positions.tolist(), map(order.__getitem__, its.kinds), strict=True)
    )
    assert critical_points(negative(q), 0.4, "minimum").kinds == ["minimum"] * len(critical_points(q, 0.4, "maximum"))
    # an eigenvalue of a minimum inside is above zero
    inside = its.select(~its.on_edge & (its.kind == -1))
    assert (inside.eigenvalues > 0).all()
    assert (inside.index == 0).all()


def text_of(figure: Any) -> str:
    """All texts but the two entries of legends that name the other critical points, which a loss has as well."""
    from matplotlib.text import Text

    return "\n".join(
        found.get_text() for found in figure.findobj(Text) if found.get_text() not in ("maximum", "maxima")
    )


@pytest.mark.parametrize("kind", figures.names())
@pytest.mark.parametrize("width", [None, "column"])
def test_figures_speak_of_the_minimum(kind: str, width: Any) -> None:
    flow = evolve(negative(hills()), SIGMAS)
    if kind in ("orders", "work_precision", "unlearning", "ascent"):
        pytest.skip("not of an evolution")
    try:
        figure = figures.get(kind)(flow, width=width)
    except (TypeError, ValueError):
        pytest.skip("not of such an evolution")
    assert wrong_words(text_of(figure)) == [], kind


def marked(ax: Any) -> tuple[float, float]:
    """Where the cross of a map is."""
    (cross,) = [line for line in ax.get_lines() if line.get_marker() == "X"]
    return float(cross.get_xdata()[0]), float(cross.get_ydata()[0])


def test_figures_mark_the_minimum() -> None:
    q = hills()
    flow = solve(negative(q), [0.5])
    expected = q.grid.point(q.argmax)
    assert marked(plot.landscape(flow.landscape)) == pytest.approx(expected)
    assert marked(plot.landscape(q)) == pytest.approx(expected)
    assert marked(plot.field(flow, 0)) == pytest.approx(marked(plot.field(solve(q, [0.5]), 0)))


def test_the_page_speaks_of_the_minimum() -> None:
    text = page(evolve(negative(hills()), SIGMAS))
    start = text.index('<script type="application/json"') if "application/json" in text else 0
    data = json.loads(re.search(r"<script[^>]*application/json[^>]*>(.*?)</script>", text[start:], re.DOTALL)[1])  # type: ignore[index]
    senses = {"extremum": "minimum", "extrema": "minima", "short": "min", "largest": "smallest", "ascent": "descent"}
    assert data["words"] == senses | {"point": "action"}
    words = {key: data[key] for key in ("title", "subtitle", "notes", "report", "provenance")}
    assert wrong_words(json.dumps(words)) == []
    best = data["frames"][0]["best"]
    assert best["value"] == pytest.approx(-hills().values.max())
    # the words of the page itself are those of the data, not its own
    script = text[text.rindex("<script") :]
    assert not re.search(r'"[^"]*\b(maximum|maxima|max u|max Q|largest value)\b[^"]*"', script)


def test_the_command_line_speaks_of_the_minimum(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    q = hills()
    np.savez("q.npz", values=-q.values, x=q.grid[0].coordinates, y=q.grid[1].coordinates)
    levels = ["--boundary", "clip", "--sigma", "0.3:2:10"]
    assert main(["run", "q.npz", *levels, "--minimise", "--out", "q.h5"]) == 0
    said = capsys.readouterr().out
    assert wrong_words(said) == []
    assert f"optimum    Q: {-q.values.max():.6g}" in said
    assert "minimised" in said
    assert load("q.h5").landscape.minimise
    for command in (["study", "q.h5"], ["check", "q.h5"], ["study", "q.npz", *levels, "--minimise"]):
        assert main(command) == 0
        assert wrong_words(capsys.readouterr().out) == [], command
    assert main(["study", "q.h5", "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["minimise"] is True
    assert wrong_words(json.dumps(record["sentences"])) == []
    # a result of before can be regarded as a loss, and the other way round
    assert main(["run", "q.npz", *levels, "--out", "r.h5", "--quiet"]) == 0
    assert not load("r.h5").landscape.minimise
    capsys.readouterr()
    for command in (["study", "r.h5", "--minimise"], ["study", "q.h5"]):
        assert main([*command, "--json"]) == 0
        found = json.loads(capsys.readouterr().out)
        assert found["sentences"] == record["sentences"]
    assert main(["study", "q.h5", "--no-minimise"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert re.search(r"\d maxima( \(\d on the edge of the box\))? at the smallest noise level", shown)
    assert main(["run", "ridge", "--set", "size=33", "--sigma", "0.4", "--minimise", "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["landscape"]["minimise"] is True
    assert "min_u" in record["levels"][0] if "levels" in record else "min_u" in json.dumps(record)
    assert (
        main(["run", "q.npz", "--boundary", "clip", "--sigma", "1", "--minimise", "--memory", "1e8", "--out", "m.h5"])
        == 0
    )
    assert wrong_words(capsys.readouterr().out) == []
    assert load("m.h5").landscape.minimise


def test_a_large_loss_is_checked_at_its_minimum(tmp_path: Path) -> None:
    q = hills()
    tilted = q.values + np.linspace(0.0, 3.0, 65)[:, None]  # the optimum lies on the edge
    here = evolve_large(LargeLandscape(tilted, q.grid), [0.5], tmp_path / "a.h5").report
    there = evolve_large(LargeLandscape(-tilted, q.grid, minimise=True), [0.5], tmp_path / "b.h5").report
    assert [check.status for check in here] == [check.status for check in there]
    edge = {check.name: check for check in there}["optimum on the edge"]
    assert edge.status == "finding"
    assert "the smallest value lies on the edge" in edge.message
    assert edge.where == {check.name: check for check in here}["optimum on the edge"].where


@pytest.mark.parametrize("method", ["fixed", "natural", "variance"])
@pytest.mark.parametrize("source", ["landscape", "function"])
def test_ascent_on_a_loss_is_descent(method: str, source: str) -> None:
    def up(x: Any, y: Any) -> Any:
        return np.exp(-((x - 1.0) ** 2) - (y + 0.5) ** 2) + 0.7 * np.exp(-((x + 1.5) ** 2) / 0.5 - y**2)

    q: Any = hills() if source == "landscape" else up
    loss: Any = negative(q) if source == "landscape" else (lambda x, y: -up(x, y))
    more: dict[str, Any] = {} if source == "landscape" else {"minimise": True}
    starts = [[0.6, 0.1], [-2.2, 0.8]]
    for one, other in zip(
        ascend_all(q, starts, 0.4, method=method), ascend_all(loss, starts, 0.4, method=method, **more), strict=True
    ):
        same(one.means, other.means)
        same(one.values, other.values, sign=-1.0)
        same(one.at_means, other.at_means, sign=-1.0)
        assert other.status == one.status.replace("maximum", "minimum")
        assert wrong_words(str(other)) == []
        assert other.as_dict()["minimise"] is True
        assert "minimise" not in one.as_dict()


def test_sampled_descent_draws_the_same_noise() -> None:
    q, step = hills(), Stepping(rate=0.05, steps=20, samples=50)
    one = ascend(q, [0.5, 0.2], 0.4, gradient="score", stepping=step)
    other = ascend(negative(q), [0.5, 0.2], 0.4, gradient="score", stepping=step)
    same(one.means, other.means)


def test_a_batch_of_losses(tmp_path: Path) -> None:
    from heatpg.batch import read_spec
    from heatpg.batch.work import run_task

    base = {"landscape": {"source": "ridge", "size": 33}, "evolve": {"sigma": 0.5, "checks": "none"}}
    (plain,) = read_spec(base).tasks()
    (said,) = read_spec({**base, "landscape": {**base["landscape"], "minimise": False}}).tasks()
    (loss,) = read_spec({**base, "landscape": {**base["landscape"], "minimise": True}}).tasks()
    assert plain.id == said.id != loss.id
    assert type(loss).from_resolved(loss.resolved).id == loss.id
    image, _ = run_task(loss.resolved)
    (tmp_path / "loss.h5").write_bytes(image)
    assert load(tmp_path / "loss.h5").landscape.minimise
    both = read_spec({**base, "sweep": {"product": {"landscape.minimise": [False, True]}}}).tasks()
    assert [task.id for task in both] == [plain.id, loss.id]
    with pytest.raises(ValueError, match=r"(?s)minimise.*must be true or false\W+got: 'yes'"):
        read_spec({**base, "landscape": {**base["landscape"], "minimise": "yes"}})


@pytest.mark.parametrize("engine", ["h5netcdf", "scipy"])
@pytest.mark.parametrize("loss", [True, False])
def test_arrays_of_xarray_and_files_of_them_say_whether_they_are_a_loss(
    tmp_path: Path, engine: Any, loss: bool
) -> None:
    pytest.importorskip("xarray")
    grid = Grid(Axis("x", -1.0, 1.0, 21, boundary="clip"))
    data = solve(Landscape.from_function(np.square, grid, minimise=loss), 0.2).to_xarray().landscape
    assert Landscape.from_xarray(data).minimise is loss
    assert Landscape.from_xarray(data, minimise=not loss).minimise is not loss
    data.to_netcdf(tmp_path / "q.nc", engine=engine)
    assert Landscape.from_file(tmp_path / "q.nc").minimise is loss
    assert Landscape.from_file(tmp_path / "q.nc", minimise=not loss).minimise is not loss


def test_notebooks_show_the_minimum() -> None:
    flow = evolve(negative(hills()), [0.5, 1.0])
    assert isinstance(flow, Evolution)
    shown = re.sub(r"<[^>]*>", " ", flow._repr_html_() + flow.landscape._repr_html_())
    assert wrong_words(shown) == []
    assert "smallest u" in shown
    assert "smallest Q" in shown


def test_tracks_of_one_kind_and_basins_without_a_study() -> None:
    flow = solve(negative(hills()), SIGMAS)
    space = track(flow, "minimum")
    assert space.kinds == ("minimum",)
    assert {one.kind for one in space.tracks} == {"minimum"}
    same(space.optimum_positions, track(solve(hills(), SIGMAS), "maximum").optimum_positions)
    found = basins(flow)
    assert found.best == flow.landscape.values.min()
    assert str(found).startswith("basins of gradient descent on 65 x 49 nodes, min Q = ")


@pytest.mark.parametrize("word", [1, 0, "no", "minimise"])
def test_a_study_takes_no_other_words_than_other_doors(word: Any) -> None:
    with pytest.raises(OptionError, match="minimise must be true or false"):
        study(Landscape.from_array([3.0, 1.0, 2.0], boundary="clip"), minimise=word)
