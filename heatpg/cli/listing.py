"""heatpg list: available solvers, landscapes, boundary conditions, figures, formats and claims."""

from __future__ import annotations

import argparse
import dataclasses
import inspect
import math
from typing import Any

from heatpg.cli.parser import Commands
from heatpg.cli.talk import OK, reply
from heatpg.errors import HeatpgError
from heatpg.tools.arguments import one_of

# What a list holds, where its entries can be taken for something else.
_HEADINGS = {"claims": "claims: statements that heatpg claims tests; a good part of them is false as stated"}
_LISTS = ("solvers", "landscapes", "boundaries", "figures", "formats", "claims")


def _first_line(thing: object) -> str:
    """The first sentence of a docstring, however many lines it takes."""
    return " ".join((inspect.getdoc(thing) or "").partition("\n\n")[0].split())


def _summary_of(name: str) -> str:
    """The line on a landscape; of a plug-in that is broken, why."""
    from heatpg.landscapes import landscapes

    try:
        return _first_line(landscapes.get(name))
    except HeatpgError as reason:
        return f"broken: {reason.given}"


def _plugins() -> dict[str, dict[str, str]]:
    """Landscapes of other distributions, and whose they are."""
    from heatpg.landscapes import landscapes

    found = landscapes.plugins().items()
    return {name: {"distribution": plugin.distribution, "version": plugin.version} for name, plugin in found}


def _solvers() -> dict[str, dict[str, Any]]:
    """What each solver is, its orders of accuracy, and its options with their defaults."""
    from heatpg.boundaries import boundaries
    from heatpg.solvers import solvers

    found = {}
    for name in solvers.names():
        kind = solvers.get(name)
        solver = kind()
        edge = {rule: solver.order_at_edge(rule, "vertex") for rule in boundaries.names()}
        found[name] = {
            "summary": kind.summary,
            "order_space": solver.order_space,
            "order_at_edge": edge,
            "order_time": solver.order_time,
            "options": {field.name: field.default for field in dataclasses.fields(kind)},
        }
    return found


def _orders(facts: dict[str, Any]) -> str:
    """The orders and the options of a solver in a clause."""

    def word(order: float) -> str:
        return "exact" if math.isinf(order) else f"order {order:g}"

    edges: dict[float, list[str]] = {}
    for rule, value in facts["order_at_edge"].items():
        if value != facts["order_space"]:
            edges.setdefault(value, []).append(rule)
    words = [f"{word(facts['order_space'])} in space"]
    if len(edges) == 1:
        words += [f"{word(next(iter(edges)))} at edges"]
    elif edges:  # of several orders each names its boundaries
        each = [f"{word(value)} with {', '.join(rules)}" for value, rules in sorted(edges.items())]
        words += [f"at edges {' and '.join(each)}"]
    words += [f"{word(facts['order_time'])} in time"]
    options = [f"{name}={default}" for name, default in facts["options"].items()]
    return ", ".join(words) + (f"; options: {', '.join(options)}" if options else "")


def _summaries(what: str) -> dict[str, str]:
    """Names and one line each."""
    if what == "solvers":
        return {name: f"{facts['summary']} ({_orders(facts)})" for name, facts in _solvers().items()}
    if what == "claims":
        from heatpg.claims import claims

        return {name: claims.get(name).statement for name in claims.names()}
    if what == "boundaries":
        from heatpg.boundaries import boundaries

        rules = {name: boundaries.get(name) for name in boundaries.names()}
        return {name: rule.meaning + (f" [{rule.elsewhere}]" if rule.elsewhere else "") for name, rule in rules.items()}
    if what == "formats":
        from heatpg.formats import formats

        return {name: _first_line(formats.get(name)) for name in formats.names()}
    if what == "figures":
        from heatpg.plot import figures

        return {name: _first_line(figures.get(name)) for name in figures.names()}
    from heatpg.landscapes import landscapes

    return {name: _summary_of(name) for name in landscapes.names()}


def _list(arguments: argparse.Namespace) -> int:
    wanted = [one_of("list", arguments.what, _LISTS)] if arguments.what else list(_LISTS)
    found = {what: _summaries(what) for what in wanted}  # loads every module that registers something
    plugins = _plugins() if "landscapes" in wanted else {}
    lines: list[str] = []
    for what, entries in found.items():
        width = max(map(len, entries))  # of the names, so that the lines beside them begin in one column
        owners = plugins if what == "landscapes" else {}
        whose = {name: " [{distribution} {version}]".format(**owner) for name, owner in owners.items()}
        lines += [
            _HEADINGS.get(what, f"{what}:"),
            *(f"  {name:{width}}  {line}{whose.get(name, '')}" for name, line in entries.items()),
        ]
    details: dict[str, Any] = {"plugins": plugins} if plugins else {}
    if "solvers" in wanted:
        details["solver_details"] = _solvers()
    reply(arguments, lambda: found | details, result=lines)
    return OK


def add(commands: Commands) -> None:
    """Put the command into the parser."""
    lists = commands.add(
        "list", _list, "List the available solvers, landscapes, boundary conditions, figures, formats and claims."
    )
    lists.add_argument("what", nargs="?", default="", metavar="{" + ",".join(_LISTS) + "}")
