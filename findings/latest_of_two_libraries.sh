#!/bin/sh
# A file that h5py 3.16 writes with libver="latest" cannot be read by h5py 3.11; without, or with v108, it can.
#
# Guess:   the format of HDF5 is the same since 1.10, so that "latest" of 2026 opens with the library of 2024.
# Truth:   HDF5 2.0 has a layout message of its own for data in chunks: the file opens, its groups are listed, and the
#          data raise KeyError "bad version number for layout message". So "latest" is whatever the writer has, and a file
#          written on a laptop is not read on a cluster. ("v108", "v110") as bounds are read by both.
# Version: h5py 3.16.0 (HDF5 2.0.0), h5py 3.11.0 (HDF5 1.14)
# Source:  https://docs.h5py.org/en/stable/high/file.html (version bounding); HDF5 2.0 release notes
# Hurts:   whoever shares results between machines. heatpg writes with ("v108", "v110").
. "$(dirname "$0")/_packages.sh"
packages numpy==2.2.6 h5py==3.16.0
"$python" - <<'PY'
import h5py
import numpy as np

print("writes: h5py", h5py.__version__, "HDF5", h5py.version.hdf5_version)
for name, bounds in {"latest": "latest", "bounded": ("v108", "v110"), "default": None}.items():
    with h5py.File(f"{name}.h5", "w", libver=bounds) as file:
        file.create_dataset("u", data=np.arange(100.0).reshape(10, 10), chunks=(5, 5), fletcher32=True)
PY
"$python" -m pip install --quiet --disable-pip-version-check h5py==3.11.0
"$python" - <<'PY'
import h5py

print("reads: h5py", h5py.__version__, "HDF5", h5py.version.hdf5_version)
for name in ("latest", "bounded", "default"):
    with h5py.File(f"{name}.h5") as file:
        try:
            outcome = f"u[9, 9] = {file['u'][9, 9]}"
        except KeyError as reason:
            outcome = f"KeyError: {reason}"
    print(f"{name}.h5: {outcome}")
    assert ("layout message" in outcome) == (name == "latest"), outcome
PY
