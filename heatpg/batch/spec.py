"""What a batch is to do: a specification in TOML, checked against what heatpg knows, and its tasks.

Names and numbers only: nothing in a specification is evaluated or run, and no module is imported but those of packages
that were installed to bring landscapes or environments. Everything that is wrong with it is said at once, each thing
with its place. A task is known by the SHA-256 of its canonical form, in which every default is written out, so that two
specifications of the same work have the same tasks.
"""

# Above 600 lines, and one thing: sweep, task and text are three forms of one set of changes. `Spec._resolve` needs
# where a change was written to place a message, and the same change gives the identity of its task.

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import json
import math
import os
import re
import stat
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import PrivateAttr

from heatpg.batch.files import MINIMISE, is_file, known_file
from heatpg.batch.names import is_named
from heatpg.batch.problems import (
    DEEPEST,
    MOST_VALUES,
    STRINGS_AND_COMMENTS,
    Collector,
    Found,
    Keys,
    Plain,
    SpecError,
    dotted,
    line_numbers,
    unknown,
)
from heatpg.batch.sections import (
    MODELS,
    RESOLVERS,
    SECTIONS,
    TABLES,
    BatchSection,
    DrawsSection,
    EvolveSection,
    LandscapeSection,
    Section,
    StorageSection,
    SweepSection,
    canonical,
    fragments,
    of_sweep,
    option_problem,
    sigma_problem,
    sound,
)
from heatpg.tools.calls import checked_call
from heatpg.tools.endings import SOURCES
from heatpg.tools.options import shown

__all__ = ["SCHEMA", "Spec", "Task", "read_spec"]

SCHEMA = 1  # raised when the same words come to mean another result: every task is then another one

# Bounds on what an untrusted file can cost; all are taste, far above what is in use.
_LARGEST_FILE = 2**20  # bytes
_MOST_TASKS = 1_000_000  # each is a file on the disk
_MOST_KEYS = 100  # that are varied at a time
_MOST_DOTS = 100  # of one key

# The canonical form in parts: the JSON of each key of a resolved task. Tasks of a sweep share most of them, and a task
# is hashed by joining them, so that a million tasks need not be written out as dictionaries.

_Text = tuple[tuple[str, str], ...]


