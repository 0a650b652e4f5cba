"""Landscapes: values on a grid, from arrays, functions and files, and what is refused."""

from __future__ import annotations

import functools
import math
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from heatpg import landscapes
from heatpg.core.grid import Axis, Grid
from heatpg.core.landscape import Landscape
from heatpg.core.positions import axis_from_coordinates
from heatpg.errors import (
    BoundaryError,
    GridError,
    HeatpgError,
    MissingFileError,
    NonFiniteError,
    OptionError,
    SigmaError,
    UnsupportedError,
)
from tests.pages import page


@pytest.fixture
def grid() -> Grid:
    return Grid(Axis("x", -1.0, 1.0, 3, boundary="clip"), Axis("y", 0.0, 3.0, 4, boundary="reflect"))


# Values ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (np.float32, np.float32),
        (np.float64, np.float64),
        (np.float16, np.float64),
        (np.int8, np.float64),
        (np.uint64, np.float64),
        (np.bool_, np.float64),
    ],
)
def test_floats_are_kept_and_whole_numbers_converted(grid: Grid, given: Any, kept: Any) -> None:
    values = (np.arange(12) % 2).reshape(3, 4).astype(given)
    landscape = Landscape(values, grid)
    assert landscape.values.dtype == kept
    assert np.array_equal(landscape.values, values)


def test_values_lie_in_memory_in_order(grid: Grid) -> None:
    values = np.asfortranarray(np.arange(12.0).reshape(3, 4))
    landscape = Landscape(values, grid)
    assert landscape.values.flags.c_contiguous
    assert np.array_equal(landscape.values, values)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.ones((3, 4), dtype=complex), "(?s)real numbers.*complex128.*float32, float64.*real and the imaginary part"),
        (np.full((3, 4), None), "(?s)real numbers.*dtype object"),
        (np.full((3, 4), "a"), "(?s)real numbers.*dtype <U1"),
        (np.zeros((3, 4), dtype="M8[s]"), "(?s)real numbers.*datetime64"),
        (np.zeros((3, 4), dtype=np.longdouble), "(?s)extended precision.*astype"),
    ],
)
def test_what_is_no_real_number_is_refused(grid: Grid, values: Any, message: str) -> None:
    if values.dtype == np.float64:
        pytest.skip("here long double is double")
    with pytest.raises(OptionError, match=message):
        Landscape(values, grid)


def test_doubles_of_the_other_byte_order_are_doubles(grid: Grid) -> None:
    swapped = np.arange(12.0).reshape(3, 4).astype(np.dtype(np.float64).newbyteorder())
    landscape = Landscape(swapped, grid)
    assert landscape.values.dtype == np.float64
    assert np.array_equal(landscape.values, swapped)


@pytest.mark.parametrize("shape", [(4, 3), (3,), (12,), (3, 4, 2), (2, 3, 5)])
def test_a_shape_that_does_not_fit_is_refused(grid: Grid, shape: tuple[int, ...]) -> None:
    with pytest.raises(GridError) as caught:
        Landscape(np.zeros(shape), grid)
    assert f"got: shape {shape}\n  expected: (3, 4), or batch axes in front of it" in str(caught.value)


def test_leading_axes_are_a_batch(grid: Grid) -> None:
    landscape = Landscape(np.zeros((5, 2, 3, 4)), grid)
    assert landscape.batch_shape == (5, 2)
    assert Landscape(np.zeros((3, 4)), grid).batch_shape == ()
    with pytest.raises(GridError, match=r"(?s)batch is empty.*\(0, 3, 4\)"):
        Landscape(np.zeros((0, 3, 4)), grid)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_first_bad_value_is_named(grid: Grid, bad: float, dtype: Any) -> None:
    values = np.zeros((2, 3, 4), dtype=dtype)
    values[1, 0, 2] = values[1, 2, 0] = values[1, 2, 3] = bad
    with pytest.raises(NonFiniteError) as caught:
        Landscape(values, grid)
    assert "not finite at index (1, 0, 2)" in str(caught.value)
    assert f"got: {bad}, first of 3" in str(caught.value)
    kind = "NaN" if np.isnan(bad) else "infinity"
    assert f"fill or resample these points first: one {kind} would spread" in str(caught.value)
    assert isinstance(caught.value, RuntimeError)
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def test_properties(grid: Grid) -> None:
    values = np.array([[0, 1, 2, 3], [4, 9, 6, 7], [8, -5, 9, 1.0]])
    landscape = Landscape(values, grid, "hill", {"seed": 3})
    assert landscape.oscillation == 14.0
    assert landscape.argmax == (1, 1)  # the first of two
    assert landscape.name == "hill"
    assert landscape.provenance == {"seed": 3}
    assert repr(landscape).startswith("<Landscape 'hill' (3, 4) float64 on Grid(")
    np.testing.assert_array_equal(landscape.trust((0.3, 0.2)), 14 * grid.trust((0.3, 0.2)))
    batch = Landscape(np.stack([values, values + 1]), grid)
    assert batch.argmax == (1, 1, 1)
    assert batch.oscillation == 15.0


