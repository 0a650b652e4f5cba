"""Files of other programs: one format a file, registered by name; each says what it takes and reads it.

A format takes a file for its own by what the file holds, and never by its name alone. What it returns is plain: values,
positions along the axes with their names, and what else the file says. Files are untrusted: nothing in them is run,
links out of them are not followed, and no size is believed before it is held against the bytes that are there.
"""

from __future__ import annotations

import dataclasses
import os
import stat
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

from numpy.typing import NDArray

from heatpg.errors import HeatpgError, OptionError, StoreError
from heatpg.tools.registry import Registry

__all__ = [
    "FACES",
    "LOSS",
    "Format",
    "Positions",
    "Sampled",
    "Wanted",
    "format_of",
    "formats",
    "is_foreign",
    "read_file",
]

Array = NDArray[Any]

LOSS = ("sense", "minimise")
FACES = ("faces", "stated")
"""The attribute of an array of Q whose values on walls are stated, in other arrays."""
"""The attribute of a variable whose values are a loss, and its text: NetCDF has no true and false."""

_HEAD = 4096  # bytes that a format sees first: more than any signature, and than most lines of names


@dataclasses.dataclass(frozen=True)
class Wanted:
    """What the caller says of a file that does not say it itself.

    Attributes
    ----------
    variable
        Name of the array, or of the column, that holds Q.
    axes
        Names of the coordinates, in the order of the axes.
    standard_error
        Name of the array, or of the column, that holds the standard errors of Q.
    fill
        Value of the points that have none, and of the rows of a table that have none.
    """

    variable: str = ""
    axes: tuple[str, ...] = ()
    standard_error: str = ""
    fill: float | None = None


@dataclasses.dataclass(frozen=True)
class Positions:
    """Where the nodes along an axis are.

    Attributes
    ----------
    name
        Name of the axis in the file.
    places
        Positions of the nodes; None where the file has none, and the nodes are 1 apart.
    unit
        Unit of the positions.
    boundary, nodes
        Boundary, and whether these are centres of cells, where a coordinate that heatpg has made says so.
    label
        What the file calls the axis at length, in the attribute ``long_name``.
    """

    name: str
    places: Array | None
    unit: str = ""
    boundary: str = ""
    nodes: str = ""
    label: str = ""


@dataclasses.dataclass(frozen=True)
class Sampled:
    """What a file holds.

    Attributes
    ----------
    values
        Q, one axis of the array per axis of `axes`.
    axes
        In the order of the axes of the array; empty where nothing at all is known of them.
    standard_error
        Of each value; None if the file has none.
    minimise
        Whether Q is a loss; None where the file does not say.
    undecided
        Whether the caller has to say whether Q is a loss, because files of this kind are of both.
    faces
        Whether values on walls are stated beside Q, which the caller then has to pass.
    facts
        What else is worth keeping, for the provenance.
    """

    values: Array
    axes: tuple[Positions, ...] = ()
    standard_error: Array | None = None
    minimise: bool | None = None
    undecided: bool = False
    faces: bool = False
    facts: dict[str, Any] = dataclasses.field(default_factory=dict)


class Format(ABC):
    """A kind of file; the first line of the docstring says what it is in lists.

    Attributes
    ----------
    specific
        Whether it is asked before those that take any file of their container.
    """

    specific: ClassVar[bool] = False

    @abstractmethod
    def takes(self, path: Path, head: bytes) -> bool:
        """Whether a file, of which the first bytes are given, is of this kind."""

    @abstractmethod
    def read(self, path: Path, wanted: Wanted) -> Sampled:
        """What the file holds.

        Raises
        ------
        HeatpgError
            Where the file does not hold it, with the names that it has and what to write.
        """


formats: Registry[type[Format]] = Registry("format", "heatpg.formats")


def _first_bytes(path: Path) -> bytes:
    """The beginning of a file; of nothing that one could wait for."""
    try:
        # without O_NONBLOCK, to open a pipe would wait for ever
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except (OSError, ValueError) as reason:
        raise StoreError.unreadable(path, reason) from None
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OptionError(f"cannot read {path}", given="a folder, a pipe or a device", allowed="a file")
        return os.read(descriptor, _HEAD)
    except OSError as reason:
        raise StoreError.unreadable(path, reason) from None
    finally:
        os.close(descriptor)


def _in_order() -> Iterator[tuple[str, Format]]:
    known = [(name, formats.get(name)()) for name in formats.names()]
    return iter(sorted(known, key=lambda entry: (not entry[1].specific, entry[0])))


def format_of(path: Path) -> tuple[str, Format]:
    """The name of the format of a file, and the format.

    Raises
    ------
    StoreError
        If there is no such file (`MissingFileError`), or if it cannot be read.
    OptionError
        If no format takes it.
    """
    head = _first_bytes(path)
    if not head:
        raise OptionError(f"cannot read {path}", given="an empty file")
    for name, kind in _in_order():
        if kind.takes(path, head):
            return name, kind
    raise OptionError(
        f"cannot read {path}",
        given=f"first bytes {head[:16]!r}",
        allowed=", ".join(name for name, _ in _in_order()),
        advice=(
            "see heatpg list formats; for other formats load the values in Python and use "
            "Landscape.from_array(values, axes)"
        ),
    )


def is_foreign(path: Path, *, otherwise: bool = False) -> bool:
    """Whether a file is readable by one of the formats, and is not a result of heatpg, which `heatpg.load` reads.

    Parameters
    ----------
    path
        Name of the file.
    otherwise
        The answer for a file that is not readable at all.
    """
    from heatpg.formats._hdf5 import made_by_heatpg  # it loads h5py, which landscapes in memory do without

    try:
        return format_of(path)[0] != "" and not made_by_heatpg(path)
    except HeatpgError:
        return otherwise  # what is wrong with it is told where it is read


def read_file(path: Path, wanted: Wanted) -> Sampled:
    """What a file holds, by the format that takes it; the points that have no value are filled or refused.

    Raises
    ------
    HeatpgError
        As `format_of` and the format do.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from heatpg.formats import Wanted, read_file
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "sweep.csv").write_text("gain,score\\n1,5\\n2,7\\n3,6\\n")
    ...     found = read_file(Path(folder, "sweep.csv"), Wanted("score", ("gain",)))
    >>> found.values, found.axes[0].places
    (array([5., 7., 6.]), array([1., 2., 3.]))
    """
    from heatpg.formats._hdf5 import made_by_heatpg

    name, kind = format_of(path)
    if made_by_heatpg(path):
        raise OptionError(
            f"{path.name} is a result file, which contains its landscape with axes and boundary conditions",
            advice=f"heatpg.load({str(path)!r}).landscape, or omit --boundary on the command line",
        )
    found = kind.read(path, wanted)
    origin = {"source": "file", "file": path.name, "format": name}
    return dataclasses.replace(found, facts=origin | found.facts)
