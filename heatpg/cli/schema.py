"""heatpg schema: JSON Schema (draft 2020-12) of batch specifications, for editors.

Editors with Taplo (Even Better TOML) complete and validate a file that begins with ``#:schema ./heatpg.schema.json``.
The schema contains tables, keys, types, ranges, the names registered when it is written, and their options. What it
cannot express, such as whether a file exists or a combination of a sweep is possible, ``heatpg batch run --dry-run``
checks.

Keys and values are described by the models that read them, in `heatpg.batch.sections`. By hand is only what these do
not know: which keys go together, and how a sweep writes them. Taplo completes from ``properties`` and ``anyOf`` and
does not know every keyword of this draft; so all keys stand in ``properties``, and the conditions only narrow.
"""

from __future__ import annotations

import argparse
import inspect
import json
import typing
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from heatpg.cli.files import output
from heatpg.cli.parser import Commands
from heatpg.cli.talk import OK, envelope, loadable, reply, say
from heatpg.errors import OptionError
from heatpg.tools.endings import ENVIRONMENT, OTHERS, SOURCES
from heatpg.tools.publishing import RESULTS
from heatpg.version import __version__

if TYPE_CHECKING:
    from pydantic import BaseModel

__all__ = ["DIALECT", "add", "schema"]

Node = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"

_WHAT_IT_IS = "A batch: one landscape, its noise levels, and the parameters that vary."
_ENVIRONMENT = rf"^([\w.]+:)?{ENVIRONMENT}$"
_NONE: Node = {"type": "string", "pattern": "^[Nn][Oo][Nn][Ee]$"}  # the word for a key that is not set


def _of(model: type[BaseModel]) -> Node:
    """What a model says of its keys and values."""
    from pydantic.json_schema import GenerateJsonSchema

    class Generator(GenerateJsonSchema):
        """Without what an editor would show to no use: fields as titles, and defaults that TOML cannot write."""

        def field_title_should_be_set(self, schema: Any) -> bool:
            return False

        def default_schema(self, schema: Any) -> Node:
            node = super().default_schema(schema)
            return node if node.get("default", "") is not None else {k: v for k, v in node.items() if k != "default"}

    node = model.model_json_schema(schema_generator=Generator)
    del node["title"]
    return node


def _keys(model: type[BaseModel]) -> dict[str, Node]:
    return dict(_of(model)["properties"])


def _summary(thing: object) -> str:
    from heatpg.tools.options import sentence

    return sentence((inspect.getdoc(thing) or "").split("\n\n")[0])


def _any_of(nodes: Iterable[Node]) -> Node:
    """One of several, each once."""
    kept = list({json.dumps(node, sort_keys=True): node for node in nodes}.values())
    return kept[0] if len(kept) == 1 else {"anyOf": kept}


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
    # written "section.key" in one, or as a table within a table
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
    # where a sweep sets another value, a rule for this one would refuse what is right in that task
    return {"allOf": [_has(section, key, value=value), {"not": {"$ref": f"#/$defs/{key} is varied"}}]}


def _swept(sections: Mapping[str, Mapping[str, Node]], values: Callable[[Node], Node]) -> dict[str, Node]:
    """The keys that can be varied, written with dots or as tables."""
    # Every way to write a key is a property, because editors complete from properties: "evolve.solver_options.steps",
    # solver_options.steps within evolve, steps within "evolve.solver_options", and tables within tables.
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
        properties[section] = _table(nested, f"Keys of {section} to vary.")
    return properties


def _either(node: Node | None, key: str, value: Node) -> Node:
    """A value as it was, or a table of these keys."""
    # the table is known by its title, to which the next key is added
    known = node or {"anyOf": []}
    alternatives = list(known.get("anyOf", [known]))
    tables = [each for each in alternatives if each.get("type") == "object" and each.get("title") == "by key"]
    table = tables[0] if tables else {**_table({}, "One list per key."), "title": "by key"}
    others = [each for each in alternatives if each is not table]
    joined = {**table, "properties": {**table["properties"], key: value}}
    return {"anyOf": [*others, joined]}


def _merged(names: Mapping[str, dict[str, Node]]) -> dict[str, Node]:
    """The options of all landscapes, or solvers: a key means what any of them means by it."""
    # Words and defaults differ from owner to owner, so they are left out where kinds are compared; the rules for one
    # landscape bring them back.
    found: dict[str, list[Node]] = {}
    owners: dict[str, list[str]] = {}
    for name, options in names.items():
        for key, node in options.items():
            found.setdefault(key, []).append({k: v for k, v in node.items() if k not in ("description", "default")})
            owners.setdefault(key, []).append(name)
    return {
        key: {**_any_of(nodes), "description": f"Option of {', '.join(owners[key])}."} for key, nodes in found.items()
    }