def test_oscillation_of_float32_does_not_overflow(grid: Grid) -> None:
    values = np.zeros((3, 4), dtype=np.float32)
    values[0, 0], values[1, 1] = -3e38, 3e38
    assert Landscape(values, grid).oscillation == pytest.approx(6e38)


def test_the_provenance_is_a_copy(grid: Grid) -> None:
    given = {"seed": 3}
    landscape = Landscape(np.zeros((3, 4)), grid, provenance=given)
    given["seed"] = 4
    assert landscape.provenance == {"seed": 3}
    assert Landscape(np.zeros((3, 4)), grid).provenance == {}


def test_exact_gets_one_sigma_per_axis(grid: Grid) -> None:
    asked: list[tuple[float, ...]] = []

    def exact(sigmas: tuple[float, ...]) -> np.ndarray:
        asked.append(sigmas)
        return np.full((3, 4), sum(sigmas))

    landscape = Landscape(np.zeros((3, 4)), grid, exact=exact)
    assert landscape.has_exact
    assert landscape.exact(0.5)[0, 0] == 1.0
    landscape.exact([0.1, 0.2])
    assert asked == [(0.5, 0.5), (0.1, 0.2)]
    with pytest.raises(SigmaError):
        landscape.exact(-1.0)


def test_without_an_exact_evolution_it_says_so(grid: Grid) -> None:
    landscape = Landscape(np.zeros((3, 4)), grid, "measured")
    assert not landscape.has_exact
    with pytest.raises(UnsupportedError, match=r"(?s)the exact evolution is unknown for 'measured'.*analytic"):
        landscape.exact(0.1)


# From arrays ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("boundary", ["absorb", "clip", "periodic", "reflect", "zero"])
def test_nodes_of_an_array_have_the_spacing_asked_for(boundary: str) -> None:
    landscape = Landscape.from_array(np.zeros((4, 5)), boundary=boundary, spacing=(0.5, 2.0))
    assert [axis.name for axis in landscape.grid] == ["x1", "x2"]
    assert landscape.grid.spacing == (0.5, 2.0)
    np.testing.assert_allclose(landscape.grid[0].coordinates, [0, 0.5, 1, 1.5])
    assert {axis.boundary for axis in landscape.grid} == {boundary}
    assert landscape.provenance == {"source": "array"}


def test_an_array_on_given_axes(grid: Grid) -> None:
    for axes in (grid, list(grid.axes), tuple(grid)):
        landscape = Landscape.from_array(np.ones((3, 4)), axes, name="ones")
        assert landscape.grid == grid
        assert landscape.name == "ones"
    assert Landscape.from_array(np.ones((7, 3, 4)), grid).batch_shape == (7,)


def test_arrays_that_make_no_landscape_are_refused() -> None:
    with pytest.raises(BoundaryError, match="needs a boundary"):
        Landscape.from_array(np.zeros((4, 5)))
    with pytest.raises(GridError, match=r"(?s)at least one axis.*a single number"):
        Landscape.from_array(3.0, boundary="clip")
    with pytest.raises(GridError, match=r"(?s)'x2' of the array has 2 nodes.*np\.take"):
        Landscape.from_array(np.zeros((4, 2)), boundary="clip")
    with pytest.raises(GridError, match="lower must be below upper"):
        Landscape.from_array(np.zeros(4), boundary="clip", spacing=-1.0)


