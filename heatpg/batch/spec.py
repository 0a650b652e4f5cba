"""What a batch is to do: a specification in TOML, held against what heatpg knows, and the tasks that it stands for.

Names and numbers only: nothing in a specification is evaluated, imported or run. Everything that is wrong with it is
said at once, each thing with its place. A task is known by the SHA-256 of its canonical form, in which every default
is written out, so that two specifications of the same work have the same tasks.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import itertools
import json
import math
import os
import re
import stat
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PrivateAttr, ValidationError
from pydantic_core import PydanticCustomError

from heatpg.boundaries import boundaries
from heatpg.core.noise import geometric_levels
from heatpg.errors import HeatpgError, UnsupportedError
from heatpg.landscapes import landscapes
from heatpg.solvers import make, solvers
from heatpg.solvers.choice import PREFERENCES
from heatpg.tools.options import defaults, fitting, nearest, settable, shown
from heatpg.verify import LEVELS

__all__ = ["SCHEMA", "Problem", "Spec", "SpecError", "Task", "read_spec"]

SCHEMA = 1  # raised when the same words come to mean another result: every task is then another one

_LARGEST_FILE = 2**20  # bytes
_MOST_TASKS = 1_000_000
_MOST_VALUES = 60_000  # in one specification; as many are looked through within a second
_MOST_LEVELS = 10_000  # of sigma, in one task
_MOST_AXES = 32
_DEEPEST = 12
_MOST_PROBLEMS = 100  # that are listed; what is beyond is not looked for
_MOST_KEYS = 100  # that are varied at a time
_MOST_DOTS = 100  # of one key
_LONGEST_NAME = 1000  # letters
_WIDEST = 63  # bits
_ENDINGS = (".h5", ".npy", ".npz")
_SECTIONS = ("landscape", "evolve", "storage")
_MODES = ("full", "compact")
_COMPRESSIONS = ("none", *(f"gzip:{level}" for level in range(1, 10)))
_COMPACT_TOLERANCE = 1e-10
_TOLERANCES = (1e-14, 1e-3)
_PIECE = 2**20  # bytes, of a file that is hashed

Keys = tuple[str | int, ...]
Kind = TypeVar("Kind", bound=BaseModel)
_Text = tuple[tuple[str, str], ...]
Found = list[tuple[Keys, str]]  # where in a section, and what


# ----------------------------------------------------------------------------------------------------------------------
# Problems, and where they are


def _dotted(path: Keys) -> str:
    """A path as it is written in TOML, with the number of an entry in brackets."""
    text = ""
    for key in path:
        if isinstance(key, int):
            text += f"[{key}]"
        else:
            word = key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else json.dumps(key[:80], ensure_ascii=False)
            text += f".{word}" if text else word
    return text or "the specification"


@dataclasses.dataclass(frozen=True)
class Problem:
    """One thing that is wrong with a specification.

    Attributes
    ----------
    path
        Where, as a dotted path: ``sweep.product."landscape.gamma"[1]``.
    message
        What, with what would be right.
    line
        The line of the file, if it is known.
    """

    path: str
    message: str
    line: int | None = None

    def __str__(self) -> str:
        place = "" if self.line is None else f"line {self.line}, "
        return f"{place}{self.path}: {self.message}"


class SpecError(UnsupportedError):
    """A specification that cannot be carried out, with everything that is wrong with it.

    Attributes
    ----------
    problems
        One `Problem` for each thing, in the order of the file.
    """

    problems: tuple[Problem, ...] = ()

    @classmethod
    def of(cls, what: str, problems: Iterable[Problem]) -> SpecError:
        """The error that lists these problems, one a line."""
        found = sorted(problems, key=lambda problem: problem.line or 0)
        count = "1 problem" if len(found) == 1 else f"{min(len(found), _MOST_PROBLEMS)} problems"
        lines = [f"  {problem}" for problem in found[:_MOST_PROBLEMS]]
        if len(found) > _MOST_PROBLEMS:
            lines.append("  and more")
        error = cls("\n".join([f"{what} has {count}:", *lines]))
        error.problems = tuple(found)
        return error

    def __reduce__(self) -> tuple[object, ...]:
        return (type(self), (self.problem,), {"problems": self.problems})


class _Collector:
    """Problems as they are found, one for a place: what follows from another problem is not said again."""

    def __init__(self, what: str, lines: Mapping[Keys, int]) -> None:
        self.what = what
        self.lines = lines
        self.found: dict[Keys, Problem] = {}
        self.above: set[Keys] = set()  # tables and lists that hold a place where a problem was found
        self.unknown: set[tuple[Keys, str]] = set()  # names that are not known, and the lists whose values met them

    def add(self, path: Keys, message: str) -> None:
        if path in self.above or any(path[:n] in self.found for n in range(len(path) + 1)):
            return
        if self.full:
            return
        if path and isinstance(path[-1], int) and message.startswith("unknown "):
            # a key that is not known is so with every value that it is given
            if (path[:-1], message) in self.unknown:
                return
            self.unknown.add((path[:-1], message))
        line = next((self.lines[path[:n]] for n in range(len(path), 0, -1) if path[:n] in self.lines), None)
        self.found[path] = Problem(_dotted(path), message, line)
        self.above.update(path[:n] for n in range(len(path)))

    @property
    def full(self) -> bool:
        """Whether there are more problems than are worth looking for."""
        return len(self.found) > _MOST_PROBLEMS

    def raise_if_any(self) -> None:
        if self.found:
            raise SpecError.of(self.what, self.found.values())


_BARE_OR_QUOTED = re.compile(r"""\s*(?:([A-Za-z0-9_-]+)|"((?:[^"\\]|\\.)*)"|'([^']*)')\s*""")
# what is not closed is matched too: to look for its end again from every quote would take quadratic time
_STRINGS_AND_COMMENTS = re.compile(
    r"""\"{3}(?:[^\\]|\\.)*?(?:\"{3}|\Z)|'{3}.*?(?:'{3}|\Z)|"(?:[^"\\\n]|\\[^\n])*+"?|'[^'\n]*+'?|#[^\n]*+""",
    flags=re.DOTALL,
)