def _joined(parts: Mapping[str, str]) -> str:
    """The same text as `canonical` gives of the whole: its keys are sorted too, and need no escapes."""
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
        ``checks``; ``storage`` (mode, tolerance, compression); ``draws`` only where noise in all components is drawn.
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
        """A task from its resolved specification, every part of it checked again.

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
        collector = Collector("the resolved task", {})
        plain = Plain(collector)(resolved)
        collector.raise_if_any()
        if not isinstance(plain, dict) or plain.get("schema") != SCHEMA or isinstance(plain["schema"], bool):
            given = shown(plain.get("schema") if isinstance(plain, dict) else plain)
            collector.add(("schema",), f"this version of heatpg reads schema {SCHEMA}; got: {given}")
            collector.raise_if_any()
        sections, file = _sections_of(plain, collector)
        collector.raise_if_any()
        parts = {"schema": str(SCHEMA)}
        for name, section in sections.items():
            resolve = _known_file if name == "landscape" and file is not None else RESOLVERS[name]
            full, found = resolve(section, Path())
            for path, message in found:
                collector.add((name, *path), message)
            if full is not None:
                parts |= fragments(name, full)
        collector.raise_if_any()
        text = _joined(parts)
        # What was sent must be what is written here, to the letter: else two versions would share an identity
        if "file" in plain["landscape"]:
            plain["landscape"] = {key: value for key, value in plain["landscape"].items() if key != "file"}
        if json.loads(text) != json.loads(canonical(plain)):
            collector.add((), "it is incomplete, or has unknown keys")
            collector.raise_if_any()
        return cls(number, hashlib.sha256(text.encode()).hexdigest(), (), file or "", tuple(sorted(parts.items())))


def _sections_of(plain: dict[str, Any], collector: Collector) -> tuple[dict[str, dict[str, Any]], str | None]:
    """A resolved task as the sections of a specification, and the file of its landscape."""
    tables: dict[str, dict[str, Any]] = {}
    for key in ("landscape", "solver", "draws", "storage"):
        if key == "draws" and key not in plain:
            tables[key] = {}
            continue
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
        if not isinstance(file, str) or not file.endswith(SOURCES):
            collector.add(("landscape", "file"), "the path of the file is missing")
        first = dict(landscape)
    else:
        said = {MINIMISE: landscape[MINIMISE]} if MINIMISE in landscape else {}
        first = {**options, **said, "source": landscape.get("source")}
        if isinstance(first["source"], str) and is_file(first["source"]):
            collector.add(("landscape", "source"), 'a file needs source = "file"')
    drawn = {key: value for key, value in tables["draws"].items() if value is not None}
    return {"landscape": first, "evolve": evolve, "draws": drawn, "storage": tables["storage"]}, file


def _known_file(given: Mapping[str, Any], folder: Path) -> tuple[dict[str, Any] | None, Found]:
    """The landscape of a resolved task that is in a file."""
    found: Found = []
    digest = given.get("sha256")
    if not isinstance(digest, str) or not re.fullmatch(r"[0-9a-f]{64}", digest):
        found.append((("sha256",), f"must be a SHA-256; got: {shown(digest)}"))
    found += known_file(given)
    return {"source": "file", "file": given["file"], "sha256": digest, "options": given["options"]}, found


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


# A key of a sweep can be written "evolve.solver_options.steps", or as tables within tables, or half and half. TOML
# reads evolve.checks without quotes as a table; so a dot in a key and a step into a table are one and the same here.


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
    problem = unknown(section, SECTIONS, "section")
    if problem:
        return f'{problem}; write "section.key"'
    if not rest:
        return f'write "{section}.key"'
    if section == "landscape":
        return "" if len(rest) == 1 else 'an option of a landscape must have the form "landscape.key"'
    model = MODELS[(section,)]
    problem = unknown(rest[0], list(model.model_fields), f"key of {section}")
    if problem or len(rest) == 1 or (rest[0] == "solver_options" and len(rest) == 2):
        return problem
    return f"{rest[0]} has no keys here"


class Spec(Section):
    """A specification of a batch; `read_spec` makes it, and it never changes.

    Attributes
    ----------
    batch
        What the batch is called.
    landscape
        The landscape, before the sweep changes it.
    evolve
        Noise levels, solver and checks, before the sweep.
    draws
        How noise in all components of a slice is drawn, before the sweep; None where the noise is along the axes.
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
    draws: DrawsSection | None = None
    storage: StorageSection = StorageSection()
    sweep: SweepSection = SweepSection()
    task: tuple[dict[str, Any], ...] = ()

    _folder: Path = PrivateAttr(default_factory=Path)
    _what: str = PrivateAttr(default="the specification")
    _lines: dict[Keys, int] = PrivateAttr(default_factory=dict)

    @property
    def count(self) -> int:
        """Number of tasks, found by counting."""
        return math.prod(map(len, self._factors(Collector(self._what, {}))))

    def _base(self) -> dict[str, dict[str, Any]]:
        """The sections as tables, with only what was written in them."""
        return {
            "landscape": {**self.landscape.options, **self.landscape.model_dump(include={"source"}, exclude_none=True)},
            "evolve": self.evolve.model_dump(exclude_unset=True, exclude_none=True),
            "draws": {} if self.draws is None else self.draws.model_dump(exclude_unset=True, exclude_none=True),
            "storage": self.storage.model_dump(exclude_unset=True, exclude_none=True),
        }

    def _factors(self, collector: Collector) -> list[list[tuple[_Change, ...]]]:
        """What multiplies: each a list of alternatives, and each of these the changes that it makes."""
        factors: list[list[tuple[_Change, ...]]] = []
        # Keys of product and zip change every task, so no two of them may be the same. An entry of [[task]] changes
        # only its own, and may set what another entry sets: hence `own`.
        taken: dict[tuple[str, ...], Keys] = {}

        def columns(table: dict[str, Any], origin: Keys, deepest: int, own: bool) -> Iterator[tuple[Any, ...]]:
            mine: dict[tuple[str, ...], Keys] = {}
            for written, keys, value in itertools.islice(_flat(table, deepest), _MOST_KEYS + 1):
                if len(mine) == _MOST_KEYS:
                    collector.add(origin, f"at most {_MOST_KEYS} keys can be varied here")
                    return
                place = (*origin, *written)
                problem = _key_problem(keys)
                # a key and a key within it would both be set, in an order that nobody wrote
                others = {**taken, **mine}
                clash = next((k for k in others if k[: len(keys)] == keys[: len(k)]), None)
                if not problem and clash is not None:
                    problem = f"{'.'.join(keys)} is varied twice, also by {dotted(others[clash])}"
                if problem:
                    collector.add(place, problem)
                    continue
                mine[keys] = place
                yield keys[0], keys[1:], value, place
            if not own:
                taken.update(mine)

        for section, keys, values, place in columns(self.sweep.product, ("sweep", "product"), 3, False):
            if not isinstance(values, tuple) or not values:
                collector.add(place, f"must be a list of one or more values; got: {shown(values)}")
                continue
            factors.append([(_Change(section, keys, value, (*place, i)),) for i, value in enumerate(values)])
        rows: list[list[_Change]] = []
        for section, keys, values, place in columns(self.sweep.zip, ("sweep", "zip"), 3, False):
            if not isinstance(values, tuple) or not values:
                collector.add(place, f"must be a list of one or more values; got: {shown(values)}")
                continue
            rows.append([_Change(section, keys, value, (*place, i)) for i, value in enumerate(values)])
        if len({len(row) for row in rows}) > 1:
            lengths = ", ".join(f"{row[0].path} has {len(row)}" for row in rows)
            collector.add(("sweep", "zip"), f"lists of a zip must have equal lengths: {lengths}")
        elif rows:
            factors.append(list(zip(*rows, strict=True)))
        explicit = []
        for i, table in enumerate(self.task):
            found = columns(table, ("task", i), 2, True)
            explicit.append(tuple(_Change(section, keys, value, place) for section, keys, value, place in found))
        if explicit:
            factors.append(explicit)
        return factors

    def _check(self, collector: Collector) -> None:
        """Find all that can be found without writing every task out."""
        # A million combinations cannot be checked before a run. Most problems are those of one value: so the first
        # combination is resolved in full, and every other value once, with the first values of all other factors. What
        # is left, two values that do not go together, `tasks` finds.
        factors = self._factors(collector)
        count = math.prod(map(len, factors))
        if count > _MOST_TASKS:
            product = " x ".join(map(str, map(len, factors)))
            collector.add(("sweep",), f"{product} are {shown(count)} tasks; at most {_MOST_TASKS:,} are allowed")
            return
        base = self._base()
        first = tuple(factor[0] for factor in factors)
        usual = tuple(itertools.chain.from_iterable(first))
        for section in SECTIONS:
            self._resolve(section, base[section], [c for c in usual if c.section == section], collector)
        varied = {change.path for factor in factors for changes in factor for change in changes}
        source = self.landscape.source or ""
        registered = "landscape.source" not in varied and is_named(source)
        for position, factor in enumerate(factors):
            for changes in factor[1:]:
                for section in {change.section for change in changes}:
                    own = [change for change in changes if change.section == section]
                    # two short cuts for the sweeps that are long: the rest of the section stays as it is
                    if section == "landscape" and registered:
                        for change in own:
                            problem = option_problem("landscape", source, change.keys[0], change.value)
                            if problem:
                                collector.add(change.origin, problem)
                    elif [change.path for change in own] == ["evolve.sigma"]:
                        problem = sigma_problem(own[0].value)
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
        collector: Collector,
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
        resolved, found = RESOLVERS[section](given, self._folder)
        # a problem of a key that a change has set is told where the change is written, not in the section itself
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
        collector = Collector(self._what, self._lines)
        base = self._base()
        factors = self._factors(collector)
        known: dict[tuple[str, tuple[int, ...]], tuple[_Text, str]] = {}
        schema: _Text = (("schema", str(SCHEMA)),)
        first: dict[str, Task] = {}
        for number, combination in enumerate(itertools.product(*factors)):
            changes = tuple(itertools.chain.from_iterable(combination))
            text = schema
            file = ""
            for section in SECTIONS:
                own = [change for change in changes if change.section == section]
                # The changes of a factor are the same objects in every combination: what they make of a section is
                # found once for each set of them. `factors` keeps them alive, so no identity is used twice.
                key = (section, tuple(map(id, own)))
                if key not in known:
                    words = f" (in task {number})" if own else ""
                    resolved = self._resolve(section, base[section], own, collector, words)
                    known[key] = ((), "")
                    if resolved is not None:
                        known[key] = tuple(fragments(section, resolved).items()), str(resolved.get("file", ""))
                text += known[key][0]
                file = known[key][1] or file
            if collector.full:
                break
            if collector.found:  # look for more problems, and make no tasks of what will not run
                continue
            digest = hashlib.sha256(_joined(dict(text)).encode()).hexdigest()
            task = Task(number, digest, tuple((change.path, change.value) for change in changes), file, text)
            other = first.setdefault(digest, task)
            if other is not task:
                collector.add(
                    changes[-1].origin if changes else (), f"{task.describe()} is identical to {other.describe()}"
                )
        collector.raise_if_any()
        return tuple(first.values())

    def as_toml(self) -> str:
        """The specification as self-contained TOML: read anywhere, it gives the same tasks."""

        def placed(source: Any) -> Any:
            return os.path.abspath(self._folder / source) if isinstance(source, str) and is_file(source) else source

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
            *((f"[{section}]", base[section]) for section in SECTIONS),
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


