"""What people bring, through every door by which numbers come in: right to round-off, or refused with what to write.

The right value is that of the same numbers as a plain array in double precision.
"""

from __future__ import annotations

import datetime
import decimal
import fractions
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from heatpg import Axis, Grid, Landscape, evolve, load, quadrature, smooth, study
from heatpg.claims import ledger
from heatpg.core.field import HeatField
from heatpg.core.noise import positive_sigmas
from heatpg.core.positions import axis_from_coordinates
from heatpg.errors import GridError, HeatpgError, OptionError, ResourceError, UnknownNameError
from heatpg.landscapes.directions import Directions, flatten
from heatpg.landscapes.sampling import State
from heatpg.large import LargeLandscape, evolve_large
from heatpg.planes import Draws
from heatpg.policy import ascend, estimate_gradient, estimator_noise, unlearn
from heatpg.risk import distribution, safest_action
from heatpg.scalespace.flooding import ascent_labels
from heatpg.solvers import make


class Tensor:
    """Like one of torch: NumPy gets it only without its gradient, on the CPU, and of a type that it knows."""

    def __init__(self, values: Any, *, requires_grad: bool = True, device: str = "cuda", kind: str = "float32") -> None:
        self.values = np.asarray(values, dtype=np.float32)
        self.requires_grad, self.device, self.kind = requires_grad, device, kind

    @property
    def dtype(self) -> str:
        return f"torch.{self.kind}"

    @property
    def ndim(self) -> int:
        return self.values.ndim

    @property
    def shape(self) -> tuple[int, ...]:
        return self.values.shape

    def _like(self, **changes: Any) -> Tensor:
        known: dict[str, Any] = {"requires_grad": self.requires_grad, "device": self.device, "kind": self.kind}
        return Tensor(self.values, **(known | changes))

    def detach(self) -> Tensor:
        return self._like(requires_grad=False)

    def cpu(self) -> Tensor:
        return self._like(device="cpu")

    def float(self) -> Tensor:
        return self._like(kind="float32")

    def numpy(self) -> Any:
        if self.requires_grad:
            raise RuntimeError("Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() instead.")
        if self.device != "cpu":
            raise TypeError("can't convert cuda:0 device type tensor to numpy.")
        if self.kind == "bfloat16":
            raise TypeError("Got unsupported ScalarType BFloat16")
        return self.values

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return self.numpy() if dtype is None else self.numpy().astype(dtype)

    def __float__(self) -> Any:
        return self.values.item()


class Exchanged:
    """An array that speaks nothing but DLPack, as the standard of arrays asks for."""

    def __init__(self, values: Any) -> None:
        self.values = np.array(values, dtype=np.float64)

    def __dlpack__(self, **options: Any) -> Any:
        return self.values.__dlpack__(**options)

    def __dlpack_device__(self) -> Any:
        return self.values.__dlpack_device__()


class Traced:
    """A value that is not known yet, as inside of jax.jit."""

    shape = (8,)

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        raise TypeError("The numpy.ndarray conversion method __array__() was called on traced array")


class Sparse:
    """A matrix of which NumPy makes one object."""

    def toarray(self) -> Any:
        return np.zeros(8)


class Quantity:
    """A number with a unit, as of pint."""

    units = "metre"

    def __init__(self, magnitude: Any) -> None:
        self.magnitude = np.asarray(magnitude)

    def to(self, unit: str) -> Quantity:
        return self

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return self.magnitude


NUMBERS = np.array([1.0, 2.0, 4.0, 5.5, 6.0, 7.25, 8.0, 8.5])  # exact in half precision and in bfloat16
GRID = Grid(Axis("x", 0.0, 7.0, 8, boundary="reflect"))
PLANE = Grid(Axis("x", 0.0, 7.0, 8, boundary="reflect"), Axis("y", 0.0, 2.0, 3, boundary="reflect"))
WHOLE = np.arange(8.0)