def _dotted_key(text: str) -> tuple[tuple[str, ...], str]:
    """The keys at the beginning of a text, and what follows them."""
    keys: list[str] = []
    while match := _BARE_OR_QUOTED.match(text):
        keys.append(next(group for group in match.groups() if group is not None))
        text = text[match.end() :]
        if not text.startswith("."):
            return tuple(keys), text
        text = text[1:]
    return (), text


def _line_numbers(text: str) -> dict[Keys, int]:
    """The lines in which tables and keys are written, for messages; TOML that is laid out unusually is passed over."""
    lines: dict[Keys, int] = {}
    table: Keys = ()
    counts: dict[Keys, int] = {}
    depth = 0
    fence = ""
    for number, line in enumerate(text.split("\n"), 1):
        if fence:
            if fence in line:
                fence = ""
            continue
        value = line
        if depth == 0:
            header = line.strip()
            if header.startswith("["):
                keys, _ = _dotted_key(header.lstrip("["))
                table = keys
                if header.startswith("[["):
                    counts[keys] = counts.get(keys, -1) + 1
                    lines.setdefault(keys, number)
                    table = (*keys, counts[keys])
                lines.setdefault(table, number)
                continue
            keys, rest = _dotted_key(line)
            if not keys or not rest.startswith("="):
                continue
            for n in range(1, len(keys) + 1):
                lines.setdefault((*table, *keys[:n]), number)
            value = rest[1:]
        for quotes in ('"""', "'" * 3):
            if value.count(quotes) == 1:
                fence = quotes
        if not fence:
            bare = _STRINGS_AND_COMMENTS.sub("", value)
            depth = max(0, depth + sum(bare.count(c) for c in "[{") - sum(bare.count(c) for c in "]}"))
    return lines


# ----------------------------------------------------------------------------------------------------------------------
# Plain values


class _Plain:
    """Copies a value into booleans, numbers, text, None, tuples and dictionaries, and says what is none of these."""

    def __init__(self, collector: _Collector) -> None:
        self.collector = collector
        self.count = 0

    def __call__(self, value: object, path: Keys = ()) -> Any:
        self.count += 1
        if self.count > _MOST_VALUES:
            self.collector.add((), f"there are more than {_MOST_VALUES:,} values and noise levels in it")
            return None
        if len(path) > _DEEPEST:
            self.collector.add(path, f"this is nested too deep, at most {_DEEPEST} levels are read")
            return None
        if hasattr(value, "tolist"):  # arrays and numbers of NumPy
            value = value.tolist()
        if isinstance(value, Mapping):
            return self._table(value, path)
        if isinstance(value, list | tuple):
            return tuple(self(item, (*path, i)) for i, item in enumerate(value[:_MOST_VALUES]))
        problem = self._problem(value)
        if problem:
            self.collector.add(path, problem)
            return None
        return value

    def _table(self, table: Mapping[Any, Any], path: Keys) -> dict[str, Any]:
        copy = {}
        if isinstance(table.get("count"), int):  # levels, which are to be written out
            self.count += min(max(table["count"], 0), _MOST_VALUES)
        for key, item in itertools.islice(table.items(), _MOST_VALUES):
            if not isinstance(key, str) or len(key) > _LONGEST_NAME or not key.isprintable():
                self.collector.add(path, f"{shown(key)} cannot be a key; keys are short and printable")
            else:
                copy[key] = self(item, (*path, key))
        return copy

    @staticmethod
    def _problem(value: object) -> str:
        if isinstance(value, str):
            if len(value) > _LONGEST_NAME or not value.isprintable():
                return f"{shown(value)} is not a word: at most {_LONGEST_NAME} letters, all of them printable"
        elif isinstance(value, float):
            if not math.isfinite(value):
                return f"{value} is not a finite number"
        elif isinstance(value, int):
            if value.bit_length() > _WIDEST:
                return f"{shown(value)} is too large"
        elif value is not None:
            return f"{shown(value)} has no place here: numbers, words, true, false, lists and tables have"
        return ""


# ----------------------------------------------------------------------------------------------------------------------
# The models


def _refusal(text: str) -> PydanticCustomError:
    return PydanticCustomError("heatpg", "{text}", {"text": text})


def _a_number(value: object) -> float:
    try:
        number = fitting("sigma", value, "float")
    except UnsupportedError:
        raise _refusal(f"{shown(value)} is not a finite number") from None
    if number < 0:
        raise _refusal(f"sigma must not be negative, given: {shown(value)}")
    return float(number)


def _numbers(value: Any) -> tuple[float, ...]:
    """Noise levels from a number, a list, or a table of first, last and count."""
    if isinstance(value, Mapping):
        missing = [key for key in ("first", "last", "count") if key not in value]
        if missing or len(value) != 3 or not isinstance(value["count"], int):
            raise _refusal("levels are written {first = 0.1, last = 10.0, count = 32}")
        try:
            levels = geometric_levels(_a_number(value["first"]), _a_number(value["last"]), value["count"])
        except UnsupportedError as reason:
            raise _refusal(str(reason)) from None
        return tuple(levels)
    if not isinstance(value, list | tuple):
        return (_a_number(value),)
    if not value:
        raise _refusal("there is no sigma in the list")
    return tuple(map(_a_number, value))


