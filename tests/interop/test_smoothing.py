"""`smooth` gives what `evolve` gives, as the kind of array that came, and refuses what it would have to guess."""

from __future__ import annotations

import sys
import types
from typing import Any

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from heatpg import Axis, Grid, HeatpgError, HeatpgWarning, Landscape, evolve, smooth
from heatpg.errors import KeywordError, OptionError

xarray = pytest.importorskip("xarray")


@pytest.mark.parametrize("boundary", ["clip", "reflect", "periodic", "zero", "absorb"])
@pytest.mark.parametrize("nodes", ["vertex", "cell"])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_it_is_evolve(boundary: str, nodes: Any, dtype: str, rng: np.random.Generator) -> None:
    values = rng.standard_normal((30, 24)).astype(dtype)
    ends = [0.25 * (n - (0 if boundary == "periodic" or nodes == "cell" else 1)) for n in values.shape]
    axes = [
        Axis(f"x{i}", 0.0, end, n, boundary=boundary, nodes=nodes)
        for i, (end, n) in enumerate(zip(ends, values.shape, strict=True))
    ]
    flow = evolve(Landscape(values, Grid(*axes)), [0.5, 0.8], checks="none")
    u, slopes = smooth(values, [0.8, 0.5], boundary, spacing=0.25, nodes=nodes, gradient=True)
    assert u.dtype == slopes.dtype == np.dtype(dtype)
    assert u.flags.writeable and slopes.flags.writeable
    # in the order that was given, which may be any
    assert np.array_equal(u, flow.values[::-1]) and np.array_equal(slopes, flow.gradient()[::-1])
    assert np.array_equal(smooth(values, 0.5, boundary, spacing=0.25, nodes=nodes), flow.values[0])


def test_inside_it_is_the_filter_of_scipy_with_a_long_kernel(rng: np.random.Generator) -> None:
    """At 3 spacings the sampled Gaussian is exact to 1e-38; SciPy's, cut off at 10 sigma, to 1e-22."""
    values = rng.standard_normal((90, 80))
    for boundary, mode in (("clip", "nearest"), ("reflect", "mirror"), ("periodic", "wrap"), ("zero", "constant")):
        off = smooth(values, 3.0, boundary) - gaussian_filter(values, 3.0, mode=mode, truncate=10.0)  # type: ignore[arg-type]
        # two sums of noise of size 4, each rounded some 60 times along either axis
        assert np.abs(off[30:-30, 30:-30] if boundary != "periodic" else off).max() < 4 * 120 * 2.3e-16


def test_only_some_axes(rng: np.random.Generator) -> None:
    values = rng.standard_normal((5, 20, 2, 30))
    u, slopes = smooth(values, {3: 2.0, 1: 0.5}, ["clip", "periodic"], axes=(-1, 1), gradient=True)
    assert u.shape == values.shape and slopes.shape == (2, *values.shape)
    for i in range(5):
        for j in range(2):
            lines = values[i, :, j]
            one, two = smooth(lines, {0: 0.5, -1: 2.0}, {0: "periodic", 1: "clip"}, gradient=True)
            np.testing.assert_allclose(u[i, :, j], one, rtol=0, atol=1e-14)
            # slopes come in the order in which the axes were named
            np.testing.assert_allclose(slopes[:, i, :, j], two[::-1], rtol=0, atol=1e-13)
    assert np.array_equal(smooth(values[0, :, 0, 0], 1.0, "clip", axes=0), smooth(values[0, :, 0, 0], 1.0, "clip"))


def test_numbers_of_any_type() -> None:
    line = [0, 0, 0, 9, 0, 0, 0]
    right = smooth(np.array(line, dtype=float), 1.0, "reflect")
    for given in (line, tuple(line), np.array(line, dtype=np.int8)):
        np.testing.assert_array_equal(smooth(given, 1.0, "reflect"), right)
    np.testing.assert_allclose(9 * smooth(np.array(line) > 5, 1.0, "reflect"), right, rtol=1e-14)
    assert smooth(np.array(line, dtype=np.float16), 1.0, "reflect").dtype == np.float16


