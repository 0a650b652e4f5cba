"""The command line: run, check, show, orders, bench, list.

Exit codes: 0 all is well; 2 bad usage or input; 3 a check failed; 5 not enough memory or disk; 130 interrupted.
Nothing heavy is imported before a command needs it, so that ``heatpg --help`` is instant.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import difflib
import inspect
import json
import math
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TextIO

from heatpg import __version__
from heatpg.errors import CheckError, HeatpgError, ResourceError, StoreError, UnknownNameError, UnsupportedError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from heatpg.evolution import Evolution
    from heatpg.grid import Grid
    from heatpg.landscape import Landscape
    from heatpg.report import Check, Report
    from heatpg.solvers import Solver

__all__ = ["main"]

_OK, _BAD_INPUT, _CHECK_FAILED, _NO_RESOURCES, _INTERRUPTED = 0, 2, 3, 5, 130
_FILES = (".h5", ".npy", ".npz")
_FIGURES = (".png", ".pdf", ".svg")
_LISTS = ("solvers", "landscapes", "boundaries", "figures")
_ROUND_OFF = 256  # units in the last place of max |Q|, by which another processor may differ


# ----------------------------------------------------------------------------------------------------------------------
# Words into values


def _choose(word: str, known: Sequence[str], what: str) -> str:
    """A word that is known, or an error with the nearest ones."""
    if word in known:
        return word
    near = difflib.get_close_matches(word, known, n=2, cutoff=0.5)
    raise UnknownNameError(
        f"unknown {what}",
        given=repr(word),
        allowed=", ".join(known) or "none",
        advice=f"did you mean {' or '.join(map(repr, near))}?" if near else "",
    )


def _one_value(text: str, kind: str) -> Any:
    if kind == "bool":
        words = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
        return words[text.lower()]
    return {"int": int, "float": float, "str": str}[kind](text)


def _parse_value(key: str, text: str, annotation: str) -> Any:
    """A value of one of the few types that options have; the annotation is compared with words, never evaluated.

    Examples
    --------
    >>> from heatpg.cli import _parse_value
    >>> _parse_value("widths", "0.5, 1", "tuple[float, ...]")
    (0.5, 1.0)
    >>> _parse_value("dt", "none", "float | None") is None
    True
    """
    kinds = [kind.strip() for kind in annotation.split("|")]
    if "None" in kinds and text.lower() == "none":
        return None
    for kind in kinds:
        inner = kind.removeprefix("tuple[").removesuffix(", ...]")
        try:
            if inner != kind and inner in ("int", "float", "str"):
                return tuple(_one_value(part.strip(), inner) for part in text.split(",") if part.strip())
            if kind in ("bool", "int", "float", "str"):
                return _one_value(text, kind)
        except (ValueError, KeyError):
            continue
    raise UnsupportedError(f"{key} cannot be {text!r}", allowed=annotation)


def _parse_options(pairs: Sequence[str], known: Mapping[str, str], what: str) -> dict[str, Any]:
    """Pairs ``key=value`` as keywords, by the annotations of the keywords that are known."""
    values: dict[str, Any] = {}
    for pair in pairs:
        key, equals, text = pair.partition("=")
        if not equals:
            raise UnsupportedError(f"an option of the {what} is written key=value", given=repr(pair))
        key = _choose(key.strip(), list(known), f"option of the {what}")
        if key in values:
            raise UnsupportedError(f"the option {key!r} of the {what} is given twice", given=repr(pair))
        values[key] = _parse_value(key, text.strip(), known[key])
    return values


def _settable(function: Callable[..., Any]) -> dict[str, str]:
    """Keywords of a landscape that can be set by a word, with their annotations."""
    parameters = inspect.signature(function).parameters
    return {name: str(p.annotation) for name, p in parameters.items() if name not in ("grid", "progress")}


def _sigma_numbers(text: str) -> list[float]:
    """Noise levels from ``0.02,0.05`` or, evenly spaced in the logarithm, ``0.01:1:16``.

    Examples
    --------
    >>> from heatpg.cli import _sigma_numbers
    >>> _sigma_numbers("0.01:1:3")
    [0.01, 0.1, 1.0]
    """
    allowed = "numbers with commas (0.02,0.05), or first:last:count, evenly spaced in the logarithm (0.01:1:16)"
    try:
        if ":" not in text:
            return [float(part) for part in text.split(",")]
        words = text.split(":")
        first, last, count = float(words[0]), float(words[1]), int(words[2])
        if len(words) != 3 or not 0 < first < last < math.inf or not 2 <= count <= 100_000:
            raise ValueError
    except (ValueError, IndexError):
        raise UnsupportedError("sigma cannot be read", given=repr(text), allowed=allowed) from None
    rate = math.log(last / first) / (count - 1)
    # twelve digits hide the round-off of exp and log
    inner = [float(f"{first * math.exp(rate * i):.12g}") for i in range(1, count - 1)]
    return [first, *inner, last]


def _parse_sigma(words: Sequence[str]) -> list[float] | dict[str, list[float]]:
    if len(words) == 1 and "=" not in words[0]:
        return _sigma_numbers(words[0])
    if not all("=" in word for word in words):
        raise UnsupportedError(
            "sigma is given more than once", given=" ".join(words), allowed="once, or once per axis as axis=values"
        )
    levels: dict[str, list[float]] = {}
    for word in words:
        name, _, text = word.partition("=")
        if name in levels:
            raise UnsupportedError(f"the sigma of axis {name!r} is given twice", given=" ".join(words))
        levels[name] = _sigma_numbers(text)
    return levels


def _default_sigma(grid: Grid) -> tuple[list[float] | dict[str, list[float]], str]:
    """Three levels from 4 spacings to 0.15 of the box, per axis where the axes are not alike; and words for them."""

    def levels(spacing: float, length: float) -> list[float]:
        last = 0.15 * length
        first = min(4 * spacing, last / 4)
        return [float(f"{value:.2g}") for value in (first, math.sqrt(first * last), last)]

    lengths = [axis.length for axis in grid]
    words = "chosen: from 4 grid spacings (or less on a coarse grid) to 0.15 of the box"
    if len({axis.unit for axis in grid}) == 1 and max(lengths) <= 4 * min(lengths):
        return levels(max(grid.spacing), min(lengths)), words
    return {axis.name: levels(axis.spacing, axis.length) for axis in grid}, words


# ----------------------------------------------------------------------------------------------------------------------
# Talking


class _Bar:
    """A progress bar on one line of a terminal; silent elsewhere, so that logs stay readable."""

    def __init__(self, label: str, stream: TextIO, *, enabled: bool) -> None:
        self.label = label
        self.stream = stream
        self.enabled = enabled and stream.isatty()
        self.first: tuple[float, int] | None = None
        self.last = -math.inf

    def __call__(self, done: int, total: int) -> None:
        now = time.monotonic()
        if not self.enabled or (now - self.last < 0.1 and done < total):
            return
        self.last = now
        share = done / max(total, 1)
        filled = round(24 * share)
        # what comes before the first report is mostly compilation, and says nothing about the rest
        begin, before = self.first = self.first or (now, done)
        left = f"  {(now - begin) * (total - done) / (done - before):.0f} s left" if before < done < total else ""
        line = f"{self.label:9} [{'#' * filled}{'.' * (24 - filled)}] {100 * share:3.0f} %{left}"
        self.stream.write(f"\r{line:60}")
        self.stream.flush()

    def __enter__(self) -> _Bar:
        return self

    def __exit__(self, *reason: object) -> None:
        if self.enabled:
            self.stream.write("\r" + " " * 60 + "\r")
            self.stream.flush()


def _say(*lines: str) -> None:
    print(*lines, sep="\n", flush=True)


def _note(text: str) -> None:
    print(f"heatpg: {text}", file=sys.stderr, flush=True)


def _emit(record: Mapping[str, Any]) -> None:
    from heatpg.store import json_like

    _say(json.dumps(json_like(dict(record)), indent=2, allow_nan=False))


def _seconds(value: float) -> str:
    return f"{value:.2f} s" if value >= 0.1 else f"{1000 * value:.1f} ms"


def _sigma_text(row: Any, grid: Grid) -> str:
    """One noise level; several numbers where each axis has its own."""
    import numpy as np

    values = np.atleast_1d(row)
    units = {axis.unit for axis in grid}
    unit = f" {units.pop()}" if len(units) == 1 else ""
    if len(values) == 1:
        return f"{values[0]:.6g}{unit}".rstrip()
    return f"({', '.join(f'{value:.6g}' for value in values)}){unit}".rstrip()


def _optima(evolution: Evolution) -> list[dict[str, Any]]:
    """Largest value and its place, of Q and of u at each sigma; over the whole batch, if there is one."""
    import numpy as np

    grid = evolution.grid
    initial = evolution.landscape.values
    rows = []
    for k, values in enumerate([initial, *evolution.values]):
        index = tuple(int(i) for i in np.unravel_index(int(np.argmax(values)), values.shape))
        node = index[len(index) - grid.dimensions :]
        edge = any(not axis.rule.periodic and i in (0, axis.size - 1) for axis, i in zip(grid, node, strict=True))
        rows.append(
            {
                "sigma": 0.0 if k == 0 else evolution.sigma[k - 1],
                "max_u": float(values[index]),
                "index": index,
                "coordinates": grid.point(node),
                "q_there": float(initial[index]),
                "on_edge": edge,
            }
        )
    return rows


def _describe(evolution: Evolution, sigma_words: str = "") -> list[str]:
    """What was evolved, where, how and how long, and where the optimum went."""
    landscape, grid = evolution.landscape, evolution.grid
    values = landscape.values
    batch = f"batch of {' x '.join(map(str, landscape.batch_shape))}, " if landscape.batch_shape else ""
    lines = [
        f"landscape  {landscape.name}: {batch}{' x '.join(map(str, grid.shape))} nodes, {values.dtype}, "
        f"Q from {float(values.min()):.6g} to {float(values.max()):.6g}"
    ]
    for i, axis in enumerate(grid):
        unit = f" {axis.unit}" if axis.unit else ""
        lines.append(
            f"{'grid' if i == 0 else '':9}  {axis.name} from {axis.lower:g} to {axis.upper:g}{unit}, "
            f"{axis.size} nodes, {axis.boundary} ({axis.rule.meaning})"
        )
    if len(evolution) <= 8:
        levels = ", ".join(_sigma_text(row, grid) for row in evolution.sigma)
    else:
        first, last = (_sigma_text(evolution.sigma[k], grid) for k in (0, -1))
        levels = f"{len(evolution)} levels from {first} to {last}"
    lines.append(f"sigma      {levels}" + (f" ({sigma_words})" if sigma_words else ""))
    reason = f" (picked: {evolution.reason})" if evolution.reason else ""
    lines.append(f"solver     {evolution.solver!r}{reason}")
    if evolution.timing:
        lines.append("time       " + ", ".join(f"{name} {_seconds(t)}" for name, t in evolution.timing.items()))
    rows = _optima(evolution)
    if len(rows) > 9:
        rows = [rows[round(i * (len(rows) - 1) / 8)] for i in range(9)]
    for i, row in enumerate(rows):
        place = ", ".join(f"{x:.6g}" for x in row["coordinates"])
        edge = "  on the edge of the box" if row["on_edge"] else ""
        level = "Q" if i == 0 else f"sigma {_sigma_text(row['sigma'], grid)}"
        there = "" if i == 0 else f", where Q is {row['q_there']:.6g}"
        lines.append(f"{'optimum' if i == 0 else '':9}  {level}: {row['max_u']:.6g} at ({place}){there}{edge}")
    return lines


def _report_lines(title: str, report: Report) -> list[str]:
    return [f"{title}:", *(f"  {line}" for line in str(report).splitlines())]


def _record(command: str, evolution: Evolution) -> dict[str, Any]:
    """An evolution without its arrays, for machines."""
    landscape = evolution.landscape
    return {
        "command": command,
        "heatpg_version": __version__,
        "landscape": {
            "name": landscape.name,
            "provenance": landscape.provenance,
            "shape": landscape.values.shape,
            "dtype": str(landscape.values.dtype),
            "minimum": float(landscape.values.min()),
            "maximum": float(landscape.values.max()),
        },
        "grid": [dataclasses.asdict(axis) for axis in evolution.grid],
        "sigma": evolution.sigma,
        "covariance": evolution.covariance,
        "solver": evolution.solver.describe(),
        "reason": evolution.reason,
        "timing": evolution.timing,
        "optima": _optima(evolution),
        "report": evolution.report.as_dict(),
    }


# ----------------------------------------------------------------------------------------------------------------------
# Commands


def _is_file(source: str) -> bool:
    return source.endswith(_FILES) or "/" in source or os.sep in source


def _reader(path: Path, arguments: argparse.Namespace) -> Callable[[], Landscape]:
    """What reads a landscape from a file; options that do not fit are refused now."""
    from heatpg.landscape import Landscape
    from heatpg.store import load

    if arguments.set:
        raise UnsupportedError("--set is for registered landscapes", given=" ".join(arguments.set))
    if not path.is_file():
        raise StoreError("there is no such file", given=path)
    if path.suffix == ".h5":
        if arguments.boundary:
            raise UnsupportedError(
                f"{path.name} holds the boundaries of its landscape", given=f"--boundary {arguments.boundary}"
            )
        return lambda: load(path).landscape
    if path.suffix not in _FILES:
        raise UnsupportedError("a landscape cannot be read from this kind of file", given=path, allowed=_FILES)
    from heatpg.boundaries import boundaries

    if not arguments.boundary:
        raise UnsupportedError(
            f"{path.name} does not say what lies beyond its edges",
            allowed="; ".join(f"{name}: {boundaries.get(name).meaning}" for name in boundaries.names()),
            advice="add --boundary NAME",
        )
    boundaries.get(arguments.boundary)
    return lambda: Landscape.from_file(path, boundary=arguments.boundary)


def _sampler(arguments: argparse.Namespace) -> Callable[[Callable[[int, int], object]], Landscape]:
    """What makes the landscape; everything wrong with the options is found now, before the work."""
    from heatpg.landscapes import landscapes

    if _is_file(arguments.source):
        read = _reader(Path(arguments.source), arguments)
        return lambda progress: read()
    try:
        family = landscapes.get(arguments.source)
    except UnknownNameError as reason:
        reason.advice = f"{reason.advice} A file is named with its ending: {', '.join(_FILES)}".strip()
        raise
    known = _settable(family)
    options = _parse_options(arguments.set, known, f"landscape {arguments.source!r}")
    if arguments.boundary:
        if "boundary" in options:
            raise UnsupportedError(
                "the boundary is given twice", given=f"--boundary and --set boundary={options['boundary']}"
            )
        options["boundary"] = arguments.boundary
    takes_progress = "progress" in inspect.signature(family).parameters

    def sample(progress: Callable[[int, int], object]) -> Landscape:
        return family(**options, **({"progress": progress} if takes_progress else {}))

    return sample


def _solver(name: str, pairs: Sequence[str]) -> str | Solver:
    from heatpg.solvers import make, solvers

    if name == "auto":
        if pairs:
            raise UnsupportedError(
                "options need a solver",
                given=" ".join(pairs),
                advice="name one with --solver; see: heatpg list solvers",
            )
        return name
    fields = {field.name: str(field.type) for field in dataclasses.fields(solvers.get(name))}
    return make(name, **_parse_options(pairs, fields, f"solver {name!r}"))


def _output(path: str, *, force: bool) -> Path:
    """Where a file will go; its folder is made, and an existing file refused, before the work."""
    from heatpg.store import prepare_output

    target = Path(path)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as reason:
        raise StoreError(f"the folder {target.parent} cannot be made", given=reason) from None
    try:
        return prepare_output(target, force=force)
    except StoreError as refusal:
        refusal.advice = refusal.advice.replace("with force", "with --force")
        raise


def _figure_output(path: str, *, force: bool) -> Path:
    if not path.lower().endswith(_FIGURES):
        raise UnsupportedError("unknown kind of figure", given=path, allowed=", ".join(_FIGURES))
    return _output(path, force=force)


def _publish(figure: Figure, target: Path, *, force: bool) -> None:
    import io

    from heatpg.store import publish

    content = io.BytesIO()
    figure.savefig(content, format=target.suffix.lower()[1:], dpi=150)
    publish(content.getbuffer(), target, force=force)


def _draw(evolution: Evolution, kind: str, target: Path, *, force: bool) -> None:
    from heatpg.plot import figures

    _publish(figures.get(kind)(evolution), target, force=force)


def _outcome(failed: bool, where: str) -> int:
    if failed:
        _note(f"a check failed; {where}")
        return _CHECK_FAILED
    return _OK


def _run(arguments: argparse.Namespace) -> int:
    stem = Path(arguments.source).stem if _is_file(arguments.source) else arguments.source
    sample = _sampler(arguments)
    sigma = _parse_sigma(arguments.sigma) if arguments.sigma else None
    solver = _solver(arguments.solver, arguments.solver_option)
    out = _output(arguments.out or f"{stem}.h5", force=arguments.force)
    figure = _figure_output(arguments.figure, force=arguments.force) if arguments.figure else None
    if _is_file(arguments.source) and Path(arguments.source).resolve() == out:
        raise StoreError("the result would replace its source", given=out, advice="choose another name with --out")
    if figure == out:
        raise StoreError("the figure would replace the result", given=out, advice="choose another name with --figure")

    from heatpg.evolution import solve
    from heatpg.verify import verify

    quiet = arguments.quiet or arguments.json
    words = ""
    begin = time.perf_counter()
    with _Bar("sampling", sys.stderr, enabled=not quiet) as bar:
        landscape = sample(bar)
    sampling = time.perf_counter() - begin
    if sigma is None:
        sigma, words = _default_sigma(landscape.grid)
    with _Bar("solving", sys.stderr, enabled=not quiet) as bar:
        evolution = solve(
            landscape, sigma, solver, tolerance=arguments.tolerance, prefer=arguments.prefer, progress=bar
        )
    begin = time.perf_counter()
    with _Bar("checking", sys.stderr, enabled=not quiet) as bar:
        bar(0, 1)
        evolution.report = verify(evolution, arguments.checks)
    evolution.timing = {"sample": sampling, **evolution.timing, "checks": time.perf_counter() - begin}
    evolution.save(out, force=arguments.force, compression=arguments.compression)
    if not quiet:
        _say(*_describe(evolution, words), *_report_lines(f"checks ({arguments.checks})", evolution.report))
    if figure is not None:
        _draw(evolution, "summary", figure, force=arguments.force)
    if arguments.json:
        _emit(_record("run", evolution) | {"path": str(out), "figure": None if figure is None else str(figure)})
    else:
        if figure is not None and not quiet:
            _say(f"figure     {figure}")
        _say(str(out))
    return _outcome(bool(evolution.report.failures), f"the result is in {out} all the same, for inspection")


def _recompute(evolution: Evolution, bar: Callable[[int, int], object]) -> Check:
    """Solve again from the stored Q with the stored solver, and compare."""
    import numpy as np

    from heatpg.report import Check, Place

    again = evolution.again(progress=bar).values
    difference = np.abs(again.astype(np.float64) - evolution.values)
    place = tuple(int(i) for i in np.unravel_index(int(difference.argmax()), difference.shape))
    largest = float(difference[place])
    precision = float(np.finfo(evolution.values.dtype).eps)
    bound = _ROUND_OFF * precision * float(np.abs(evolution.landscape.values).max())
    same = largest <= bound
    where = Place(place[0], place[1:], evolution.grid.point(place[len(place) - evolution.grid.dimensions :]))
    return Check(
        "recomputed",
        "passed" if same else "failed",
        "solved again from the stored Q: " + ("the same to the last bit" if largest == 0 else f"off by {largest:.3g}"),
        largest,
        bound,
        f"round-off, {_ROUND_OFF} eps max |Q|",
        None if same else where,
    )


def _check(arguments: argparse.Namespace) -> int:
    from heatpg.report import Report
    from heatpg.store import load, verify_file
    from heatpg.verify import verify

    path = Path(arguments.file)
    quiet = arguments.quiet or arguments.json
    integrity = verify_file(path)
    evolution = load(path) if integrity.passed else None
    reports = {"file": integrity}
    if evolution is not None:
        with _Bar("solving", sys.stderr, enabled=not quiet) as bar:
            reports["recomputed"] = Report([_recompute(evolution, bar)], "recomputed")
        with _Bar("checking", sys.stderr, enabled=not quiet) as bar:
            bar(0, 1)
            reports["solution"] = verify(evolution, arguments.checks)
    failed = any(report.failures for report in reports.values())
    if arguments.json:
        record = {"command": "check", "heatpg_version": __version__}
        if evolution is not None:
            record |= _record("check", evolution) | {"stored_report": evolution.report.as_dict()}
        found = {name: report.as_dict() for name, report in reports.items()}
        _emit(record | {"report": found, "passed": not failed, "path": str(path.resolve())})
    else:
        if not quiet:
            if evolution is not None:
                _say(*_describe(evolution))
            titles = {"file": "file", "recomputed": "solved again", "solution": f"checks ({arguments.checks})"}
            for name, report in reports.items():
                _say(*_report_lines(titles[name], report))
        _say(str(path.resolve()))
    return _outcome(failed, "what is stored cannot be trusted" if evolution is None else "see the report")


def _show(arguments: argparse.Namespace) -> int:
    from heatpg.plot import figures
    from heatpg.store import load

    _choose(arguments.kind, figures.names(), "figure")
    target = _figure_output(arguments.out or f"{Path(arguments.file).stem}.png", force=arguments.force)
    evolution = load(arguments.file)
    _draw(evolution, arguments.kind, target, force=arguments.force)
    if arguments.json:
        _emit(
            {
                "command": "show",
                "kind": arguments.kind,
                "source": str(Path(arguments.file).resolve()),
                "path": str(target),
            }
        )
    else:
        if not arguments.quiet:
            _say(*_describe(evolution), *_report_lines("checks when it was written", evolution.report))
        _say(str(target))
    return _OK


def _dimensions(text: str) -> list[int]:
    """Numbers of dimensions from ``1,2,3``."""
    words = [word.strip() for word in text.split(",")]
    if not all(word in ("1", "2", "3") for word in words):
        raise UnsupportedError("dimensions cannot be read", given=repr(text), allowed="1 to 3, with commas: 1,2")
    return sorted({int(word) for word in words})


def _orders(arguments: argparse.Namespace) -> int:
    from heatpg.boundaries import boundaries
    from heatpg.solvers import solvers

    chosen = [_choose(name, solvers.names(), "solver") for name in arguments.solver] or solvers.names()
    over = [_choose(name, boundaries.names(), "boundary") for name in arguments.boundary] or boundaries.names()
    dimensions = _dimensions(arguments.dimensions)
    figure = _figure_output(arguments.figure, force=arguments.force) if arguments.figure else None

    from heatpg.verify import convergence, work_precision

    quiet = arguments.quiet or arguments.json
    with _Bar("measuring", sys.stderr, enabled=not quiet) as bar:
        rows = convergence.orders(chosen, over=over, dimensions=dimensions, nodes=arguments.nodes, progress=bar)
    with _Bar("timing", sys.stderr, enabled=not quiet) as bar:
        runs = work_precision.work_precision(chosen, progress=bar)
    if figure is not None:
        from heatpg.plot.convergence import convergence as drawn

        _publish(drawn(runs), figure, force=arguments.force)
    failed = sum(not row.passed for row in rows)
    if arguments.json:
        _emit(
            {
                "command": "orders",
                "heatpg_version": __version__,
                "rows": [row.as_dict() for row in rows],
                "problem": work_precision.PROBLEM,
                "work_precision": [run.as_dict() for run in runs],
                "passed": not failed,
                "figure": None if figure is None else str(figure),
            }
        )
    elif not quiet:
        _say(*convergence.table(rows))
        _say("", "processor time of one solve to reach an error, and nodes per axis:", work_precision.PROBLEM)
        _say(*work_precision.table(runs), "", f"{len(rows) - failed} of {len(rows)} measurements passed")
    if figure is not None and not arguments.json:
        _say(str(figure))
    if failed:
        _note(f"{failed} of {len(rows)} measurements failed; see the table, or --json")
        return _CHECK_FAILED
    return _OK


def _bench(arguments: argparse.Namespace) -> int:
    from heatpg.parallel import threads
    from heatpg.solvers import solvers

    names = [_choose(name, solvers.names(), "solver") for name in arguments.solver] or solvers.names()
    try:
        shape = [int(word) for word in arguments.shape.lower().split("x")]
    except ValueError:
        raise UnsupportedError("the shape cannot be read", given=repr(arguments.shape), allowed="1024x1024") from None

    from heatpg import bench

    with _Bar("timing", sys.stderr, enabled=not (arguments.quiet or arguments.json)) as bar:
        timings = bench.bench(shape, arguments.sigma, names, rounds=arguments.rounds, progress=bar)
    if arguments.json:
        _emit(
            {
                "command": "bench",
                "heatpg_version": __version__,
                "shape": shape,
                "sigma_in_spacings": arguments.sigma,
                "threads": threads(),
                "timings": [dataclasses.asdict(timing) for timing in timings],
            }
        )
    else:
        words = f"{' x '.join(map(str, shape))} nodes, reflecting, sigma of {arguments.sigma:g} spacings"
        _say(f"{words}, {threads()} threads, {arguments.rounds} rounds", "", *bench.table(timings))
    return _OK


def _first_line(thing: object) -> str:
    return (inspect.getdoc(thing) or "").split("\n")[0]


def _summaries(what: str) -> dict[str, str]:
    """Names and one line each."""
    if what == "solvers":
        from heatpg.solvers import solvers

        return {name: solvers.get(name).summary for name in solvers.names()}
    if what == "boundaries":
        from heatpg.boundaries import boundaries

        return {name: boundaries.get(name).meaning for name in boundaries.names()}
    if what == "figures":
        from heatpg.plot import figures

        return {name: _first_line(figures.get(name)) for name in figures.names()}
    from heatpg.landscapes import landscapes

    return {name: _first_line(landscapes.get(name)) for name in landscapes.names()}


def _list(arguments: argparse.Namespace) -> int:
    wanted = [_choose(arguments.what, _LISTS, "list")] if arguments.what else list(_LISTS)
    found = {what: _summaries(what) for what in wanted}
    if arguments.json:
        _emit(found)
        return _OK
    for what, entries in found.items():
        width = max(map(len, entries))
        _say(f"{what}:", *(f"  {name:{width}}  {summary}" for name, summary in entries.items()))
    return _OK


# ----------------------------------------------------------------------------------------------------------------------
# The parser


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(_BAD_INPUT, f"heatpg: error: {message}; see: {self.prog} --help\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="heatpg",
        description="The policy-gradient objective under Gaussian exploration noise, solved as the heat equation "
        "u_t = 1/2 Laplace(u), u(., 0) = Q, t = sigma^2, and checked.",
        epilog="exit codes: 0 all is well, 2 bad usage or input, 3 a check failed, 5 not enough memory or disk, "
        "130 interrupted",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"heatpg {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def command(name: str, function: Callable[[argparse.Namespace], int], summary: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=summary, description=summary, allow_abbrev=False)
        sub.set_defaults(function=function)
        sub.add_argument("--json", action="store_true", help="write JSON and nothing else to the standard output")
        sub.add_argument("--quiet", action="store_true", help="write the path of the result, and errors")
        return sub

    levels = ("none", "standard", "full")
    run = command("run", _run, "Sample a landscape, evolve it, check the result, and write one HDF5 file.")
    run.add_argument(
        "source",
        metavar="SOURCE",
        help="a registered landscape (heatpg list landscapes), or a file: .h5 of heatpg, .npy, or .npz with 'values' "
        "and one array per axis",
    )
    run.add_argument(
        "--sigma",
        action="append",
        metavar="S",
        help="noise levels, in the units of the axes: 0.02,0.05, or 0.01:1:16 for 16 levels evenly spaced in the "
        "logarithm; AXIS=S once per axis for levels of their own; by default three, from 4 grid spacings to 0.15 of "
        "the box",
    )
    run.add_argument("--solver", default="auto", metavar="NAME", help="see heatpg list solvers (default: auto)")
    run.add_argument("--solver-option", action="append", default=[], metavar="KEY=VALUE", help="option of the solver")
    run.add_argument("--tolerance", type=float, metavar="E", help="for auto: error that is good enough, 1e-14 to 1e-3")
    run.add_argument(
        "--prefer", choices=("accurate", "monotone"), default="accurate", help="for auto (default: accurate)"
    )
    run.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="option of the landscape")
    run.add_argument(
        "--boundary", default="", metavar="NAME", help="what lies beyond the edges; needed for .npy and .npz"
    )
    run.add_argument("--checks", choices=levels, default="full", help="how much is checked (default: full)")
    run.add_argument("--out", metavar="F.h5", help="the result (default: SOURCE.h5 in this folder)")
    run.add_argument("--figure", metavar="F.png", help="draw the summary as well: .png, .pdf or .svg")
    run.add_argument(
        "--compression",
        choices=["none", *(f"gzip:{level}" for level in range(1, 10))],
        default="none",
        metavar="C",
        help="none (default), or gzip:1 to gzip:9",
    )
    run.add_argument("--force", action="store_true", help="replace existing files")

    check = command("check", _check, "Check a file: its checksums, its solution solved again, and all checks anew.")
    check.add_argument("file", metavar="F.h5")
    check.add_argument("--checks", choices=levels, default="full", help="how much is checked (default: full)")

    show = command("show", _show, "Draw a figure of a file.")
    show.add_argument("file", metavar="F.h5")
    show.add_argument(
        "-o", "--out", metavar="F.png", help="the figure: .png, .pdf or .svg (default: F.png in this folder)"
    )
    show.add_argument("--kind", default="summary", metavar="NAME", help="see heatpg list figures (default: summary)")
    show.add_argument("--force", action="store_true", help="replace an existing figure")

    orders = command(
        "orders", _orders, "Measure the order of convergence of the solvers, and their error against time."
    )
    orders.add_argument("--solver", action="append", default=[], metavar="NAME", help="by default all; may be repeated")
    orders.add_argument(
        "--boundary", action="append", default=[], metavar="NAME", help="by default all; may be repeated"
    )
    orders.add_argument("--dimensions", default="1,2,3", metavar="N", help="of the grids (default: 1,2,3)")
    orders.add_argument("--nodes", choices=("vertex", "cell"), default="vertex", help="of the grids (default: vertex)")
    orders.add_argument("--figure", metavar="F.png", help="draw error against time and spacing: .png, .pdf or .svg")
    orders.add_argument("--force", action="store_true", help="replace an existing figure")

    timed = command("bench", _bench, "Time every solver on one problem, beside SciPy's transforms.")
    timed.add_argument("--solver", action="append", default=[], metavar="NAME", help="by default all; may be repeated")
    timed.add_argument("--shape", default="1024x1024", metavar="NxM", help="nodes along each axis (default: 1024x1024)")
    timed.add_argument("--sigma", type=float, default=8.0, metavar="R", help="in grid spacings (default: 8)")
    timed.add_argument("--rounds", type=int, default=5, metavar="N", help="of which the median counts (default: 5)")

    lists = command("list", _list, "List what there is, with a line on each.")
    lists.add_argument("what", nargs="?", default="", metavar="{" + ",".join(_LISTS) + "}")
    return parser


@contextlib.contextmanager
def _plain_warnings() -> Iterator[None]:
    def show(message: Warning | str, *rest: object, **keywords: object) -> None:
        _note(f"warning: {message}")

    with warnings.catch_warnings():
        warnings.showwarning = show
        yield


def _fail(reason: object, code: int) -> int:
    _note(f"error: {reason}")
    return code


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    argv
        The words after ``heatpg``; by default those of this process.

    Returns
    -------
    code
        The exit code, as listed at the top of this module.

    Examples
    --------
    >>> from heatpg.cli import main
    >>> main(["list", "boundaries"])
    boundaries:
      absorb    ...
    0
    """
    try:
        arguments = _parser().parse_args(argv)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else _OK
    try:
        with _plain_warnings():
            return int(arguments.function(arguments))
    except KeyboardInterrupt:
        return _fail("interrupted; nothing half-written is left", _INTERRUPTED)
    except ResourceError as reason:
        return _fail(reason, _NO_RESOURCES)
    except MemoryError as reason:
        return _fail(f"not enough memory: {reason}", _NO_RESOURCES)
    except CheckError as reason:
        return _fail(reason, _CHECK_FAILED)
    except BrokenPipeError:
        # the reader of our output has gone, as with `| head`; the interpreter must not complain at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _OK
    except (HeatpgError, ValueError, OSError) as reason:
        return _fail(reason, _BAD_INPUT)
