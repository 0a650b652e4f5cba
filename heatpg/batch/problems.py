"""What is wrong with a specification: each thing once, with its place, its line, and what would be right.

Nothing here knows what a batch is. Lines are counted beside `tomllib`, which does not tell them; values are copied into
plain ones, within bounds that an untrusted file cannot exceed.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from heatpg.errors import OptionError
from heatpg.tools.lines import visible
from heatpg.tools.options import nearest, shown

__all__ = [
    "DEEPEST",
    "MOST_PROBLEMS",
    "MOST_VALUES",
    "STRINGS_AND_COMMENTS",
    "Collector",
    "Found",
    "Keys",
    "Plain",
    "Problem",
    "SpecError",
    "dotted",
    "line_numbers",
    "unknown",
]

# A specification may come from anybody: each bound keeps the time or the text that a hostile one costs small.
MOST_VALUES = 60_000  # in one specification; measured: as many are checked within a second
DEEPEST = 12  # tables and lists within one another; what can be written needs seven
MOST_PROBLEMS = 100  # that are listed; what is beyond is not looked for; taste: nobody reads more
_LONGEST_NAME = 1000  # letters of a key or a word; taste: longer than any path in use
_WIDEST = 63  # bits of a whole number, the bound of TOML and of the integers of HDF5

# Where something is written: keys of tables and numbers of list entries, from the root of the file.
Keys = tuple[str | int, ...]
Found = list[tuple[Keys, str]]  # where in a section, and what


def dotted(path: Keys) -> str:
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
        return visible(f"{place}{self.path}: {self.message}")


class SpecError(OptionError):
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
        count = "1 problem" if len(found) == 1 else f"{min(len(found), MOST_PROBLEMS)} problems"
        lines = [f"  {problem}" for problem in found[:MOST_PROBLEMS]]
        if len(found) > MOST_PROBLEMS:
            lines.append("  and more")
        error = cls("\n".join([f"{what} has {count}:", *lines]))
        error.problems = tuple(found)
        return error

    def __reduce__(self) -> tuple[object, ...]:
        return (type(self), (self.problem,), {"problems": self.problems})


class Collector:
    """Problems as they are found, one for a place: what follows from another problem is not said again."""

    def __init__(self, what: str, lines: Mapping[Keys, int]) -> None:
        self.what = what
        self.lines = lines
        self.found: dict[Keys, Problem] = {}
        self.above: set[Keys] = set()  # tables and lists that hold a place where a problem was found
        self.unknown: set[tuple[Keys, str]] = set()  # names that are not known, and the lists whose values met them

    def add(self, path: Keys, message: str) -> None:
        # A problem of a table and one of a key within it are mostly one problem: the first that is found is told.
        if path in self.above or any(path[:n] in self.found for n in range(len(path) + 1)):
            return
        if self.full:
            return
        if path and isinstance(path[-1], int) and message.startswith("unknown "):
            # a key that is not known is so with every value that it is given
            if (path[:-1], message) in self.unknown:
                return
            self.unknown.add((path[:-1], message))
        # the line of the key itself, or of the nearest table around it that has one
        line = next((self.lines[path[:n]] for n in range(len(path), 0, -1) if path[:n] in self.lines), None)
        self.found[path] = Problem(dotted(path), message, line)
        self.above.update(path[:n] for n in range(len(path)))

    @property
    def full(self) -> bool:
        """Whether there are more problems than are worth looking for."""
        return len(self.found) > MOST_PROBLEMS

    def raise_if_any(self) -> None:
        if self.found:
            raise SpecError.of(self.what, self.found.values())


# One key of TOML at the beginning of a text: bare, in double quotes with escapes, or in single quotes.
_BARE_OR_QUOTED = re.compile(r"""\s*(?:([A-Za-z0-9_-]+)|"((?:[^"\\]|\\.)*)"|'([^']*)')\s*""")
# Strings of all four kinds, and comments. What is not closed is matched too: to look for its end again from every quote
# would take quadratic time. The possessive *+ keeps what was matched, for the same reason.
STRINGS_AND_COMMENTS = re.compile(
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


def line_numbers(text: str) -> dict[Keys, int]:
    """The lines in which tables and keys are written, for messages; TOML that is laid out unusually is passed over.

    This reads a text that `tomllib` has accepted, so it need not find faults. Paths come from there; where this loses
    the thread, as in keys with escapes, a message has no line, or that of the table around it.
    """
    # depth: brackets that the value of a key has left open; fence: the quotes that end a text over several lines.
    # Within either, a line is no key.
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
                # [[task]] begins the next entry of a list: its keys are those of ("task", 0), ("task", 1), ...
                if header.startswith("[["):
                    counts[keys] = counts.get(keys, -1) + 1
                    lines.setdefault(keys, number)
                    table = (*keys, counts[keys])
                lines.setdefault(table, number)
                continue
            keys, rest = _dotted_key(line)
            if not keys or not rest.startswith("="):
                continue
            # a.b.c = 1 makes the tables a and a.b as well, in this line unless they were there before
            for n in range(1, len(keys) + 1):
                lines.setdefault((*table, *keys[:n]), number)
            value = rest[1:]
        for quotes in ('"""', "'" * 3):
            if value.count(quotes) == 1:
                fence = quotes
        if not fence:
            bare = STRINGS_AND_COMMENTS.sub("", value)
            depth = max(0, depth + sum(bare.count(c) for c in "[{") - sum(bare.count(c) for c in "]}"))
    return lines


def unknown(word: str, known: Sequence[str], what: str) -> str:
    """What to say of a name that is not known; empty if it is."""
    if word in known:
        return ""
    parts = [f"unknown {what} {shown(word)}", nearest(word, known), f"expected: {', '.join(known) or 'none'}"]
    return "; ".join(filter(None, parts))


class Plain:
    """Copies a value into booleans, numbers, text, None, tuples and dictionaries, and says what is none of these.

    Everything behind it can rely on finite numbers, printable words, and tables of bounded size.
    A value that is refused becomes None, so that what stands beside it is looked at as well.
    """

    def __init__(self, collector: Collector) -> None:
        self.collector = collector
        self.count = 0

    def __call__(self, value: object, path: Keys = ()) -> Any:
        self.count += 1
        if self.count > MOST_VALUES:
            self.collector.add((), f"it contains more than {MOST_VALUES:,} values and noise levels")
            return None
        if len(path) > DEEPEST:
            self.collector.add(path, f"nested too deep; at most {DEEPEST} levels are allowed")
            return None
        if hasattr(value, "tolist"):  # arrays and numbers of NumPy
            value = value.tolist()
        if isinstance(value, Mapping):
            return self._table(value, path)
        if isinstance(value, list | tuple):
            return tuple(self(item, (*path, i)) for i, item in enumerate(value[:MOST_VALUES]))
        problem = self._problem(value)
        if problem:
            self.collector.add(path, problem)
            return None
        return value

    def _table(self, table: Mapping[Any, Any], path: Keys) -> dict[str, Any]:
        copy = {}
        # {first, last, count} is short and stands for count levels: they are charged before anybody writes them out
        if isinstance(table.get("count"), int):
            self.count += min(max(table["count"], 0), MOST_VALUES)
        for key, item in itertools.islice(table.items(), MOST_VALUES):
            if not isinstance(key, str) or len(key) > _LONGEST_NAME or not key.isprintable():
                self.collector.add(path, f"{shown(key)} is not a valid key; keys are short and printable")
            else:
                copy[key] = self(item, (*path, key))
        return copy

    @staticmethod
    def _problem(value: object) -> str:
        if isinstance(value, str):
            if len(value) > _LONGEST_NAME or not value.isprintable():
                return f"{shown(value)} is not a valid text: at most {_LONGEST_NAME} printable characters"
        elif isinstance(value, float):
            if not math.isfinite(value):
                return f"{value} is not a finite number"
        elif isinstance(value, int):
            if value.bit_length() > _WIDEST:
                return f"{shown(value)} is too large"
        elif value is not None:
            return f"{shown(value)} is not allowed here; use numbers, text, true, false, lists or tables"
        return ""
