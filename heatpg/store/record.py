"""The record of one evolution, and the names, versions and limits of its file, which are defined only here.

A record is plain. What can be done with one, from figures to solving once more, is a matter of `heatpg.Evolution`,
which is a record too; so the store lies below it, and takes and gives records.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heatpg.core.landscape import Landscape
from heatpg.core.ownership import owned
from heatpg.core.report import Report
from heatpg.solvers import Solver
from heatpg.store.paths import Paths
from heatpg.tools.warn import warn_caller

__all__ = [
    "COMPACT_OBJECTS",
    "COMPACT_ROUNDING",
    "DRAWN",
    "DRAW_GROUP",
    "DRAW_GROUPS",
    "DRAW_GROUPS_DIGEST",
    "ENVIRONMENT",
    "ERROR",
    "ERROR_DIGEST",
    "FACES",
    "FIELDS",
    "FIELDS_DIGEST",
    "FIELDS_ERROR",
    "FIELDS_ERROR_DIGEST",
    "INDEX_SCHEMA",
    "JSON_PARTS",
    "LANDSCAPE",
    "LANDSCAPE_DIGEST",
    "LARGEST_ATTRIBUTE",
    "LARGEST_CHUNK",
    "LEVELS",
    "LIBRARY_VERSIONS",
    "MINIMISE",
    "MOST_OBJECTS",
    "RECORDS_DIGEST",
    "REPORT",
    "RETURNS",
    "RETURNS_DIGEST",
    "RUN",
    "SCHEMA",
    "SCHEMA_NAME",
    "SEED",
    "SPEC",
    "SPEC_DIGEST",
    "TASK",
    "TOLERANCE",
    "VERSION",
    "Record",
    "coarse_name",
    "data_digest",
    "entry_ranges",
    "printable",
    "promised_errors",
    "text_digest",
]

Array = NDArray[Any]

SCHEMA = 1
LIBRARY_VERSIONS = ("v108", "v110")  # of HDF5: the oldest and the newest whose forms are used

# attributes of the root; a text that is too long for an attribute is a dataset of this name
SCHEMA_NAME = "heatpg_schema"
VERSION = "heatpg_version"
SPEC, RUN, REPORT, ENVIRONMENT = JSON_PARTS = ("heatpg_spec", "heatpg_run", "heatpg_report", "heatpg_environment")
TASK = "heatpg_task"
INDEX_SCHEMA = "heatpg_index"  # of the file that gathers a batch, and has no schema of its own
SPEC_DIGEST = "heatpg_spec_sha256"
RECORDS_DIGEST = "heatpg_records_sha256"  # of the JSON parts after the first
LANDSCAPE_DIGEST = "heatpg_landscape_sha256"
FIELDS_DIGEST = "heatpg_u_sha256"

# datasets, and a key of the specification; Axis refuses these names, so no axis can be in their place
LANDSCAPE = "landscape"
FIELDS = "u"
ERROR = "standard_error"
ERROR_DIGEST = "standard_error_sha256"
RETURNS = "returns"
RETURNS_DIGEST = "returns_sha256"
SEED = "seed"  # the dimension of the returns
FIELDS_ERROR = "u_standard_error"
FIELDS_ERROR_DIGEST = "u_standard_error_sha256"  # a key of the run
DRAW_GROUPS = "u_draw_groups"
DRAW_GROUPS_DIGEST = "u_draw_groups_sha256"  # a key of the run
DRAW_GROUP = "draw_group"  # the dimension of the groups
LEVELS = "levels"  # group of compact storage
DRAWN = "drawn"  # of the run: how noise in more components than axes was drawn; left out where none was
MINIMISE = "minimise"  # of the landscape in the specification; left out where Q is maximised
FACES = "faces"  # likewise: what is stated of Q on walls, by axis a pair; left out where nothing is

LARGEST_CHUNK = 2**26  # bytes; ours have half a mebibyte
LARGEST_ATTRIBUTE = 2**15  # bytes; old formats end at 64 kiB
MOST_OBJECTS = 10_000
COMPACT_OBJECTS = 100  # of a file in compact storage beside its levels, rather more than there are
TOLERANCE = 1e-10  # of compact storage, where none is given; a matter of taste
COMPACT_ROUNDING = 4.0  # of compact storage, units of eps max |Q|; another library of transforms rounds differently


def coarse_name(axis: str) -> str:
    """Name of the coordinates of a coarse lattice along an axis."""
    return f"coarse_{axis}"


def entry_ranges(landscape: Landscape) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """osc(Q) of each batch entry, with what lies outside the box, and its largest absolute value; shape (entries,).

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg import Axis, Grid, Landscape
    >>> from heatpg.store.record import entry_ranges
    >>> entry_ranges(Landscape(np.array([3.0, 5.0, 4.0]), Grid(Axis("x", 0.0, 1.0, 3, boundary="zero"))))
    (array([5.]), array([5.]))
    """
    entries = landscape.values.reshape(-1, landscape.grid.size)
    low, high = entries.min(axis=1).astype(np.float64), entries.max(axis=1).astype(np.float64)
    largest = np.maximum(np.abs(low), np.abs(high))
    for axis in landscape.grid:
        low, high = axis.rule.extremes_outside(low, high)
    return np.asarray(high - low), largest


def promised_errors(
    oscillation: NDArray[np.float64], largest: NDArray[np.float64], tolerance: float
) -> NDArray[np.float64]:
    """By how much compact storage may change the values of each batch entry, from what `entry_ranges` gives.

    Examples
    --------
    One entry that varies, and one that does not, which is held to rounding:

    >>> import numpy as np
    >>> from heatpg.store.record import promised_errors
    >>> promised_errors(np.array([2.0, 0.0]), np.array([1.0, 1.0]), 1e-10).round(16)
    array([2.0e-10, 2.7e-15])
    """
    rounding = 3.0 * COMPACT_ROUNDING * float(np.finfo(np.float64).eps) * largest
    return np.where(oscillation > 0, tolerance * oscillation, rounding)


class Record:
    """The record of an evolution: fields u(., sigma) of one landscape, and how they were computed.

    Parameters
    ----------
    landscape
        What was evolved.
    sigma
        Noise levels in ascending order, shape (T,), or (T, dimensions) where each axis has its own. For correlated
        noise the standard deviations along the axes, shape (T, dimensions).
    values
        The fields, shape (T, *batch, *grid.shape), of the type of the landscape.
    solver
        The solver, with its options.
    paths
        For each sigma and axis the times at which the solver stopped on its way.
    covariance
        Covariances of correlated noise, shape (T, dimensions, dimensions); otherwise None.
    report
        The checks, with measured values and bounds.
    reason
        Why the solver was picked, if it was picked.
    timing
        Seconds by stage.
    stored_tolerance
        By how much the values may differ from those that were solved, in units of osc(Q), because they were read from
        compact storage; 0 if they were not.
    rounding
        By how much each value may have been rounded when an offset and a scale were put back after the solution; 0 if
        there were none.
    known_error
        Standard error of the fields from sampling, of their shape, where it has been computed; otherwise None.
    drawn
        Where the noise was in more components than there are axes, and partly drawn: how, as JSON-like values. Then no
        solver makes the fields from Q on the grid. Otherwise None.
    draw_groups
        Where noise was drawn, u of groups of draws minus u, shape (groups, *values.shape): their scatter is the error
        over the draws alone, while `known_error` has that over seeds in it, too. None where it is not known.
    as_solved
        Whether the fields are, to the last bit, what the solver has made of Q, in memory that nobody else writes to.
    shared
        Whether others may write to the memory of the fields, as to `out` of `heatpg.evolve`.
    """

    def __init__(
        self,
        landscape: Landscape,
        sigma: NDArray[np.float64],
        values: Array,
        solver: Solver,
        *,
        paths: Sequence[tuple[tuple[float, ...], ...]],
        covariance: NDArray[np.float64] | None = None,
        report: Report | None = None,
        reason: str = "",
        timing: Mapping[str, float] | None = None,
        stored_tolerance: float = 0.0,
        rounding: float = 0.0,
        known_error: Array | None = None,
        drawn: Mapping[str, Any] | None = None,
        draw_groups: Array | None = None,
        as_solved: bool = False,
        shared: bool = False,
    ) -> None:
        self.landscape = landscape
        self.grid = landscape.grid
        # copies that cannot be written to, because the report is on them
        self.sigma = owned(sigma, sigma)
        self.covariance = None if covariance is None else owned(covariance, covariance)
        self.values = values
        self.shared = shared
        self.solver = solver
        self.paths = paths if isinstance(paths, Paths) else tuple(paths)
        self.report = report or Report([], "none")
        self.reason = reason
        self.timing = dict(timing or {})
        self.stored_tolerance = stored_tolerance
        self.rounding = rounding
        self.known_error = known_error
        self.drawn = None if drawn is None else dict(drawn)
        self.draw_groups = draw_groups
        self.as_solved = as_solved

    @property
    def values(self) -> Array:
        """The fields, shape (T, *batch, *grid.shape); they cannot be written to, because the report is on them."""
        return self._values

    @values.setter
    def values(self, values: Array) -> None:
        self._values = values.view()
        self._values.setflags(write=False)
        # whoever gives them may have kept them
        self.shared = True
        # what was said of other fields is not true of these
        self.report = Report([], "none")
        self.known_error = None
        self.draw_groups = None
        self.as_solved = False

    @property
    def report(self) -> Report:
        """The checks of these values."""
        return self._report

    @report.setter
    def report(self, report: Report) -> None:
        self._report = report
        # of which values it speaks, where that may change
        self._seal = self._checksum() if self.shared and len(report) else None

    def _checksum(self) -> int:
        return zlib.crc32(np.ascontiguousarray(self._values).data)

    def drop_stale_report(self) -> None:
        """Drop the report if the values lie in shared memory, and have changed since it was made.

        Warns
        -----
        HeatpgWarning
            If they have.
        """
        if self._seal is not None and self._seal != self._checksum():
            warn_caller(
                "the values have changed since they were checked, so the report is dropped; check them again: "
                "evolution.report = heatpg.verify.verify(evolution)"
            )
            self.report = Report([], "none")

    @property
    def known_error(self) -> Array | None:
        """Standard error of the fields, of their shape, once it has been computed; it cannot be written to."""
        return self._known_error

    @known_error.setter
    def known_error(self, error: Array | None) -> None:
        self._known_error = None if error is None else error.view()
        if self._known_error is not None:
            self._known_error.setflags(write=False)

    @property
    def draw_groups(self) -> Array | None:
        """u of groups of draws minus u, shape (groups, *values.shape), where it is known; it cannot be written to."""
        return self._draw_groups

    @draw_groups.setter
    def draw_groups(self, groups: Array | None) -> None:
        self._draw_groups = None if groups is None else groups.view()
        if self._draw_groups is not None:
            self._draw_groups.setflags(write=False)

    def __len__(self) -> int:
        return len(self.sigma)

    @property
    def error_words(self) -> str:
        """What `known_error` is, for labels of data."""
        if self.drawn is None:
            return "standard error of u, from that of Q"
        seeds = "" if self.landscape.standard_error is None else " and the seeds"
        return f"standard error of u, over the draws{seeds}"

    @property
    def value_error(self) -> float:
        """By how much a value may differ from the one that the solver made, in the units of Q.

        That is what an offset that was put back has rounded, and what compact storage has left out; 0 where neither
        was. What compares these values with others takes it into its bound.

        Examples
        --------
        >>> from heatpg import landscapes
        >>> from heatpg.evolution import Evolution, solve
        >>> flow = solve(landscapes.ridge(size=21), 0.2)
        >>> stored = Evolution.of(flow, stored_tolerance=1e-10)
        >>> flow.value_error, stored.value_error == 1e-10 * flow.landscape.oscillation
        (0.0, True)
        """
        return self.rounding + (float(self.storage_errors().max()) if self.stored_tolerance else 0.0)

    def storage_errors(self) -> NDArray[np.float64]:
        """By how much compact storage may have changed the values of each batch entry, shape (entries,)."""
        if not self.stored_tolerance:
            return np.zeros(self.landscape.values.size // self.grid.size)
        return promised_errors(*entry_ranges(self.landscape), self.stored_tolerance)

    @property
    def sigmas(self) -> NDArray[np.float64]:
        """One sigma per axis, shape (T, dimensions)."""
        columns = self.sigma[:, None] if self.sigma.ndim == 1 else self.sigma
        return np.broadcast_to(columns, (len(self.sigma), self.grid.dimensions))

    @property
    def variances(self) -> NDArray[np.float64]:
        """t = sigma^2 per axis, shape (T, dimensions)."""
        return self.sigmas**2


def text_digest(text: str) -> str:
    """SHA-256 of a text in UTF-8, as 64 hexadecimal digits."""
    return hashlib.sha256(text.encode()).hexdigest()


def data_digest(values: Array) -> str:
    """SHA-256 of the numbers, in C order and little-endian, as 64 hexadecimal digits."""
    little = np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("<"))
    return hashlib.sha256(little.reshape(-1).data).hexdigest()


def printable(text: str) -> str:
    """Text for an attribute that only people read: HDF5 ends text at a zero byte, and has no lone surrogates."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)
