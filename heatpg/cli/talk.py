"""Output of the commands: progress, tables, JSON, exit codes."""

from __future__ import annotations

import json
import math
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, TextIO, TypeVar

from heatpg.errors import HeatpgError
from heatpg.tools.lines import hanging, one_line, visible
from heatpg.version import __version__

if TYPE_CHECKING:
    import argparse

    from heatpg.core.report import Report
    from heatpg.evolution import Evolution
    from heatpg.tools.registry import Registry

__all__ = [
    "BAD_INPUT",
    "CHECK_FAILED",
    "INTERRUPTED",
    "NO_RESOURCES",
    "OK",
    "TASKS_FAILED",
    "Bar",
    "brief",
    "describe",
    "emit",
    "envelope",
    "fitted",
    "is_quiet",
    "loadable",
    "note",
    "outcome",
    "record",
    "reply",
    "report_lines",
    "say",
    "terminal_width",
]

Entry = TypeVar("Entry")

# 2 is argparse's own, 130 is what shells give for an interrupt (128 + SIGINT), the others are free
OK, BAD_INPUT, CHECK_FAILED, TASKS_FAILED, NO_RESOURCES, INTERRUPTED = 0, 2, 3, 4, 5, 130
_SHOWN = 8  # levels of which the optimum is listed, so that a run with many still fits a screen. A taste
_SILENT = 10.0  # seconds without a word, after which a reader of a log wonders. A taste
_REDRAWN = 0.1  # seconds from one state of a bar to the next: as fast as an eye reads it
_CELLS = 24  # of a bar
_LINE = 60  # letters of a line with a bar, blanks at the end included, which wipe what was there before


class Bar:
    """A progress bar on one line of a terminal; elsewhere silent, or a line now and then, so that logs stay readable.

    Parameters
    ----------
    label
        What is done.
    stream
        Where the bar is drawn.
    enabled
        Whether anything is said.
    unit
        What is counted, in the plural: adds the lines where there is no terminal, for work that takes minutes.
    """

    def __init__(self, label: str, stream: TextIO, *, enabled: bool, unit: str = "") -> None:
        self.label = label
        self.stream = stream
        self.enabled = enabled and stream.isatty()
        self.unit = unit if enabled and not stream.isatty() else ""
        self.told = time.monotonic()
        self.first: tuple[float, int] | None = None
        self.last = -math.inf

    def __call__(self, done: int, total: int) -> None:
        now = time.monotonic()
        if self.unit and now - self.told >= _SILENT:
            self.told = now
            note(f"{self.label}: {done} of {total} {self.unit}")
        # a fast loop reports far more often than a terminal can show; the last state is always shown
        if not self.enabled or (now - self.last < _REDRAWN and done < total):
            return
        self.last = now
        share = done / max(total, 1)
        filled = round(_CELLS * share)
        # what comes before the first report is mostly compilation, and says nothing about the rest
        begin, before = self.first = self.first or (now, done)
        left = f"  {(now - begin) * (total - done) / (done - before):.0f} s left" if before < done < total else ""
        line = f"{self.label:9} [{'#' * filled}{'.' * (_CELLS - filled)}] {100 * share:3.0f} %{left}"
        self.stream.write(f"\r{line:{_LINE}}")
        self.stream.flush()

    def __enter__(self) -> Bar:
        return self

    def __exit__(self, *reason: object) -> None:
        if self.enabled:
            self.stream.write("\r" + " " * _LINE + "\r")
            self.stream.flush()


def say(*lines: str) -> None:
    """Lines on the standard output: the result, which a script may read."""
    print(*map(visible, lines), sep="\n", flush=True)


def note(text: str) -> None:
    """A line on the standard error, so that the output stays what a script expects."""
    print(f"heatpg: {visible(text)}", file=sys.stderr, flush=True)


def emit(record: Mapping[str, Any]) -> None:
    """A record as JSON, in which NaN and the infinities are words."""
    from heatpg.tools.plain import json_like

    say(json.dumps(json_like(dict(record)), indent=2, allow_nan=False))


def envelope(command: str) -> dict[str, Any]:
    """What the JSON of a command begins with."""
    return {"command": command, "heatpg_version": __version__}


def is_quiet(arguments: argparse.Namespace) -> bool:
    """Whether nothing is said but the result: with ``--quiet``, and with ``--json``, whose output a program reads."""
    return bool(arguments.quiet or arguments.json)


