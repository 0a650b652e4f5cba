"""What the documentation reads off the package itself: a new solver, landscape or figure needs no page of its own.

Three directives: ``room`` documents the public names of a package, ``registry`` what is registered in it, and
``promises`` and ``ledger`` are tables of the solvers and of the claims. A role, ``known``, links what is documented.
"""

from __future__ import annotations

import argparse
import collections
import html
import importlib
import inspect
import json
import re
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from docutils import nodes
from docutils.parsers.rst import directives
from docutils.utils.math import MathError, latex2mathml
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.directives.other import TocTree
from sphinx.environment import BuildEnvironment
from sphinx.roles import XRefRole
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective
from sphinx.util.inspect import TypeAliasForwardRef
from sphinx.util.matching import patfilter
from sphinx.util.nodes import make_refnode

from heatpg.tools.registry import Registry

logger = logging.getLogger(__name__)

ROOT = Path(__file__).resolve().parents[1]
CLAIMS = Path(__file__).resolve().parent / "theory" / "claims.json"


def first_sentence(thing: object) -> str:
    """The first line of a docstring, or of the entry that stands for it."""
    return (inspect.getdoc(thing) or "").split("\n")[0]


def kind_of(thing: object) -> str:
    """The autodoc directive for an object."""
    if inspect.ismodule(thing):
        return "module"
    if inspect.isclass(thing):
        return "exception" if issubclass(thing, Exception) else "class"
    return "function" if inspect.isroutine(thing) else "data"


def public_names(module: str) -> dict[str, Any]:
    """What a package offers by name, the lazy names included."""
    package = importlib.import_module(module)
    return {name: getattr(package, name) for name in package.__all__}


def entries(module: str, registry: str) -> dict[str, Any]:
    """What is registered, by name."""
    found: Registry[Any] = getattr(importlib.import_module(module), registry)
    return {name: found.get(name) for name in found.names()}


def home(module: str, name: str, entry: Any) -> str:
    """Where an entry of a registry is documented: in its package if that has it by name, else where it is written."""
    written = type(entry) if not hasattr(entry, "__qualname__") else entry
    package = importlib.import_module(module)
    for label in (name, written.__qualname__):
        if getattr(package, label, None) is written:
            return f"{module}.{label}"
    return f"{written.__module__}.{written.__qualname__}"


def directive(name: str, thing: Any, *options: str) -> list[str]:
    """Lines of an autodoc directive."""
    return [f".. auto{kind_of(thing)}:: {name}", *(f"   :{option}:" for option in options), ""]


def options_of(thing: Any) -> tuple[str, ...]:
    return ("members",) if kind_of(thing) == "class" else ()


def table(rows: Iterable[tuple[str, str]]) -> list[str]:
    """A table of links and sentences."""
    lines = [".. list-table::", "   :widths: 30 70", "   :class: heatpg-summary", ""]
    for name, text in rows:
        lines += [f"   * - {name}", f"     - {plain(text)}"]
    return [*lines, ""]


def link(name: str, label: str) -> str:
    return f":py:obj:`{label} <{name}>`"


def section(title: str) -> list[str]:
    return [title, "-" * len(title), ""]


class Room(SphinxDirective):
    """All public names of a package: a table of them, then each at length."""

    required_arguments = 1
    option_spec: ClassVar[dict[str, Any]] = {"without": directives.unchanged}

    def run(self) -> list[nodes.Node]:
        module = self.arguments[0]
        left_out = self.options.get("without", "").split()
        found = {name: thing for name, thing in public_names(module).items() if name not in left_out}
        lines = [f".. py:module:: {module}", "   :no-typesetting:", "", f".. py:currentmodule:: {module}", ""]
        groups = {
            "Functions": [name for name, thing in found.items() if kind_of(thing) == "function"],
            "Classes": [name for name, thing in found.items() if kind_of(thing) == "class"],
            "Errors": [name for name, thing in found.items() if kind_of(thing) == "exception"],
            "Values": [name for name, thing in found.items() if kind_of(thing) == "data"],
            "Rooms": [name for name, thing in found.items() if kind_of(thing) == "module"],
        }
        lines += table(
            (link(f"{module}.{name}", name), first_sentence(found[name]) if title != "Values" else said(found[name]))
            for title, names in groups.items()
            for name in names
        )
        for title, names in groups.items():
            if names and title != "Rooms":
                lines += section(title)
                for name in names:
                    if title == "Values":
                        lines += value(name, found[name])
                    else:
                        lines += directive(f"{module}.{name}", found[name], *options_of(found[name]))
        return list(self.parse_text_to_nodes("\n".join(lines), allow_section_headings=True))


def value(name: str, thing: Any) -> list[str]:
    """A value: a registry, or a constant."""
    return [f".. py:data:: {name}", "", f"   {said(thing)}.", ""]