def test_a_spacing_for_another_number_of_axes_is_refused_in_our_words() -> None:
    with pytest.raises(HeatpgError):
        Landscape.from_array(np.zeros((4, 5)), boundary="clip", spacing=(1.0, 2.0, 3.0))


# From functions -------------------------------------------------------------------------------------------------


def saddle(x: Any, y: Any) -> Any:
    return x * x - 2 * y


def test_a_function_is_sampled_at_the_nodes_either_way(grid: Grid) -> None:
    calls: list[tuple[int, int]] = []
    vectorized = Landscape.from_function(saddle, grid)
    pointwise = Landscape.from_function(saddle, grid, vectorized=False, progress=lambda *done: calls.append(done))
    expected = [[x * x - 2 * y for y in (0, 1, 2, 3)] for x in (-1, 0, 1)]
    assert vectorized.values.tolist() == pointwise.values.tolist() == expected
    assert vectorized.name == "saddle"
    assert vectorized.provenance == {"source": "function", "function": "saddle"}
    assert calls == [(i, 12) for i in range(1, 13)]


def test_a_function_called_point_by_point_gets_plain_numbers(grid: Grid) -> None:
    kinds: set[tuple[type, type]] = set()

    def probe(x: float, y: float) -> float:
        kinds.add((type(x), type(y)))
        return math.hypot(x, y)

    Landscape.from_function(probe, grid, vectorized=False)
    assert kinds == {(float, float)}


def test_names_of_functions(grid: Grid) -> None:
    assert Landscape.from_function(lambda x, y: x + y, grid).name == "Q(x, y)"
    assert Landscape.from_function(functools.partial(saddle), grid).name == "function"
    assert Landscape.from_function(saddle, grid, name="mine").name == "mine"


def test_functions_that_make_no_landscape_are_refused(grid: Grid) -> None:
    with pytest.raises(GridError, match=r"(?s)one value per point.*shape \(\).*shape \(3, 4\).*vectorized=False"):
        Landscape.from_function(lambda x, y: 0.0, grid)
    with pytest.raises(NonFiniteError, match=r"index \(0, 1\)"):
        Landscape.from_function(lambda x, y: np.where(y == 1, math.nan, x), grid)
    with pytest.raises(OptionError, match="complex"):
        Landscape.from_function(lambda x, y: x + 1j * y, grid)


def test_an_error_of_the_function_comes_through_unchanged(grid: Grid) -> None:
    class OwnError(Exception):
        pass

    def broken(x: float, y: float) -> float:
        raise OwnError("mine")

    for vectorized in (True, False):
        with pytest.raises(OwnError, match="mine"):
            Landscape.from_function(broken, grid, vectorized=vectorized)


# From files -----------------------------------------------------------------------------------------------------


def test_a_plain_array_file(tmp_path: Path) -> None:
    values = np.arange(20, dtype=np.float32).reshape(4, 5)
    np.save(tmp_path / "table.npy", values)
    landscape = Landscape.from_file(tmp_path / "table.npy", boundary="clip")
    assert landscape.name == "table"
    assert landscape.values.dtype == np.float32
    assert np.array_equal(landscape.values, values)
    assert Landscape.from_file(str(tmp_path / "table.npy"), boundary="clip", name="other").name == "other"
    with pytest.raises(BoundaryError):
        Landscape.from_file(tmp_path / "table.npy")


@pytest.mark.parametrize("boundary", ["clip", "periodic"])
def test_an_archive_with_axes(tmp_path: Path, boundary: str) -> None:
    values = np.arange(20.0).reshape(4, 5)
    torque, angle = np.linspace(-1, 2, 4), np.linspace(0, 1, 5)
    np.savez(tmp_path / "table.npz", torque=torque, values=values, angle=angle)
    landscape = Landscape.from_file(tmp_path / "table.npz", boundary=boundary)
    assert [axis.name for axis in landscape.grid] == ["torque", "angle"]
    for axis, expected in zip(landscape.grid, (torque, angle), strict=True):
        np.testing.assert_allclose(axis.coordinates, expected, atol=1e-15)
    assert np.array_equal(landscape.values, values)


def test_an_archive_of_values_alone(tmp_path: Path) -> None:
    np.savez(tmp_path / "table.npz", values=np.zeros((4, 5)))
    assert Landscape.from_file(tmp_path / "table.npz", boundary="clip").grid.shape == (4, 5)