def _only(options: Iterable[str]) -> Node:
    """Of the keys of the landscape no others than these."""
    # the key with a dot, and the key within the table; other sections are not concerned
    known = ["source", *options]
    return {
        "propertyNames": {
            "if": {"pattern": r"^landscape\."},
            "then": {"enum": [f"landscape.{key}" for key in known]},
        },
        "properties": {"landscape": {"propertyNames": {"enum": known}}},
    }


def _endings(*endings: str) -> str:
    return rf"\.({'|'.join(ending[1:] for ending in endings)})$"


def _file_options() -> dict[str, Node]:
    """What can be said of a landscape in a file."""
    from pydantic import TypeAdapter

    from heatpg.batch.files import FileOptions

    hints = typing.get_type_hints(FileOptions, include_extras=True)
    return {key: TypeAdapter(kind).json_schema() for key, kind in hints.items()}


def _landscape_rules(
    families: Mapping[str, dict[str, Node]], titles: Mapping[str, str], rollouts: dict[str, Node]
) -> list[Node]:
    """A landscape that is the same in every task has its own options and no others; so has a file."""
    of_environment = {"properties": rollouts, "propertyNames": {"enum": ["source", *rollouts]}}
    rules = [_when(_fixed("landscape", "source", {"pattern": _ENVIRONMENT}), _narrowed(of_environment, rollouts))]
    for name, options in families.items():
        own = {
            "properties": options,
            "propertyNames": {"enum": ["source", *options]},
            "description": titles[name],
        }
        rules.append(_when(_fixed("landscape", "source", {"enum": [name]}), _narrowed(own, options)))
    # an array does not say what lies beyond its edges, and a file of heatpg does
    every = tuple(_file_options())
    kinds = [
        (_endings(*(ending for ending in OTHERS if ending not in RESULTS)), every),
        (_endings(*RESULTS), every),  # of heatpg, or of another program: only the file itself tells
    ]
    for pattern, known in kinds:
        own = {"propertyNames": {"enum": ["source", *known]}}
        rules.append(_when(_fixed("landscape", "source", {"pattern": pattern}), _narrowed(own, known)))
    return rules


def _narrowed(landscape: Node, options: Iterable[str]) -> Node:
    known = list(options)
    return {
        "properties": {
            "landscape": landscape,
            "sweep": {"properties": {"product": _only(known), "zip": _only(known)}},
            "task": {"items": _only(known)},
        }
    }


def _solver_rules(schemes: Mapping[str, dict[str, Node]], usual: str) -> list[Node]:
    """A solver that is named has its own options, and leaves nothing to be chosen; without one there are no options."""
    rules = []
    for name, options in schemes.items():
        own = {
            "solver_options": {"properties": options, "propertyNames": {"enum": list(options)}},
            "tolerance": _NONE,
            "prefer": {"enum": [usual]},
        }
        evolve = {"properties": {"evolve": {"properties": own}}}
        rules.append(_when(_fixed("evolve", "solver", {"enum": [name]}), evolve))
    named = {"anyOf": [_has("evolve", "solver"), {"$ref": "#/$defs/solver is varied"}]}
    none = {"properties": {"evolve": {"properties": {"solver_options": {"maxProperties": 0}}}}}
    return [*rules, _when({"not": named}, none)]


