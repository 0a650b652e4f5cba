"""heatpg list: available solvers, landscapes, boundary conditions, figures and formats."""

from __future__ import annotations

import argparse
import inspect

from heatpg.cli.parser import Commands
from heatpg.cli.talk import OK, reply
from heatpg.errors import HeatpgError
from heatpg.tools.arguments import one_of

_LISTS = ("solvers", "landscapes", "boundaries", "figures", "formats")


def _first_line(thing: object) -> str:
    return (inspect.getdoc(thing) or "").split("\n")[0]


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


def _summaries(what: str) -> dict[str, str]:
    """Names and one line each."""
    if what == "solvers":
        from heatpg.solvers import solvers

        return {name: solvers.get(name).summary for name in solvers.names()}
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
        lines += [f"{what}:", *(f"  {name:{width}}  {line}{whose.get(name, '')}" for name, line in entries.items())]
    reply(arguments, lambda: found | ({"plugins": plugins} if plugins else {}), result=lines)
    return OK


def add(commands: Commands) -> None:
    """Put the command into the parser."""
    lists = commands.add(
        "list", _list, "List the available solvers, landscapes, boundary conditions, figures and formats."
    )
    lists.add_argument("what", nargs="?", default="", metavar="{" + ",".join(_LISTS) + "}")