def said(thing: Any) -> str:
    if isinstance(thing, Registry):
        return f"Every {thing.kind} by name: ``names()``, ``get(name)``, ``register(name)``"
    return f"``{thing!r}``"


class RegistryPage(SphinxDirective):
    """What is registered in a package: a table, then each at length."""

    required_arguments = 2
    option_spec: ClassVar[dict[str, Any]] = {"brief": directives.flag}

    def run(self) -> list[nodes.Node]:
        module, registry = self.arguments
        found = entries(module, registry)
        places = {name: home(module, name, entry) for name, entry in found.items()}
        lines = table((link(places[name], name), first_sentence(entry)) for name, entry in found.items())
        shown = set()
        for name, entry in found.items():
            if places[name] not in shown and not documented(module, places[name]):
                thing = entry if hasattr(entry, "__qualname__") else type(entry)
                lines += directive(places[name], thing)
                shown.add(places[name])
        return list(self.parse_text_to_nodes("\n".join(lines), allow_section_headings=True))


def documented(module: str, place: str) -> bool:
    """Whether the directive ``room`` of the package shows this already."""
    return place in {f"{module}.{name}" for name in importlib.import_module(module).__all__}


def cell_table(head: list[str], rows: list[list[str]], widths: list[int]) -> nodes.table:
    """A table of plain cells; what is between double backticks is code."""
    group = nodes.tgroup("", *(nodes.colspec(colwidth=width) for width in widths), cols=len(widths))
    group += nodes.thead("", row_of(head))
    group += nodes.tbody("", *(row_of(row) for row in rows))
    return nodes.table("", group, classes=["heatpg-table"])


def row_of(cells: list[str]) -> nodes.row:
    row = nodes.row()
    for cell in cells:
        paragraph = nodes.paragraph()
        for i, piece in enumerate(cell.split("``")):
            if piece:
                paragraph += nodes.literal("", piece) if i % 2 else nodes.Text(piece)
        row += nodes.entry("", paragraph)
    return row


class Promises(SphinxDirective):
    """The solvers and what they promise, as their own attributes say."""

    def run(self) -> list[nodes.Node]:
        from heatpg import Axis

        axis = Axis("x", 0.0, 1.0, 129, boundary="reflect")
        rows = []
        for name, kind in entries("heatpg.solvers", "solvers").items():
            solver = kind()
            orders = [str(solver.describe()[key]).removesuffix(".0") for key in ("order_time", "order_space")]
            promised = [
                [bool(promise(axis, (cells * axis.spacing) ** 2)) for cells in LEVELS]
                for promise in (solver.monotone, solver.keeps_extrema)
            ]
            rows.append([f"``{name}``", solver.summary, solver.target, *orders, *map(ranges, promised)])
        head = [
            "solver",
            "scheme",
            "target",
            "order in time",
            "in space",
            "keeps the range",
            "creates no extrema (1-D)",
        ]
        return [cell_table(head, rows, [12, 34, 10, 8, 8, 14, 14])]


LEVELS = np.geomspace(0.1, 40.0, 256)


def ranges(kept: list[bool]) -> str:
    """For which of the noise levels that were asked, in spacings, a promise is made."""
    if not any(kept):
        return "no promise"
    if all(kept):
        return "always"
    if kept[-1]:
        return f"from {LEVELS[len(kept) - kept[::-1].index(False)]:.2g} h on"
    return f"up to {LEVELS[kept.index(False) - 1]:.2g} h" if kept[0] else "at some sigmas"


class LedgerPage(SphinxDirective):
    """The claims by part, with the verdicts of the stored run, on a page in Markdown."""

    def run(self) -> list[nodes.Node]:
        from heatpg.claims import PARTS

        stored = {row["id"]: row for row in json.loads(CLAIMS.read_text(encoding="utf-8"))["claims"]}
        found = entries("heatpg.claims", "claims")
        counts = collections.Counter(row["verdict"] for row in stored.values())
        summary = nodes.paragraph()
        for verdict in VERDICTS:
            if counts[verdict]:
                summary += [*show_verdict(VERDICTS[verdict], verdict, verdict)[0], nodes.Text(f" {counts[verdict]}   ")]
        lines: list[str] = []
        for part in PARTS:
            claims = sorted((claim for claim in found.values() if claim.part == part), key=lambda claim: claim.number)
            lines += section(part[0].upper() + part[1:])
            for claim in claims:
                row = stored.get(claim.name, {"verdict": "not confirmed", "computed": "", "corrected": ""})
                lines += [f"**{escape(claim.statement)}**", "", f"{verdict_role(row['verdict'])} `{claim.name}`", ""]
                labels = (("Computed", row["computed"]), ("True is", row["corrected"]), ("Source", claim.source))
                lines += [f"- {label}: {escape(text)}" for label, text in labels if text] + [""]
        return [summary, *self.parse_text_to_nodes("\n".join(lines), allow_section_headings=True)]