def _levels(value: Any) -> Any:
    """Sigma in one form: ascending, and for axes of their own of one length."""
    if value is None:
        return None
    rows: list[tuple[float, ...]]
    if isinstance(value, Mapping) and not set(value) & {"first", "last", "count"}:
        if not value:
            raise _refusal("there is no sigma in the table")
        if len(value) > _MOST_AXES:
            raise _refusal(f"there are {len(value)} axes, at most {_MOST_AXES} are read")
        names = sorted(value)
        columns = [_numbers(value[name]) for name in names]
        longest = max(map(len, columns))
        if any(len(column) not in (1, longest) for column in columns):
            lengths = ", ".join(f"{name} has {len(column)}" for name, column in zip(names, columns, strict=True))
            raise _refusal(f"every axis needs as many sigmas as the others, or one: {lengths}")
        full = (column * longest if len(column) == 1 else column for column in columns)
        rows = sorted(zip(*full, strict=True), key=lambda row: (sum(x * x for x in row), row))
    else:
        names = []
        rows = [(number,) for number in sorted(_numbers(value))]
    if len(rows) > _MOST_LEVELS:
        raise _refusal(f"there are {len(rows):,} sigmas, at most {_MOST_LEVELS:,} are read")
    twice = next((row for row, count in _counted(rows) if count > 1), None)
    if twice is not None:
        raise _refusal(f"the sigma {', '.join(f'{x:g}' for x in twice)} is given twice")
    if not names:
        return tuple(row[0] for row in rows)
    return {name: tuple(row[i] for row in rows) for i, name in enumerate(names)}


def _sigma_problem(value: Any) -> str:
    """What is wrong with the noise levels; empty if nothing is."""
    try:
        _levels(value)
    except PydanticCustomError as reason:
        return reason.message()
    return ""


def _counted(rows: Iterable[tuple[float, ...]]) -> Iterator[tuple[tuple[float, ...], int]]:
    counts: dict[tuple[float, ...], int] = {}
    for row in rows:
        counts[row] = counts.get(row, 0) + 1
    yield from counts.items()


def _none(value: Any) -> Any:
    """None for the word, because TOML has no other."""
    return None if isinstance(value, str) and value.lower() == "none" else value


_Tolerance = Annotated[float | None, BeforeValidator(_none)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class BatchSection(_Section):
    """What the batch is called."""

    name: Annotated[str, Field(max_length=200)] = ""


class LandscapeSection(_Section):
    """The landscape: a registered source or a file, and its options."""

    source: str | None = None
    options: dict[str, Any] = {}


class EvolveSection(_Section):
    """The noise levels, the solver and the checks."""

    sigma: Annotated[Any, BeforeValidator(_levels)] = None
    solver: str = "auto"
    solver_options: dict[str, Any] = {}
    tolerance: _Tolerance = None
    prefer: str = PREFERENCES[0]
    checks: str = "standard"


class StorageSection(_Section):
    """How the result of a task is stored."""

    mode: str = _MODES[0]
    tolerance: _Tolerance = None
    compression: str = _COMPRESSIONS[0]


class SweepSection(_Section):
    """What is varied: in all combinations (product), or together (zip)."""

    product: dict[str, Any] = {}
    zip: dict[str, Any] = {}


_MODELS: dict[Keys, type[BaseModel]] = {
    ("batch",): BatchSection,
    ("evolve",): EvolveSection,
    ("storage",): StorageSection,
    ("sweep",): SweepSection,
}
_TABLES = ("batch", *_SECTIONS, "sweep", "task")


def _word_of(error: Mapping[str, Any]) -> str:
    """A message of pydantic in the words of the house."""
    if error["type"] == "heatpg":
        return str(error["msg"])
    if error["type"] == "tuple_type":
        return f"must be a list, given: {shown(error['input'])}"
    if error["type"] in ("dict_type", "model_type", "model_attributes_type"):
        return f"must be a table, given: {shown(error['input'])}"
    message = str(error["msg"]).replace("Input should be", "must be").replace("String should have", "must have")
    return f"{message}, given: {shown(error['input'])}"


def _sound(model: type[Kind], given: Mapping[str, Any], prefix: Keys) -> tuple[Kind, Found]:
    """A section of what is sound in it, and what is not."""
    known = list(model.model_fields)
    found: Found = []
    for key in itertools.islice((key for key in given if key not in known), _MOST_PROBLEMS + 1):
        words = ["unknown key", nearest(key, known), f"allowed: {', '.join(known)}"]
        found.append(((*prefix, key), "; ".join(filter(None, words))))
    sound = {key: given[key] for key in known if key in given}
    try:
        return model.model_validate(sound), found
    except ValidationError as reason:
        errors = reason.errors(include_url=False)
    found += [((*prefix, *error["loc"]), _word_of(error)) for error in errors]
    bad = {error["loc"][0] for error in errors}
    return model.model_validate({key: sound[key] for key in sound if key not in bad}), found


def _unknown(word: str, known: Sequence[str], what: str) -> str:
    """What to say of a name that is not known; empty if it is."""
    if word in known:
        return ""
    parts = [f"unknown {what} {shown(word)}", nearest(word, known), f"allowed: {', '.join(known) or 'none'}"]
    return "; ".join(filter(None, parts))


# ----------------------------------------------------------------------------------------------------------------------
# Sections with everything written out


@functools.lru_cache(maxsize=256)
def _signature(kind: str, name: str) -> tuple[dict[str, str], dict[str, Any]]:
    """Annotations and defaults of the options of a landscape or a solver."""
    entry = landscapes.get(name) if kind == "landscape" else solvers.get(name)
    annotations = settable(entry)
    usual = {key: fitting(key, value, annotations[key]) for key, value in defaults(entry).items()}
    return annotations, usual


def _option_problem(kind: str, name: str, key: str, value: object) -> str:
    """What is wrong with one option; empty if nothing is."""
    annotations, _ = _signature(kind, name)
    problem = _unknown(key, list(annotations), f"option of the {kind} {name!r}")
    if problem:
        return problem.replace(f" {shown(key)}", "", 1)
    try:
        fitted = fitting(key, value, annotations[key])
    except UnsupportedError as reason:
        return str(reason)
    if key == "boundary":
        return _unknown(fitted, boundaries.names(), "boundary")
    return ""


def _all_options(kind: str, name: str, given: Mapping[str, Any], prefix: Keys) -> tuple[dict[str, Any], Found]:
    """The options with their defaults, and what is wrong with those that were given."""
    annotations, usual = _signature(kind, name)
    found: Found = []
    options = dict(usual)
    for key, value in given.items():
        problem = _option_problem(kind, name, key, value)
        if len(found) > _MOST_PROBLEMS:
            break
        if problem:
            found.append(((*prefix, key), problem))
        else:
            options[key] = fitting(key, value, annotations[key])
    return options, found


def _is_file(source: str) -> bool:
    return source.endswith(_ENDINGS) or "/" in source or os.sep in source


@functools.lru_cache(maxsize=4096)
def _digest(path: str, size: int, changed: int, inode: int) -> str:
    """SHA-256 of a file, read once for as long as it stays as it is."""
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        while piece := stream.read(_PIECE):
            digest.update(piece)
    return digest.hexdigest()


def _file(source: str, given: Mapping[str, Any], folder: Path) -> tuple[dict[str, Any] | None, Found]:
    """A landscape in a file, known by its content."""
    path = folder / source
    if not source.endswith(_ENDINGS):
        return None, [(("source",), f"{shown(source)} is neither a landscape nor a file {', '.join(_ENDINGS)}")]
    found: Found = []
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):  # to open a pipe would wait for ever
            return None, [(("source",), f"{shown(source)} is not a file")]
        digest = _digest(str(path), status.st_size, status.st_mtime_ns, status.st_ino)
    except OSError as reason:
        return None, [(("source",), f"cannot read {shown(source)}: {reason.strerror or reason}")]
    options: dict[str, Any] = {}
    known = [] if source.endswith(".h5") else ["boundary"]
    for key, value in given.items():
        problem = _unknown(key, known, f"option of the file {source!r}")
        if problem and key == "boundary":
            problem = f"{source!r} holds the boundaries of its landscape"
        elif not problem:
            problem = _unknown(value, boundaries.names(), "boundary") if isinstance(value, str) else "must be a word"
        if problem:
            found.append(((key,), problem))
        else:
            options[key] = value
    if known and "boundary" not in given:
        found.append((("boundary",), f'{source!r} does not say what lies beyond its edges: add boundary = "clip"'))
    return {"source": "file", "file": os.path.abspath(path), "sha256": digest, "options": options}, found


