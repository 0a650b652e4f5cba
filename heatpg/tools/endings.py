"""Endings of the files that a landscape can be read from; a command line tells files from names by them."""

from __future__ import annotations

from heatpg.tools.publishing import RESULTS

__all__ = ["OTHERS", "SOURCES"]

OTHERS = (".npy", ".npz", ".csv", ".tsv", ".mat", ".nc", ".cdf", ".h5", ".hdf5")
"""Of files of other programs."""
SOURCES = tuple(dict.fromkeys((*RESULTS, *OTHERS)))
"""Of all files."""