@pytest.mark.parametrize("boundary", ["periodic", "absorb", "reflect", "clip", "zero"])
def test_an_answer_does_not_depend_on_the_other_sigmas(boundary: str, rng: np.random.Generator) -> None:
    values = rng.standard_normal((24, 20))
    alone = smooth(values, 0.9, boundary, gradient=True)
    for others in ([0.9, 2.0], [0.9, 1.0], [0.9, 4.0]):
        u, slopes = smooth(values, others, boundary, gradient=True)
        assert np.array_equal(u[0], alone[0]) and np.array_equal(slopes[0], alone[1])


def test_a_data_array_comes_back_as_one(rng: np.random.Generator) -> None:
    data = xarray.DataArray(
        rng.standard_normal((12, 3, 10)),
        dims=("u", "seed", "v"),
        coords={"u": np.linspace(5.0, 3.0, 12), "v": np.arange(10.0), "episode": ("seed", [7, 8, 9])},
        name="return",
        attrs={"units": "1"},
    )
    one = smooth(data, 1.5, {"u": "clip", "v": "reflect"}, axes=("u", "v"))
    assert one.dims == data.dims and one.name == "return" and one.attrs == data.attrs
    assert one.coords.equals(data.coords)
    right = smooth(data.to_numpy()[:, 1], 1.5, ["clip", "reflect"])
    np.testing.assert_allclose(one.isel(seed=1), right, rtol=0, atol=1e-14)
    several, slopes = smooth(data, [2.0, 1.5], "clip", axes=["v"], gradient=True)
    assert several.dims == ("sigma", "u", "seed", "v") and several.sigma.values.tolist() == [2.0, 1.5]
    assert slopes.dims == ("sigma", "axis", "u", "seed", "v") and slopes.axis.values.tolist() == ["v"]
    assert smooth(data, {"u": [1.0, 2.0], "v": 0.0}, "clip", axes=["u", "v"]).dims[0] == "sigma"
    with pytest.raises(HeatpgError, match="dataset\\['name'\\]"):
        smooth(data.to_dataset(), 1.0, "clip")


class Tensor:
    """What `smooth` knows of a tensor of torch."""

    def __init__(self, array: Any, requires_grad: bool = False) -> None:
        self.array, self.requires_grad, self.device = np.asarray(array), requires_grad, "cpu"
        self.dtype = types.SimpleNamespace(is_floating_point=self.array.dtype.kind == "f", kind=self.array.dtype)

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return self.array

    def to(self, device: str, dtype: Any) -> Tensor:
        return Tensor(self.array.astype(dtype if isinstance(dtype, str) else dtype.kind))


def test_a_tensor_comes_back_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", types.SimpleNamespace(as_tensor=Tensor, float64="float64"))
    monkeypatch.setattr(Tensor, "__module__", "torch")
    line = np.linspace(0.0, 1.0, 9, dtype=np.float32) ** 2
    made = smooth(Tensor(line), 1.0, "clip")
    assert isinstance(made, Tensor) and np.array_equal(made.array, smooth(line, 1.0, "clip"))
    assert smooth(Tensor(np.arange(9)), 1.0, "clip").array.dtype == np.float64
    with pytest.raises(HeatpgError, match=r"values\.detach\(\)"):
        smooth(Tensor(line, requires_grad=True), 1.0, "clip")


@pytest.mark.parametrize(
    ("words", "arguments", "options"),
    [
        ("boundary", ("mirror",), {}),
        ("boundary must be a single value", (["clip", "clip"],), {}),
        ("must be axes of the array", ("clip",), {"axes": 1}),
        ("must be axes of the array", ("clip",), {"axes": "x"}),
        ("must be axes of the array", ("clip",), {"axes": True}),
        ("axes must be different", ("clip",), {"axes": (0, -1)}),
        (r"(?s)the keys of boundary must be axes of the array.*got: 'x'", ({"x": "clip"},), {}),
        (r"(?s)the keys of spacing must be axes of the array.*got: 2", ("clip",), {"spacing": {2: 1.0}}),
        ("axes must be different", ("clip",), {"axes": ()}),
        ("spacing", ("clip",), {"spacing": [1.0, 2.0]}),
        ("must be axes of the array", ("clip",), {"spacing": {"y": 1.0}}),
        ("dictionary boundary", ({},), {}),
        ("nodes", ("clip",), {"nodes": "centre"}),
    ],
)
def test_bad_arguments(words: str, arguments: tuple[Any, ...], options: dict[str, Any]) -> None:
    with pytest.raises(HeatpgError, match=words):
        smooth(np.arange(9.0), 1.0, *arguments, **options)