def _read_text(path: Path) -> str:
    what = shown(str(path))
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):  # to open a pipe would wait for ever
            raise SpecError(f"{what} is not a file")
        # one byte more than is taken tells that there is more, whatever the size is said to be
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
            f"{what} is not UTF-8 text",
            given=f"byte {reason.start}: {reason.reason}",
            advice="save it as UTF-8; a specification is a TOML file",
        ) from None


def _read_toml(text: str, what: str) -> dict[str, Any]:
    # Before tomllib sees it: a rough count of values, commas and such outside of strings
    bare = STRINGS_AND_COMMENTS.sub("x", text)
    if sum(map(bare.count, ",=[")) > MOST_VALUES:
        raise SpecError(
            f"{what} is too long", allowed=f"{MOST_VALUES:,} values", advice="split the sweep into several batches"
        )
    # the time that tomllib takes over one key is quadratic in the number of its dots
    if any(part.count(".") > _MOST_DOTS for part in re.split(r"[,=\n{}\[\]]", bare)):
        raise SpecError(f"{what} is nested too deep", given="a key with many dots", allowed=f"{DEEPEST} levels")
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise SpecError(f"{what} is nested too deep", allowed=f"{DEEPEST} levels") from None
    except ValueError as reason:
        raise SpecError(f"{what} is not TOML", given=str(reason)[:500]) from None


