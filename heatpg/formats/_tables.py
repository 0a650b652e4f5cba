"""Tables of numbers in text, one row per evaluation: read, and laid out on a grid."""

from __future__ import annotations

import csv
import dataclasses
import io
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heatpg.errors import GridError, NonFiniteError, OptionError, UnknownNameError
from heatpg.formats import Positions, Sampled, Wanted
from heatpg.formats._points import completed, in_every_word, in_words
from heatpg.tools.arguments import finite_number
from heatpg.tools.options import nearest, shown
from heatpg.tools.resources import require_memory
from heatpg.tools.warn import warn_caller

__all__ = ["Table", "gridded", "header_of", "is_repetition", "table_of"]

Array = NDArray[Any]

_SAME = 1e-9  # of the largest position: what rounding in text and in sums of steps leaves
_DELIMITERS = ",;\t"
_MOST_COLUMNS = 10_000
_NOT_SAID = ("", "nan", "na", "n/a", "none", "null", "-")  # what programs write where there is no number
_CROSSED = 0.9  # of all combinations, where some runs are lacking; a taste
_LOGARITHMS = {"log10": np.log10, "log2": np.log2, "log": np.log}
_LOGARITHM = re.compile(rf"({'|'.join(_LOGARITHMS)})\((.+)\)")


_REPETITIONS = {"", "id", "index", "number", "rep", "repeat", "repetition", "replicate", "run", "seed", "trial"}


def is_repetition(name: str) -> bool:
    """Whether a column of this name numbers repetitions, as ``seed``, ``run_id`` and ``Random Seed`` do.

    Examples
    --------
    >>> from heatpg.formats._tables import is_repetition
    >>> is_repetition("seed"), is_repetition("run_id"), is_repetition("algorithm")
    (True, True, False)
    """
    return any(part in _REPETITIONS for part in re.split(r"[^a-z]+", name.lower()))


@dataclasses.dataclass(frozen=True)
class Table:
    """A table in text.

    Attributes
    ----------
    path
        Of the file.
    columns
        Their names; one that stands twice cannot be asked for.
    rows
        One list of texts each, with the number of its line.
    """

    path: Path
    columns: list[str]
    rows: list[tuple[int, list[str]]]

    def place(self, name: str, role: str) -> int:
        """Number of a column.

        Raises
        ------
        UnknownNameError
            With the columns that there are.
        OptionError
            If several have this name.
        """
        if name not in self.columns:
            raise UnknownNameError(
                f"{self.path} has no column with this name for the {role}",
                given=shown(name),
                allowed=in_words(self.columns),
                advice=f"functions of a column are {', '.join(_LOGARITHMS)}"
                if re.fullmatch(r"\w+\(.*\)", name)
                else nearest(name, self.columns),
            )
        if self.columns.count(name) > 1:
            raise OptionError(
                f"{self.path} has {self.columns.count(name)} columns named {name!r}",
                given=f"column {' and '.join(str(i + 1) for i, one in enumerate(self.columns) if one == name)}",
                advice="use different names in the first line",
            )
        return self.columns.index(name)

    def numbers(self, name: str, role: str) -> Array:
        """A column as numbers, NaN where nothing is said.

        Raises
        ------
        OptionError
            With the line of the first entry that is no number.
        """
        place = self.place(name, role)
        result = np.full(len(self.rows), math.nan)
        for i, (line, row) in enumerate(self.rows):
            text = row[place].strip() if place < len(row) else ""
            if text.lower() in _NOT_SAID:
                continue
            try:
                # Python takes 1_000 and other digits for a number; a table does not
                if "_" in text or not text.isascii():
                    raise ValueError
                result[i] = float(text)
            except ValueError:
                comma = re.fullmatch(r"-?\d+,\d+(e[+-]?\d+)?", text, re.IGNORECASE)
                raise OptionError(
                    f"column {name!r} of {self.path} must be numbers",
                    given=f"{shown(text)} in line {line}",
                    advice="use a point as the decimal separator" if comma else "select another column",
                ) from None
        return result