VERDICTS = {
    "holds": "verdict-holds",
    "holds with a condition": "verdict-condition",
    "false as stated": "verdict-false",
    "not confirmed": "verdict-open",
}


def verdict_role(verdict: str) -> str:
    return f"{{{VERDICTS[verdict]}}}`{verdict}`"


def show_verdict(role: str, source: str, text: str, *rest: Any, **options: Any) -> tuple[list[nodes.Node], list[Any]]:
    """A verdict in the colour of its role."""
    return [nodes.inline(source, text, classes=[role])], []


def escape(text: str) -> str:
    """Text in which nothing is markup, neither in reStructuredText nor in Markdown."""
    return re.sub(r"([\\*`|_])", r"\\\1", text)


class CommandLine(SphinxDirective):
    """The help of every command, as the parser gives it."""

    def run(self) -> list[nodes.Node]:
        from heatpg.cli import commands

        lines = []
        for words, parser in leaves(commands().parser, "heatpg"):
            lines += [
                *section(words),
                ".. code-block:: text",
                "",
                *(f"   {line}" for line in parser.format_help().splitlines()),
                "",
            ]
        return list(self.parse_text_to_nodes("\n".join(lines), allow_section_headings=True))


def leaves(parser: argparse.ArgumentParser, words: str) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """The commands that have no commands below them, with their names."""
    below = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    for action in below:
        for name, inner in action.choices.items():
            yield from leaves(inner, f"{words} {name}")
    if not below:
        yield words, parser


# -- docstrings -----------------------------------------------------------------------------------------------------


