"""heatpg schema: what can stand in the specification of a batch, for editors, as JSON Schema (draft 2020-12).

A file that begins with ``#:schema ./heatpg.schema.json`` is completed and looked over while it is written, by editors
that know Taplo (Even Better TOML). What a schema can say is said: tables, keys, types, ranges, the names that are
registered when it is written, and the options of each. What it cannot say, such as whether a file is there or whether a
combination of a sweep is possible, ``heatpg batch run --dry-run`` finds.

Taplo completes from ``properties`` and ``anyOf`` and does not know every keyword of this draft; so all keys stand in
``properties``, and the conditions below them only narrow.
"""

from __future__ import annotations

import argparse
import inspect
import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from heatpg.cli.files import output
from heatpg.cli.parser import Commands
from heatpg.cli.talk import OK, emit, loadable, say
from heatpg.errors import UnsupportedError
from heatpg.version import __version__

__all__ = ["DIALECT", "add", "parameter_notes", "schema"]

Node = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"

_WORDS: dict[str, Node] = {
    "bool": {"type": "boolean"},
    "int": {"type": "integer", "minimum": -(2**63), "maximum": 2**63 - 1},
    "float": {"type": "number"},
    "str": {"type": "string", "maxLength": 1000},
    "None": {"type": "string", "pattern": "^[Nn][Oo][Nn][Ee]$", "description": '"none": not set'},
}
_PARTS = re.compile(r"^(\w+(?:, \w+)*)(?: : .*)?$")


# Descriptions ------------------------------------------------------------------------------------------------------


def _sentence(text: str, longest: int = 400) -> str:
    words = " ".join(text.replace("``", "").replace("`", "").split())
    return words if len(words) <= longest else f"{words[: longest - 1]}…"


def parameter_notes(thing: Callable[..., Any]) -> dict[str, str]:
    """What a docstring in the style of NumPy says of each parameter, or attribute.

    Examples
    --------
    >>> from heatpg.cli.schema import parameter_notes
    >>> from heatpg.core.report import Check
    >>> parameter_notes(Check)["bound"]
    'What the figure may be at most.'
    """
    notes: dict[str, str] = {}
    lines = (inspect.getdoc(thing) or "").splitlines()
    names: list[str] = []
    inside = False
    for number, line in enumerate(lines):
        below = lines[number + 1] if number + 1 < len(lines) else ""
        if below and set(below) == {"-"}:
            inside, names = line in ("Parameters", "Attributes"), []
        elif not inside or (line and set(line) == {"-"}):
            continue
        elif line.startswith(" ") and names:
            for name in names:
                notes[name] = f"{notes[name]} {line.strip()}".strip()
        elif found := _PARTS.match(line):
            names = found[1].split(", ")
            notes |= dict.fromkeys(names, "")
    return {name: _sentence(text) for name, text in notes.items() if text}


def _summary(thing: object) -> str:
    return _sentence((inspect.getdoc(thing) or "").split("\n\n")[0])


# Values ------------------------------------------------------------------------------------------------------------


def _any_of(nodes: Iterable[Node]) -> Node:
    """One of several, each once."""
    kept = list({json.dumps(node, sort_keys=True): node for node in nodes}.values())
    return kept[0] if len(kept) == 1 else {"anyOf": kept}


def _annotated(annotation: str) -> Node:
    """What fits an annotation, as `heatpg.tools.options.fitting` takes it: one number stands for a list of one."""
    from heatpg.tools.options import kinds

    nodes: list[Node] = []
    for kind in kinds(annotation):
        inner = kind.removeprefix("tuple[").removesuffix(", ...]")
        nodes.append(dict(_WORDS.get(inner, {})))
        if inner != kind:
            nodes.append({"type": "array", "items": dict(_WORDS.get(inner, {}))})
    return _any_of(nodes)


def _option(key: str, annotation: str, usual: object, note: str, boundaries: Node) -> Node:
    node = dict(boundaries) if key == "boundary" else _annotated(annotation)
    words = "none" if usual is None else json.dumps(list(usual) if isinstance(usual, tuple) else usual)
    return {**node, "description": f"{note} Default: {words}.".strip()}


def _options(thing: Callable[..., Any], boundaries: Node) -> dict[str, Node]:
    """The options of a landscape or a solver."""
    from heatpg.tools.options import defaults, settable

    notes, usual = parameter_notes(thing), defaults(thing)
    return {
        key: _option(key, annotation, usual[key], notes.get(key, ""), boundaries)
        for key, annotation in settable(thing).items()
    }