KINDS: dict[str, Callable[[Any], Any]] = {
    "list": lambda a: a.tolist(),
    "tuple": lambda a: tuple(a.tolist()),
    "half precision": lambda a: a.astype("f2"),
    "single precision": lambda a: a.astype("f4"),
    "other byte order": lambda a: a.astype(">f8"),
    "every second of a view": lambda a: np.repeat(a, 2)[::2],
    "fractions": lambda a: [fractions.Fraction(x) for x in a],
    "decimals": lambda a: [decimal.Decimal(x) for x in a],
    "objects": lambda a: a.astype(object),
    "numbers of NumPy": list,
    "a memory": lambda a: memoryview(a.copy()),
    "a mask that hides nothing": lambda a: np.ma.array(a, mask=False),
    "a tensor with a gradient": Tensor,
    "a tensor on the CPU": lambda a: Tensor(a, device="cpu"),
    "bfloat16": lambda a: Tensor(a, kind="bfloat16"),
    "a list of tensors": lambda a: [Tensor(x) for x in a],
    "an array of the standard": Exchanged,
}


def plain(sigma: float | None = None) -> Any:
    return evolve(Landscape(NUMBERS, GRID), sigma or 0.5)


FLOW = plain()
FIELD = HeatField(Landscape(NUMBERS, GRID))

VALUES: dict[str, Callable[[Any], Any]] = {
    "Landscape": lambda given: Landscape(given, GRID).values,
    "from_array": lambda given: Landscape.from_array(given, GRID).values,
    "from_array with a boundary": lambda given: Landscape.from_array(given, boundary="clip").values,
    "from_array with positions": lambda given: Landscape.from_array(given, {"x": WHOLE}, boundary="clip").values,
    "from_function": lambda given: Landscape.from_function(lambda x: given, GRID).values,
    "a standard error": lambda given: Landscape(NUMBERS, GRID, standard_error=given).standard_error,
    "a large function": lambda given: large(lambda x: given),
    "a function of the policy": lambda given: (
        estimate_gradient(lambda x: given, [0.3], 0.5, samples=8, compare=False).value
    ),
    "positions": lambda given: axis_from_coordinates(
        "x", np.asarray(WHOLE) if given is NUMBERS else given, boundary="clip"
    ),
}
PARAMETERS: dict[str, Callable[[Any], Any]] = {
    "sigma": lambda given: evolve(Landscape(NUMBERS, GRID), given).sigma,
    "sigma by axis": lambda given: evolve(Landscape(np.ones(PLANE.shape), PLANE), {"x": given, "y": 0.5}).sigma,
    "sigmas of a curve": positive_sigmas,
    "points of a field": lambda given: FIELD.value(column(given), 0.5),
    "noise at points": lambda given: FIELD.value(np.ones((8, 1)), column(given)),
    "points of a function": lambda given: Landscape.from_function(lambda x: x**2, GRID).sample(column(given)),
    "a direction": lambda given: Directions([given]).vectors,  # type: ignore[arg-type]
    "parameters": lambda given: flatten({"weight": given})[0],
    "a centre": lambda given: quadrature.mollify(lambda a: a.sum(axis=1), given, 0.1, rule="montecarlo", seed=1).value,
    "noise of a centre": lambda given: (
        quadrature.mollify(lambda a: a.sum(axis=1), np.zeros(8), given, rule="montecarlo", seed=1).value
    ),
    "the mean of a policy": lambda given: (
        estimate_gradient(lambda *x: x[0], given, 0.5, samples=8, compare=False).value
    ),
    "the sigma of a policy": lambda given: (
        estimate_gradient(lambda *x: x[0], np.zeros(8), given, samples=8, compare=False).value
    ),
    "actions on the way": lambda given: State("current", given).prefix,
}


def column(given: Any) -> Any:
    """Points, or noise at them, of one axis each."""
    if isinstance(given, np.ndarray):
        return given.reshape(-1, 1)
    if isinstance(given, Tensor):
        return Tensor(given.values.reshape(-1, 1), kind=given.kind, device=given.device)
    if isinstance(given, Exchanged):
        return Exchanged(given.values.reshape(-1, 1))
    if isinstance(given, Traced | Sparse | Quantity | set | dict):
        return given
    return [[x] for x in given] if isinstance(given, list | tuple) else np.asarray(given).reshape(-1, 1)