def header_of(head: bytes) -> list[str]:
    """The names in the first line of a table; empty if it does not look like one.

    Examples
    --------
    >>> from heatpg.formats._tables import header_of
    >>> header_of(b"lr,gamma,return\\n1,2,3\\n"), header_of(bytes([0, 255, 7]) + b"a,b")
    (['lr', 'gamma', 'return'], [])
    """
    try:
        text = head.decode("utf-8-sig", errors="strict" if len(head) < 2**12 else "ignore")
    except UnicodeDecodeError:
        return []
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines or any(ord(letter) < 32 and letter != "\t" for letter in lines[0]):
        return []
    # numpy.savetxt writes the names after a sign for comments
    first = lines[0].lstrip("# ")
    return [name.strip() for name in next(csv.reader([first], delimiter=_delimiter(first)))]


def _delimiter(line: str) -> str:
    return max(_DELIMITERS, key=line.count)


def table_of(path: Path) -> Table:
    """A table of a file.

    Raises
    ------
    OptionError
        If it is no text, or has no rows.
    ResourceError
        If it does not fit in memory.
    """
    # each entry becomes an object
    require_memory(12.0 * path.stat().st_size, f"the table {path.name}", "read it on a machine with more memory")
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as reason:
        raise OptionError(f"{path} is not UTF-8 text", given=reason, advice="save it as UTF-8") from None
    lines = text.splitlines()
    first = next((i for i, line in enumerate(lines) if line.strip()), 0)
    if not lines:
        raise OptionError(f"{path} is an empty table", advice="write it again, with column names in the first line")
    lines[first] = lines[first].lstrip("# ")
    try:
        delimiter = _delimiter(lines[first])
        reader = csv.reader(io.StringIO("\n".join(lines[first:])), delimiter=delimiter, strict=True)
        columns = [name.strip() for name in next(reader)]
        rows = [(first + reader.line_num, row) for row in reader if any(entry.strip() for entry in row)]
    except csv.Error as reason:
        raise OptionError(
            f"{path} is not a table", given=reason, advice="write one comma-separated row per line"
        ) from None
    if len(columns) > _MOST_COLUMNS or not rows:
        raise OptionError(
            f"{path} must have column names in the first line and rows below",
            given=f"{len(columns)} columns, {len(rows)} rows",
            advice="write the names in the first line, and one row per evaluation",
        )
    return Table(path, columns, rows)


def _distinct(values: Array) -> tuple[Array, NDArray[np.int64]]:
    """Positions that differ by more than rounding, ascending, and which of them each value is."""
    order = np.argsort(values, kind="stable")
    ascending = values[order]
    allowance = _SAME * float(np.abs(values).max(initial=0.0))
    begins = np.concatenate(([True], np.diff(ascending) > allowance))
    number = np.empty(len(values), dtype=np.int64)
    number[order] = np.cumsum(begins) - 1
    return ascending[begins], number


def _axis(table: Table, entry: str, kept: NDArray[np.bool_]) -> tuple[str, Array]:
    """The name of an axis, and its positions in all rows; of ``log10(lr)`` the logarithms of ``lr``."""
    logarithm = None if entry in table.columns else _LOGARITHM.fullmatch(entry)
    name = logarithm[2] if logarithm else entry
    values = table.numbers(name, "axis")
    if not np.isfinite(values[kept]).all():
        bad = int(np.flatnonzero(kept & ~np.isfinite(values))[0])
        raise GridError(
            f"column {name!r} of {table.path} has no position in some rows",
            given=f"the first in line {table.rows[bad][0]}",
            advice="write the position in every row, or remove these rows",
        )
    if logarithm is None:
        return name, values
    if (values[kept] <= 0).any():
        raise GridError(
            f"column {name!r} of {table.path} has no logarithm",
            given=float(values[kept].min()),
            allowed="numbers above 0",
            advice=f"use the column itself: {name}",
        )
    function = logarithm[1]
    return f"{function}_{name}", _LOGARITHMS[function](values, where=values > 0, out=np.full(values.shape, math.nan))