def _structure(plain: dict[str, Any], collector: Collector) -> dict[str, Any]:
    """The tables that are there and sound; what is not is said."""
    tables: dict[str, Any] = {}
    for key, value in plain.items():
        if collector.full:
            break
        problem = unknown(key, TABLES, "table")
        if problem:
            hint = of_sweep(key)
            collector.add((key,), f"must be in a table; {hint}" if hint else problem)
        elif key == "task":
            if isinstance(value, tuple) and all(isinstance(entry, dict) for entry in value):
                tables[key] = value
            else:
                collector.add((key,), "tasks must be written as [[task]], one table each")
        elif not isinstance(value, dict):
            collector.add((key,), f"must be a table; got: {shown(value)}")
        elif key == "landscape":
            tables[key] = {"options": {k: item for k, item in value.items() if k != "source"}}
            if isinstance(value.get("source", ""), str):
                tables[key]["source"] = value.get("source")
            else:
                collector.add((key, "source"), f"must be text; got: {shown(value['source'])}")
        else:
            tables[key] = value
    return tables


@checked_call()
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
    heatpg.batch.problems.SpecError: the specification has 1 problem:
      landscape.sise: unknown option of the landscape 'double_pendulum'; did you mean 'size'?; ...
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
        lines = line_numbers(text)
        folder = path.absolute().parent
    else:
        raise SpecError("a specification must be the path of a file, or a mapping", given=shown(source))
    # What is found at one step does not end the others: everything that is wrong is told at once.
    collector = Collector(what, lines)
    plain = Plain(collector)(content)
    tables = _structure(plain, collector) if isinstance(plain, dict) else {}
    for key, model in MODELS.items():
        if key[0] in tables:
            if key[0] == "draws" and not tables["draws"]:
                collector.add(key, "the table is empty: write error = 0.05, or count = 128")
            tables[str(key[0])], found = sound(model, tables[str(key[0])], key)
            for place, message in found:
                collector.add(place, message)
    spec = Spec.model_validate(tables)
    spec._folder, spec._what, spec._lines = folder, what, lines
    spec._check(collector)
    collector.raise_if_any()
    return spec