def large(source: Any) -> Any:
    import tempfile

    from heatpg import load

    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out.h5"
        evolve_large(LargeLandscape(source, GRID), 0.5, out)
        return load(out).landscape.values


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("door", [*VALUES, *PARAMETERS])
def test_numbers_of_any_kind_are_the_numbers(door: str, kind: str) -> None:
    call = VALUES.get(door) or PARAMETERS[door]
    numbers = WHOLE if door == "positions" else NUMBERS
    expected, found = call(numbers), call(KINDS[kind](numbers))
    if door == "positions":
        assert found == expected
        return
    # numbers are exact in all kinds; what single precision computes is single
    single = np.asarray(found).dtype == np.float32
    np.testing.assert_allclose(np.asarray(found, dtype=float), expected, rtol=2e-6 if single else 1e-14, atol=0)


NO_NUMBERS: dict[str, Callable[[Any], Any]] = {
    "complex": lambda a: a * 1j,
    "a complex number in a list": lambda a: [*a[:-1].tolist(), 1j],
    "dates": lambda a: a.astype("M8[s]"),
    "dates of Python": lambda a: [datetime.datetime(2026, 1, 1 + int(x)) for x in range(8)],
    "durations": lambda a: a.astype("m8[s]"),
    "durations among numbers": lambda a: [*a[:-1].tolist(), np.timedelta64(3, "s")],
    "durations of Python": lambda a: [datetime.timedelta(seconds=float(x)) for x in a],
    "text": lambda a: [str(x) for x in a],
    "words": lambda a: np.array(["one"] * 8),
    "bytes": lambda a: a.astype("S4"),
    "objects": lambda a: np.array([None, *a[1:]], dtype=object),
    "a table": lambda a: np.array([(x, x) for x in a], dtype=[("mean", float), ("std", float)]),
    "lists of different lengths": lambda a: [[1.0, 2.0], [3.0]],
    "a mask": lambda a: np.ma.masked_greater(a, 4.0),
    "a generator": lambda a: (x for x in a),
    "a set": lambda a: set(a.tolist()),
    "a dictionary": lambda a: dict(enumerate(a)),
    "a value in a trace": lambda a: Traced(),
    "a sparse matrix": lambda a: Sparse(),
    "a quantity": Quantity,
    "nothing": lambda a: [None] * 8,
}
TRUTH: dict[str, Callable[[Any], Any]] = {
    "answers": lambda a: a > 4.0,
    "an answer in a list": lambda a: [*a[:-1].tolist(), True],
}
WAYS = (
    r"times - times\[0\]|total_seconds|np\.timedelta64|real and the imaginary|np\.real|abs\(|astype\(float\)|float\(\)"
    r"|fields, such as|one length|filled|list\(values\)|NumPy array first|toarray|unit of the axis|replace None by"
    r"|replace text by numbers|such as 1\.0|an array, or numbers in lists|numbers >= 0|axis name|no axis with this name"
)


@pytest.mark.parametrize("kind", NO_NUMBERS)
@pytest.mark.parametrize("door", [*VALUES, *PARAMETERS])
def test_what_is_no_number_is_refused_with_what_to_write(door: str, kind: str) -> None:
    call = VALUES.get(door) or PARAMETERS[door]
    numbers = WHOLE if door == "positions" else NUMBERS
    given = NO_NUMBERS[kind](numbers)
    if kind == "a mask" and door in ("points of a field", "noise at points", "points of a function"):
        given = np.ma.masked_greater(numbers, 4.0)
    with pytest.raises(HeatpgError, match=WAYS):
        call(given)


