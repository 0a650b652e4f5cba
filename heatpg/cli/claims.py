"""heatpg claims: test common claims about exploration noise."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from heatpg.cli.parser import Commands
from heatpg.cli.talk import OK, Bar, envelope, is_quiet, reply

if TYPE_CHECKING:
    from heatpg.claims import Ledger

__all__ = ["add"]


def _total(found: Ledger) -> str:
    counts = [
        f"{number} {verdict if number == 1 else verdict.replace('holds', 'hold')}"
        for verdict, number in found.counts.items()
        if number
    ]
    return f"{len(found)} {'claim' if len(found) == 1 else 'claims'} in {found.seconds:.1f} s: {', '.join(counts)}"


def _claims(arguments: argparse.Namespace) -> int:
    from heatpg.claims import ledger

    with Bar("testing", sys.stderr, enabled=not is_quiet(arguments), unit="claims") as bar:
        # no name is not an empty list of names
        found = ledger(arguments.claim or None, progress=bar)
    # who names a claim wants to read it; of all only the verdicts fit a screen
    if arguments.details or arguments.claim:
        lines = ["\n\n".join(map(str, found))]
    else:
        width = max(len(row.name) for row in found)
        lines = [f"{row.name:{width}}  {row.verdict}" for row in found]
        lines += ["", "for the evidence and the corrected statements use --details, or name the ID of a claim"]
    reply(arguments, lambda: envelope("claims") | found.as_dict(), result=[_total(found), "", *lines])
    return OK


def add(commands: Commands) -> None:
    """Put the command into the parser."""
    claims = commands.add(
        "claims",
        _claims,
        "Test common claims about exploration noise, one experiment each; the verdict is holds, holds with a "
        "condition, or false as stated. All take about a minute, several minutes the first time, while kernels are "
        "compiled; heatpg list claims prints the statements without running them.",
    )
    claims.add_argument(
        "claim", nargs="*", metavar="ID", help="claims to test, printed in full (default: all, one line each)"
    )
    claims.add_argument("--details", action="store_true", help="print the evidence for every claim")
