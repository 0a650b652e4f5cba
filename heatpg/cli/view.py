"""heatpg view: write a result file as a self-contained HTML page."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from heatpg.cli.files import PAGES, output, require_result
from heatpg.cli.parser import Commands, add_untrusted
from heatpg.cli.talk import OK, Bar, is_quiet, reply
from heatpg.cli.words import parse_bytes, parse_sigma
from heatpg.errors import OptionError
from heatpg.tools.resources import human_bytes

__all__ = ["add"]


def _view(arguments: argparse.Namespace) -> int:
    from heatpg.evolution import load
    from heatpg.tools.publishing import publish
    from heatpg.verify import verify
    from heatpg.viewer import page

    name = arguments.out or f"{Path(arguments.file).stem}.html"
    if not name.lower().endswith(PAGES):
        raise OptionError("the file name of a page must end in .html", given=name, allowed=", ".join(PAGES))
    most_bytes = int(parse_bytes(arguments.most_bytes))
    sigma = None if arguments.sigma is None else parse_sigma(arguments.sigma, quiet=is_quiet(arguments))
    require_result(Path(arguments.file))
    target = output(name, force=arguments.force, quiet=is_quiet(arguments))
    begin = time.perf_counter()
    evolution = load(arguments.file, untrusted=arguments.untrusted)
    if sigma is not None:
        evolution = evolution.again(sigma)
        evolution.report = verify(evolution)
    with Bar("page", sys.stderr, enabled=not is_quiet(arguments)) as bar:
        text = page(
            evolution,
            batch_index=arguments.batch_index,
            most_bytes=most_bytes,
            tracks=arguments.tracks,
            basins=arguments.basins,
            risk=arguments.risk,
            progress=bar,
        )
    content = text.encode("utf-8")  # its length is in bytes, of which --most-bytes speaks
    publish(content, target, force=arguments.force)
    seconds = time.perf_counter() - begin
    size = human_bytes(len(content))
    reply(
        arguments,
        lambda: {
            "command": "view",
            "source": str(Path(arguments.file).resolve()),
            "path": str(target),
            "bytes": len(content),
            "seconds": seconds,
        },
        words=lambda: [f"page       {size} in {seconds:.1f} s; opens in any browser, also offline"],
        result=[str(target)],
    )
    return OK


def add(commands: Commands) -> None:
    """Put the command into the parser."""
    view = commands.add("view", _view, "Make a self-contained HTML page of a result file.")
    view.set_defaults(renamed={"risk": "q"})
    view.add_argument("file", metavar="F.h5", help="result file to show")
    add_untrusted(view)
    view.add_argument("-o", "--out", metavar="F.html", help="page to write (default: F.html in this folder)")
    view.add_argument(
        "--sigma",
        action="append",
        metavar="S",
        help="noise levels of the page, recomputed instead of those stored: 0.02,0.05 or 0.01:1:64; AXIS=S per axis",
    )
    view.add_argument(
        "--most-bytes",
        default="5MB",
        metavar="B",
        help="largest size of the page; larger fields are rounded, then coarsened (default: 5MB)",
    )
    view.add_argument(
        "--batch-index",
        type=int,
        default=0,
        metavar="I",
        help="index of the landscape in a batch of fields (default: 0)",
    )
    view.add_argument("--no-tracks", dest="tracks", action="store_false", help="omit the tracks of maxima")
    view.add_argument(
        "--no-basins", dest="basins", action="store_false", help="omit the basin of attraction of the optimum"
    )
    view.add_argument(
        "--risk",
        type=float,
        default=None,
        metavar="q",
        help="add a layer: the mean of the worst fraction q of returns (CVaR) at every sigma, as in --risk 0.1",
    )
    view.add_argument("--force", action="store_true", help="replace an existing page")