@pytest.mark.parametrize("kind", TRUTH)
@pytest.mark.parametrize("door", [*PARAMETERS, "positions", "a standard error"])
def test_true_is_no_parameter(door: str, kind: str) -> None:
    if door == "parameters" or (door == "a standard error" and kind == "an answer in a list"):
        pytest.skip("masks are parameters of a module, and a list of numbers with an answer is numbers to NumPy")
    call = VALUES.get(door) or PARAMETERS[door]
    with pytest.raises(HeatpgError, match="real numbers"):
        call(TRUTH[kind](NUMBERS))


NO_NUMBER: dict[str, Any] = {
    "True": True,
    "True of NumPy": np.True_,
    "text": "0.5",
    "bytes": b"0.5",
    "complex": 0.5 + 0j,
    "complex of NumPy": np.complex128(0.5),
    "a duration": np.timedelta64(1, "s"),
    "a duration of Python": datetime.timedelta(seconds=1),
    "a date": np.datetime64("2026-01-01"),
    "nothing": None,
    "two numbers": [0.5, 0.6],
    "masked": np.ma.masked,
    "a quantity": Quantity(0.5),
}
ONE: dict[str, Callable[[Any], Any]] = {
    "lower": lambda given: Axis("x", given, 7.0, 8, boundary="clip").lower,
    "upper": lambda given: Axis("x", 0.0, given, 8, boundary="clip").upper,
    "size": lambda given: Axis("x", 0.0, 1.0, given, boundary="clip"),
    "margin": lambda given: Axis("x", 0.0, 1.0, 8, boundary="clip").margin(given),
    "probability": lambda given: Axis("x", 0.0, 1.0, 8, boundary="clip").margin(0.1, given),
    "escape": lambda given: Axis("x", 0.0, 1.0, 8, boundary="clip").escape(given),
    "tolerance": lambda given: evolve(Landscape(NUMBERS, GRID), 0.5, tolerance=given),
    "tolerance of a solver": lambda given: make("direct", tolerance=given),
    "tolerance of a quadrature": lambda given: quadrature.mollify(lambda a: a[:, 0], [0.1], 0.3, tolerance=given),
    "start of an ascent": lambda given: ascend(Landscape(NUMBERS, GRID), given, 0.5),
    "sigma of an ascent": lambda given: ascend(Landscape(NUMBERS, GRID), [1.0], given),
    "spacing": lambda given: Landscape.from_array(NUMBERS, boundary="clip", spacing=given),
    "tolerance of a flooding": lambda given: ascent_labels(NUMBERS, GRID, tolerance=given),
}
OPTIONAL = {"tolerance", "tolerance of a solver", "tolerance of a quadrature"}


@pytest.mark.parametrize("kind", NO_NUMBER)
@pytest.mark.parametrize("door", ONE)
def test_one_number_is_one(door: str, kind: str) -> None:
    if kind == "nothing" and door in OPTIONAL:
        pytest.skip("None stands for the default")
    with pytest.raises(HeatpgError):
        ONE[door](NO_NUMBER[kind])


@pytest.mark.parametrize("given", [1, np.float32(1.0), np.int64(1), np.array(1.0), fractions.Fraction(1), Tensor(1.0)])
def test_one_number_of_any_kind_is_that_number(given: Any) -> None:
    assert ONE["upper"](given) == 1.0
    assert ONE["margin"](given) == Axis("x", 0.0, 1.0, 8, boundary="clip").margin(1.0)


COVARIANCES: dict[str, Any] = {
    "durations": np.eye(2).astype("m8[s]"),
    "answers": np.eye(2) > 0,
    "True": True,
    "text": [["1", "0"], ["0", "1"]],
    "complex": np.eye(2) * (1 + 0j),
    "objects": np.array([[1.0, None], [None, 1.0]]),
    "a mask": np.ma.masked_equal(np.eye(2), 0.0),
    "a quantity": Quantity(np.eye(2)),
}


@pytest.mark.parametrize("kind", COVARIANCES)
def test_covariances_are_numbers(kind: str) -> None:
    plane = Landscape.from_array(np.ones(PLANE.shape), boundary="clip")
    with pytest.raises(HeatpgError):
        evolve(plane, covariance=COVARIANCES[kind])
    tensor = evolve(plane, covariance=Tensor([[2.0, 0.5], [0.5, 1.0]])).covariance
    np.testing.assert_array_equal(tensor, [[[2.0, 0.5], [0.5, 1.0]]])


