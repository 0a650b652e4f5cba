"""heatpg study: where the optimum of a landscape moves as exploration noise grows, on one page."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from heatpg.cli.draws import add_draws, drawing
from heatpg.cli.files import (
    FIGURES,
    PAGES,
    RESULTS,
    draw,
    figure_kind,
    figure_output,
    is_file,
    is_result,
    print_width,
    publish_figure,
    require_file,
    sampler,
)
from heatpg.cli.parser import CHECK_LEVELS, Commands, add_kind, add_source
from heatpg.cli.talk import OK, Bar, envelope, is_quiet, outcome, reply, report_lines
from heatpg.cli.words import parse_sigma
from heatpg.errors import OptionError, UnsupportedError

if TYPE_CHECKING:
    from heatpg.core.landscape import Landscape
    from heatpg.evolution import Evolution

__all__ = ["add"]


def _source(arguments: argparse.Namespace) -> Callable[[Callable[[int, int], object]], Landscape | Evolution]:
    """The fields of a file if they are enough for a study, else the landscape."""
    # `study` itself solves again if a file has too few levels; with --sigma only the landscape is needed
    path = Path(arguments.source)
    if is_file(arguments.source) and path.suffix.lower() in RESULTS and arguments.sigma is None:
        from heatpg.evolution import load

        require_file(path)
        if is_result(path):
            sampler(arguments)  # which refuses the options that are not for a result
            return lambda progress: load(path)
    return sampler(arguments)


def _study(arguments: argparse.Namespace) -> int:
    quiet = is_quiet(arguments)
    make = _source(arguments)
    sigma = parse_sigma(arguments.sigma, quiet=quiet) if arguments.sigma else None
    draws = drawing(arguments, quiet=quiet)
    if draws is not None and arguments.risk is not None:
        raise UnsupportedError("--risk is not available for noise in all components", advice="remove --risk or --draws")
    kind = figure_kind(arguments, "study" if arguments.risk is None else "risk")
    width = print_width(arguments.width)
    as_page = bool(arguments.figure) and arguments.figure.lower().endswith(PAGES)
    refused = [f"--{name}" for name in ("kind", "width") if as_page and getattr(arguments, name) is not None]
    if refused:
        raise OptionError(
            f"{' and '.join(refused)} cannot be used with an HTML page, which has all figures of the study",
            given=arguments.figure,
            advice=f"remove {' and '.join(refused)}, or name a figure: {', '.join(FIGURES)}",
        )

    from heatpg.evolution import Evolution
    from heatpg.studies import study

    begin = time.perf_counter()
    # a file is read quickly, and what is wrong with it is told before that the figure exists
    source = make(lambda done, total: None) if is_file(arguments.source) else None
    endings = FIGURES + PAGES
    figure = (
        figure_output(arguments.figure, force=arguments.force, endings=endings, quiet=quiet)
        if arguments.figure
        else None
    )
    if source is None:
        # sampled here and not by `study`, because only sampling says how far it is
        with Bar("sampling", sys.stderr, enabled=not quiet) as bar:
            source = make(bar)
    sampling = time.perf_counter() - begin
    if draws is not None and sigma is not None:
        # drawn here and not by `study`, because only draws say how far they are
        with tempfile.TemporaryDirectory() as folder:
            landscape = source.landscape if isinstance(source, Evolution) else source
            state = Path(folder) / "draws.npz"
            if arguments.estimate_cost:
                cost = draws.cost(landscape, sigma, state)
                told = envelope("study") | {"cost": cost.as_dict(), "alternatives": cost.choices("--draws count=128")}
                reply(
                    arguments,
                    lambda: told,
                    result=[f"cost       {cost}", f"cheaper    {cost.choices('--draws count=128')}"],
                )
                return OK
            source, sigma = draws.evolution(landscape, sigma, arguments.checks, state), None
    # a line now and then in a log too: with --risk it takes minutes
    with Bar("studying", sys.stderr, enabled=not quiet, unit="steps") as bar:
        bar(0, 1)  # the first stage does not say how far it is
        page = study(
            source,
            sigma,
            price_limit=arguments.price,
            checks=arguments.checks,
            minimise=arguments.minimise,
            risk=arguments.risk,
            progress=bar,
        )
    if figure is not None:
        from heatpg.plot import risk as draw_risk
        from heatpg.plot import study as draw_study

        if as_page:
            from heatpg.tools.publishing import publish
            from heatpg.viewer import study_page

            publish(study_page(page).encode("utf-8"), figure, force=arguments.force)
        elif kind == "study":
            publish_figure(draw_study(page, width=width), figure, force=arguments.force)
        elif kind == "risk" and page.risk is not None:
            # of the fraction that was given
            publish_figure(draw_risk(page.risk, width=width), figure, force=arguments.force)
        else:
            draw(page.evolution, kind, figure, force=arguments.force, width=width)
    report = page.evolution.report

    def as_json() -> dict[str, Any]:
        start = envelope("study") | {"figure": None if figure is None else str(figure)}
        return start | page.as_dict() | {"seconds": {"sample": sampling, **page.seconds}}

    def words() -> list[str]:
        notable = report.only("failed", "silent", "finding")
        return [str(page), *(report_lines("findings and failures", notable) if notable else ())]

    reply(arguments, as_json, words=words, result=[] if figure is None else [str(figure)])
    return outcome(bool(report.failures), "see the report")


def add(commands: Commands) -> None:
    """Put the command into the parser."""
    study = commands.add(
        "study",
        _study,
        "Find the noise levels at which the optimum of a landscape jumps or ends, and what acting on it costs.",
    )
    study.set_defaults(renamed={"price": "price_limit", "risk": "q"})
    add_source(study, "default: 64, from 2 grid spacings to half of the box, or those of a .h5 file with 8 or more")
    study.add_argument(
        "--price",
        type=float,
        metavar="Q",
        help="largest acceptable loss, in units of Q: report the sigma up to which it is not exceeded (default: 10%% "
        "of max Q - mean Q)",
    )
    study.add_argument(
        "--risk",
        type=float,
        metavar="q",
        help="also find the safest action: the one with the best mean of the worst fraction q of returns (CVaR); e.g. "
        "0.1",
    )
    add_draws(study)
    study.add_argument(
        "--checks", choices=CHECK_LEVELS, default="standard", help="depth of the checks (default: standard)"
    )
    study.add_argument(
        "--figure",
        metavar="F.png",
        help="also draw a figure: .png, .pdf or .svg; or .html, one self-contained page with figures, sentences, table "
        "and checks",
    )
    # words that people try for the page
    study.add_argument("--html", "--page", dest="figure", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
    add_kind(study, "study, and risk with --risk")
    study.add_argument(
        "--width",
        metavar="W",
        help="width of the figure for print: column (3.5 in), text (7.2 in) or inches (default: screen)",
    )
    study.add_argument("--force", action="store_true", help="replace an existing figure")
