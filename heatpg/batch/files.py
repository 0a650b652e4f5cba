"""Landscapes of a batch that are in files: what can be said of them, how they are known, how they are read."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import stat
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, get_args

from pydantic import Field

from heatpg.batch.problems import Found, unknown
from heatpg.boundaries import Nodes, boundaries
from heatpg.core.landscape import Landscape
from heatpg.errors import HeatpgError, HeatpgWarning, ResourceError
from heatpg.evolution import load
from heatpg.formats import is_foreign
from heatpg.tools.endings import SOURCES, is_environment
from heatpg.tools.folders import expanded
from heatpg.tools.options import fitting, shown
from heatpg.tools.publishing import RESULTS

__all__ = [
    "FILE_OPTIONS",
    "MINIMISE",
    "FileOptions",
    "in_file",
    "is_file",
    "known_file",
    "landscape_in_file",
    "minimise_problem",
]

MINIMISE = "minimise"


class FileOptions:
    """What can be said of a landscape in a file of another program; see `heatpg.Landscape.from_file`."""

    boundary: Annotated[str | dict[str, str], Field(description="Boundary condition of all axes, or per axis.")]
    nodes: Annotated[Nodes | dict[str, Nodes], Field(description="vertex, or cell for cell centres; or per axis.")]
    minimise: Annotated[bool, Field(description="Whether Q is a loss, whose smallest value is the optimum.")]
    variable: Annotated[str, Field(description="Array, or column of a table, that holds Q.")]
    axes: Annotated[list[str], Field(description="Coordinates, or columns of a table, in the order of the axes.")]
    standard_error: Annotated[str, Field(description="Array, or column, with the standard errors of Q.")]
    returns: Annotated[str, Field(description="Axis of the seeds; Q is the mean over it.")]
    fill: Annotated[float, Field(description="Value for missing points.")]
    faces: Annotated[
        dict[str, Annotated[list[float], Field(min_length=2, max_length=2)]],
        Field(description="Values on the lower and the upper wall of axes of cells with absorb or clip, per axis."),
    ]


def _word(value: object) -> str:
    return "" if isinstance(value, str) and value else f"must be text; got: {shown(value)}"


def _boundary(value: object) -> str:
    if not isinstance(value, dict):
        return _word(value) or unknown(str(value), boundaries.names(), "boundary")
    # each word of a table by axis; an empty table says nothing
    problems = (_word(word) or unknown(str(word), boundaries.names(), "boundary") for word in value.values())
    return next(filter(None, problems), "") if value else "must be text, or a table with one entry per axis"


def _nodes(value: object) -> str:
    words = list(value.values()) if isinstance(value, dict) else [value]
    wrong = [word for word in words if word not in get_args(Nodes)]
    return (
        f"must be 'vertex' or 'cell', or a table with one of them per axis; got: {shown(value)}"
        if wrong or not words
        else ""
    )


def minimise_problem(value: object) -> str:
    """What is wrong with the word on which way is better; empty if nothing is."""
    return "" if isinstance(value, bool) else f"must be true or false; got: {shown(value)}"


def _words(value: object) -> str:
    good = isinstance(value, list | tuple) and value and all(isinstance(one, str) and one for one in value)
    return "" if good else f"must be a list of texts; got: {shown(value)}"


def _number(value: object) -> str:
    try:
        fitting("fill", value, "float")
    except HeatpgError as reason:
        return reason.one_line
    return ""


def _faces(value: object) -> str:
    sides = list(value.values()) if isinstance(value, dict) else []
    good = sides and all(
        isinstance(pair, list | tuple)
        and len(pair) == 2
        and all(isinstance(wall, int | float) and not isinstance(wall, bool) for wall in pair)
        for pair in sides
    )
    return "" if good else f"must be a table with [lower, upper] per axis; got: {shown(value)}"


FILE_OPTIONS: dict[str, Callable[[object], str]] = {
    "boundary": _boundary,
    "nodes": _nodes,
    MINIMISE: minimise_problem,
    "variable": _word,
    "axes": _words,
    "standard_error": _word,
    "returns": _word,
    "fill": _number,
    "faces": _faces,
}
"""Options of a landscape in a file of another program, and what is wrong with a value of each."""
_QUICK = 2**24  # bytes of a file that is read to see whether it can be, in some milliseconds; a taste
_OPTIONS_OF_RESULTS = (MINIMISE,)


def is_file(source: str) -> bool:
    """Whether a source is meant as a file; a slash is in names of environments too."""
    return source.endswith(SOURCES) or (("/" in source or os.sep in source) and not is_environment(source))


@functools.lru_cache(maxsize=4096)
def _digest(path: str, size: int, changed: int, inode: int) -> str:
    """SHA-256 of a file, read once for as long as it stays as it is: its size, time and inode are part of the key."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@functools.lru_cache(maxsize=4096)