def _landscape(given: Mapping[str, Any], folder: Path) -> tuple[dict[str, Any] | None, Found]:
    """The section ``landscape`` with everything written out, and what is wrong with it."""
    options = {key: value for key, value in given.items() if key != "source"}
    source = given.get("source")
    if source is None:
        return None, [(("source",), "missing: the name of a landscape, or of a file; see heatpg list landscapes")]
    if not isinstance(source, str):
        return None, [(("source",), f"must be a word, given: {shown(source)}")]
    if _is_file(source):
        return _file(source, options, folder)
    problem = _unknown(source, landscapes.names(), "landscape")
    if problem:
        return None, [(("source",), f"{problem}; a file is named with its ending: {', '.join(_ENDINGS)}")]
    full, found = _all_options("landscape", source, options, ())
    plugin = landscapes.plugins().get(source)
    # another version of a plug-in is another landscape
    return {"source": source, "options": full} | ({} if plugin is None else {"distribution": str(plugin)}), found


def _solver(section: EvolveSection) -> tuple[dict[str, Any], Found]:
    """The solver with all of its options, and what is wrong with it."""
    name, given = section.solver, section.solver_options
    result: dict[str, Any] = {
        "name": name,
        "options": dict(given),
        "tolerance": section.tolerance,
        "prefer": section.prefer,
    }
    found: Found = []
    problem = _unknown(section.prefer, PREFERENCES, "preference")
    if problem:
        found.append((("prefer",), problem))
    if section.tolerance is not None and not _TOLERANCES[0] <= section.tolerance <= _TOLERANCES[1]:
        found.append((("tolerance",), f"out of range, given: {section.tolerance:g}, allowed: 1e-14 to 1e-3"))
    problem = _unknown(name, ["auto", *solvers.names()], "solver")
    if problem:
        return result, [*found, (("solver",), problem)]
    if name == "auto":
        if given:
            found.append((("solver_options",), "options need a solver: name one with solver = "))
        return result, found
    for key, value, usual in (
        ("tolerance", section.tolerance, None),
        ("prefer", section.prefer, PREFERENCES[0]),
    ):
        if value != usual:
            found.append(((key,), f'this is for solver = "auto"; {name!r} has solver_options of its own'))
    result["options"], wrong = _all_options("solver", name, given, ("solver_options",))
    if not wrong:
        try:
            make(name, **result["options"])
        except (HeatpgError, ArithmeticError, TypeError, ValueError) as reason:
            wrong.append((("solver_options",), str(reason)))
    return result, found + wrong


def _evolve(given: Mapping[str, Any], folder: Path) -> tuple[dict[str, Any] | None, Found]:
    """The section ``evolve`` with everything written out, and what is wrong with it."""
    section, wrong = _sound(EvolveSection, given, ("evolve",))
    solver, found = _solver(section)
    found = [(path[1:], message) for path, message in wrong] + found
    if section.sigma is None:
        found.append(
            (("sigma",), "missing: the noise levels, such as [0.1, 0.3] or {first = 0.1, last = 3.0, count = 8}")
        )
    problem = _unknown(section.checks, LEVELS, "level of checks")
    if problem:
        found.append((("checks",), problem))
    return {"checks": section.checks, "sigma": section.sigma, "solver": solver}, found