def reply(
    arguments: argparse.Namespace,
    record: Callable[[], Mapping[str, Any]],
    *,
    words: Callable[[], Iterable[str]] = tuple,
    result: Iterable[str] = (),
) -> None:
    """The answer of a command: JSON and nothing else, or words and the result.

    Parameters
    ----------
    arguments
        Those of the command, of which ``--json`` and ``--quiet`` count.
    record
        Makes what ``--json`` writes; called for nothing else.
    words
        Makes the lines that ``--quiet`` leaves out.
    result
        The lines that are written in any case: what a script reads, such as the path of a file.
    """
    if arguments.json:
        emit(record())
        return
    # an empty print would be an empty line
    lines = [*(() if arguments.quiet else words()), *result]
    if lines:
        say(*lines)


def loadable(registry: Registry[Entry]) -> dict[str, Entry]:
    """What is registered, by name, without the plug-ins that cannot be loaded; those are told."""
    found = {}
    for name in registry.names():
        try:
            found[name] = registry.get(name)
        except HeatpgError as reason:
            note(f"warning: {reason.one_line}")
    return found


def _seconds(value: float) -> str:
    """A measured time; `human_duration` of heatpg.tools is for those that are waited for."""
    return f"{value:.2f} s" if value >= 0.1 else f"{1000 * value:.1f} ms"


def _optima(evolution: Evolution) -> list[dict[str, Any]]:
    """Best value and its place, of Q and of u at each sigma; over the whole batch, if there is one."""
    import numpy as np

    from heatpg.core.extrema import peak

    grid, sense = evolution.grid, evolution.landscape.sense
    initial = evolution.landscape.values
    # of u as far as they are known: those over seeds take an evolution of every seed, which only a study makes
    errors, of_q = evolution.known_error, evolution.landscape.standard_error
    rows = []
    for k, values in enumerate([initial, *evolution.values]):
        # of a batch, first the member that holds the best value; `peak` wants one field
        best = np.argmin(values) if sense.minimise else np.argmax(values)
        highest = np.unravel_index(int(best), values.shape) if values.ndim > grid.dimensions else ()
        member = tuple(int(i) for i in highest[: values.ndim - grid.dimensions])
        top = peak(values[member], grid, sense)
        index = (*member, *top.index)
        rows.append(
            {
                "sigma": 0.0 if k == 0 else evolution.sigma[k - 1],
                f"{sense.short}_u": top.value,
                "index": index,
                "coordinates": top.coordinates,
                "q_there": float(initial[index]),
                "on_edge": bool(top.edges),
                **({"standard_error": of_q[index]} if k == 0 and of_q is not None and of_q[index] > 0 else {}),
                **({} if errors is None or k == 0 else {"standard_error": errors[k - 1][index]}),
            }
        )
    return rows


def _levels(evolution: Evolution) -> str:
    """The noise levels, or of many how many and the ends."""
    from heatpg.core.noise import sigma_words

    unit = evolution.grid.unit or ""
    if len(evolution) <= _SHOWN:
        return ", ".join(sigma_words(row, unit=unit) for row in evolution.sigma)
    first, last = (sigma_words(evolution.sigma[k], unit=unit) for k in (0, -1))
    return f"{len(evolution)} levels from {first} to {last}"


def _shape(evolution: Evolution) -> str:
    """What was evolved, in one clause: name, batch, nodes and type."""
    landscape = evolution.landscape
    batch = f"batch of {' x '.join(map(str, landscape.batch_shape))}, " if landscape.batch_shape else ""
    nodes = " x ".join(map(str, evolution.grid.shape))
    return f"{one_line(landscape.name)}: {batch}{nodes} nodes, {landscape.values.dtype}"


def brief(evolution: Evolution) -> list[str]:
    """What is in a file, and what its checks came to, on a line each."""
    from heatpg.core.report import counted

    report = evolution.report
    lines = [
        f"{_shape(evolution)}; sigma {_levels(evolution)}",
        f"checks when it was written: {counted(report) if len(report) else 'none'}",
    ]
    return fitted(lines, 2)


