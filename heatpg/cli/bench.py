"""heatpg bench: every solver on one problem."""

from __future__ import annotations

import argparse
import dataclasses
import sys

from heatpg.cli.parser import Commands
from heatpg.cli.talk import OK, Bar, envelope, is_quiet, reply
from heatpg.errors import OptionError
from heatpg.tools.arguments import one_of


def _bench(arguments: argparse.Namespace) -> int:
    from heatpg.solvers import solvers
    from heatpg.tools.parallel import threads

    # a name that is unknown is refused before any of the others is timed
    names = [one_of("solver", name, solvers.names()) for name in arguments.solver] or solvers.names()
    try:
        shape = [int(word) for word in arguments.shape.lower().split("x")]
    except ValueError:
        raise OptionError(
            "--shape must be numbers of nodes", given=repr(arguments.shape), allowed="for example 1024x1024"
        ) from None

    from heatpg.measure import speed

    with Bar("timing", sys.stderr, enabled=not is_quiet(arguments)) as bar:
        timings = speed.bench(shape, arguments.sigma, names, rounds=arguments.rounds, progress=bar)
    words = f"{' x '.join(map(str, shape))} nodes, reflecting, sigma of {arguments.sigma:g} spacings"
    reply(
        arguments,
        lambda: {
            **envelope("bench"),
            "shape": shape,
            "sigma_in_spacings": arguments.sigma,
            "threads": threads(),
            "timings": [dataclasses.asdict(timing) for timing in timings],
        },
        result=[f"{words}, {threads()} threads, {arguments.rounds} rounds", "", *speed.table(timings)],
    )
    return OK


def add(commands: Commands) -> None:
    """Put the command into the parser."""
    timed = commands.add("bench", _bench, "Time every solver on one problem, compared with SciPy's transforms.")
    timed.add_argument(
        "--solver", action="append", default=[], metavar="NAME", help="solver to time; repeatable (default: all)"
    )
    timed.add_argument(
        "--shape", default="1024x1024", metavar="NxM", help="number of nodes along each axis (default: 1024x1024)"
    )
    timed.add_argument(
        "--sigma", type=float, default=8.0, metavar="R", help="noise level in grid spacings (default: 8)"
    )
    timed.add_argument(
        "--rounds",
        type=int,
        default=5,
        metavar="N",
        help="number of repetitions; the median time is reported (default: 5)",
    )
