#!/bin/sh
# Compiled by Numba, the sum of 2^25 ones in single precision is 2^24, and their mean is one half.
#
# Guess:   array.sum() in a function that Numba compiles adds in pairs, as NumPy does, or in double precision.
# Truth:   it adds one after the other in the type of the array: 16777216 + 1 = 16777216 in float32, so the sum stops
#          there. mean() is 0.5 and the standard deviation of equal numbers is 0.5 as well. NumPy has 33554432, 1 and 0.
# Version: numba 0.68.1
# Source:  numba/np/arraymath.py, array_sum; https://numba.readthedocs.io/en/stable/reference/numpysupported.html
# Hurts:   whoever averages large fields or many rollouts in float32 in a compiled loop. A sum into a float64 is right.
. "$(dirname "$0")/_packages.sh"
packages numpy==2.4.6 numba==0.68.1
"$python" - <<'PY'
import numba
import numpy as np

print("numba", numba.__version__)
ones = np.ones(2**25, dtype=np.float32)
for name in ("sum", "mean", "std"):
    compiled = numba.njit({"sum": lambda a: a.sum(), "mean": lambda a: a.mean(), "std": lambda a: a.std()}[name])
    found, right = float(compiled(ones)), float(getattr(ones, name)())
    print(f"{name} of 2^25 ones: compiled {found:g}, NumPy {right:g}")
    assert (found, right) == {"sum": (2.0**24, 2.0**25), "mean": (0.5, 1.0), "std": (0.5, 0.0)}[name]
for size in (10_000, 1_000_000):
    tenths = np.full(size, 0.1, dtype=np.float32)
    found = float(numba.njit(lambda a: a.sum())(tenths)) / (size * float(tenths[0])) - 1
    print(f"{size} times 0.1: off by {found:.1e} of the sum, compiled; {float(tenths.sum()) / (size * float(tenths[0])) - 1:.1e}, NumPy")
    assert abs(found) > 1e-5
PY
