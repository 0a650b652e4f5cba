"""One field that is larger than the memory of a machine, or than a machine.

The discrete operators along different axes commute exactly, so u = prod_i exp(t_i d_ii / 2) Q can be computed axis by
axis, and along one axis line by line: what must be in memory is a block of whole lines, never the field. `evolve_large`
keeps the field on the disk, `evolve_mpi` on the ranks of an MPI program.
"""

from __future__ import annotations

from heatpg.large.outofcore import LargeSummary, evolve_large
from heatpg.large.ranks import RankedEvolution, evolve_mpi, rows_of_rank
from heatpg.large.sources import LargeFile, LargeLandscape, open_large

__all__ = [
    "LargeFile",
    "LargeLandscape",
    "LargeSummary",
    "RankedEvolution",
    "evolve_large",
    "evolve_mpi",
    "open_large",
    "rows_of_rank",
]