def test_files_that_make_no_landscape_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "pickled.npy", np.array([1, None, 2], dtype=object), allow_pickle=True)
    with pytest.raises(OptionError, match=r"(?s)cannot read .*pickled.npy.*contains pickled Python objects"):
        Landscape.from_file(tmp_path / "pickled.npy", boundary="clip")
    with pytest.raises(MissingFileError, match=r"(?s)cannot read .*missing.npy.*No such file"):
        Landscape.from_file(tmp_path / "missing.npy", boundary="clip")
    (tmp_path / "empty.npy").touch()
    with pytest.raises(OptionError, match=r"(?s)cannot read .*empty.npy"):
        Landscape.from_file(tmp_path / "empty.npy", boundary="clip")
    (tmp_path / "table.csv").write_text("1,2,3\n")
    with pytest.raises(OptionError, match=r"table.csv must have column names in the first line and rows below"):
        Landscape.from_file(tmp_path / "table.csv", boundary="clip")
    np.savez(tmp_path / "other.npz", x=np.arange(3.0))
    with pytest.raises(GridError, match=r"(?s)no array 'values'.*got: x"):
        Landscape.from_file(tmp_path / "other.npz", boundary="clip")
    np.savez(tmp_path / "bent.npz", values=np.zeros(4), x=[0.0, 1.0, 2.0, 4.0])
    with pytest.raises(GridError, match="'x' is not uniform"):
        Landscape.from_file(tmp_path / "bent.npz", boundary="clip")


def test_a_file_that_is_cut_short_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "cut.npy", np.zeros((50, 50)))
    content = (tmp_path / "cut.npy").read_bytes()
    (tmp_path / "cut.npy").write_bytes(content[:500])
    with pytest.raises(OptionError, match="cannot read"):
        Landscape.from_file(tmp_path / "cut.npy", boundary="clip")


def test_a_pickle_inside_an_archive_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "pickled.npz", values=np.array([1, None, 2], dtype=object))
    with pytest.raises(OptionError, match="contains pickled Python objects"):
        Landscape.from_file(tmp_path / "pickled.npz", boundary="clip")


@pytest.mark.parametrize("damage", ["header", "content"])
def test_a_damaged_archive_is_refused(tmp_path: Path, damage: str) -> None:
    place = tmp_path / "damaged.npz"
    np.savez(place, values=np.arange(2500.0))
    content = bytearray(place.read_bytes())
    if damage == "header":
        del content[100:]
    else:
        content[3000:3010] = b"x" * 10
    place.write_bytes(content)
    with pytest.raises(OptionError, match="cannot read"):
        Landscape.from_file(place, boundary="clip")


# Axes from positions --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("boundary", ["absorb", "clip", "periodic", "reflect", "zero"])
def test_positions_come_back(boundary: str) -> None:
    positions = np.linspace(-0.3, 1.1, 8)
    axis = axis_from_coordinates("angle", positions, boundary=boundary, unit="rad")
    np.testing.assert_allclose(axis.coordinates, positions, atol=1e-15)
    assert axis.unit == "rad"


def test_rounding_in_the_file_is_no_bend() -> None:
    positions = 1e6 + np.linspace(0, 1e-3, 50)
    assert axis_from_coordinates("x", positions, boundary="clip").size == 50
    assert axis_from_coordinates("x", np.linspace(0, 1, 11) * (1 + 1e-11), boundary="clip").size == 11


@pytest.mark.parametrize(
    ("positions", "message"),
    [
        ([0.0, 1.0, 2.0 + 1e-6, 3.0], "(?s)not uniform.*steps from.*equal steps, within 1e-9.*resample"),
        ([0.0, 1.0, 1.0, 2.0], "(?s)position 1 twice.*indices 1 and 2"),
        ([3.0, 2.0, 1.0], "(?s)descends.*increasing.*from_array"),
        ([1.0, 1.0, 1.0], "position 1 twice"),
        ([0.0, 1.0], r"(?s)2 positions; an axis needs at least 3.*shape \(2,\)"),
        ([0.0, math.nan, 2.0], r"not finite\W+got: nan at index 1"),
        ([0.0, 1.0, math.inf], r"not finite\W+got: inf at index 2"),
        ([0.0, 2.0, 1.0, 3.0], r"(?s)not monotonic\W+got: 2 at index 1, 1 after it.*argsort"),
        (np.geomspace(0.1, 10, 9), r"(?s)not uniform.*uniform in the logarithm: pass np\.log"),
        (np.zeros((3, 3)), r"(?s)one-dimensional.*shape \(3, 3\)"),
        ([], "0 positions; an axis needs at least 3"),
    ],
)
def test_positions_that_make_no_axis_are_refused(positions: Any, message: str) -> None:
    with pytest.raises(GridError, match=message):
        axis_from_coordinates("x", positions, boundary="clip")


