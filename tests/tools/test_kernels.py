"""What kernels cost to compile: no string machinery, and one type for what is read."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import heatpg
from heatpg.tools.kernels import kernel, multiply_add, number_bytes, read_only

PACKAGE = Path(heatpg.__file__).parent

# Numba compiles the message of an error for arrays of different lengths, and with it Python's strings: that is told
# by the functions of its own that it compiles.
SCRIPT = """
import json
import numba.core.event as event
compiled = []
class Listener(event.Listener):
    def on_start(self, happened):
        function = happened.data["dispatcher"].py_func
        compiled.append(f"{function.__module__}.{function.__name__}")
    def on_end(self, happened):
        pass
event.register("numba:compile", Listener())
import numpy as np
from heatpg import Axis, Grid, Landscape, evolve, landscapes
from heatpg.core.extrema import local_maxima
landscapes.double_pendulum(size=4, horizon=0.1)
values = np.random.default_rng(1).standard_normal((96, 96))
for boundary in ("absorb", "clip"):
    grid = Grid(*(Axis(name, 0.0, 95.0, 96, boundary=boundary) for name in "xy"))
    # narrower than the lines, and wider
    fields = evolve(Landscape(values, grid), sigma=[2.0, 20.0], solver="direct", checks="none").values
local_maxima(fields[0], grid, tolerance=1e-12)
local_maxima(np.array(fields[0]), grid, tolerance=1e-12)
print(json.dumps(compiled))
"""


def kernels() -> Iterator[tuple[str, ast.FunctionDef]]:
    for path in sorted([*PACKAGE.rglob("*.py"), *(PACKAGE / "solvers").resolve().rglob("*.py")]):
        text = path.read_text()
        if "@kernel" not in text:
            continue
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef) and any(
                isinstance(d, ast.Name) and d.id in ("kernel", "kernel_part") for d in node.decorator_list
            ):
                yield f"{path.name}:{node.name}", node


def assigned_arrays(function: ast.FunctionDef) -> list[int]:
    """Lines of a function on which something other than a number is assigned to a slice."""
    found = []
    for node in ast.walk(function):
        if not isinstance(node, (ast.Assign, ast.AugAssign)):
            continue
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        slices = [
            part
            for target in targets
            for part in ast.walk(target)
            if isinstance(part, ast.Subscript) and any(isinstance(inner, ast.Slice) for inner in ast.walk(part.slice))
        ]
        value = node.value.operand if isinstance(node.value, ast.UnaryOp) else node.value
        if slices and not isinstance(value, ast.Constant):
            found.append(node.lineno)
    return found


def test_the_rule_sees_an_array_that_is_assigned_to_a_slice() -> None:
    def lines(body: str) -> list[int]:
        tree = ast.parse(f"def function(a, b, n):\n    {body}").body[0]
        assert isinstance(tree, ast.FunctionDef)
        return assigned_arrays(tree)

    for wrong in ("a[:n] = b", "a[0, 1:] = b[1:]", "a[:n] += b", "a[:], n = b, 1"):
        assert lines(wrong), wrong
    for right in ("a[:n] = 0.0", "a[:n] = -1", "a[n] = b[0]", "c = a[:n]"):
        assert not lines(right), right


def test_no_kernel_assigns_an_array_to_a_slice() -> None:
    found = dict(kernels())
    assert len(found) > 60  # the walk finds them at all
    assert {name: lines for name, function in found.items() if (lines := assigned_arrays(function))} == {}


def test_a_first_start_compiles_no_strings_and_each_kernel_once(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"HEATPG_CACHE_DIR": str(tmp_path)},
    )
    compiled = json.loads(done.stdout)
    own = [name for name in compiled if name.startswith("heatpg.")]
    assert {
        "heatpg.solvers.filters.convolve",
        "heatpg.solvers.filters.convolve_along",
        "heatpg.solvers.filters.multiply",
        "heatpg.core.extrema._find_maxima",
    } <= set(own)
    assert [name for name in compiled if name.startswith("numba.cpython.unicode")] == []
    # what is read comes as Q, which cannot be written to, and as what is made of it
    assert sorted(own) == sorted(set(own))


def test_a_read_only_view_shares_memory_and_leaves_the_array_as_it_is() -> None:
    array = np.zeros(4)
    view = read_only(array)
    array[1] = 3.0
    assert view[1] == 3.0 and array.flags.writeable
    with pytest.raises(ValueError, match="read-only"):
        view[0] = 1.0


def _multiply(a: Any, b: Any, c: Any, out: Any) -> None:
    for i in range(len(out)):
        out[i] = multiply_add(a[i], b[i], c[i])


def _bytes_of(array: Any) -> Any:
    return number_bytes(array)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_products_and_sums_are_rounded_alike_wherever_they_stand(dtype: Any, rng: np.random.Generator) -> None:
    """Once or twice, as the processor has it; in the lanes of a vector and in what is left over."""
    multiply = kernel(_multiply)
    numbers = rng.standard_normal((20, 3)).astype(dtype)
    numbers[:, 2] = -numbers[:, 0] * numbers[:, 1]  # what is left is the rounding of the product, or nothing
    found = []
    for a, b, c in numbers:
        out = np.full(37, np.nan, dtype)
        multiply(*(np.full(37, number) for number in (a, b, c)), out)
        assert np.ptp(out) == 0.0
        once = dtype(float(Fraction(float(a)) * Fraction(float(b)) + Fraction(float(c))))
        assert out[0] in (once, a * b + c)
        found.append((out[0] == once, out[0] == a * b + c))
    assert np.all(found, axis=0).any()  # one of the two for all


def test_numbers_of_two_types_are_not_multiplied() -> None:
    with pytest.raises(Exception, match=r"multiply_add|_fused"):
        kernel(_multiply)(np.ones(2, np.float32), np.ones(2), np.ones(2), np.ones(2))


def test_the_size_of_a_number() -> None:
    size = kernel(_bytes_of)
    assert [size(np.zeros(2, kind)) for kind in (np.float32, np.float64, np.int64)] == [4, 8, 8]
