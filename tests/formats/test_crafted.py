"""Files of other programs through every door: read right to round-off, with the axes where they belong."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from heatpg import Landscape, load
from heatpg.batch import read_spec
from heatpg.batch.work import run_task
from heatpg.cli import main
from heatpg.errors import HeatpgWarning
from tests.formats.crafted import CASES, Case, q


@pytest.fixture
def written(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Case]:
    """A case, its file in the current folder."""
    case = CASES[request.param]
    for word in ("xarray", "netCDF4", "pandas"):
        if word.lower() in request.param.lower():
            pytest.importorskip(word)
    monkeypatch.chdir(tmp_path)
    case.write(tmp_path / case.file)
    yield case


EACH = pytest.mark.parametrize("written", list(CASES), indirect=True)


def read(case: Case) -> Landscape:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", HeatpgWarning)
        return Landscape.from_file(case.file, boundary="clip", **case.options)


def agree(found: Landscape, case: Case) -> None:
    assert [axis.name for axis in found.grid] == list(case.axes)
    for axis, places in zip(found.grid, case.axes.values(), strict=True):
        # positions become those between the first and the last: some roundings of the largest
        np.testing.assert_allclose(
            axis.coordinates, places, rtol=0, atol=8 * np.finfo(float).eps * np.abs(places).max()
        )
    if case.exact:
        np.testing.assert_array_equal(found.values, case.values)
    else:
        # the mean of three numbers, and logarithms of decimals: some roundings of values up to 10
        np.testing.assert_allclose(found.values, case.values, rtol=0, atol=1e-14)
    assert found.values.dtype == (np.float32 if case.values.dtype == np.float32 else np.float64)
    assert found.minimise is case.minimise
    if case.error is None:
        assert found.standard_error is None
    else:
        assert found.standard_error is not None
        np.testing.assert_allclose(found.standard_error, case.error, rtol=1e-12)


def test_there_are_enough_of_them_and_their_function_has_no_symmetry() -> None:
    assert len(CASES) >= 60
    for exchanged in (q(-0.7, 2.0), q(0.7, -2.0), q(-0.7, -2.0), q(2.0, 0.7), q(-2.0, 0.7)):
        assert abs(q(0.7, 2.0) - exchanged) > 0.01


@EACH
def test_from_file(written: Case) -> None:
    agree(read(written), written)


def options_of_the_command_line(case: Case) -> list[str]:
    words = []
    for key, value in case.options.items():
        if key == "minimise":
            words.append("--minimise" if value else "--no-minimise")
        else:
            words += [f"--{key.replace('_', '-')}", ",".join(value) if isinstance(value, list) else str(value)]
    return words


@EACH
def test_the_command_line(written: Case, capsys: pytest.CaptureFixture[str]) -> None:
    sigma = f"{2.0 * max(axis.spacing for axis in read(written).grid)}"
    words = [
        "run",
        written.file,
        "--boundary",
        "clip",
        "--sigma",
        sigma,
        "--checks",
        "none",
        "--quiet",
        "--out",
        "out.h5",
    ]
    with warnings.catch_warnings():
        # as in `read`: what is told of an axis whose name is one of every file of heatpg
        warnings.simplefilter("ignore", HeatpgWarning)
        assert main([*words, *options_of_the_command_line(written)]) == 0, capsys.readouterr().err
    agree(load("out.h5").landscape, written)


@EACH
def test_a_batch(written: Case) -> None:
    landscape: dict[str, Any] = {"source": str(Path(written.file).absolute()), "boundary": "clip", **written.options}
    spec = read_spec({"landscape": landscape, "evolve": {"sigma": 1.0, "checks": "none"}})
    (task,) = spec.tasks()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", HeatpgWarning)
        image, _ = run_task(task.resolved)
    Path("out.h5").write_bytes(image)
    agree(load("out.h5").landscape, written)
