#!/bin/sh
# A Sobol' engine of SciPy with more than 32 bits draws points, and cannot skip them.
#
# Guess:   fast_forward works wherever random does: bits=64 is documented, and both walk the same sequence.
# Truth:   with 33 to 64 bits the direction numbers are kept in 64 bits, and fast_forward raises a ValueError about a
#          buffer of 32 bits. Up to 32 bits it gives the same points as drawing and dropping them, to the bit; but
#          fast_forward(0) of a new engine raises an OverflowError.
# Version: scipy 1.17.1, numpy 2.4.6
# Source:  scipy/stats/_qmc.py (Sobol), _sobol.pyx; https://docs.scipy.org/doc/scipy/reference/generated/scipy.stats.qmc.Sobol.html
# Hurts:   whoever takes more bits for the tails of normal numbers, and resumes a long run or shares it among machines.
. "$(dirname "$0")/_packages.sh"
packages numpy==2.4.6 scipy==1.17.1
"$python" - <<'PY'
import numpy as np
import scipy
from scipy.stats import qmc

print("scipy", scipy.__version__, "numpy", np.__version__)
skips = {}
for bits in (30, 32, 33, 52, 64):
    drawn = qmc.Sobol(3, bits=bits, rng=0).random(16)
    engine = qmc.Sobol(3, bits=bits, rng=0)
    try:
        skips[bits] = bool(np.array_equal(engine.fast_forward(8).random(8), drawn[8:]))
        print(f"bits={bits}: 16 points drawn, 8 skipped, equal: {skips[bits]}")
    except ValueError as error:
        skips[bits] = False
        print(f"bits={bits}: 16 points drawn, fast_forward: ValueError: {error}")
try:
    qmc.Sobol(3, rng=0).fast_forward(0)
    nothing = "no error"
except OverflowError as error:
    nothing = f"OverflowError: {error}"
print("fast_forward(0):", nothing)
assert nothing.startswith("OverflowError")
assert skips == {30: True, 32: True, 33: False, 52: False, 64: False}, skips
PY