def _other_rules() -> list[Node]:
    """The tolerance of storage is for compact storage, and a source and a sigma are written somewhere."""
    compact = {"anyOf": [_has("storage", "mode", value={"enum": ["compact"]}), {"$ref": "#/$defs/mode is varied"}]}
    return [
        _when({"not": compact}, {"properties": {"storage": {"properties": {"tolerance": _NONE}}}}),
        {"anyOf": [_has("landscape", "source"), {"$ref": "#/$defs/source is varied"}]},
        {"anyOf": [_has("evolve", "sigma"), {"$ref": "#/$defs/sigma is varied"}]},
    ]


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
    ['batch', 'draws', 'evolve', 'landscape', 'storage', 'sweep', 'task']
    """
    from heatpg.batch.files import MINIMISE
    from heatpg.batch.sections import (
        BatchSection,
        DrawsSection,
        EvolveSection,
        LandscapeSection,
        StorageSection,
        SweepSection,
        options_model,
    )
    from heatpg.landscapes import landscapes
    from heatpg.solvers import solvers
    from heatpg.solvers.choice import PREFERENCES

    usable = loadable(landscapes)
    titles = {name: _summary(entry) for name, entry in usable.items()}
    said = _file_options()
    loss = {MINIMISE: said[MINIMISE]}
    families = {name: _keys(options_model("landscape", name)) | loss for name in usable}
    # every environment has the same options, so any name stands for all
    rollouts = _keys(options_model("landscape", "Pendulum-v1")) | loss
    schemes = {name: _keys(options_model("solver", name)) for name in solvers.names()}
    evolve, draws, storage = _of(EvolveSection), _of(DrawsSection), _of(StorageSection)
    meanings = "\n".join(f"{name}: {title}" for name, title in titles.items())
    file = {
        "type": "string",
        "pattern": _endings(*SOURCES),
        "description": "A file, relative to the directory of the specification.",
    }
    environment = {
        "type": "string",
        "pattern": _ENVIRONMENT,
        "description": "An environment that is registered with Gymnasium, over its actions.",
    }
    source = {
        "anyOf": [{"enum": list(titles), "description": meanings}, file, environment],
        "description": "A registered landscape (heatpg list landscapes), an environment of Gymnasium, or a file.",
    }
    solver_options = _merged(schemes)
    # the longest of all nodes stands in many places: so it is referred to
    sigma = evolve["properties"]["sigma"]
    evolve["properties"]["sigma"] = {"$ref": "#/$defs/sigma"}
    evolve["properties"]["solver_options"] = _table(solver_options, "Options of the solver.")
    # the boundaries of a file are those that landscapes have, for all axes or by axis
    merged = _merged({**families, "environments of Gymnasium": rollouts})
    words = {key: value for key, value in merged["boundary"].items() if key != "description"}
    table = {"type": "object", "additionalProperties": words, "minProperties": 1}
    merged["boundary"] = {
        "anyOf": [words, table],
        "description": "Boundary condition of all axes; for a file also per axis.",
    }
    landscape = _table({"source": source, **said, **merged, **loss}, _summary(LandscapeSection))
    varied = {
        "landscape": landscape["properties"],
        "evolve": evolve["properties"] | {f"solver_options.{key}": node for key, node in solver_options.items()},
        "draws": draws["properties"],
        "storage": storage["properties"],
    }
    lists = _swept(varied, lambda node: {"type": "array", "items": node, "minItems": 1})
    single = _swept(varied, lambda node: node)
    sweep = {
        "product": _table(lists, "Lists to be combined with all others."),
        "zip": _table(lists, "Lists of equal length, varied together."),
    }
    tables = {
        "batch": _of(BatchSection),
        "landscape": landscape,
        "evolve": {key: node for key, node in evolve.items() if key != "$defs"},
        "draws": {**draws, "minProperties": 1},
        "storage": storage,
        "sweep": _table(sweep, _summary(SweepSection)),
        "task": {
            "type": "array",
            "items": _table(single, "One explicit change: keys and values."),
            "description": "Explicit changes, one [[task]] each.",
        },
    }
    return {
        "$schema": DIALECT,
        "title": f"Specification of a batch of heatpg {__version__}",
        **_table(tables, _WHAT_IT_IS),
        "allOf": [
            *_landscape_rules(families, titles, rollouts),
            *_solver_rules(schemes, PREFERENCES[0]),
            *_other_rules(),
        ],
        "$defs": {
            "sigma": sigma,
            **evolve["$defs"],
            "source is varied": _varied("landscape", "source"),
            "sigma is varied": _varied("evolve", "sigma"),
            "solver is varied": _varied("evolve", "solver"),
            "mode is varied": _varied("storage", "mode"),
        },
    }


def _schema(arguments: argparse.Namespace) -> int:
    target = None
    if arguments.out:
        if not arguments.out.endswith(".json"):
            raise OptionError("the file name of a schema must end in .json", given=arguments.out, allowed=".json")
        target = output(arguments.out, force=arguments.force)
    text = json.dumps(schema(), indent=1, ensure_ascii=False)
    if target is None:
        say(text)
        return OK

    from heatpg.tools.publishing import publish

    publish(text.encode(), target, force=arguments.force)
    reply(
        arguments,
        lambda: envelope("schema") | {"path": str(target), "bytes": target.stat().st_size},
        words=lambda: [f"for completion in an editor, start the specification with: #:schema ./{target.name}"],
        result=[str(target)],
    )
    return OK


def add(commands: Commands) -> None:
    """Put the command into the parser."""
    written = commands.add(
        "schema", _schema, "Write the JSON Schema of batch specifications, for completion in editors."
    )
    written.add_argument("-o", "--out", metavar="F.json", help="file to write (default: standard output)")
    written.add_argument("--force", action="store_true", help="replace an existing file")
