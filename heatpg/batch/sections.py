"""The sections of a specification: what can stand in each, and the same with every default written out.

A section is first taken apart by its model, which knows keys and kinds, and then held against what is registered:
landscapes, solvers, boundaries, and their options.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import GenericAlias
from typing import Annotated, Any, TypeVar, Union

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    PlainValidator,
    ValidationError,
    WithJsonSchema,
    create_model,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError

from heatpg.batch.files import MINIMISE, in_file, is_file, minimise_problem
from heatpg.batch.names import code_problem, is_named, options_of_task, origin_of
from heatpg.batch.problems import MOST_PROBLEMS, Found, Keys, unknown
from heatpg.boundaries import boundaries
from heatpg.core.noise import geometric_levels
from heatpg.errors import HeatpgError, in_one_line
from heatpg.landscapes import landscapes
from heatpg.landscapes.named import family_of
from heatpg.planes import Draws
from heatpg.planes.lattices import BOUNDARIES as BEYOND
from heatpg.solvers import make, solvers
from heatpg.solvers.choice import PREFERENCES
from heatpg.tools.endings import MEANT, SOURCES, environment_id
from heatpg.tools.options import defaults, fitting, kinds, nearest, parameter_notes, settable, shown
from heatpg.verify import LEVELS

__all__ = [
    "COMPRESSIONS",
    "MODELS",
    "MODES",
    "MOST_AXES",
    "MOST_LEVELS",
    "RESOLVERS",
    "SECTIONS",
    "TABLES",
    "TOLERANCES",
    "BatchSection",
    "DrawsSection",
    "EvolveSection",
    "Known",
    "LandscapeSection",
    "Levels",
    "Section",
    "StorageSection",
    "SweepSection",
    "canonical",
    "fragments",
    "of_sweep",
    "option_problem",
    "options_model",
    "sigma_problem",
    "sound",
]

MOST_LEVELS = 10_000  # of sigma, in one task; taste: a file holds a field for each of them
MOST_AXES = 32  # as many dimensions as an array of HDF5 can have
SECTIONS = ("landscape", "evolve", "draws", "storage")  # those that decide what a task is
MODES = ("full", "compact")
COMPRESSIONS = ("none", *(f"gzip:{level}" for level in range(1, 10)))
_COMPACT_TOLERANCE = 1e-10  # taste: far below the error of any solver but the exact ones
# Bound below: rounding of double precision, in units of osc(Q). Above: taste, what is coarser shows in a figure.
TOLERANCES = (1e-14, 1e-3)

Kind = TypeVar("Kind", bound=BaseModel)


# Noise levels. They are read by a function of ours: to pydantic's union of a number, a list and two kinds of tables a
# fault would be one of all four, and its message would list four reasons.


def _refusal(text: str) -> PydanticCustomError:
    return PydanticCustomError("heatpg", "{text}", {"text": text})


def _a_number(value: object) -> float:
    try:
        number = fitting("sigma", value, "float")
    except HeatpgError:
        raise _refusal(f"{shown(value)} is not a finite number") from None
    if number < 0:
        raise _refusal(f"sigma must not be negative; got: {shown(value)}")
    return float(number)


def _numbers(value: Any) -> tuple[float, ...]:
    """Noise levels from a number, a list, or a table of first, last and count."""
    if isinstance(value, Mapping):
        missing = [key for key in ("first", "last", "count") if key not in value]
        if missing or len(value) != 3 or not isinstance(value["count"], int):
            raise _refusal("noise levels must have the form {first = 0.1, last = 10.0, count = 32}")
        try:
            levels = geometric_levels(_a_number(value["first"]), _a_number(value["last"]), value["count"])
        except HeatpgError as reason:
            raise _refusal(reason.one_line) from None
        return tuple(levels)
    if not isinstance(value, list | tuple):
        return (_a_number(value),)
    if not value:
        raise _refusal("the list of noise levels is empty")
    return tuple(map(_a_number, value))


def _levels(value: Any) -> Any:
    """Sigma in one form: ascending, and for axes of their own of one length."""
    if value is None:
        return None
    rows: list[tuple[float, ...]]
    if isinstance(value, Mapping) and not set(value) & {"first", "last", "count"}:
        if not value:
            raise _refusal("the table of noise levels is empty")
        if len(value) > MOST_AXES:
            raise _refusal(f"{len(value)} axes; at most {MOST_AXES} are allowed")
        names = sorted(value)
        columns = [_numbers(value[name]) for name in names]
        longest = max(map(len, columns))
        if any(len(column) not in (1, longest) for column in columns):
            lengths = ", ".join(f"{name} has {len(column)}" for name, column in zip(names, columns, strict=True))
            raise _refusal(f"every axis needs one noise level, or as many as the others: {lengths}")
        # every axis has a value at every level; the levels are in the order of the total variance, ties by value
        full = (column * longest if len(column) == 1 else column for column in columns)
        rows = sorted(zip(*full, strict=True), key=lambda row: (sum(x * x for x in row), row))
    else:
        names = []
        rows = [(number,) for number in sorted(_numbers(value))]
    if len(rows) > MOST_LEVELS:
        raise _refusal(f"{len(rows):,} noise levels; at most {MOST_LEVELS:,} are allowed")
    twice = next((row for row, count in _counted(rows) if count > 1), None)
    if twice is not None:
        raise _refusal(f"the sigma {', '.join(f'{x:g}' for x in twice)} is repeated")
    if not names:
        return tuple(row[0] for row in rows)
    return {name: tuple(row[i] for row in rows) for i, name in enumerate(names)}


def sigma_problem(value: Any) -> str:
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


class Section(BaseModel):
    """A table of a specification: no other keys, nothing converted, nothing changed afterwards."""

    # strict, because TOML has kinds of its own: what is written "1" is a word, and 1.0 is no whole number
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


@dataclasses.dataclass(frozen=True)
class Known:
    """That a word is one of those that are known.

    It is not held against them when a section is read but when it is resolved, because a sweep may replace it before.
    """

    what: str
    words: Callable[[], Mapping[str, str]]  # each with what it means

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        words = self.words()
        meanings = "\n".join(f"{word}: {meaning}" for word, meaning in words.items() if meaning)
        return {"enum": list(words)} | ({"description": meanings} if meanings else {})


def _among(what: str, words: Iterable[str]) -> Known:
    meanings = dict.fromkeys(words, "")
    return Known(what, lambda: meanings)


def _boundaries() -> dict[str, str]:
    return {name: boundaries.get(name).meaning for name in boundaries.names()}


def _solvers() -> dict[str, str]:
    names = {name: solvers.get(name).summary for name in solvers.names()}
    return {"auto": "chosen by noise, grid and boundary conditions", **names}


def _none(value: Any) -> Any:
    """None for the word, because TOML has no other."""
    return None if isinstance(value, str) and value.lower() == "none" else value


# What values look like, for the schema: what they are is decided by the functions that read them.
_NoneWord = Annotated[str, Field(pattern="^[Nn][Oo][Nn][Ee]$", description='"none": not set')]
_WORDS: dict[str, Any] = {
    "bool": bool,
    "int": Annotated[int, Field(ge=-(2**63), le=2**63 - 1)],
    "float": float,
    "str": Annotated[str, Field(max_length=1000)],
    "None": _NoneWord,
}
_Level = Annotated[float, Field(ge=0)]
_Several = Annotated[list[_Level], Field(min_length=1, max_length=MOST_LEVELS, json_schema_extra={"uniqueItems": True})]


class Levels(Section):
    """Levels evenly spaced in the logarithm."""

    first: Annotated[float, Field(gt=0, description="The smallest.")]
    last: Annotated[float, Field(gt=0, description="The largest.")]
    count: Annotated[int, Field(ge=2, le=MOST_LEVELS, description="How many.")]


_AxisName = Annotated[str, WithJsonSchema({"type": "string", "not": {"enum": list(Levels.model_fields)}})]
_ByAxis = Annotated[
    dict[_AxisName, _Level | _Several | Levels],
    Field(min_length=1, max_length=MOST_AXES, description="Noise levels per axis, by name."),
]
_Sigma = Annotated[Any, BeforeValidator(_levels, json_schema_input_type=_Level | _Several | Levels | _ByAxis)]
_Tolerance = Annotated[
    float | None,
    BeforeValidator(
        _none, json_schema_input_type=Annotated[float, Field(ge=TOLERANCES[0], le=TOLERANCES[1])] | _NoneWord
    ),
]
_Boundary = Annotated[str, Known("boundary", _boundaries)]


class BatchSection(Section):
    """What the batch is called."""

    name: Annotated[str, Field(max_length=200)] = ""


class LandscapeSection(Section):
    """The landscape: a registered one, an environment of Gymnasium, or a file; and its options."""

    source: str | None = None
    options: dict[str, Any] = {}


class EvolveSection(Section):
    """The noise levels, the solver and the checks."""

    sigma: Annotated[
        _Sigma,
        Field(
            description="Noise levels, in the units of the axes: a number, a list, "
            "{first = 0.1, last = 3.0, count = 8}, or a table of these by axis."
        ),
    ] = None
    solver: Annotated[str, Known("solver", _solvers)] = "auto"
    solver_options: Annotated[dict[str, Any], Field(description="Options of the solver.")] = {}
    tolerance: Annotated[
        _Tolerance, Field(description="For auto: acceptable error relative to osc(Q), 1e-14 to 1e-3.")
    ] = None
    prefer: Annotated[
        str, _among("preference", PREFERENCES), Field(description=f"For auto. Default: {PREFERENCES[0]}.")
    ] = PREFERENCES[0]
    checks: Annotated[
        str, _among("value of checks", LEVELS), Field(description="Depth of the checks. Default: standard.")
    ] = "standard"


class DrawsSection(Section):
    """Noise in all components of a slice, which is drawn: see `heatpg.planes.Draws`."""

    error: Annotated[
        float | None,
        Field(gt=0, le=0.5, description="Largest standard error of u, in units of osc(Q). Default: 0.01."),
    ] = None
    count: Annotated[int | None, Field(ge=8, description="Number of draws, instead of an error.")] = None
    budget: Annotated[
        int | None, Field(gt=0, description="Evaluations of Q that a task may spend. Default: 2,000,000.")
    ] = None
    seed: Annotated[int, Field(ge=0, description="Of the noise. Default: 0.")] = 0
    points: Annotated[str | None, Field(description="random, or sobol. Default: what a pilot shows to be better.")] = (
        None
    )
    antithetic: Annotated[bool | None, Field(description="Pairs. Default: where a pilot shows that they help.")] = None
    beyond: Annotated[
        str, Field(description="Rule beyond the box; sampled asks Q there. Default: the boundary conditions.")
    ] = ""


class StorageSection(Section):
    """How the result of a task is stored."""

    mode: Annotated[
        str,
        _among("mode of storage", MODES),
        Field(description="compact: each noise level on the coarsest sufficient grid. Default: full."),
    ] = MODES[0]
    tolerance: Annotated[
        _Tolerance,
        Field(description="Largest error of compact storage, in units of osc(Q), 1e-14 to 1e-3. Default: 1e-10."),
    ] = None
    compression: Annotated[
        str,
        _among("compression", COMPRESSIONS),
        Field(description="Default: none."),
    ] = "none"


class SweepSection(Section):
    """What is varied: in all combinations (product), or together (zip)."""

    product: dict[str, Any] = {}
    zip: dict[str, Any] = {}


# The landscape is not among them: what its keys are depends on its source, which a sweep may change.
MODELS: dict[Keys, type[BaseModel]] = {
    ("batch",): BatchSection,
    ("evolve",): EvolveSection,
    ("draws",): DrawsSection,
    ("storage",): StorageSection,
    ("sweep",): SweepSection,
}
TABLES = ("batch", *SECTIONS, "sweep", "task")


def _word_of(error: Mapping[str, Any]) -> str:
    """A message of pydantic in the words of the house."""
    if error["type"] == "heatpg":
        return str(error["msg"])
    if error["type"] == "tuple_type":
        return f"must be a list; got: {shown(error['input'])}"
    if error["type"] in ("dict_type", "model_type", "model_attributes_type"):
        return f"must be a table; got: {shown(error['input'])}"
    message = str(error["msg"]).replace("Input should be", "must be").replace("String should have", "must have")
    return f"{message}; got: {shown(error['input'])}"


def of_sweep(key: str) -> str:
    """What to do about a key such as "landscape.horizon" outside a sweep; empty for others."""
    if key.partition(".")[0] not in SECTIONS or "." not in key:
        return ""
    return f'to vary it, write "{key}" under [sweep.product], [sweep.zip] or [[task]]'


def sound(model: type[Kind], given: Mapping[str, Any], prefix: Keys, what: str = "key") -> tuple[Kind, Found]:
    """A section of what is sound in it, and what is not."""
    known = [field.alias or name for name, field in model.model_fields.items()]
    found: Found = []
    for key in itertools.islice((key for key in given if key not in known), MOST_PROBLEMS + 1):
        words = [f"unknown {what}", of_sweep(key) or nearest(key, known), f"expected: {', '.join(known) or 'none'}"]
        if key == "draws":
            words.append("noise in all components is set by a table of its own: [draws], with error = 0.05")
        found.append(((*prefix, key), "; ".join(filter(None, words))))
    # A key that is not known is told here, so that pydantic needs not and the nearest names can be said. What is bad is
    # left out at a second reading: the rest of the section is still checked.
    sound = {key: given[key] for key in known if key in given}
    try:
        return model.model_validate(sound), found
    except ValidationError as reason:
        errors = reason.errors(include_url=False)
    found += [((*prefix, *error["loc"]), _word_of(error)) for error in errors]
    bad = {error["loc"][0] for error in errors}
    return model.model_validate({key: sound[key] for key in sound if key not in bad}), found


def _unknown_words(section: Section) -> Found:
    """The words of a section that are not known."""
    found: Found = []
    for name, field in type(section).model_fields.items():
        for known in field.metadata:
            if isinstance(known, Known):
                problem = unknown(getattr(section, name), list(known.words()), known.what)
                found += [((name,), problem)] if problem else []
    return found


def _looks(annotation: str) -> Any:
    """The type that an annotation stands for, as `fitting` reads it: one number for a list of one."""
    found: list[Any] = []
    for kind in kinds(annotation):
        inner = kind.removeprefix("tuple[").removesuffix(", ...]")
        one: Any = _WORDS.get(inner, Any)
        found += [one] if inner == kind else [one, GenericAlias(list, (one,))]
    return Union[tuple(found)]  # noqa: UP007 - of a length that is not known here


def _option(key: str, annotation: str, table: str, value: object) -> Any:
    """The value of an option of this table as its annotation wants it."""
    try:
        fitted = fitting(key, value, annotation)
    except HeatpgError as reason:
        # a list where one value is wanted may be meant as the values of a sweep
        hint = f"; {of_sweep(f'{table}.{key}')}" if isinstance(value, list | tuple) else ""
        raise _refusal(f"{reason.one_line}{hint}") from None
    problem = unknown(fitted, boundaries.names(), "boundary") if key == "boundary" else ""
    if problem:
        raise _refusal(problem)
    return fitted


@functools.lru_cache(maxsize=256)
def options_model(kind: str, name: str) -> type[Section]:
    """The options of a landscape or a solver: kinds and defaults are those of its signature, words of its docstring.

    A plug-in may call an option ``copy`` or ``model_config``, which mean something to pydantic. So fields go by
    numbers, and an option is the alias of its field.
    """
    entry = family_of(name) if kind == "landscape" else solvers.get(name)
    table = "landscape" if kind == "landscape" else "evolve.solver_options"
    # values are read by `fitting` as everywhere in heatpg: one number stands for a list of one, and none for None
    notes, usual = parameter_notes(entry), defaults(entry)
    known = options_of_task(name, entry) if kind == "landscape" else settable(entry)
    fields: dict[str, Any] = {}
    for number, (key, annotation) in enumerate(known.items()):
        looks = _Boundary if key == "boundary" else _looks(annotation)
        reader = PlainValidator(functools.partial(_option, key, annotation, table), json_schema_input_type=looks)
        words = "none" if usual[key] is None else json.dumps(usual[key])
        field = Field(
            fitting(key, usual[key], annotation),
            alias=key,
            description=f"{notes.get(key, '')} Default: {words}.".strip(),
        )
        fields[f"option_{number}"] = Annotated[Any, reader], field
    return create_model(name, __base__=Section, **fields)


def _options(kind: str, name: str, given: Mapping[str, Any], prefix: Keys = ()) -> tuple[dict[str, Any], Found]:
    """The options with their defaults, and what is wrong with those that were given."""
    # a default stands in for what is bad or missing, so the table is whole whatever was given
    model = options_model(kind, name)
    options, found = sound(model, given, prefix, f"option of the {kind} {name!r}")
    return {str(field.alias): getattr(options, key) for key, field in model.model_fields.items()}, found


def option_problem(kind: str, name: str, key: str, value: object) -> str:
    """What is wrong with one option; empty if nothing is."""
    if kind == "landscape" and key == MINIMISE and key not in settable(family_of(name)):
        return minimise_problem(value)
    _, found = _options(kind, name, {key: value})
    return found[0][1] if found else ""


def _landscape(given: Mapping[str, Any], folder: Path) -> tuple[dict[str, Any] | None, Found]:
    """The section ``landscape`` with everything written out, and what is wrong with it."""
    options = {key: value for key, value in given.items() if key != "source"}
    source = given.get("source")
    if source is None:
        words = "missing: the name of a landscape or of an environment, or a file; see heatpg list landscapes"
        return None, [(("source",), words)]
    if not isinstance(source, str):
        return None, [(("source",), f"must be text; got: {shown(source)}")]
    if is_file(source):
        return in_file(source, options, folder)
    problem = code_problem(source)
    if problem:
        return None, [(("source",), problem)]
    problem = "" if is_named(source) else unknown(source, landscapes.names(), "landscape")
    if problem:
        return None, [(("source",), f"{problem}; for {MEANT}: {', '.join(SOURCES)}")]
    # which way is better is said of a landscape, not to the family, unless that has an option of the name
    own = MINIMISE in settable(family_of(source))
    said = [options.pop(MINIMISE)] if MINIMISE in options and not own else []
    wrong: Found = [((MINIMISE,), problem) for problem in map(minimise_problem, said) if problem]
    # what is said of where it is from comes first, and of one key one thing is told
    origin, strange = origin_of(source, options)
    wrong += strange
    full, found = _options("landscape", source, options)
    resolved: dict[str, Any] = {"source": environment_id(source), "options": full}
    # left out where it is not true: tasks of returns are what they were before there was a choice
    if said == [True]:
        resolved[MINIMISE] = True
    return resolved | origin, wrong + found


def _solver(section: EvolveSection, known: bool) -> tuple[dict[str, Any], Found]:
    """The solver with all of its options, and what is wrong with it."""
    name, given = section.solver, section.solver_options
    result: dict[str, Any] = {
        "name": name,
        "options": dict(given),
        "tolerance": section.tolerance,
        "prefer": section.prefer,
    }
    found = _out_of_range(section.tolerance)
    if not known:  # no options to hold the given ones against
        return result, found
    if name == "auto":
        if given:
            found.append((("solver_options",), "solver options need a solver: add solver = "))
        return result, found
    for key, value, usual in (
        ("tolerance", section.tolerance, None),
        ("prefer", section.prefer, PREFERENCES[0]),
    ):
        if value != usual:
            found.append(((key,), f'applies only to solver = "auto"; for {name!r} use solver_options'))
    result["options"], wrong = _options("solver", name, given, ("solver_options",))
    # options that are fine one by one may not fit together: only the solver itself knows
    if not wrong:
        try:
            make(name, **result["options"])
        except (HeatpgError, ArithmeticError, TypeError, ValueError) as reason:
            wrong.append((("solver_options",), in_one_line(reason)))
    return result, found + wrong


def _out_of_range(tolerance: float | None) -> Found:
    if tolerance is None or TOLERANCES[0] <= tolerance <= TOLERANCES[1]:
        return []
    return [(("tolerance",), f"out of range; got: {tolerance:g}; expected: 1e-14 to 1e-3")]


def _evolve(given: Mapping[str, Any], folder: Path) -> tuple[dict[str, Any] | None, Found]:
    """The section ``evolve`` with everything written out, and what is wrong with it."""
    section, found = sound(EvolveSection, given, ())
    words = _unknown_words(section)
    solver, wrong = _solver(section, ("solver",) not in dict(words))
    found += words + wrong
    if section.sigma is None:
        found.append(
            (("sigma",), "missing: the noise levels, such as [0.1, 0.3] or {first = 0.1, last = 3.0, count = 8}")
        )
    return {"checks": section.checks, "sigma": section.sigma, "solver": solver}, found


def _storage(given: Mapping[str, Any], folder: Path) -> tuple[dict[str, Any] | None, Found]:
    """The section ``storage`` with everything written out, and what is wrong with it."""
    section, found = sound(StorageSection, given, ())
    found += _unknown_words(section)
    # written out where it counts, and None where it does not: two ways to write one thing are one task
    tolerance = section.tolerance
    if section.mode == "compact":
        tolerance = _COMPACT_TOLERANCE if tolerance is None else tolerance
        found += _out_of_range(tolerance)
    elif tolerance is not None:
        found.append((("tolerance",), 'applies only to mode = "compact"'))
    return {"mode": section.mode, "tolerance": tolerance, "compression": section.compression}, found


def _draws(given: Mapping[str, Any], folder: Path) -> tuple[dict[str, Any] | None, Found]:
    """The section ``draws`` with everything written out, and what is wrong with it; empty where it is not there."""
    if not given:
        return {}, []
    section, found = sound(DrawsSection, given, ())
    wanted = {key: value for key, value in section.model_dump().items() if value is not None}
    beyond = wanted.pop("beyond")
    if beyond and beyond not in BEYOND:
        found.append((("beyond",), unknown(beyond, list(BEYOND), "rule beyond the box")))
    try:
        draws = Draws(**wanted)
    except HeatpgError as reason:
        return None, [*found, ((), in_one_line(reason))]
    full = {key: getattr(draws, key) for key in DrawsSection.model_fields if key != "beyond"}
    return full | {"beyond": beyond}, found


RESOLVERS = {"landscape": _landscape, "evolve": _evolve, "draws": _draws, "storage": _storage}


def canonical(value: object) -> str:
    """The one way to write a value as JSON; identities of tasks are digests of it, so it never changes."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def fragments(section: str, resolved: Mapping[str, Any]) -> dict[str, str]:
    """The parts of the canonical form that a section gives; where a file lies is not among them."""
    # Sigma, solver and checks are parts of their own: a sweep over sigma leaves the text of the solver as it is. The
    # place of a file is left out, because the identity goes by its content.
    if section == "evolve":
        return {key: canonical(value) for key, value in resolved.items()}
    # a task without draws is what it was before there were any
    if section == "draws" and not resolved:
        return {}
    return {section: canonical({key: value for key, value in resolved.items() if key != "file"})}
