#!/bin/sh
# References of kerchunk to an HDF5 file with checksums have its coordinates, and none of its fields.
#
# Guess:   fletcher32, a filter of HDF5 itself, is either undone or refused with an error.
# Truth:   each dataset with the filter is left out with a UserWarning; the references are made, and what opens from
#          them has coordinates and no variables. Below 500 bytes the values stand in the references, and nothing is
#          left out. error="raise" raises.
# Version: kerchunk 0.2.10, h5py 3.16.0, zarr 3.1.6, xarray 2026.9.0
# Source:  kerchunk/hdf.py, SingleHdf5ToZarr(error=); https://fsspec.github.io/kerchunk/reference.html
# Hurts:   whoever makes references to thousands of checksummed files in a job whose warnings nobody reads.
. "$(dirname "$0")/_packages.sh"
packages numpy==2.4.6 h5py==3.16.0 kerchunk==0.2.10 zarr==3.1.6 xarray==2026.9.0
"$python" - <<'PY'
import json
import warnings

import h5py
import kerchunk.hdf
import numpy as np
import xarray

for checksums in (False, True):
    name = f"checksums_{checksums}.h5"
    with h5py.File(name, "w") as file:
        file.create_dataset("x", data=np.linspace(1.0, 2.0, 512)).make_scale("x")
        file.create_dataset("u", data=np.arange(512.0), chunks=(512,), fletcher32=checksums).dims[0].attach_scale(file["x"])
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        references = kerchunk.hdf.SingleHdf5ToZarr(name).translate()
    with open(f"{name}.json", "w") as out:
        json.dump(references, out)
    opened = xarray.open_dataset(f"{name}.json", engine="kerchunk")
    said = [str(one.message).strip().splitlines()[-1] for one in told if "fletcher32" in str(one.message)]
    print(f"checksums {checksums}: variables {list(opened.data_vars)}, coordinates {list(opened.coords)}; warned: {said}")
    assert list(opened.data_vars) == ([] if checksums else ["u"]) and bool(said) == checksums
try:
    kerchunk.hdf.SingleHdf5ToZarr("checksums_True.h5", error="raise").translate()
    print("error='raise': no error")
    raise SystemExit(1)
except kerchunk.hdf.Hdf5FeatureNotSupported as error:
    print("error='raise':", error)
PY