FILES: dict[str, dict[str, Any]] = {
    "complex values": {"values": NUMBERS * 1j, "x": WHOLE},
    "dates as values": {"values": NUMBERS.astype("M8[s]"), "x": WHOLE},
    "dates as positions": {"values": NUMBERS, "x": WHOLE.astype("M8[ns]")},
    "durations as positions": {"values": NUMBERS, "x": WHOLE.astype("m8[ns]")},
    "text as positions": {"values": NUMBERS, "x": np.array([str(x) for x in WHOLE])},
    "bytes as positions": {"values": NUMBERS, "x": WHOLE.astype("S3")},
    "complex positions": {"values": NUMBERS, "x": WHOLE * 1j},
    "answers as positions": {"values": NUMBERS, "x": WHOLE > 4},
    "positions that are not uniform": {"values": NUMBERS, "x": WHOLE**2},
    "repeated positions": {"values": NUMBERS, "x": np.floor(WHOLE / 2)},
    "two nodes": {"values": NUMBERS[:2], "x": WHOLE[:2]},
    "one node": {"values": NUMBERS[:1], "x": WHOLE[:1]},
    "a position that is no number": {"values": NUMBERS, "x": np.where(WHOLE == 3, np.nan, WHOLE)},
    "text as values": {"values": NUMBERS.astype("U4"), "x": WHOLE},
}


