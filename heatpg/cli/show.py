"""heatpg show: draw a figure or an animation of a result file."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from heatpg.cli.files import ANIMATIONS, FIGURES, draw, figure_output, print_width, require_result
from heatpg.cli.parser import Commands, add_kind, add_untrusted
from heatpg.cli.talk import OK, brief, is_quiet, reply
from heatpg.cli.words import parse_sigma
from heatpg.errors import OptionError
from heatpg.tools.arguments import one_of

_KIND = "summary"


# Options have None as their default, so that one that was given can be told from one that was not.
def _refuse(arguments: argparse.Namespace, names: tuple[str, ...], advice: str) -> None:
    """Refuse options that the output would ignore."""
    for name in names:
        if getattr(arguments, name) is not None:
            given = getattr(arguments, name)
            words = " ".join(given) if isinstance(given, list) else given
            raise OptionError(f"--{name} does not apply to this output", given=f"--{name} {words}", advice=advice)


def _size(text: str) -> tuple[int, int]:
    """Pixels from ``800x600``."""
    try:
        width, height = (int(word) for word in text.lower().split("x"))
    except ValueError:
        raise OptionError(
            "--size must be a width and a height in pixels", given=repr(text), allowed="for example 720x720"
        ) from None
    return width, height


def _animation(arguments: argparse.Namespace) -> dict[str, Any]:
    """Keywords of `heatpg.plot.animate`, read before the work."""
    options: dict[str, Any] = {}
    if arguments.size is not None:
        options["size"] = _size(arguments.size)
    if arguments.duration is not None:
        options["duration"] = arguments.duration
    if arguments.scale is not None:
        options["scale"] = arguments.scale
    if arguments.sigma is not None:
        options["sigma"] = parse_sigma(arguments.sigma, quiet=is_quiet(arguments))
    return options


def _show(arguments: argparse.Namespace) -> int:
    from heatpg.evolution import load
    from heatpg.plot import animate, figures

    kind = arguments.kind or _KIND
    out = arguments.figure or f"{Path(arguments.file).stem}.png"
    # the ending decides: an animation has no kind and no width in print, a figure no frames
    moving = out.lower().endswith(ANIMATIONS)
    if moving:
        _refuse(
            arguments,
            ("kind", "width"),
            f"remove it: an animation ({', '.join(ANIMATIONS)}) has a fixed kind, and its size is set by --size in "
            f"pixels",
        )
        options = _animation(arguments)
    else:
        _refuse(
            arguments,
            ("sigma", "scale", "size", "duration"),
            f"remove it, or name an animation: {', '.join(ANIMATIONS)}",
        )
        one_of("figure", kind, figures.names())  # before the file is read, which may take long
        width = print_width(arguments.width)
    require_result(Path(arguments.file))
    quiet = is_quiet(arguments)
    # before the file is loaded: an existing figure is refused at once
    target = figure_output(out, force=arguments.force, endings=FIGURES + ANIMATIONS, quiet=quiet)
    evolution = load(arguments.file, untrusted=arguments.untrusted)
    if moving:
        animate(evolution, target, force=arguments.force, **options)
    else:
        draw(evolution, kind, target, force=arguments.force, width=width)
    reply(
        arguments,
        lambda: {
            "command": "show",
            "kind": "animation" if moving else kind,
            "source": str(Path(arguments.file).resolve()),
            "path": str(target),
        },
        words=lambda: brief(evolution),
        result=[str(target)],
    )
    return OK


def add(commands: Commands) -> None:
    """Put the command into the parser."""
    show = commands.add("show", _show, "Draw a figure of a result file, or an animation over sigma.")
    show.add_argument("file", metavar="F.h5", help="result file to draw")
    add_untrusted(show)
    show.add_argument(
        "--figure",
        metavar="F.png",
        help="figure to write: .png, .pdf or .svg; or an animation with one frame per stored noise level: .gif, .apng, "
        "or .html, one self-contained page (default: F.png in this folder)",
    )
    # the spelling of other commands for files that are no figures; kept working
    show.add_argument("-o", "--out", dest="figure", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
    add_kind(show, _KIND)
    show.add_argument(
        "--width",
        metavar="W",
        help="width of a figure for print: column (3.5 in), text (7.2 in) or inches (default: screen)",
    )
    show.add_argument("--size", metavar="WxH", help="size of an animation in pixels (default: 720x720)")
    show.add_argument(
        "--duration",
        type=float,
        metavar="S",
        help="seconds per frame of an animation (default: 0.15; first and last: 1)",
    )
    show.add_argument(
        "--scale",
        choices=("landscape", "frame"),
        help="colour scale of an animation: the range of Q, or that of each frame (default: landscape)",
    )
    show.add_argument(
        "--sigma",
        action="append",
        metavar="S",
        help="noise levels of an animation, recomputed instead of those stored: 0.02,0.05 or 0.01:1:64; AXIS=S per "
        "axis",
    )
    show.add_argument("--force", action="store_true", help="replace an existing figure")
