"""What a notebook shows of an evolution: numbers that are true, names that are harmless, pages that are small."""

from __future__ import annotations

import builtins
import re
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from heatpg import Axis, Grid, Landscape, Report, evolve, landscapes
from heatpg.core.report import Check, Place
from heatpg.errors import NonFiniteError
from heatpg.evolution import Evolution, solve
from tests.pages import page


@pytest.fixture(scope="module")
def plane() -> Evolution:
    grid = Grid(Axis("u1", 0.0, 2.0, 21, boundary="clip", unit="N"), Axis("u2", 0.0, 1.0, 11, boundary="reflect"))
    values = np.zeros(grid.shape)
    values[18, 2] = 3.0
    return evolve(Landscape(values, grid, name="needle"), np.linspace(0.1, 0.5, 16), solver="direct")


def test_evolution(plane: Evolution) -> None:
    found = page(plane)
    assert "16 sigmas" in found.text
    assert "Q, without noise 3 (1.8, 0.2) 3" in found.text
    assert "… 8 more …" in found.text
    for k in (0, 3, 12, 15):
        assert f"{plane.sigma[k]:.6g} {plane.values[k].max():.6g} (" in found.text, k
    assert f" {plane.sigma[4]:.6g} {plane.values[4].max():.6g} (" not in found.text
    assert "on the edge" in found.text
    assert "solver: Direct(tolerance=None)" in found.text
    assert "checks (standard):" in found.text and "✓ passed" in found.text
    assert ("details", {}) in found.tags
    few = page(solve(plane.landscape, np.linspace(0.1, 0.5, 9)))
    assert "more …" not in few.text and "no checks were made" in few.text
    assert len(few.pictures()) == 3
    assert "1 sigma;" in page(solve(plane.landscape, 0.1)).text


def test_the_place_of_the_optimum_is_that_at_its_sigma() -> None:
    flow = solve(landscapes.peak_and_hill(size=241), [0.3, 1.0])
    found = page(flow).text
    assert "Q, without noise 1 (−3) 1" in found
    assert re.search(r"0\.3 0\.76\d+ \(3\) 0\.8", found)


def test_the_first_of_a_batch_is_shown(rng: np.random.Generator) -> None:
    grid = Grid(Axis("a", 0.0, 1.0, 5, boundary="periodic"), Axis("b", 0.0, 1.0, 6, boundary="reflect"))
    values = rng.normal(size=(2, 3, *grid.shape))
    values[1, 2, 0, 0] = 100.0
    flow = solve(Landscape(values, grid), {"a": [0.1, 0.2], "b": 0.3})
    found = page(flow)
    assert "the first of a batch of 2 × 3 is shown" in found.text
    assert f"Q, without noise {values[0, 0].max():.6g} (" in found.text
    assert f"(0.1, 0.3) {flow.values[0, 0, 0].max():.6g}" in found.text
    assert "the first of a batch" in page(flow.landscape).text


def test_correlated_noise() -> None:
    flow = evolve(landscapes.cosine(size=16), covariance=[[[0.2, 0.1], [0.1, 0.2]]])
    assert "1 covariances" in page(flow).text


NASTY = '<script>alert("1")</script>&\'<img src=x onerror=alert(1)>'


def test_names_never_become_markup() -> None:
    axis = Axis("x", 0.0, 1.0, 9, boundary="clip", unit=NASTY)
    flow = solve(Landscape(np.arange(9.0), Grid(axis), name=NASTY), 0.2)
    flow.reason = NASTY
    flow.report = Report([Check(NASTY, "finding", NASTY, 1.0, 0.5, NASTY)], NASTY)
    for thing in (flow, flow.landscape, flow.grid, flow.report):
        found = page(thing)
        assert "<script>" in found.text
    square = Grid(*(Axis(name, 0.0, 1.0, 4, boundary="clip", unit=NASTY) for name in ("a", "b")))
    assert len(page(solve(Landscape(np.eye(4), square), 0.3)).pictures()) == 2


@pytest.mark.parametrize("letters", ["wörter & ", '"', "<x>", "\N{GRINNING FACE}", "語"])
def test_any_evolution_is_small(letters: str, rng: np.random.Generator) -> None:
    long = letters * 2000
    axes = [Axis(f"{'n' * 300}{i}", 0.0, 1.0, 90, boundary="clip", unit=long) for i in range(2)]
    axes += [Axis(f"{'m' * 300}{i}", 0.0, 1.0, 3, boundary="zero", unit=long) for i in range(5)]
    grid = Grid(*axes)
    q = Landscape(rng.random(size=grid.shape, dtype=np.float32), grid, name=long)
    sigma = np.linspace(0.1, 1.0, 300)
    fields = np.broadcast_to(q.values, (len(sigma), *q.values.shape))
    flow = Evolution(q, sigma, fields, solve(landscapes.ridge(size=5), 0.3).solver, paths=[], reason=long)
    place = Place(0, (1,) * 40, (0.1,) * 40)
    flow.report = Report([Check(long, "finding", long, 1.0, 0.5, long, place) for _ in range(200)], long)
    page(flow)
    page(flow.landscape)
    page(flow.report)


def test_without_matplotlib_there_are_tables(plane: Evolution, monkeypatch: pytest.MonkeyPatch) -> None:
    load = builtins.__import__

    def refuse(name: str, *rest: Any, **options: Any) -> ModuleType:
        if name.split(".")[0] == "matplotlib":
            raise ImportError(name)
        return load(name, *rest, **options)

    monkeypatch.setattr(builtins, "__import__", refuse)
    for thing in (plane, plane.landscape):
        found = page(thing)
        assert found.pictures() == []
        assert "largest" in found.text


@pytest.mark.parametrize("solver", ["spectral", "direct"])
def test_a_gradient_beyond_all_numbers_is_refused_in_words(solver: str) -> None:
    """Across an edge with nothing behind it du/dx is Q / (sqrt(2 pi) sigma)."""
    grid = Grid(Axis("x", 0.0, 1e-3, 20, boundary="zero"))
    sigma = 1e-9 * grid.spacing[0]
    values = np.linspace(1.0, 2.0, 20)
    slope = solve(Landscape(values, grid), sigma, solver).gradient(0)[0, 0]
    assert slope == pytest.approx(1.0 / (np.sqrt(2 * np.pi) * sigma), rel=1e-6)
    flow = solve(Landscape((1e30 * values).astype(np.float32), grid), sigma, solver)
    with pytest.raises(NonFiniteError, match="larger than any number of float32"):
        flow.gradient(0)
