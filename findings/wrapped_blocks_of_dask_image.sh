#!/bin/sh
# gaussian_filter(mode="wrap") of dask-image does not wrap as soon as an axis has more than one block.
#
# Guess:   the blocks of an array change nothing: the result is that of SciPy for every mode.
# Truth:   equal to the bit for reflect, nearest, mirror and constant. For wrap a block at an edge of the array is wrapped
#          round by itself, so its outer nodes see the far side of their own block and not that of the array. Of white
#          noise of unit variance the edges are off by 0.5; with one block it is right, and nothing warns.
# Version: dask-image 2026.5.0, dask 2026.8.0, scipy 1.17.1
# Source:  dask_image/ndfilters/_gaussian.py: map_overlap with boundary "none", and the mode is handed to each block
# Hurts:   whoever smooths over angles (periodic axes) that do not fit into memory. dask.array.map_overlap with
#          boundary="periodic", a depth of 4 sigma, and SciPy's filter on each block is right.
. "$(dirname "$0")/_packages.sh"
packages numpy==2.4.6 scipy==1.17.1 dask==2026.8.0 dask-image==2026.5.0
"$python" - <<'PY'
from importlib.metadata import version

import dask.array
import dask_image.ndfilters
import numpy as np
import scipy.ndimage

print("dask-image", version("dask-image"))
noise = np.random.default_rng(1).standard_normal((40, 40))
for mode in ("reflect", "nearest", "mirror", "constant", "wrap"):
    for block in (40, 10):
        blocks = dask.array.from_array(noise, chunks=block)
        found = np.asarray(dask_image.ndfilters.gaussian_filter(blocks, 1.0, mode=mode))
        off = np.abs(found - scipy.ndimage.gaussian_filter(noise, 1.0, mode=mode))
        print(f"{mode:8} blocks of {block}: off by {off.max():.2g} at the edges, {off[8:-8, 8:-8].max():.2g} inside")
        assert off[8:-8, 8:-8].max() == 0
        assert (off.max() > 0.2) == (mode == "wrap" and block == 10)
overlapping = dask.array.from_array(noise, chunks=10).map_overlap(
    scipy.ndimage.gaussian_filter, depth=4, boundary="periodic", sigma=1.0
)
right = np.abs(np.asarray(overlapping) - scipy.ndimage.gaussian_filter(noise, 1.0, mode="wrap")).max()
print(f"map_overlap with boundary='periodic', blocks of 10: off by {right:.2g}")
assert right == 0
PY
