"""heatpg claims: what is said of exploration noise, and what is true of it."""

from __future__ import annotations

import argparse
import sys

from heatpg import __version__
from heatpg.cli.parser import Commands
from heatpg.cli.talk import OK, Bar, emit, say

__all__ = ["add"]


def _claims(arguments: argparse.Namespace) -> int:
    from heatpg.claims import ledger

    with Bar("testing", sys.stderr, enabled=not (arguments.quiet or arguments.json)) as bar:
        found = ledger(arguments.claim or None, progress=bar)
    if arguments.json:
        emit({"command": "claims", "heatpg_version": __version__} | found.as_dict())
    else:
        say(str(found))
    return OK


def add(commands: Commands) -> None:
    """Put the command into the parser."""
    claims = commands.add(
        "claims", _claims, "Test what is said of exploration noise, one experiment each: holds, or false as stated."
    )
    claims.add_argument("claim", nargs="*", metavar="ID", help="by default all")