def _storage(given: Mapping[str, Any], folder: Path) -> tuple[dict[str, Any] | None, Found]:
    """The section ``storage`` with everything written out, and what is wrong with it."""
    section, wrong = _sound(StorageSection, given, ("storage",))
    found = [(path[1:], message) for path, message in wrong]
    for key, word, known, what in (
        ("mode", section.mode, _MODES, "mode of storage"),
        ("compression", section.compression, _COMPRESSIONS, "compression"),
    ):
        problem = _unknown(word, known, what)
        if problem:
            found.append(((key,), problem))
    tolerance = section.tolerance
    if section.mode == "compact":
        tolerance = _COMPACT_TOLERANCE if tolerance is None else tolerance
        if not _TOLERANCES[0] <= tolerance <= _TOLERANCES[1]:
            found.append((("tolerance",), f"out of range, given: {tolerance:g}, allowed: 1e-14 to 1e-3"))
    elif tolerance is not None:
        found.append((("tolerance",), 'this is for mode = "compact"'))
    return {"mode": section.mode, "tolerance": tolerance, "compression": section.compression}, found


_RESOLVERS = {"landscape": _landscape, "evolve": _evolve, "storage": _storage}


def _canonical(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _fragments(section: str, resolved: Mapping[str, Any]) -> dict[str, str]:
    """The parts of the canonical form that a section gives; where a file lies is not among them."""
    if section == "evolve":
        return {key: _canonical(value) for key, value in resolved.items()}
    return {section: _canonical({key: value for key, value in resolved.items() if key != "file"})}


# ----------------------------------------------------------------------------------------------------------------------
# Tasks


def _joined(parts: Mapping[str, str]) -> str:
    return "{" + ",".join(f'"{key}":{parts[key]}' for key in sorted(parts)) + "}"


@dataclasses.dataclass(frozen=True, slots=True)
class Task:
    """One landscape at its noise levels: what a worker does at a time.

    Attributes
    ----------
    number
        Its place in the order of the batch, from 0.
    id
        SHA-256 of `canonical`, 64 hexadecimal digits.
    changes
        What of the sweep made it: pairs of a dotted path and a value, for display.
    file
        Absolute path of the landscape, if it is in a file; not part of the identity, which goes by the content.
    """

    number: int
    id: str
    changes: tuple[tuple[str, Any], ...]
    file: str
    _text: _Text = dataclasses.field(repr=False)

    def canonical(self) -> bytes:
        """The resolved specification as JSON: sorted keys, no spaces, ASCII."""
        return _joined(dict(self._text)).encode()

    @property
    def resolved(self) -> dict[str, Any]:
        """Everything that decides the result, with every default written out, as JSON-like values.

        The keys are ``schema``; ``landscape`` (source, options, and for a file its sha256 and its place, file);
        ``sigma`` (a list, or a table of lists by axis name); ``solver`` (name, options, tolerance, prefer);
        ``checks``; ``storage`` (mode, tolerance, compression).
        """
        result: dict[str, Any] = json.loads(self.canonical())
        if self.file:
            result["landscape"]["file"] = self.file
        return result

    def describe(self) -> str:
        """The number, the beginning of the identity and the changes, on one line."""
        words = ", ".join(f"{key} = {shown(value)}" for key, value in self.changes)
        return f"task {self.number} ({self.id[:12]}){': ' if words else ''}{words}"

    @classmethod
    def from_resolved(cls, resolved: Mapping[str, Any], number: int = 0) -> Task:
        """A task from its resolved specification, every part of it looked at again.

        Parameters
        ----------
        resolved
            As `resolved` returns it; a file is not read.
        number
            Its place in the order of a batch.

        Raises
        ------
        SpecError
            If it is not what this version of heatpg writes.
        """
        collector = _Collector("the resolved task", {})
        plain = _Plain(collector)(resolved)
        collector.raise_if_any()
        if not isinstance(plain, dict) or plain.get("schema") != SCHEMA or isinstance(plain["schema"], bool):
            given = shown(plain.get("schema") if isinstance(plain, dict) else plain)
            collector.add(("schema",), f"this version of heatpg reads schema {SCHEMA}, given: {given}")
            collector.raise_if_any()
        sections, file = _sections_of(plain, collector)
        collector.raise_if_any()
        parts = {"schema": str(SCHEMA)}
        for name, section in sections.items():
            resolve = _known_file if name == "landscape" and file is not None else _RESOLVERS[name]
            full, found = resolve(section, Path())
            for path, message in found:
                collector.add((name, *path), message)
            if full is not None:
                parts |= _fragments(name, full)
        collector.raise_if_any()
        text = _joined(parts)
        if "file" in plain["landscape"]:
            plain["landscape"] = {key: value for key, value in plain["landscape"].items() if key != "file"}
        if json.loads(text) != json.loads(_canonical(plain)):
            collector.add((), "it is not written out in full, or has something more in it")
            collector.raise_if_any()
        return cls(number, hashlib.sha256(text.encode()).hexdigest(), (), file or "", tuple(sorted(parts.items())))


def _sections_of(plain: dict[str, Any], collector: _Collector) -> tuple[dict[str, dict[str, Any]], str | None]:
    """A resolved task as the sections of a specification, and the file of its landscape."""
    tables: dict[str, dict[str, Any]] = {}
    for key in ("landscape", "solver", "storage"):
        if not isinstance(plain.get(key), dict):
            collector.add((key,), "must be a table")
        tables[key] = plain[key] if isinstance(plain.get(key), dict) else {}
    landscape, solver = tables["landscape"], tables["solver"]
    options = landscape.get("options")
    if not isinstance(options, dict):
        collector.add(("landscape", "options"), "must be a table")
        options = {}
    evolve = {
        "sigma": plain.get("sigma"),
        "checks": plain.get("checks"),
        "solver": solver.get("name"),
        "solver_options": solver.get("options"),
        "tolerance": solver.get("tolerance"),
        "prefer": solver.get("prefer"),
    }
    file = None
    if landscape.get("source") == "file":
        file = landscape.get("file")
        if not isinstance(file, str) or not file.endswith(_ENDINGS):
            collector.add(("landscape", "file"), "the place of the file is missing")
        first = dict(landscape)
    else:
        first = {**options, "source": landscape.get("source")}
        if isinstance(first["source"], str) and _is_file(first["source"]):
            collector.add(("landscape", "source"), 'a file has source = "file"')
    return {"landscape": first, "evolve": evolve, "storage": tables["storage"]}, file


def _known_file(given: Mapping[str, Any], folder: Path) -> tuple[dict[str, Any] | None, Found]:
    """The landscape of a resolved task that is in a file."""
    found: Found = []
    digest = given.get("sha256")
    if not isinstance(digest, str) or not re.fullmatch(r"[0-9a-f]{64}", digest):
        found.append((("sha256",), f"this is no SHA-256: {shown(digest)}"))
    boundary = given["options"].get("boundary")
    known = [None] if str(given["file"]).endswith(".h5") else boundaries.names()
    if boundary not in known or not set(given["options"]) <= {"boundary"}:
        found.append((("options",), f"options do not fit the file: {shown(given['options'])}"))
    return {"source": "file", "file": given["file"], "sha256": digest, "options": given["options"]}, found


# ----------------------------------------------------------------------------------------------------------------------
# Sweeps


@dataclasses.dataclass(frozen=True, slots=True)
class _Change:
    """One key of a section set to one value, and where that is written."""

    section: str
    keys: tuple[str, ...]
    value: Any
    origin: Keys

    @property
    def path(self) -> str:
        return ".".join((self.section, *self.keys))


def _flat(table: Mapping[str, Any], deepest: int) -> Iterator[tuple[tuple[str, ...], tuple[str, ...], Any]]:
    """Keys as they are written, the same split at their dots, and values, of tables within tables."""
    for key, value in table.items():
        split = tuple(key.split("."))
        if isinstance(value, dict) and len(split) < deepest:
            for written, inner, item in _flat(value, deepest - len(split)):
                yield (key, *written), (*split, *inner), item
        else:
            yield (key,), split, value


def _key_problem(keys: tuple[str, ...]) -> str:
    """Why these keys cannot be varied; empty if they can."""
    section, *rest = keys
    problem = _unknown(section, _SECTIONS, "section")
    if problem:
        return f'{problem}; write "section.key"'
    if not rest:
        return f'write "{section}.key"'
    if section == "landscape":
        return "" if len(rest) == 1 else 'an option of a landscape is written "landscape.key"'
    model = _MODELS[(section,)]
    problem = _unknown(rest[0], list(model.model_fields), f"key of {section}")
    if problem or len(rest) == 1 or (rest[0] == "solver_options" and len(rest) == 2):
        return problem
    return f"{rest[0]} has no keys of its own here"


class Spec(_Section):
    """A specification of a batch; `read_spec` makes it, and it never changes.

    Attributes
    ----------
    batch
        What the batch is called.
    landscape
        The landscape, before the sweep changes it.
    evolve
        Noise levels, solver and checks, before the sweep.
    storage
        How results are stored, before the sweep.
    sweep
        What is varied: ``product`` in all combinations, ``zip`` together.
    task
        Explicit changes, one table each; product, zip and these multiply.
    """

    batch: BatchSection = BatchSection()
    landscape: LandscapeSection = LandscapeSection()
    evolve: EvolveSection = EvolveSection()
    storage: StorageSection = StorageSection()
    sweep: SweepSection = SweepSection()
    task: tuple[dict[str, Any], ...] = ()

    _folder: Path = PrivateAttr(default_factory=Path)
    _what: str = PrivateAttr(default="the specification")
    _lines: dict[Keys, int] = PrivateAttr(default_factory=dict)

    @property
    def count(self) -> int:
        """Number of tasks, found by counting."""
        return math.prod(map(len, self._factors(_Collector(self._what, {}))))

    def _base(self) -> dict[str, dict[str, Any]]:
        """The sections as tables, with only what was written in them."""
        return {
            "landscape": {**self.landscape.options, **self.landscape.model_dump(include={"source"}, exclude_none=True)},
            "evolve": self.evolve.model_dump(exclude_unset=True, exclude_none=True),
            "storage": self.storage.model_dump(exclude_unset=True, exclude_none=True),
        }

    def _factors(self, collector: _Collector) -> list[list[tuple[_Change, ...]]]:
        """What multiplies: each a list of alternatives, and each of these the changes that it makes."""
        factors: list[list[tuple[_Change, ...]]] = []
        taken: dict[tuple[str, ...], Keys] = {}

        def columns(table: dict[str, Any], origin: Keys, deepest: int, own: bool) -> Iterator[tuple[Any, ...]]:
            mine: dict[tuple[str, ...], Keys] = {}
            for written, keys, value in itertools.islice(_flat(table, deepest), _MOST_KEYS + 1):
                if len(mine) == _MOST_KEYS:
                    collector.add(origin, f"at most {_MOST_KEYS} keys are varied here")
                    return
                place = (*origin, *written)
                problem = _key_problem(keys)
                # a key and a key within it would both be set, in an order that nobody wrote
                others = {**taken, **mine}
                clash = next((k for k in others if k[: len(keys)] == keys[: len(k)]), None)
                if not problem and clash is not None:
                    problem = f"{'.'.join(keys)} is changed twice, also by {_dotted(others[clash])}"
                if problem:
                    collector.add(place, problem)
                    continue
                mine[keys] = place
                yield keys[0], keys[1:], value, place
            if not own:
                taken.update(mine)

        for section, keys, values, place in columns(self.sweep.product, ("sweep", "product"), 3, False):
            if not isinstance(values, tuple) or not values:
                collector.add(place, f"must be a list of one or more values, given: {shown(values)}")
                continue
            factors.append([(_Change(section, keys, value, (*place, i)),) for i, value in enumerate(values)])
        rows: list[list[_Change]] = []
        for section, keys, values, place in columns(self.sweep.zip, ("sweep", "zip"), 3, False):
            if not isinstance(values, tuple) or not values:
                collector.add(place, f"must be a list of one or more values, given: {shown(values)}")
                continue
            rows.append([_Change(section, keys, value, (*place, i)) for i, value in enumerate(values)])
        if len({len(row) for row in rows}) > 1:
            lengths = ", ".join(f"{row[0].path} has {len(row)}" for row in rows)
            collector.add(("sweep", "zip"), f"lists that run together are of one length: {lengths}")
        elif rows:
            factors.append(list(zip(*rows, strict=True)))
        explicit = []
        for i, table in enumerate(self.task):
            found = columns(table, ("task", i), 2, True)
            explicit.append(tuple(_Change(section, keys, value, place) for section, keys, value, place in found))
        if explicit:
            factors.append(explicit)
        return factors

    def _check(self, collector: _Collector) -> None:
        """Find all that can be found without writing every task out."""
        factors = self._factors(collector)
        count = math.prod(map(len, factors))
        if count > _MOST_TASKS:
            product = " x ".join(map(str, map(len, factors)))
            collector.add(("sweep",), f"{product} are {shown(count)} tasks, at most {_MOST_TASKS:,} are taken")
            return
        base = self._base()
        first = tuple(factor[0] for factor in factors)
        usual = tuple(itertools.chain.from_iterable(first))
        for section in _SECTIONS:
            self._resolve(section, base[section], [c for c in usual if c.section == section], collector)
        varied = {change.path for factor in factors for changes in factor for change in changes}
        source = self.landscape.source or ""
        registered = "landscape.source" not in varied and source in landscapes.names()
        for position, factor in enumerate(factors):
            for changes in factor[1:]:
                for section in {change.section for change in changes}:
                    own = [change for change in changes if change.section == section]
                    if section == "landscape" and registered:
                        for change in own:
                            problem = _option_problem("landscape", source, change.keys[0], change.value)
                            if problem:
                                collector.add(change.origin, problem)
                    elif [change.path for change in own] == ["evolve.sigma"]:
                        problem = _sigma_problem(own[0].value)
                        if problem:
                            collector.add(own[0].origin, problem)
                    else:
                        others = itertools.chain.from_iterable(first[:position] + first[position + 1 :])
                        both = [*(change for change in others if change.section == section), *own]
                        self._resolve(section, base[section], both, collector)
                if collector.full:
                    return

    def _resolve(
        self,
        section: str,
        base: Mapping[str, Any],
        changes: Sequence[_Change],
        collector: _Collector,
        words: str = "",
    ) -> dict[str, Any] | None:
        """A section with changes made to it; what is wrong is put where it is written."""
        given = dict(base)
        origins: dict[Keys, Keys] = {}
        for change in changes:
            origins[change.keys] = change.origin
            if len(change.keys) == 1:
                given[change.keys[0]] = change.value
            else:
                table = given.get(change.keys[0], {})
                given[change.keys[0]] = {**(table if isinstance(table, dict) else {}), change.keys[1]: change.value}
        resolved, found = _RESOLVERS[section](given, self._folder)
        for path, message in found:
            cut = next((n for n in range(len(path), 0, -1) if path[:n] in origins), 0)
            place = (*origins[path[:cut]], *path[cut:]) if cut else (section, *path)
            collector.add(place, message + words)
        return None if found else resolved

    def tasks(self) -> tuple[Task, ...]:
        """All tasks: the first key of the product varies slowest, then the others, zip, and the explicit list fastest.

        Raises
        ------
        SpecError
            If a combination of changes is not possible, or two tasks are the same; with all of them.
        """
        collector = _Collector(self._what, self._lines)
        base = self._base()
        factors = self._factors(collector)
        known: dict[tuple[str, tuple[int, ...]], tuple[_Text, str]] = {}
        schema: _Text = (("schema", str(SCHEMA)),)
        first: dict[str, Task] = {}
        for number, combination in enumerate(itertools.product(*factors)):
            changes = tuple(itertools.chain.from_iterable(combination))
            text = schema
            file = ""
            for section in _SECTIONS:
                own = [change for change in changes if change.section == section]
                key = (section, tuple(map(id, own)))
                if key not in known:
                    words = f" (in task {number})" if own else ""
                    resolved = self._resolve(section, base[section], own, collector, words)
                    known[key] = ((), "")
                    if resolved is not None:
                        known[key] = tuple(_fragments(section, resolved).items()), str(resolved.get("file", ""))
                text += known[key][0]
                file = known[key][1] or file
            if collector.full:
                break
            if collector.found:
                continue
            digest = hashlib.sha256(_joined(dict(text)).encode()).hexdigest()
            task = Task(number, digest, tuple((change.path, change.value) for change in changes), file, text)
            other = first.setdefault(digest, task)
            if other is not task:
                collector.add(
                    changes[-1].origin if changes else (), f"{task.describe()} is the same as {other.describe()}"
                )
        collector.raise_if_any()
        return tuple(first.values())

    def as_toml(self) -> str:
        """The specification as TOML that stands by itself: read anywhere, it gives the same tasks."""

        def placed(source: Any) -> Any:
            return os.path.abspath(self._folder / source) if isinstance(source, str) and _is_file(source) else source

        def swept(table: Mapping[str, Any], deepest: int, listed: bool) -> dict[str, Any]:
            result = {}
            for _, keys, value in _flat(table, deepest):
                if keys == ("landscape", "source"):
                    value = tuple(map(placed, value)) if listed else placed(value)
                result[".".join(keys)] = value
            return result

        base = self._base()
        if "source" in base["landscape"]:
            base["landscape"]["source"] = placed(base["landscape"]["source"])
        tables: list[tuple[str, Mapping[str, Any]]] = [
            ("[batch]", self.batch.model_dump(exclude_unset=True)),
            *((f"[{section}]", base[section]) for section in _SECTIONS),
            ("[sweep.product]", swept(self.sweep.product, 3, True)),
            ("[sweep.zip]", swept(self.sweep.zip, 3, True)),
        ]
        blocks = [(title, table) for title, table in tables if table]
        blocks += [("[[task]]", swept(table, 2, False)) for table in self.task]
        return "\n".join(
            "\n".join([title, *(f"{_toml_key(key)} = {_toml(value)}" for key, value in table.items()), ""])
            for title, table in blocks
        )


def _toml_key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else json.dumps(key, ensure_ascii=False)


def _toml(value: Any) -> str:
    if value is None:
        return '"none"'
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)  # all letters are printable
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_toml_key(key)} = {_toml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, tuple):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return repr(value)


