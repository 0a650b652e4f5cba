"""Kernels for one kind of processor or another: chosen once, and the same results but for rounding."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import llvmlite.binding
import numpy as np
import pytest

from heatpg.tools import processor
from heatpg.tools.processor import KINDS

HERE = processor._kinds_of_host()

PROGRAM = """
import json
import numba.core.registry
import numpy as np
from heatpg import Axis, Grid, Landscape, evolve
from heatpg.tools.kernels import PROCESSOR
rng = np.random.default_rng(3)
found = {}
for dtype in ("float32", "float64"):
    for boundary in ("periodic", "absorb", "clip"):
        q = rng.standard_normal((67, 45)).astype(dtype)
        grid = Grid(*(Axis(name, 0.0, 1.0, size, boundary=boundary) for name, size in (("x", 67), ("y", 45))))
        for solver in ("explicit", "stabilized", "direct", "multiresolution", "rational"):
            u = evolve(Landscape(q, grid), sigma=0.06, solver=solver, checks="none").values[0]
            found[f"{solver} {boundary} {dtype}"] = u.astype(float).tolist()
target = numba.core.registry.cpu_target.target_context.codegen()
print(json.dumps([PROCESSOR, target.magic_tuple()[1], found]))
"""


def run(**variables: str) -> Any:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=os.environ | variables, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_results_agree_on_all_kinds_of_processors() -> None:
    """A rounding each for some hundred sums and products of numbers of up to 4, with whatever is fused."""
    results = [run(HEATPG_PROCESSOR=kind) for kind in HERE]
    assert [kind for kind, _, _ in results] == HERE
    for _, _, found in results:
        for name, values in found.items():
            eps = float(np.finfo(name.split()[2]).eps)
            assert np.abs(np.array(values) - np.array(results[0][2][name])).max() <= 500 * eps, name
    # what the compiler itself says: kernels that come from the disk have no code to look into
    assert [target for _, target, _ in results[:-1]] == [processor._STANDS_FOR[kind] for kind in HERE[:-1]]
    assert results[-1][1] == llvmlite.binding.get_host_cpu_name()


def test_the_best_kind_is_the_machine_itself() -> None:
    """By default, and where it is asked for, nothing is taken away from what the compiler knows of this machine."""
    program = (
        "from heatpg.tools.kernels import PROCESSOR\n"
        "from numba.core import config\n"
        "print(PROCESSOR, config.CPU_NAME, config.CPU_FEATURES)"
    )
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("HEATPG_PRO", "NUMBA_"))}
    for more in ({}, {"HEATPG_PROCESSOR": ""}, {"HEATPG_PROCESSOR": HERE[-1]}):
        done = subprocess.run(
            [sys.executable, "-c", program], env=plain | more, capture_output=True, text=True, check=True
        )
        assert done.stdout.split() == [HERE[-1], "None", "None"]


def refusal(code: str, kind: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"HEATPG_PROCESSOR": kind},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    return done.stderr


def test_what_is_no_kind_is_refused_with_those_that_are() -> None:
    said = refusal("import heatpg; heatpg.landscapes.double_pendulum(size=4)", "AVX2")
    assert "OptionError: HEATPG_PROCESSOR: not a kind of processor" in said and "'AVX2'" in said
    assert all(repr(kind) in said for kind in HERE)


def test_a_kind_that_the_machine_is_not_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(llvmlite.binding, "get_host_cpu_features", lambda: {"avx2": True, "fma": True, "avx512f": True})
    assert processor._kinds_of_host() == ["baseline", "avx2"]
    monkeypatch.setenv("HEATPG_PROCESSOR", "avx512")
    with pytest.raises(ValueError, match="this processor cannot run") as caught:
        processor._choose(processor._kinds_of_host())
    assert "'baseline', 'avx2' on this machine" in str(caught.value)
    assert set(KINDS) == {"baseline", "avx2", "avx512"}

    def unknown() -> dict[str, bool]:
        raise RuntimeError("not known")

    monkeypatch.setattr(llvmlite.binding, "get_host_cpu_features", unknown)
    assert processor._kinds_of_host() == ["baseline"]


@pytest.mark.skipif(len(HERE) < 2, reason="a processor of the least kind")
def test_a_choice_that_comes_too_late_is_refused() -> None:
    said = refusal("import numba\nnumba.njit(lambda x: x)\nimport heatpg.tools.kernels", "baseline")
    assert "HEATPG_PROCESSOR comes too late" in said
