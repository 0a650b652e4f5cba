"""heatpg orders: compare observed with declared orders of accuracy of the solvers."""

from __future__ import annotations

import argparse
import sys

from heatpg.cli.files import figure_output, publish_figure
from heatpg.cli.parser import Commands
from heatpg.cli.talk import CHECK_FAILED, OK, Bar, envelope, is_quiet, note, reply
from heatpg.errors import OptionError
from heatpg.tools.arguments import one_of


def _dimensions(text: str) -> list[int]:
    """Numbers of dimensions from ``1,2,3``."""
    words = [word.strip() for word in text.split(",")]
    if not all(word in ("1", "2", "3") for word in words):
        raise OptionError(
            "--dimensions must be numbers from 1 to 3", given=repr(text), allowed="1 to 3, separated by commas: 1,2"
        )
    return sorted({int(word) for word in words})


def _orders(arguments: argparse.Namespace) -> int:
    from heatpg.boundaries import boundaries
    from heatpg.solvers import solvers

    chosen = [one_of("solver", name, solvers.names()) for name in arguments.solver] or solvers.names()
    over = [one_of("boundary", name, boundaries.names()) for name in arguments.boundary] or boundaries.names()
    dimensions = _dimensions(arguments.dimensions)
    quiet = is_quiet(arguments)
    figure = figure_output(arguments.figure, force=arguments.force, quiet=quiet) if arguments.figure else None

    from heatpg.measure import orders as convergence
    from heatpg.measure import work_precision

    with Bar("measuring", sys.stderr, enabled=not quiet, unit="experiments") as bar:
        rows = convergence.orders(chosen, over=over, dimensions=dimensions, nodes=arguments.nodes, progress=bar)
    # after the orders, one by one: a solver that is timed must not share the processor with another
    with Bar("timing", sys.stderr, enabled=not quiet, unit="solves") as bar:
        runs = work_precision.work_precision(chosen, progress=bar)
    if figure is not None:
        from heatpg.plot import orders as drawn

        if 2 not in dimensions and not quiet:
            note("note: the figure is of two dimensions, like the times; --dimensions is for the table of orders")

        publish_figure(drawn(runs), figure, force=arguments.force)
    # a row holds what was measured against what the solver declares: an order, or a bound on its error
    failed = sum(not row.passed for row in rows)
    reply(
        arguments,
        lambda: {
            **envelope("orders"),
            "rows": [row.as_dict() for row in rows],
            "problem": work_precision.PROBLEM,
            "work_precision": [run.as_dict() for run in runs],
            "passed": not failed,
            "figure": None if figure is None else str(figure),
        },
        words=lambda: [
            *convergence.table(rows),
            "",
            "processor time of one solve to reach an error, and nodes per axis (-: not reached within 0.1 s)",
            f"always in two dimensions: {work_precision.PROBLEM}",
            *work_precision.table(runs),
            "",
            f"{len(rows) - failed} of {len(rows)} measurements passed; "
            "each row of the first table combines those that agree",
        ],
        result=[] if figure is None else [str(figure)],
    )
    if failed:
        note(f"{failed} of {len(rows)} measurements failed; see the table, or --json")
        return CHECK_FAILED
    return OK


def add(commands: Commands) -> None:
    """Put the command into the parser."""
    orders = commands.add(
        "orders",
        _orders,
        "Measure the orders of accuracy of the solvers, and their error against computing time. All solvers take some "
        "minutes; with --solver NAME and --dimensions 1 some seconds.",
    )
    orders.add_argument(
        "--solver", action="append", default=[], metavar="NAME", help="solver to measure; repeatable (default: all)"
    )
    orders.add_argument(
        "--boundary", action="append", default=[], metavar="NAME", help="boundary condition; repeatable (default: all)"
    )
    orders.add_argument(
        "--dimensions",
        default="1,2,3",
        metavar="N",
        help="dimensions of the grids on which orders are measured (default: 1,2,3); times are for two dimensions",
    )
    orders.add_argument(
        "--nodes", choices=("vertex", "cell"), default="vertex", help="position of the nodes (default: vertex)"
    )
    orders.add_argument(
        "--figure",
        metavar="F.png",
        help="also draw error against time and spacing in two dimensions: .png, .pdf or .svg",
    )
    orders.add_argument(
        "--kind", choices=("orders",), default="orders", help="kind of figure to draw (default: orders)"
    )
    orders.add_argument("--force", action="store_true", help="replace an existing figure")