def _is_result(path: str, size: int, changed: int, inode: int) -> bool:
    """Whether a file is a result of heatpg, asked once for as long as it stays as it is."""
    return path.lower().endswith(RESULTS) and not is_foreign(Path(path))


@functools.lru_cache(maxsize=4096)
def _unreadable(path: str, size: int, changed: int, inode: int, options: str) -> str:
    """Why no landscape can be read from a file with these options; empty if one can, or if it is large.

    Asked once for as long as the file stays as it is: a batch tells it before the first task runs.
    """
    if size > _QUICK:
        return ""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", HeatpgWarning)  # told when the task runs
        try:
            Landscape.from_file(path, **json.loads(options))
        except ResourceError:
            return ""  # the machine that runs the task may have more memory
        except HeatpgError as reason:
            return reason.one_line
    return ""


def in_file(source: str, given: Mapping[str, Any], folder: Path) -> tuple[dict[str, Any] | None, Found]:
    """The section of a landscape in a file, which is known by its content, and what is wrong with it."""
    path = folder / expanded(source)
    if not source.endswith(SOURCES):
        return None, [(("source",), f"{shown(source)} is neither a landscape nor a file {', '.join(SOURCES)}")]
    found: Found = []
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):  # to open a pipe would wait for ever
            return None, [(("source",), f"{shown(source)} is not a file")]
        state = str(path), status.st_size, status.st_mtime_ns, status.st_ino
        digest, result = _digest(*state), _is_result(*state)
    except OSError as reason:
        return None, [(("source",), f"cannot read {shown(source)}: {reason.strerror or reason}")]
    # An array says nothing of what lies beyond its edges, and there is no default boundary anywhere in heatpg: it is
    # asked for. A file of heatpg holds its boundaries, which cannot be changed afterwards.
    options: dict[str, Any] = {}
    known = _OPTIONS_OF_RESULTS if result else tuple(FILE_OPTIONS)
    for key, value in given.items():
        problem = unknown(key, known, f"option of the file {source!r}")
        if problem and key == "boundary":
            problem = (
                f"{source!r} is a result file, which contains the boundary conditions of its landscape: remove boundary"
            )
        elif not problem:
            problem = FILE_OPTIONS[key](value)
        if problem:
            found.append(((key,), problem))
        else:
            options[key] = list(value) if isinstance(value, tuple) else value
    if not result and "boundary" not in given:
        found.append((("boundary",), f'{source!r} has no boundary condition: add, for example, boundary = "clip"'))
    if not result and not found:
        problem = _unreadable(*state, json.dumps(options, sort_keys=True))
        found += [(("source",), problem)] if problem else []
    return {"source": "file", "file": os.path.abspath(path), "sha256": digest, "options": options}, found


def known_file(given: Mapping[str, Any]) -> Found:
    """What is wrong with the options of a file in a resolved task; the file is not read."""
    options = given["options"]
    result = str(given["file"]).lower().endswith(RESULTS) and not set(options) - set(_OPTIONS_OF_RESULTS)
    if (result or "boundary" in options) and all(
        key in FILE_OPTIONS and not FILE_OPTIONS[key](value) for key, value in options.items()
    ):
        return []
    return [(("options",), f"these options do not apply to the file: {shown(options)}")]


def landscape_in_file(resolved: Mapping[str, Any]) -> Landscape:
    """The landscape of a resolved task that is in a file."""
    path, options = Path(resolved["file"]), dict(resolved["options"])
    # of another program it says its boundary, and of heatpg it cannot
    if "boundary" in options:
        return Landscape.from_file(path, **options)
    landscape = load(path).landscape
    return landscape.regarded(minimise=options[MINIMISE]) if MINIMISE in options else landscape