# ----------------------------------------------------------------------------------------------------------------------
# Reading


def _read_text(path: Path) -> str:
    what = shown(str(path))
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):  # to open a pipe would wait for ever
            raise SpecError(f"{what} is not a file")
        with path.open("rb") as stream:
            content = stream.read(_LARGEST_FILE + 1)
    except (OSError, ValueError) as reason:
        if isinstance(reason, SpecError):
            raise
        raise SpecError(f"cannot read {what}", given=getattr(reason, "strerror", None) or reason) from None
    if len(content) > _LARGEST_FILE:
        raise SpecError(f"{what} is too large for a specification", allowed=f"{_LARGEST_FILE:,} bytes")
    try:
        return content.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as reason:
        raise SpecError(
            f"{what} is not text in UTF-8",
            given=f"byte {reason.start}: {reason.reason}",
            advice="save it in this encoding; a specification is a TOML file",
        ) from None


def _read_toml(text: str, what: str) -> dict[str, Any]:
    bare = _STRINGS_AND_COMMENTS.sub("x", text)
    if sum(map(bare.count, ",=[")) > _MOST_VALUES:
        raise SpecError(
            f"{what} is too long", allowed=f"{_MOST_VALUES:,} values", advice="sweeps multiply: use several"
        )
    # the time that tomllib takes over one key is quadratic in the number of its dots
    if any(part.count(".") > _MOST_DOTS for part in re.split(r"[,=\n{}\[\]]", bare)):
        raise SpecError(f"{what} is nested too deep", given="a key of many dots", allowed=f"{_DEEPEST} levels")
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise SpecError(f"{what} is nested too deep", allowed=f"{_DEEPEST} levels") from None
    except ValueError as reason:
        raise SpecError(f"{what} is not TOML", given=str(reason)[:500]) from None