@pytest.mark.parametrize("kind", FILES)
def test_archives_are_held_to_the_same(kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from heatpg.cli import main

    path = tmp_path / "file.npz"
    np.savez(path, **FILES[kind])
    with pytest.raises(HeatpgError) as caught:
        Landscape.from_file(path, boundary="clip")
    assert caught.value.advice
    assert main(["run", str(path), "--boundary", "clip", "--sigma", "1", "--out", str(tmp_path / "out.h5")]) == 2
    assert caught.value.problem in capsys.readouterr().err
    assert not (tmp_path / "out.h5").exists()


@pytest.mark.parametrize("kind", ["f2", "f4", ">f4", "i4", ">i2", "u1", "?"])
def test_arrays_of_any_type_in_files(kind: str, tmp_path: Path) -> None:
    values = NUMBERS.astype(kind)
    np.save(tmp_path / "q.npy", values)
    np.savez(tmp_path / "q.npz", values=values, x=WHOLE.astype("f4" if kind == "?" else kind))
    for name in ("q.npy", "q.npz"):
        q = Landscape.from_file(tmp_path / name, boundary="reflect")
        assert np.array_equal(q.values, values.astype(float))
        assert q.grid[0] == Axis(q.grid[0].name, 0.0, 7.0, 8, boundary="reflect")


def test_xarray_is_held_to_the_same() -> None:
    xarray = pytest.importorskip("xarray")
    for kind, arrays in FILES.items():
        if kind in ("repeated positions", "answers as positions"):
            continue
        data = xarray.DataArray(arrays["values"], [("x", arrays["x"])])
        with pytest.raises(HeatpgError) as caught:
            Landscape.from_xarray(data, boundary="clip")
        assert caught.value.advice, kind


NO_NAME: dict[str, Any] = {
    "a number": 5,
    "True": True,
    "two numbers": [5, 6],
    "bytes": b"clip",
    "a set": {"clip"},
    "an array": np.array([1.0]),
    "an object": object(),
}
NAMES: dict[str, Callable[[Any], Any]] = {
    "boundary of an axis": lambda given: Axis("x", 0.0, 1.0, 8, boundary=given),
    "boundary of an array": lambda given: Landscape.from_array(NUMBERS, boundary=given),
    "nodes of an axis": lambda given: Axis("x", 0.0, 1.0, 8, boundary="clip", nodes=given),
    "nodes of an array": lambda given: Landscape.from_array(NUMBERS, boundary="clip", nodes=given),
    "boundary to smooth": lambda given: smooth(NUMBERS, 0.5, given),
    "nodes to smooth": lambda given: smooth(NUMBERS, 0.5, "clip", nodes=given),
    "solver": lambda given: evolve(Landscape(NUMBERS, GRID), 0.5, given),
    "solver to make": make,
    "checks": lambda given: evolve(Landscape(NUMBERS, GRID), 0.5, checks=given),
    "axes to smooth": lambda given: smooth(NUMBERS, 0.5, "clip", axes=given),
    "level of a gradient": lambda given: evolve(Landscape(NUMBERS, GRID), 0.5).gradient(given),
}


@pytest.mark.parametrize("kind", NO_NAME)
@pytest.mark.parametrize("door", NAMES)
def test_a_name_is_a_text(door: str, kind: str) -> None:
    """Told by heatpg in words, whatever was given."""
    with pytest.raises(HeatpgError) as told:
        NAMES[door](NO_NAME[kind])
    assert isinstance(told.value, ValueError | RuntimeError)


def test_axes_that_no_memory_or_number_holds() -> None:
    with pytest.raises(ResourceError, match="does not fit in memory"):
        Axis("x", 0.0, 1.0, 10**12, boundary="clip")
    with pytest.raises(GridError, match="change the unit"):
        Axis("x", -1.7e308, 1.7e308, 5, boundary="clip")


def test_a_solver_that_is_misspelt_may_be_auto() -> None:
    with pytest.raises(UnknownNameError, match=r"did you mean 'auto'") as told:
        evolve(Landscape(NUMBERS, GRID), 0.5, "Auto")
    assert "expected: auto, compact, " in str(told.value)


SWITCHES: dict[str, Callable[[Any], object]] = {
    "minimise": lambda given: study(Landscape(NUMBERS, GRID), [0.5], minimise=given),
    "gradient": lambda given: smooth(NUMBERS, 0.5, "clip", gradient=given),
    "pairs": lambda given: Draws(count=16, antithetic=given),
    "force": lambda given: evolve(Landscape(NUMBERS, GRID), 0.5).save("never.h5", force=given),
    "untrusted": lambda given: load("never.h5", untrusted=given),
    "progress": lambda given: evolve(Landscape(NUMBERS, GRID), 0.5, progress=given),
    "progress of a tail mean": lambda given: distribution(Landscape(NUMBERS, GRID), [0.5]).tail_mean(
        0.1, progress=given
    ),
    "progress of claims": lambda given: ledger("two-bumps", progress=given),
}


@pytest.mark.parametrize("given", ["no", "false", [], np.zeros(2), 0.5], ids=repr)
@pytest.mark.parametrize("door", SWITCHES)
def test_a_word_is_no_switch(door: str, given: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every word is true in Python, "no" as well."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OptionError, match="True"):
        SWITCHES[door](given)
    assert not list(tmp_path.iterdir())


MISTAKEN: dict[str, Callable[[], object]] = {
    "stepping": lambda: ascend(lambda x: -(x**2), [0.5], 0.3, stepping=0.1),  # type: ignore[arg-type]
    "task": lambda: unlearn([0.1], task=3),  # type: ignore[arg-type]
    "learning": lambda: unlearn([0.1], learning={"rate": 0.1}),  # type: ignore[arg-type]
    "estimators": lambda: estimator_noise(np.sin, [[0.1]], [0.1, 0.2], estimators=3),  # type: ignore[arg-type]
    "reference": lambda: estimator_noise(np.sin, [[0.1]], [0.1, 0.2], reference=3),  # type: ignore[arg-type]
    "noise of a distribution": lambda: safest_action(distribution(Landscape(NUMBERS, GRID), [0.5]), sigma=[0.2]),
    "solver of a distribution": lambda: safest_action(distribution(Landscape(NUMBERS, GRID), [0.5]), solver="direct"),
}


@pytest.mark.parametrize("door", MISTAKEN)
def test_options_of_another_kind_are_refused(door: str) -> None:
    with pytest.raises(OptionError):
        MISTAKEN[door]()
