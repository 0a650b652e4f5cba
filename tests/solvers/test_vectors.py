"""Marching kernels work on whole registers: what makes them fast, read from the code that the compiler made."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from heatpg.tools import processor

# A kernel that comes from the disk has no code to look into, so it is compiled anew, for the arrays that it is called
# with. A test of the time that it takes would hang on what else the machine does.
PROGRAM = r"""
import json, re, sys
import numba
import numpy as np
from heatpg import Axis, Grid, Landscape, evolve
from heatpg.solvers import explicit, stabilized

q = np.random.default_rng(0).standard_normal((40, 40))
grid = Grid(*(Axis(name, 0.0, 1.0, 40, boundary="periodic") for name in "xy"))
counts = {}
for module, name in ((explicit, "_step_bundles"), (stabilized, "_step_bundles"), (stabilized, "_step_waves")):
    kernel, called = getattr(module, name), []

    def remember(*given):
        called.append(tuple(map(numba.typeof, given)))
        return kernel(*given)

    setattr(module, name, remember)
    solver = module.__name__.rpartition(".")[2]
    evolve(Landscape(q, grid), 0.3, solver=solver, checks="none")
    setattr(module, name, kernel)
    if called:
        fresh = numba.njit(nogil=True, error_model="numpy")(kernel.py_func)
        fresh.compile(called[0])
        (code,) = fresh.inspect_asm().values()
        # fused products of two or more numbers: four in ymm, eight in zmm
        wide = len(re.findall(r"^\s+vfn?m(?:add|sub)\w*pd\s.*%[yz]mm", code, re.MULTILINE))
        counts[solver] = wide, len(re.findall(r"^\s+vfn?m(?:add|sub)\w*sd\s", code, re.MULTILINE))
print(json.dumps(counts))
"""
KINDS = [kind for kind in processor._kinds_of_host() if kind != "baseline"]


@pytest.mark.skipif(not KINDS, reason="this processor has no fused products")
@pytest.mark.parametrize("kind", KINDS)
def test_steps_are_fused_products_of_whole_registers(kind: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env=os.environ | {"HEATPG_PROCESSOR": kind},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    counts = json.loads(done.stdout)
    assert set(counts) == {"explicit", "stabilized"}
    # the first loop of `explicit` has nine weights, of which one is a product alone, and the other loop has eight
    assert counts["explicit"][0] >= 8 + 8
    # three for a degree
    assert counts["stabilized"][0] >= 3
    if kind == "avx2":
        # four rows of three polynomials in 16 lanes are written out, without a rest that goes one by one
        assert counts["stabilized"][0] >= 4 * 3 * 4
        assert counts["stabilized"][1] == 0