def _require_uniform(table: Table, entry: str, places: Array, every: Sequence[str]) -> None:
    """Refuse positions that are uniform in the logarithm only, and say so."""
    if len(places) < 3:
        raise GridError(
            f"column {entry!r} of {table.path} has {len(places)} different positions",
            given=", ".join(f"{x:g}" for x in places),
            allowed="at least 3, at equal distances",
            advice="remove it from the axes, or vary it more",
        )
    steps = np.diff(places)
    if np.ptp(steps) <= 1e-3 * steps.mean() or not (places > 0).all():
        return
    ratios = np.diff(np.log(places))
    if np.ptp(ratios) <= 1e-2 * ratios.mean():
        axes = [f"log10({name})" if name == entry else name for name in every]
        raise GridError(
            f"column {entry!r} of {table.path} is uniform in its logarithm, not in itself",
            given=f"{places[0]:g} to {places[-1]:g}, each {np.exp(ratios.mean()):.4g} times the one before",
            allowed="positions at equal distances",
            advice=f"use the logarithm as the axis: {in_every_word(axes=axes)}; noise is then in decades",
        )


def gridded(table: Table, wanted: Wanted, *, keep: NDArray[np.bool_] | None = None) -> Sampled:
    """A table on the grid of the positions that it has; rows of one position are repetitions, as of several seeds.

    Parameters
    ----------
    table
        One row per evaluation, in any order.
    wanted
        With the names of the columns.
    keep
        Which rows count.

    Returns
    -------
    sampled
        Means over repetitions. If every point has two or more, with their standard errors.

    Raises
    ------
    HeatpgError
        For columns that are not there or not of numbers, positions on no grid, points without a value.
    """
    if len(set(wanted.axes)) < len(wanted.axes):
        raise OptionError(
            "axes must be different",
            given=in_words(wanted.axes),
            advice="list each column once, in the order of the axes",
        )
    values = table.numbers(wanted.variable, "variable")
    counted = np.ones(len(values), dtype=bool) if keep is None else keep
    names, places, numbers = [], [], []
    for entry in wanted.axes:
        name, positions = _axis(table, entry, counted)
        distinct, _ = _distinct(positions[counted])
        _require_uniform(table, entry, distinct, wanted.axes)
        # all rows, so that a row that does not count still says that there is a point
        number = np.zeros(len(values), dtype=np.int64)
        number[counted] = _distinct(positions[counted])[1]
        names.append(name)
        places.append(distinct)
        numbers.append(number)
    shape = tuple(len(each) for each in places)
    if math.prod(shape) > 16 * len(values) + 1000:
        raise GridError(
            f"the positions in {table.path} do not form a grid",
            given=f"{len(values)} rows for {' x '.join(map(str, shape))} positions",
            allowed="a row per combination of positions",
            advice="sweep on a grid; random samples do not form one",
        )
    axes = tuple(Positions(name, each) for name, each in zip(names, places, strict=True))
    point = np.ravel_multi_index(numbers, shape)
    failed = counted & np.isnan(values)
    if wanted.fill is None:
        _require_no_survivors(table, wanted.variable, counted, failed, point)
    else:
        values = np.where(failed, finite_number("fill", wanted.fill), values)
    good = counted & ~np.isnan(values)
    flat = point[good]
    count = np.bincount(flat, minlength=math.prod(shape))
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.bincount(flat, values[good], math.prod(shape)) / count
        spread = np.bincount(flat, (values[good] - mean[flat]) ** 2, math.prod(shape))
        error = np.sqrt(spread / (count - 1) / count)
    mean, count = mean.reshape(shape), count.reshape(shape)
    filled = completed(
        *(table.path, f"column {wanted.variable!r}", mean, count == 0, axes, wanted.fill),
        why="no row with a number",
        advice="run the missing ones",
    )
    facts: dict[str, Any] = {"variable": wanted.variable}
    if wanted.standard_error:
        return Sampled(filled, axes, _given_error(table, wanted, point, good & ~failed, count), facts=facts)
    if not (count > 1).any():
        return Sampled(filled, axes, facts=facts)
    _warn_of_pooled(table, wanted, point, good)
    facts["repetitions"] = [int(count.min()), int(count.max())]
    if (count < 2).any():
        warn_caller(
            f"{int((count < 2).sum())} of {count.size} points of {table.path.name} were evaluated only once, so "
            f"standard errors are unknown; the values are means of the existing rows"
        )
        return Sampled(filled, axes, facts=facts)
    return Sampled(filled, axes, error.reshape(shape), facts=facts)