def _structure(plain: dict[str, Any], collector: _Collector) -> dict[str, Any]:
    """The tables that are there and sound; what is not is said."""
    tables: dict[str, Any] = {}
    for key, value in plain.items():
        if collector.full:
            break
        problem = _unknown(key, _TABLES, "table")
        if problem:
            collector.add((key,), problem)
        elif key == "task":
            if isinstance(value, tuple) and all(isinstance(entry, dict) for entry in value):
                tables[key] = value
            else:
                collector.add((key,), "tasks are written [[task]], one table each")
        elif not isinstance(value, dict):
            collector.add((key,), f"must be a table, given: {shown(value)}")
        elif key == "landscape":
            tables[key] = {"options": {k: item for k, item in value.items() if k != "source"}}
            if isinstance(value.get("source", ""), str):
                tables[key]["source"] = value.get("source")
            else:
                collector.add((key, "source"), f"must be a word, given: {shown(value['source'])}")
        else:
            tables[key] = value
    return tables


def read_spec(source: str | os.PathLike[str] | Mapping[str, Any]) -> Spec:
    """Read the specification of a batch, and hold it against what heatpg knows.

    Parameters
    ----------
    source
        Name of a TOML file of up to 1 MiB, or the same as a mapping (numbers and arrays of NumPy are taken too). Files
        that it names are relative to its folder, or for a mapping to the working directory. See `Spec` for the tables.

    Returns
    -------
    spec
        Every name and value in it is possible; up to 1,000,000 tasks, which are not written out yet.

    Raises
    ------
    SpecError
        With everything that is wrong, each thing with its path, its line and the nearest names.

    Examples
    --------
    >>> from heatpg.batch import read_spec
    >>> spec = read_spec({
    ...     "landscape": {"source": "double_pendulum", "size": 64},
    ...     "evolve": {"sigma": [0.3, 1.0]},
    ...     "sweep": {"product": {"landscape.gamma": [0.9, 0.95, 0.99]}},
    ... })
    >>> [task.changes for task in spec.tasks()]
    [(('landscape.gamma', 0.9),), (('landscape.gamma', 0.95),), (('landscape.gamma', 0.99),)]
    >>> read_spec({"landscape": {"source": "double_pendulum", "sise": 64}, "evolve": {"sigma": 1}})
    Traceback (most recent call last):
    ...
    heatpg.batch.spec.SpecError: the specification has 1 problem:
      landscape.sise: unknown option of the landscape 'double_pendulum'; did you mean 'size' or ...
    """
    lines: dict[Keys, int] = {}
    folder = Path.cwd()
    what = "the specification"
    content: Mapping[str, Any]
    if isinstance(source, Mapping):
        content = source
    elif isinstance(source, str | os.PathLike):
        path = Path(source)
        what = str(path)
        text = _read_text(path)
        content = _read_toml(text, what)
        lines = _line_numbers(text)
        folder = path.absolute().parent
    else:
        raise SpecError("this is no specification", given=shown(source), allowed="the name of a file, or a mapping")
    collector = _Collector(what, lines)
    plain = _Plain(collector)(content)
    tables = _structure(plain, collector) if isinstance(plain, dict) else {}
    for key, model in _MODELS.items():
        if key[0] in tables:
            tables[str(key[0])], found = _sound(model, tables[str(key[0])], key)
            for place, message in found:
                collector.add(place, message)
    spec = Spec.model_validate(tables)
    spec._folder, spec._what, spec._lines = folder, what, lines
    spec._check(collector)
    collector.raise_if_any()
    return spec