def describe(evolution: Evolution, chosen: str = "") -> list[str]:
    """What was evolved, where, how and how long, and where the optimum went; `chosen` says who chose the sigmas."""
    from heatpg.core.noise import sigma_words
    from heatpg.core.slices import draw_words
    from heatpg.tools.numbers import snapped

    grid, values = evolution.grid, evolution.landscape.values
    lowest, highest = float(values.min()), float(values.max())
    # the tail of a bump, 1e-22, is 0 beside its height
    least, most = (snapped(value, 1e-3 * (highest - lowest)) for value in (lowest, highest))
    lines = [
        f"landscape  {_shape(evolution)}, Q from {least:.6g} to {most:.6g}"
        + (", minimised" if evolution.landscape.minimise else ""),
    ]
    for i, axis in enumerate(grid):
        unit = f" {one_line(axis.unit)}" if axis.unit else ""
        lines.append(
            f"{'grid' if i == 0 else '':9}  {axis.name} from {axis.lower:g} to {axis.upper:g}{unit}, "
            f"{axis.size} nodes, {axis.boundary}: {axis.rule.meaning}"
        )
    lines.append(f"sigma      {_levels(evolution)}" + (f" ({chosen})" if chosen else ""))
    reason = f" (chosen: {one_line(evolution.reason)})" if evolution.reason else ""
    if evolution.drawn is None:
        lines.append(f"solver     {evolution.solver!r}{reason}")
    else:
        facts = evolution.drawn
        kind = draw_words(str(facts.get("points", "random")), bool(facts.get("antithetic")))
        count, rollouts = (int(facts.get(name, 0)) for name in ("draws", "rollouts"))
        lines.append(
            f"noise      in all {int(facts['components']):,} components: {count:,} {kind}, {rollouts:,} rollouts"
        )
    if evolution.timing:
        lines.append("time       " + ", ".join(f"{name} {_seconds(t)}" for name, t in evolution.timing.items()))
    rows = _optima(evolution)
    levels = len(rows) - 1  # the first row is Q itself
    if levels > _SHOWN:
        # evenly among them, the first and the last included
        rows = [rows[round(i * levels / _SHOWN)] for i in range(_SHOWN + 1)]
    for i, row in enumerate(rows):
        # a node at 0 may be one at 5e-17; the unit is far below the digits that are written
        numbers = [f"{snapped(x, 1e-6 * axis.spacing):.6g}" for x, axis in zip(row["coordinates"], grid, strict=True)]
        place = f"({', '.join(numbers)})" if len(numbers) > 1 else numbers[0]
        edge = "  on the edge of the box" if row["on_edge"] else ""
        level = "Q" if i == 0 else f"sigma {sigma_words(row['sigma'], unit=grid.unit or '')}"
        there = "" if i == 0 else f", where Q is {row['q_there']:.6g}"
        best = row[f"{evolution.landscape.sense.short}_u"]
        known = f" +- {row['standard_error']:.2g}" if "standard_error" in row else ""
        lines.append(f"{'optimum' if i == 0 else '':9}  {level}: {best:.6g}{known} at {place}{there}{edge}")
    if levels > _SHOWN:
        lines.append(f"{'':9}  ({_SHOWN} of {levels} levels shown)")
    lines += _sampling_lines(evolution)
    return fitted(lines, 11)


def _sampling_lines(evolution: Evolution) -> list[str]:
    """Of which kind the standard errors are; where those of u are not known yet, what they are at most."""
    landscape = evolution.landscape
    error = landscape.standard_error
    if evolution.drawn is not None:
        return ["sampling   +-: standard error over the draws" + (" and the seeds" if error is not None else "")]
    if error is None or not error.any():
        return []
    # the spread of a mean with weights that are not negative is at most the largest spread, whatever is common to nodes
    bound = f"; of u at most {float(error.max()):.2g}; heatpg study gives its intervals"
    over = f"over {len(landscape.returns)} seeds" if landscape.returns is not None else "over rollouts"
    return [f"sampling   +-: standard error of Q {over}{'' if evolution.known_error is not None else bound}"]


def terminal_width() -> int | None:
    """Letters of a line of the terminal that reads the output; None for a file or a pipe, whose lines stay whole."""
    # the shell may export COLUMNS, which says nothing of a file that the output goes to
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def fitted(lines: Iterable[str], indent: int = 0) -> list[str]:
    """Lines that fit the terminal; what is too long goes on below, indented."""
    width = terminal_width()
    return list(lines) if width is None else [part for line in lines for part in hanging(line, indent, width)]


def report_lines(title: str, report: Report) -> list[str]:
    """A report below its title, indented."""
    width = terminal_width()
    text = report.text(None if width is None else width - 2)
    return [f"{title}:", *(f"  {line}" for line in text.splitlines())]


def record(command: str, evolution: Evolution) -> dict[str, Any]:
    """An evolution without its arrays, for machines."""
    landscape = evolution.landscape
    return {
        **envelope(command),
        "landscape": {
            "name": landscape.name,
            "provenance": landscape.provenance,
            "shape": landscape.values.shape,
            "dtype": str(landscape.values.dtype),
            "minimum": float(landscape.values.min()),
            "maximum": float(landscape.values.max()),
            **({"minimise": True} if landscape.minimise else {}),
        },
        "grid": [axis.as_dict() for axis in evolution.grid],
        "sigma": evolution.sigma,
        "covariance": evolution.covariance,
        "solver": evolution.solver.describe(),
        "reason": evolution.reason,
        "timing": evolution.timing,
        "optima": _optima(evolution),
        "report": evolution.report.as_dict(),
    }


def outcome(failed: bool, where: str) -> int:
    """The exit code by the checks; a failed one is told, with where to read on."""
    if failed:
        note(f"a check failed; {where}")
        return CHECK_FAILED
    return OK
