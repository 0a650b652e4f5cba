"""Functions on a grid: called as they expect, or told how to be passed, by a way that works."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from heatpg import Axis, Grid, Landscape
from heatpg.errors import GridError, OptionError

LINE = Grid(Axis("x", -1.0, 1.0, 5, boundary="clip"))
PLANE = Grid(Axis("x", -1.0, 1.0, 5, boundary="clip"), Axis("y", 0.0, 2.0, 4, boundary="clip"))


def step(x: float) -> float:
    return 1.0 if x > 0 else 0.0


def cone(point: Any) -> float:
    return float(point[0] ** 2 + point[1] ** 2)


@pytest.mark.parametrize(
    ("function", "grid"),
    [(math.sin, LINE), (math.hypot, PLANE), (step, LINE), (lambda x: 1.0, LINE), (lambda x, y: max(x, y), PLANE)],
)
def test_functions_of_single_numbers_are_told_and_the_advice_works(function: Callable[..., Any], grid: Grid) -> None:
    with pytest.raises(GridError, match="pass vectorized=False"):
        Landscape.from_function(function, grid)
    q = Landscape.from_function(function, grid, vectorized=False)
    expected = [function(*map(float, node)) for node in grid.nodes()]
    assert np.array_equal(q.values.ravel(), expected)


@pytest.mark.parametrize("vectorized", [True, False])
@pytest.mark.parametrize(("function", "grid"), [(cone, PLANE), (lambda p: float(p[0]), LINE)])
def test_functions_of_one_point_are_told_and_the_advice_works(
    function: Callable[..., Any], grid: Grid, vectorized: bool
) -> None:
    with pytest.raises(GridError, match=r"(?s)point.*lambda \*x: function\(np\.array\(x\)\)"):
        Landscape.from_function(function, grid, vectorized=vectorized)
    q = Landscape.from_function(lambda *x: function(np.array(x)), grid, vectorized=False)
    assert np.array_equal(q.values.ravel(), [function(node) for node in grid.nodes()])


def test_a_function_of_other_arguments_is_refused() -> None:
    with pytest.raises(GridError, match=r"(?s)one argument per axis\W+got: .*\(x, y\)\W+expected: a function of \(x\)"):
        Landscape.from_function(lambda x, y: x, LINE)
    with pytest.raises(OptionError, match=r"(?s)must be callable.*ndarray.*from_array"):
        Landscape.from_function(np.zeros(5), LINE)  # type: ignore[arg-type]


@pytest.mark.parametrize("vectorized", [True, False])
def test_errors_of_the_function_are_its_own(vectorized: bool) -> None:
    def broken(x: Any) -> Any:
        raise ZeroDivisionError("mine")

    def wrong(x: Any) -> Any:
        raise ValueError("also mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        Landscape.from_function(broken, LINE, vectorized=vectorized)
    with pytest.raises(ValueError, match="also mine"):
        Landscape.from_function(wrong, LINE, vectorized=vectorized)


@pytest.mark.parametrize("answer", [None, "3", 1j, [1.0, 2.0], np.timedelta64(3, "s"), object()])
def test_answers_that_are_no_number_are_refused(answer: Any) -> None:
    with pytest.raises(GridError, match="one number per point"):
        Landscape.from_function(lambda x: answer, LINE, vectorized=False)
    with pytest.raises((GridError, OptionError), match=r"one value per point|real numbers"):
        Landscape.from_function(lambda x: answer, LINE)


def test_answers_keep_their_precision_and_truth_is_a_value() -> None:
    assert Landscape.from_function(lambda x: np.float32(x), LINE, vectorized=False).values.dtype == np.float32
    assert Landscape.from_function(lambda x: x > 0, LINE, vectorized=False).values.tolist() == [0, 0, 0, 1, 1]
    assert Landscape.from_function(lambda x: x > 0, LINE).values.tolist() == [0, 0, 0, 1, 1]
    sampled = Landscape.from_function(lambda x: x > 0, LINE, vectorized=False).sample([[0.3], [-0.3]])
    assert sampled.tolist() == [1.0, 0.0]


class Module:
    """Like a module of torch: called through, and `forward` says what it takes."""

    def __call__(self, *arguments: Any) -> Any:
        return self.forward(*arguments)

    def forward(self, x: Any) -> Any:
        raise TypeError("linear(): argument 'input' must be Tensor, not numpy.ndarray")


def test_modules_and_functions_of_tensors_are_told_how_to_be_called() -> None:
    square = Grid(*(Axis(name, 0.0, 1.0, 5, boundary="clip") for name in "xy"))
    with pytest.raises(
        GridError, match=r"(?s)Module\(x.*one point pass vectorized=False .*function\(torch\.tensor\(x\)\)"
    ):
        Landscape.from_function(Module(), square)
    with pytest.raises(GridError, match=r"(?s)takes torch tensors.*lambda x: function\(torch\.as_tensor\(x\)\)"):
        Landscape.from_function(Module(), Grid(square[0]))

    def branching(x: Any) -> float:
        if np.size(x) > 1:  # in the words and of the kind of torch
            raise RuntimeError("Boolean value of Tensor with more than one value is ambiguous")
        return float(x)

    with pytest.raises(GridError, match="vectorized=False"):
        Landscape.from_function(branching, Grid(square[0]))


def test_functions_of_torch_itself_are_told_how_to_be_called() -> None:
    torch = pytest.importorskip("torch")
    line = Grid(Axis("x", 0.0, 1.0, 5, boundary="clip"))
    with pytest.raises(GridError, match=r"write lambda x: sin\(torch\.as_tensor\(x\)\)"):
        Landscape.from_function(torch.sin, line)
    q = Landscape.from_function(lambda x: torch.sin(torch.as_tensor(x)), line)
    assert np.abs(q.values - np.sin(line[0].coordinates)).max() < 1e-15