def _names(entries: Mapping[str, str]) -> Node:
    """One of several names, each with what it means."""
    return {"enum": list(entries), "description": "\n".join(f"{name}: {words}" for name, words in entries.items())}


def _sigma(most: int, most_axes: int) -> Node:
    level = {"type": "number", "minimum": 0}
    levels = {
        "type": "object",
        "properties": {
            "first": {"type": "number", "exclusiveMinimum": 0, "description": "The smallest."},
            "last": {"type": "number", "exclusiveMinimum": 0, "description": "The largest."},
            "count": {"type": "integer", "minimum": 2, "maximum": most, "description": "How many."},
        },
        "required": ["first", "last", "count"],
        "additionalProperties": False,
        "description": "Levels evenly spaced in the logarithm.",
    }
    several = {"type": "array", "items": level, "minItems": 1, "maxItems": most, "uniqueItems": True}
    one = {"anyOf": [level, several, levels]}
    by_axis = {
        "type": "object",
        "propertyNames": {"not": {"enum": ["first", "last", "count"]}},
        "additionalProperties": one,
        "minProperties": 1,
        "maxProperties": most_axes,
        "description": "Levels of their own for each axis, by its name.",
    }
    return {
        "anyOf": [*one["anyOf"], by_axis],
        "description": "Noise levels, in the units of the axes: a number, a list, {first = 0.1, last = 3.0, "
        "count = 8}, or a table of these by axis.",
    }


def _range(lower: float, upper: float, note: str) -> Node:
    number = {"type": "number", "minimum": lower, "maximum": upper}
    return {"anyOf": [number, dict(_WORDS["None"])], "description": note}


# The document ------------------------------------------------------------------------------------------------------


def _table(properties: Mapping[str, Node], note: str, **more: Any) -> Node:
    return {
        "type": "object",
        "properties": dict(properties),
        "additionalProperties": False,
        "description": note,
        **more,
    }


def _when(condition: Node, narrower: Node) -> Node:
    return {"if": condition, "then": narrower}


def _has(*path: str, value: Node | None = None) -> Node:
    """That there is a key at a place of nested tables, of this kind."""
    node: Node = {} if value is None else value
    for key in reversed(path):
        node = {"type": "object", "properties": {key: node}, "required": [key]}
    return node


def _varied(section: str, key: str) -> Node:
    """That a sweep changes a key, however it is written."""
    tables = {"anyOf": [_has(f"{section}.{key}"), _has(section, key)]}
    return {
        "anyOf": [
            _has("sweep", "product", value=tables),
            _has("sweep", "zip", value=tables),
            _has("task", value={"type": "array", "contains": tables}),
        ]
    }


def _fixed(section: str, key: str, value: Node) -> Node:
    """That a key has this value in every task."""
    return {"allOf": [_has(section, key, value=value), {"not": {"$ref": f"#/$defs/{key} is varied"}}]}


def _swept(sections: Mapping[str, Mapping[str, Node]], values: Callable[[Node], Node]) -> dict[str, Node]:
    """The keys that can be varied, written with dots or as tables."""
    properties: dict[str, Node] = {}
    for section, keys in sections.items():
        inner = {key: values(node) for key, node in keys.items()}
        properties |= {f"{section}.{key}": node for key, node in inner.items()}
        nested = {key: node for key, node in inner.items() if "." not in key}
        for key, node in inner.items():
            if "." in key:
                table, option = key.split(".")
                properties[f"{section}.{table}"] = _either(properties.get(f"{section}.{table}"), option, node)
                nested[table] = _either(nested.get(table), option, node)
        properties[section] = _table(nested, f"Keys of {section} that are varied.")
    return properties


def _either(node: Node | None, key: str, value: Node) -> Node:
    """A value as it was, or a table of these keys."""
    known = node or {"anyOf": []}
    alternatives = list(known.get("anyOf", [known]))
    tables = [each for each in alternatives if each.get("type") == "object" and each.get("title") == "by key"]
    table = tables[0] if tables else {**_table({}, "One list for each key."), "title": "by key"}
    others = [each for each in alternatives if each is not table]
    joined = {**table, "properties": {**table["properties"], key: value}}
    return {"anyOf": [*others, joined]}


