"""Noise in all components on the command line: how it is drawn, what that costs, and where the draws are kept."""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from heatpg.cli.talk import Bar, note
from heatpg.cli.words import parse_matrix, parse_options
from heatpg.errors import OptionError, UnsupportedError

if TYPE_CHECKING:
    from heatpg.core.landscape import Landscape
    from heatpg.core.noise import Sigma
    from heatpg.evolution import Evolution
    from heatpg.planes import Cost

__all__ = ["Drawing", "add_draws", "drawing", "require_drawable", "state_beside"]


def add_draws(parser: argparse.ArgumentParser) -> None:
    """The options of noise in all components."""
    parser.add_argument(
        "--draws",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="put the noise in all components of a slice, instead of along its axes only, and sample it: error=0.05 "
        "sets the largest standard error in units of max Q - min Q, count=128 the number of draws; also budget "
        "(rollouts), seed, points, antithetic, state (a file that keeps the draws); repeatable",
    )
    parser.add_argument(
        "--estimate-cost",
        action="store_true",
        help="with --draws: make the pilot draws only, and print the number of rollouts and the time that are needed",
    )
    parser.add_argument(
        "--beyond",
        default="",
        metavar="RULE",
        help="with --draws: rule beyond the box; sampled evaluates Q there (default: the boundary conditions)",
    )


def state_beside(out: Path) -> Path:
    """Where the draws of a result are kept until it is written."""
    return out.with_name(f"{out.stem}.draws.npz")


class _Notes(logging.Handler):
    """What the log says of rollouts before they are made, on the standard error."""

    def emit(self, record: logging.LogRecord) -> None:
        note(record.getMessage())


@contextlib.contextmanager
def _told(quiet: bool) -> Iterator[None]:
    from heatpg.tools.progress import LOGGER

    handler, level = _Notes(logging.INFO), LOGGER.level
    if quiet:
        yield
        return
    LOGGER.addHandler(handler)
    LOGGER.setLevel(logging.INFO)
    try:
        yield
    finally:
        LOGGER.removeHandler(handler)
        LOGGER.setLevel(level)


def _covariance(text: str | None) -> list[float] | list[list[float]] | None:
    """A matrix, or one variance per component."""
    if text is None:
        return None
    try:
        numbers = json.loads(re.sub(r"(?<![0-9])\.(?=[0-9])", "0.", text))
        return [float(number) for number in numbers]
    except (ValueError, TypeError):
        return parse_matrix(text)


class Drawing:
    """Noise in all components, as the options of a command have it; wrong ones are refused here, before any work.

    Parameters
    ----------
    arguments
        Those of the command.
    quiet
        Whether neither rollouts nor their progress are told.
    """

    def __init__(self, arguments: argparse.Namespace, *, quiet: bool) -> None:
        from heatpg.planes import Draws
        from heatpg.tools.options import settable

        if not arguments.sigma:
            raise OptionError(
                "noise in all components needs the noise levels",
                advice="add --sigma, in the units of the components; every level takes as many rollouts",
            )
        self.quiet = quiet
        self.noise: dict[str, Any] = {
            "covariance": _covariance(getattr(arguments, "covariance", None)),
            "beyond": arguments.beyond,
        }
        self._options = parse_options(arguments.draws, settable(Draws), "draws")
        Draws(**self._options)

    def _bar(self, label: str) -> Bar:
        return Bar(label, sys.stderr, enabled=not self.quiet, unit="draws")

    def cost(self, landscape: Landscape, sigma: Sigma, state: Path) -> Cost:
        """What the draws cost, after those of the pilot, which are kept."""
        from heatpg.planes import Draws, estimate_cost

        with _told(self.quiet), self._bar("pilot") as bar:
            return estimate_cost(
                landscape, sigma, Draws(**{"state": state, **self._options}), **self.noise, progress=bar
            )

    def evolution(self, landscape: Landscape, sigma: Sigma, checks: str, state: Path) -> Evolution:
        """u of all draws, with those that are kept already."""
        from heatpg.planes import Draws, evolve_plane

        draws = Draws(**{"state": state, **self._options})
        self.cost(landscape, sigma, state)
        with _told(self.quiet), self._bar("drawing") as bar:
            return evolve_plane(landscape, sigma, draws, **self.noise, checks=checks, progress=bar)


def drawing(arguments: argparse.Namespace, *, quiet: bool) -> Drawing | None:
    """What draws noise in all components; None without ``--draws``, which the other options of draws need."""
    if arguments.draws:
        return Drawing(arguments, quiet=quiet)
    for option in ("estimate_cost", "beyond"):
        if getattr(arguments, option):
            raise OptionError(
                f"--{option.replace('_', '-')} needs --draws", advice="add --draws error=0.05, or --draws count=128"
            )
    return None


def require_drawable(arguments: argparse.Namespace) -> None:
    """Refuse options of solvers and of storage, which noise in all components has no use for."""
    refused = {
        "--memory": arguments.memory,
        "--solver": arguments.solver != "auto",
        "--solver-option": arguments.solver_option,
        "--tolerance": arguments.tolerance is not None,
        "--prefer": arguments.prefer != "accurate",
        "--storage compact": arguments.storage != "full",
    }
    for option, given in refused.items():
        if given:
            raise UnsupportedError(
                f"{option} is not available for noise in all components, which is sampled", advice=f"remove {option}"
            )