def _require_no_survivors(
    table: Table, variable: str, counted: NDArray[np.bool_], failed: NDArray[np.bool_], point: NDArray[np.int64]
) -> None:
    """Refuse points of which some runs have a result and others none: the mean would be that of the survivors."""
    survived = np.isin(point, point[counted & ~failed])
    lost = np.flatnonzero(failed & survived)
    if not len(lost):
        return
    raise NonFiniteError(
        f"column {variable!r} of {table.path} has no number for {len(lost)} of {int(counted.sum())} runs whose points "
        f"have other runs with a number",
        given=f"the first in line {table.rows[lost[0]][0]}; the means would include only the surviving runs",
        advice="remove these rows if they are not evaluations of Q, or choose a value for such runs: "
        + in_every_word(fill=None),
    )


def _warn_of_pooled(table: Table, wanted: Wanted, point: NDArray[np.int64], good: NDArray[np.bool_]) -> None:
    """Tell a column that is no axis and yet divides the rows of each point, as an algorithm does."""
    used = {wanted.variable, *wanted.axes, *(match[2] for match in map(_LOGARITHM.fullmatch, wanted.axes) if match)}
    rows = [entries for (_, entries), counts in zip(table.rows, good, strict=True) if counts]
    of_rows = point[good]
    most = int(np.bincount(of_rows).max())
    points = len(np.unique(of_rows))
    for place, name in enumerate(table.columns):
        if name in used or is_repetition(name):
            continue
        words = [entries[place].strip() if place < len(entries) else "" for entries in rows]
        distinct = sorted(set(words))
        if not 2 <= len(distinct) <= most:
            continue
        # as many as runs, and counted from 0 or 1: a number of the run, whatever its name
        if len(distinct) == most and set(distinct) in (
            {str(i) for i in range(most)},
            {str(i + 1) for i in range(most)},
        ):
            continue
        # a parameter is crossed with the others, and another result is not
        crossed = len(set(zip(of_rows.tolist(), words, strict=True)))
        if crossed >= _CROSSED * points * len(distinct):
            warn_caller(
                f"rows of {table.path.name} with {name} = {in_words(distinct, 4)} are combined as seeds; filter the "
                f"table first, or make the column an axis if it is a parameter"
            )


def _given_error(
    table: Table, wanted: Wanted, point: NDArray[np.int64], good: NDArray[np.bool_], count: NDArray[np.int64]
) -> Array:
    """Standard errors in a column of the table, one row for each point; 0 where a value was filled in."""
    if (count > 1).any():
        raise OptionError(
            f"column {wanted.standard_error!r} of {table.path} cannot hold the standard error of several rows",
            given=f"up to {int(count.max())} rows for one point",
            advice="omit it: the standard error of repeated rows is computed from them",
        )
    result = np.zeros(count.size)
    result[point[good]] = table.numbers(wanted.standard_error, "standard error")[good]
    return result.reshape(count.shape)