def test_a_notebook_shows_range_and_optimum() -> None:
    plane = Grid(Axis("u1", 0.0, 2.0, 21, boundary="clip", unit="N"), Axis("u2", 0.0, 1.0, 11, boundary="reflect"))
    values = np.zeros(plane.shape)
    values[18, 2] = 3.0
    found = page(Landscape(values, plane, name="needle"))
    assert "needle 21 × 11 nodes, float64, Q from 0 to 3" in found.text
    assert "largest Q: 3 at (1.8, 0.2)" in found.text
    assert "the exact evolution is known" in page(landscapes.ridge(size=9)).text


def test_a_function_with_a_buffer_gives_a_landscape_of_its_own_at_every_call(grid: Grid) -> None:
    buffer = np.empty(grid.shape)

    def scaled(gain: float) -> Landscape:
        return Landscape.from_function(lambda *mesh: np.multiply(gain, np.cos(mesh[0]), out=buffer), grid)

    once, twice = scaled(1.0), scaled(2.0)
    assert np.array_equal(once.values, np.cos(grid.mesh()[0]))
    assert np.array_equal(twice.values, 2.0 * np.cos(grid.mesh()[0]))


@pytest.mark.parametrize("vectorized", [True, False])
def test_points_come_in_any_number_of_axes(vectorized: bool) -> None:
    """As looking through a squash needs it: a grid of points in, a field out."""
    box = Grid(*(Axis(name, -1.0, 1.0, 5, boundary="clip") for name in ("a", "b")))
    q = Landscape.from_function(lambda a, b: a * a - 2 * b, box, vectorized=vectorized)
    wide = Grid(*(Axis(name, -3.0, 3.0, size, boundary="clip") for name, size in (("a", 7), ("b", 4))))
    before = Landscape.from_function(lambda *x: q.sample(np.tanh(np.stack(x, -1))), wide)
    a, b = np.meshgrid(*(np.tanh(axis.coordinates) for axis in wide), indexing="ij")
    np.testing.assert_allclose(before.values, a * a - 2 * b, rtol=0, atol=1e-15)
    assert q.sample(np.zeros((0, 3, 2))).shape == (0, 3)
    for points in (np.zeros(2), 0.0, np.zeros((4, 3))):
        with pytest.raises(GridError, match="wrong shape"):
            q.sample(points)


@pytest.mark.parametrize(
    ("path", "words"), [(None, "must be a str or a pathlib"), (3.5, "must be a str or a pathlib"), ("", "is empty")]
)
def test_what_names_no_file_is_refused(path: Any, words: str) -> None:
    with pytest.raises(OptionError, match=words):
        Landscape.from_file(path, boundary="clip")


@pytest.mark.parametrize("minimise", [True, False])
def test_a_copy_with_a_change_keeps_all_else(minimise: bool) -> None:
    box = Grid(Axis("a", -1.0, 1.0, 5, boundary="clip"))
    seeds = np.arange(15.0).reshape(3, 5)
    plain = Landscape.from_array(axes=box, name="q", returns=seeds, minimise=minimise)
    for copy in (plain.sampled_by(lambda points: points[:, 0]), plain.regarded(minimise=not minimise)):
        assert copy.returns is not None and copy.standard_error is not None
        np.testing.assert_array_equal(copy.returns, seeds)
        np.testing.assert_array_equal(copy.standard_error, plain.standard_error)
        np.testing.assert_array_equal(copy.values, plain.values)
        assert (copy.name, copy.provenance, copy.grid) == ("q", {"source": "array"}, box)
        # one thing is changed, and that alone
        assert copy.has_sampler is (copy.minimise is minimise)