def _landscape_options(names: Mapping[str, dict[str, Node]]) -> dict[str, Node]:
    """The options of all landscapes, or solvers: a key means what any of them means by it."""
    found: dict[str, list[Node]] = {}
    owners: dict[str, list[str]] = {}
    for name, options in names.items():
        for key, node in options.items():
            found.setdefault(key, []).append({k: v for k, v in node.items() if k != "description"})
            owners.setdefault(key, []).append(name)
    return {
        key: {**_any_of(nodes), "description": f"Option of {', '.join(owners[key])}."} for key, nodes in found.items()
    }


def schema() -> dict[str, Any]:
    """The schema of a specification, of the landscapes, solvers and boundaries that are registered now.

    Returns
    -------
    schema
        JSON Schema, draft 2020-12, as JSON-like values. Whatever `heatpg.batch.read_spec` takes it takes.

    Examples
    --------
    >>> from heatpg.cli.schema import schema
    >>> sorted(schema()["properties"])
    ['batch', 'evolve', 'landscape', 'storage', 'sweep', 'task']
    """
    from heatpg.batch.sections import COMPRESSIONS, ENDINGS, MODES, MOST_AXES, MOST_LEVELS, TOLERANCES
    from heatpg.boundaries import boundaries
    from heatpg.landscapes import landscapes
    from heatpg.solvers import solvers
    from heatpg.solvers.choice import PREFERENCES
    from heatpg.verify import LEVELS

    policies = _names({name: boundaries.get(name).meaning for name in boundaries.names()})
    usable = loadable(landscapes)
    families = {name: _options(entry, policies) for name, entry in usable.items()}
    schemes = {name: _options(solvers.get(name), policies) for name in solvers.names()}
    titles = {name: _summary(entry) for name, entry in usable.items()}
    summaries = {
        "auto": "one that fits the noise, the grid and the boundaries",
        **{name: solvers.get(name).summary for name in solvers.names()},
    }
    low, high = TOLERANCES
    endings = "|".join(ending[1:] for ending in ENDINGS)
    file = {
        "type": "string",
        "pattern": rf"\.({endings})$",
        "description": "A file, relative to the folder of the specification.",
    }
    source = {
        "anyOf": [_names(titles), file],
        "description": "A registered landscape (heatpg list landscapes), or a file .h5, .npy or .npz.",
    }
    solver_options = _landscape_options(schemes)
    sections: dict[str, dict[str, Node]] = {
        "landscape": {"source": source, **_landscape_options(families)},
        "evolve": {
            "sigma": {"$ref": "#/$defs/sigma"},
            "solver": _names(summaries),
            "solver_options": _table(solver_options, "Options of the solver."),
            "tolerance": _range(low, high, "For auto: the error that is good enough, 1e-14 to 1e-3."),
            "prefer": {"enum": list(PREFERENCES), "description": f"For auto. Default: {PREFERENCES[0]}."},
            "checks": {"enum": list(LEVELS), "description": "How much is checked. Default: standard."},
        },
        "storage": {
            "mode": {
                "enum": list(MODES),
                "description": "compact: each sigma on the coarsest grid that holds it. Default: full.",
            },
            "tolerance": _range(low, high, "Of compact storage, in osc(Q), 1e-14 to 1e-3. Default: 1e-10."),
            "compression": {"enum": list(COMPRESSIONS), "description": "Default: none."},
        },
    }
    varied = {
        **sections,
        "evolve": {**sections["evolve"], **{f"solver_options.{key}": node for key, node in solver_options.items()}},
    }
    lists = _swept(varied, lambda node: {"type": "array", "items": node, "minItems": 1})
    single = _swept(varied, lambda node: node)
    conditions = [
        _when(
            _fixed("landscape", "source", {"enum": [name]}),
            {
                "properties": {
                    "landscape": {
                        "properties": options,
                        "propertyNames": {"enum": ["source", *options]},
                        "description": titles[name],
                    },
                    "sweep": {"properties": {"product": _only(options), "zip": _only(options)}},
                    "task": {"items": _only(options)},
                }
            },
        )
        for name, options in families.items()
    ]
    conditions += [
        _when(
            _fixed("evolve", "solver", {"enum": [name]}),
            {
                "properties": {
                    "evolve": {
                        "properties": {
                            "solver_options": {"properties": options, "propertyNames": {"enum": list(options)}},
                            "tolerance": dict(_WORDS["None"]),
                            "prefer": {"enum": [PREFERENCES[0]]},
                        }
                    }
                }
            },
        )
        for name, options in schemes.items()
    ]
    # an array does not say what lies beyond its edges, and a file of heatpg does
    for pattern, known in ((r"\.(npy|npz)$", ("boundary",)), (r"\.h5$", ())):
        conditions.append(
            _when(
                _fixed("landscape", "source", {"pattern": pattern}),
                {
                    "properties": {
                        "landscape": {"propertyNames": {"enum": ["source", *known]}},
                        "sweep": {"properties": {"product": _only(known), "zip": _only(known)}},
                        "task": {"items": _only(known)},
                    }
                },
            )
        )
    compact = {"$ref": "#/$defs/mode is varied"}
    conditions += [
        _when(
            {"not": {"anyOf": [_has("evolve", "solver"), {"$ref": "#/$defs/solver is varied"}]}},
            {"properties": {"evolve": {"properties": {"solver_options": {"maxProperties": 0}}}}},
        ),
        _when(
            {"not": {"anyOf": [_has("storage", "mode", value={"enum": ["compact"]}), compact]}},
            {"properties": {"storage": {"properties": {"tolerance": dict(_WORDS["None"])}}}},
        ),
        {"anyOf": [_has("landscape", "source"), {"$ref": "#/$defs/source is varied"}]},
        {"anyOf": [_has("evolve", "sigma"), {"$ref": "#/$defs/sigma is varied"}]},
    ]
    return {
        "$schema": DIALECT,
        "title": f"Specification of a batch of heatpg {__version__}",
        "description": "What heatpg batch run does: one landscape, its noise levels, and what is varied.",
        **_table(
            {
                "batch": _table({"name": {"type": "string", "maxLength": 200}}, "What the batch is called."),
                "landscape": _table(sections["landscape"], "The landscape: its source, and its options."),
                "evolve": _table(sections["evolve"], "The noise levels, the solver and the checks."),
                "storage": _table(sections["storage"], "How the result of a task is stored."),
                "sweep": _table(
                    {
                        "product": _table(lists, "Lists that are combined with all others."),
                        "zip": _table(lists, "Lists of one length that run together."),
                    },
                    'What is varied, as "landscape.gamma" = [0.9, 0.99].',
                ),
                "task": {
                    "type": "array",
                    "items": _table(single, "One explicit change: keys and values."),
                    "description": "Explicit changes, one [[task]] each.",
                },
            },
            "What heatpg batch run does: one landscape, its noise levels, and what is varied.",
        ),
        "allOf": conditions,
        "$defs": {
            "sigma": _sigma(MOST_LEVELS, MOST_AXES),
            "source is varied": _varied("landscape", "source"),
            "sigma is varied": _varied("evolve", "sigma"),
            "solver is varied": _varied("evolve", "solver"),
            "mode is varied": _varied("storage", "mode"),
        },
    }


