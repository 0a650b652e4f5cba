"""heatpg show: a figure of a file."""

from __future__ import annotations

import argparse
from pathlib import Path

from heatpg.cli.files import draw, figure_output
from heatpg.cli.parser import Commands, add_untrusted
from heatpg.cli.talk import OK, describe, emit, report_lines, say
from heatpg.options import choose


def _show(arguments: argparse.Namespace) -> int:
    from heatpg.plot import figures
    from heatpg.store import load

    choose(arguments.kind, figures.names(), "figure")
    target = figure_output(arguments.out or f"{Path(arguments.file).stem}.png", force=arguments.force)
    evolution = load(arguments.file, untrusted=arguments.untrusted)
    draw(evolution, arguments.kind, target, force=arguments.force)
    if arguments.json:
        emit(
            {
                "command": "show",
                "kind": arguments.kind,
                "source": str(Path(arguments.file).resolve()),
                "path": str(target),
            }
        )
    else:
        if not arguments.quiet:
            say(*describe(evolution), *report_lines("checks when it was written", evolution.report))
        say(str(target))
    return OK


def add(commands: Commands) -> None:
    """Put the command into the parser."""
    show = commands.add("show", _show, "Draw a figure of a file.")
    show.add_argument("file", metavar="F.h5")
    add_untrusted(show)
    show.add_argument(
        "-o", "--out", metavar="F.png", help="the figure: .png, .pdf or .svg (default: F.png in this folder)"
    )
    show.add_argument("--kind", default="summary", metavar="NAME", help="see heatpg list figures (default: summary)")
    show.add_argument("--force", action="store_true", help="replace an existing figure")