@pytest.mark.parametrize("sigma", [-1.0, np.nan, [], [1.0, 1.0], True, "1", {"y": 1.0}])
def test_bad_sigma(sigma: Any) -> None:
    with pytest.raises(HeatpgError):
        smooth(np.arange(9.0), sigma, "clip")


@pytest.mark.parametrize(
    "values", [5.0, [[1.0, 2.0], [3.0]], [1.0, np.nan, 2.0], ["a", "b", "c"], [1j, 2j, 3j], [1.0, 2.0]]
)
def test_bad_values(values: Any) -> None:
    with pytest.raises(HeatpgError):
        smooth(values, 1.0, "clip")


def test_a_tuple_of_one_sigma_per_axis_is_what_scipy_takes(rng: np.random.Generator) -> None:
    values = rng.standard_normal((20, 24))
    with pytest.warns(HeatpgWarning, match=r"pass \{0: 2, 1: 3\}, for noise levels a list: \[2, 3\]") as caught:
        several = smooth(values, (2, 3), "reflect")
    assert caught[0].filename == __file__
    np.testing.assert_array_equal(several, smooth(values, [2, 3], "reflect"))
    # and this is the row of the page for those who come from SciPy
    ours = smooth(values, {0: 2, 1: 3}, "periodic")
    np.testing.assert_allclose(ours, gaussian_filter(values, (2, 3), mode="wrap", truncate=9), atol=1e-13)
    # a tuple of another length, a list and an array are levels and nothing else: warnings are errors here
    smooth(values, (1, 2, 3), "reflect")
    smooth(values[0], (1, 2), "reflect")
    smooth(values, np.array([2.0, 3.0]), "reflect")


def test_a_covariance_is_that_of_evolve(rng: np.random.Generator) -> None:
    values = rng.standard_normal((20, 24))
    covariance = np.array([[2.0, 1.0], [1.0, 3.0]])
    landscape = Landscape.from_array(values, boundary="periodic")
    one = smooth(values, None, "periodic", covariance=covariance)
    np.testing.assert_array_equal(one, evolve(landscape, covariance=covariance).values[0])
    # several come back in the order that was given, and with axes turned the covariance is of the axes in their order
    several = smooth(values, None, "periodic", covariance=np.array([2 * covariance, covariance]))
    np.testing.assert_array_equal(several[1], one)
    turned = smooth(values, None, "periodic", axes=(1, 0), covariance=covariance[::-1, ::-1])
    np.testing.assert_allclose(turned, one, atol=1e-13)
    # independent noise as a covariance
    apart = smooth(values, None, "periodic", covariance=np.diag([4.0, 9.0]))
    np.testing.assert_allclose(apart, smooth(values, {0: 2, 1: 3}, "periodic", solver="spectral"), atol=1e-13)
    for sigma, matrix in ((1.0, covariance), (None, None)):
        with pytest.raises(HeatpgError, match=r"give (either )?sigma"):
            smooth(values, sigma, "periodic", covariance=matrix)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"spacing": -1.0}, "spacing must be positive"),
        ({"spacing": [1.0, 0.0]}, "spacing must be positive"),
        ({"boundary": ("reflect", "periodic", "clip")}, "expected: one entry for each of the axes 0, 1"),
        ({"nodes": ("cell",)}, "nodes=('cell',), 1 entries"),
    ],
)
def test_what_is_wrong_is_called_by_its_name(options: dict[str, Any], said: str) -> None:
    with pytest.raises(OptionError) as caught:
        smooth(np.eye(5), 1.0, **({"boundary": "reflect"} | options))
    assert said in str(caught.value)


@pytest.mark.parametrize("keyword", ["order", "truncate", "cval", "mode"])
def test_keywords_of_scipy_are_answered(keyword: str) -> None:
    with pytest.raises(KeywordError, match=r"gradient=True|interop\.ndimage|boundary"):
        smooth(np.eye(5), 1.0, "reflect", **{keyword: 1})  # type: ignore[arg-type]