def _only(options: Iterable[str]) -> Node:
    """Of the keys of the landscape no others than these."""
    known = ["source", *options]
    return {
        "propertyNames": {
            "if": {"pattern": r"^landscape\."},
            "then": {"enum": [f"landscape.{key}" for key in known]},
        },
        "properties": {"landscape": {"propertyNames": {"enum": known}}},
    }


def _schema(arguments: argparse.Namespace) -> int:
    target = None
    if arguments.out:
        if not arguments.out.endswith(".json"):
            raise UnsupportedError("a schema has another ending", given=arguments.out, allowed=".json")
        target = output(arguments.out, force=arguments.force)
    document = schema()
    if target is None:
        say(json.dumps(document, indent=1, ensure_ascii=False))
        return OK

    from heatpg.tools.publishing import publish

    content = json.dumps(document, indent=1, ensure_ascii=False).encode()
    publish(content, target, force=arguments.force)
    if arguments.json:
        emit({"command": "schema", "heatpg_version": __version__, "path": str(target), "bytes": len(content)})
    else:
        if not arguments.quiet:
            say(f"for completion in an editor begin the specification with: #:schema ./{target.name}")
        say(str(target))
    return OK


def add(commands: Commands) -> None:
    """Put the command into the parser."""
    written = commands.add(
        "schema", _schema, "Write the JSON Schema of batch specifications, with which editors complete them."
    )
    written.add_argument("-o", "--out", metavar="F.json", help="the file (default: the standard output)")
    written.add_argument("--force", action="store_true", help="replace an existing file")