def name_the_type(app: Any, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    """Give what a Returns section names its type: napoleon would take the names for types."""
    heads = [i for i, line in enumerate(lines[:-2]) if line.strip() == "Returns" and set(lines[i + 1].strip()) == {"-"}]
    annotation = getattr(thing, "__annotations__", {}).get("return")
    if not isinstance(annotation, str):
        return
    for head in heads:
        indent = len(lines[head]) - len(lines[head].lstrip())
        named = []
        for i in range(head + 2, len(lines)):
            if lines[i].strip() and len(lines[i]) - len(lines[i].lstrip()) <= indent:
                if not re.fullmatch(r"\w+(, \w+)*", lines[i].strip()):
                    break
                if i + 1 < len(lines) and set(lines[i + 1].strip()) == {"-"}:
                    break
                named.append(i)
        inner = annotation.removeprefix("tuple[").removesuffix("]")
        parts = re.split(r", (?![^\[]*\])", inner) if len(named) > 1 else [annotation]
        if len(parts) == len(named):
            for i, part in zip(named, parts, strict=True):
                lines[i] = f"{lines[i]} : {part}"


def part_attributes(app: Any, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    """Give each of several attributes that are described together its own entry, as parameters have.

    Sphinx would take all names but the last for the type of the last, and link them to whatever has such a name.
    """
    parted: list[str] = []
    while lines:
        head, described = lines.pop(0), []
        several = re.match(r"(\s*):ivar (\w+(?:, \w+)+)(:.*)", head)
        while several and lines and lines[0][: several.end(1) + 1].isspace():
            described.append(lines.pop(0))
        for each in several[2].split(", ") if several else []:
            parted += [f"{several[1]}:ivar {each}{several[3]}", *described]
        if several is None:
            parted.append(head)
    lines[:] = parted


def escape_mathematics(app: Any, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    """Bars and stars of formulas, |k| and (*batch, n), are no markup: docstrings are written to be read as they are."""
    code = False
    for i, line in enumerate(lines):
        code = line.lstrip().startswith(">>>") or (code and bool(line.strip()))
        if not code:
            lines[i] = "".join(
                piece if j % 2 else plain(piece) for j, piece in enumerate(re.split(r"(`+[^`]*`+)", line))
            )


def plain(text: str) -> str:
    """Text in which bars, lone stars and underscores at the end of a word stay what they are."""
    for pattern, replacement in (
        (r"(?<!\\)\|", r"\\|"),
        (r"(?<![*\\])\*(?=[A-Za-z_.]+[\[,)])(?![^*]*[^\s*]\*)", r"\\*"),
    ):
        text = re.sub(pattern, replacement, text)
    return re.sub(r"(?<=\w)_(?!\w)", r"\\_", text)


class Known(XRefRole):
    """A link where the name is documented, and plain code where it is not."""

    def __init__(self) -> None:
        super().__init__(innernodeclass=nodes.literal)

    def process_link(
        self, env: BuildEnvironment, refnode: nodes.Element, has_explicit_title: bool, title: str, target: str
    ) -> tuple[str, str]:
        refnode["reftype"] = "known"
        refnode["py:module"] = env.ref_context.get("py:module")
        refnode["py:class"] = env.ref_context.get("py:class")
        return title, target.removesuffix("()")


def places(node: pending_xref, name: str) -> list[str]:
    """Full names that a short one may stand for, nearest first."""
    module, kind = node.get("py:module"), node.get("py:class")
    found = [f"{module}.{kind}.{name}"] if module and kind else []
    found += [f"{module}.{name}"] if module else []
    return [*found, f"heatpg.{name}", name]


def resolve(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, contnode: nodes.TextElement
) -> nodes.Element | None:
    """Links of the role ``known``, and of lists of errors under Raises."""
    if node["reftype"] == "exc" and ", " in node["reftarget"]:
        result = nodes.inline()
        for i, name in enumerate(node["reftarget"].split(", ")):
            result += nodes.Text(", " * bool(i))
            result += found_link(app, env, node, name, nodes.Text(name)) or nodes.Text(name)
        return result
    if node["reftype"] == "known":
        name = node["reftarget"]
        near = found_link(app, env, node, name, contnode) if re.fullmatch(r"[A-Za-z_][\w.]*", name) else None
        return near or contnode
    return None


def found_link(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, name: str, content: nodes.Node
) -> nodes.Element | None:
    objects = env.domains.python_domain.objects
    for place in places(node, name):
        entry = objects.get(place)
        # a bare word that is also an attribute or a module is more likely the parameter
        if entry is not None and (entry.objtype not in ("attribute", "property", "module") or "." in name):
            return make_refnode(app.builder, node["refdoc"], entry.docname, entry.node_id, content, place)
    return None


# -- formulas -------------------------------------------------------------------------------------------------------


def mathml(node: nodes.Element, *, block: bool) -> str:
    """MathML of a formula; what cannot be converted is shown as it was written, with a warning."""
    # TeX takes one digit or letter as an argument, the converter would take the whole number
    text = re.sub(r"(\\[dt]?frac) ?([0-9A-Za-z]) ?([0-9A-Za-z])", r"\1{\2}{\3}", node.astext()).replace(
        r"\dots", r"\ldots"
    )
    try:
        return str(latex2mathml.tex2mathml(text, as_block=block))
    except MathError as reason:
        logger.warning("formula %r: %s", text, reason, location=node)
        return f"<code>{html.escape(text)}</code>"


def show_formula(writer: Any, node: nodes.Element) -> None:
    writer.body.append(mathml(node, block=False))
    raise nodes.SkipNode


def show_displayed_formula(writer: Any, node: nodes.Element) -> None:
    writer.body.append(writer.starttag(node, "div", CLASS="heatpg-formula"))
    writer.body.append(mathml(node, block=True) + "</div>")
    raise nodes.SkipNode


# -- notebooks ------------------------------------------------------------------------------------------------------


class OptionalTree(TocTree):
    """A toctree of patterns, of which there may be no page."""

    def run(self) -> list[nodes.Node]:
        self.options["glob"] = True
        patterns = [entry.strip() for entry in self.content if entry.strip()]
        found = any(patfilter(self.env.found_docs, pattern) for pattern in patterns)
        return super().run() if found else []


def bring_notebooks(app: Sphinx) -> None:
    """Put ../notebooks/*.ipynb beside the pages, and take away what is no longer there."""
    source = ROOT / "notebooks"
    target = Path(app.srcdir) / "notebooks"
    wanted = {path.name: path for path in sorted(source.glob("*.ipynb"))}
    for path in target.glob("*.ipynb"):
        if path.name not in wanted:
            path.unlink()
    if wanted:
        target.mkdir(exist_ok=True)
    for name, path in wanted.items():
        shutil.copyfile(path, target / name)


def setup(app: Sphinx) -> dict[str, bool]:
    # an alias of a type is shown by its name in unions, too
    TypeAliasForwardRef.__repr__ = lambda alias: str(alias.name)  # type: ignore[method-assign]
    app.add_role("known", Known())
    for role in VERDICTS.values():
        app.add_role(role, show_verdict)
    app.add_directive("optional-toctree", OptionalTree)
    app.add_directive("room", Room)
    app.add_directive("registry", RegistryPage)
    app.add_directive("command-line", CommandLine)
    app.add_directive("promises", Promises)
    app.add_directive("ledger", LedgerPage)
    app.add_html_math_renderer("mathml", (show_formula, None), (show_displayed_formula, None))
    app.connect("builder-inited", bring_notebooks)
    app.connect("autodoc-process-docstring", name_the_type, priority=400)
    app.connect("autodoc-process-docstring", part_attributes, priority=800)
    app.connect("autodoc-process-docstring", escape_mathematics, priority=900)
    app.connect("missing-reference", resolve)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
