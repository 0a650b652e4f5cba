"""The parser of the command line, and the arguments that several commands share."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

from heatpg.cli.talk import BAD_INPUT
from heatpg.errors import HeatpgError, UnknownNameError
from heatpg.tools.lines import visible
from heatpg.tools.options import add_synonyms, nearest, shown
from heatpg.version import __version__

__all__ = ["CHECK_LEVELS", "Commands", "Parser", "add_kind", "add_source", "add_untrusted", "in_words_of"]

# What a problem begins with where it is about one parameter, and what advice calls a parameter with its value.
_SUBJECT = re.compile(r"[a-z_]+(?= (?:is|must|needs|cannot|has|takes)\b)")
_KEYWORD = re.compile(r"(?<![\w-])([a-z_]+)=([^\s,;()]*)")
CHECK_LEVELS = ("none", "standard", "full")
# what other programs call the output; of the commands that have both, --out is the result and comes first
add_synonyms({"--out": {"--output": ""}, "--figure": dict.fromkeys(("-o", "--out", "--output"), "")})


class Parser(argparse.ArgumentParser):
    """A parser that ends with the exit code of bad usage and says where help is."""

    _words: Sequence[str] = ()  # that this parser was given

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and exit; of an unknown option before that something is missing, as that is the reason."""
        if "arguments are required" in message:
            words = list(self._words)
            words = words[: words.index("--")] if "--" in words else words
            # negative numbers and values of options are no options
            options = [word.partition("=")[0] for word in words if re.match(r"--?[A-Za-z]", word)]
            unknown = [word for word in options if word not in self._option_string_actions]
            if unknown:
                asked = nearest(unknown[0], [name for name in self.options() if name.startswith("--")])
                message = "; ".join(filter(None, (f"unrecognized arguments: {unknown[0]}", asked or message)))
        self.exit(BAD_INPUT, f"heatpg: error: {visible(message)}\n  see: {self.prog} --help\n")

    # argparse calls this of the parser of each command, with the words that are left for it
    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As that of argparse; the words are kept for what is said of them."""
        self._words = sys.argv[1:] if args is None else list(args)
        return super().parse_known_args(args, namespace)

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        """In place of argparse's own: an unknown option is answered with the nearest one of the command."""
        found, rest = self.parse_known_args(args, namespace)
        command = getattr(found, "command_parser", self)
        if rest:
            option = next((word for word in rest if word.startswith("-")), rest[0]).partition("=")[0]
            known = [name for name in command.options() if name.startswith("--")]
            asked = nearest(option, known) or f"the options are: {', '.join(known)}" if option.startswith("-") else ""
            command.error("; ".join(filter(None, (f"unrecognized arguments: {' '.join(rest)}", asked))))
        if hasattr(found, "command_parser"):
            found.options = command.python_names(found)
            del found.command_parser
        return found

    def python_names(self, found: argparse.Namespace) -> dict[str, tuple[str, bool]]:
        """The options by the names of their parameters in Python, each with whether it was used."""
        names = {}
        for action in self._actions:
            if action.option_strings:
                used = getattr(found, action.dest, None) != action.default
                name = getattr(found, "renamed", {}).get(action.dest, action.dest)
                # of --minimise and --no-minimise the first is what minimise=True means
                typed = action.option_strings[0 if isinstance(action, argparse.BooleanOptionalAction) else -1]
                names[name] = typed, used
        return names

    def options(self) -> list[str]:
        """The options, as they are written."""
        return list(self._option_string_actions)

    # argparse calls this by its private name; there is no public place to word the message
    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """In place of argparse's own: the nearest words are named."""
        known = [str(choice) for choice in action.choices or ()]
        if action.choices is None or value in action.choices:
            return
        command = action.nargs == argparse.PARSER  # the mark of the action that holds the sub-parsers
        problem = UnknownNameError(
            "unknown command" if command else "invalid choice",
            given=shown(value),
            allowed=", ".join(known),
            advice=nearest(str(value), known),
        )
        raise argparse.ArgumentError(None if command else action, str(problem))


def in_words_of(options: Mapping[str, tuple[str, bool]], reason: HeatpgError) -> None:
    """Have an error name the options that were typed, and not the parameters of Python that they became.

    Parameters
    ----------
    options
        By the name of their parameters, each with whether it was used; `Parser.python_names`.
    reason
        What is changed: the subject of its problem, if that option was used, and keywords in its advice.
    """
    subject = _SUBJECT.match(reason.problem)
    option, used = options.get(subject[0], ("", False)) if subject else ("", False)
    # a parameter of a solver or of a landscape may have the name of an option that was not used
    if used and subject:
        reason.problem = option + reason.problem[subject.end() :]
    if "--" not in reason.advice and "(" not in reason.advice:  # a call is a line of Python
        reason.advice = _KEYWORD.sub(
            # a switch has no value: force=True is --force
            lambda match: (
                f"{options[match[1]][0]} {match[2].removeprefix('True')}".strip() if match[1] in options else match[0]
            ),
            reason.advice,
        )


class Group:
    """Commands below a parser, as ``heatpg batch run`` below ``heatpg batch``."""

    def __init__(self, parser: argparse.ArgumentParser) -> None:
        self.parser = parser
        self._parsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def add(self, name: str, function: Callable[[argparse.Namespace], int], summary: str) -> argparse.ArgumentParser:
        """A command with the options that all have."""
        parser = self._parsers.add_parser(name, help=summary, description=summary, allow_abbrev=False)
        return with_common_options(parser, function)

    def group(self, name: str, summary: str) -> Group:
        """A command that has commands of its own."""
        return Group(self._parsers.add_parser(name, help=summary, description=summary, allow_abbrev=False))


class Commands(Group):
    """The commands of heatpg; each command file adds its own."""

    def __init__(self) -> None:
        parser = Parser(
            prog="heatpg",
            description=(
                "Smooth a policy-gradient objective with Gaussian exploration noise by solving the heat "
                "equation u_t = 1/2 Laplace(u), u(., 0) = Q, t = sigma^2, and verify the result."
            ),
            epilog="exit codes: 0 success, 2 bad usage or input, 3 a check failed, 4 tasks of a batch failed, "
            "5 not enough memory or disk, 130 interrupted",
            # an abbreviation in a script would stop working on the day when a second option begins like it
            allow_abbrev=False,
        )
        parser.add_argument("--version", action="version", version=f"heatpg {__version__}")
        super().__init__(parser)


def with_common_options(
    parser: argparse.ArgumentParser, function: Callable[[argparse.Namespace], int]
) -> argparse.ArgumentParser:
    """The function of a command, and the options that all commands have."""
    # what `main` calls with the arguments, and what says which options there are
    parser.set_defaults(function=function, command_parser=parser)
    parser.add_argument("--json", action="store_true", help="write JSON to the standard output, and nothing else")
    parser.add_argument("--quiet", action="store_true", help="print only the path of the result, and errors")
    return parser


def add_untrusted(parser: argparse.ArgumentParser) -> None:
    """The option for files from untrusted sources."""
    parser.add_argument(
        "--untrusted",
        action="store_true",
        help="read the file in a sandboxed process (Linux); use for files you did not write",
    )


def add_kind(parser: argparse.ArgumentParser, default: str) -> None:
    """Which figure is drawn."""
    parser.add_argument(
        "--kind", metavar="NAME", help=f"kind of figure to draw; see heatpg list figures (default: {default})"
    )


def add_source(parser: argparse.ArgumentParser, sigma: str = "") -> None:
    """The source of a landscape with its options, and the noise levels."""
    parser.add_argument(
        "source",
        metavar="SOURCE",
        help="name of a landscape (see heatpg list landscapes); a file: .h5 written by heatpg, .npy, .npz, or "
        "another format (see heatpg list formats); a Python file FILE.py or FILE.py:FUNCTION, whose function "
        "landscape, or FUNCTION, returns a heatpg.Landscape; or an environment of Gymnasium, such as Pendulum-v1",
    )
    default = sigma or "default: three, from 4 grid spacings to 0.15 of the box"
    parser.add_argument(
        "--sigma",
        action="append",
        metavar="S",
        help="noise levels (standard deviations, in the units of the axes): 0.02,0.05, or 0.01:1:16 for 16 levels "
        f"evenly spaced in the logarithm; to set them per axis, repeat with AXIS=S; {default}",
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="set a parameter of the landscape, e.g. --set horizon=3; repeatable",
    )
    parser.add_argument(
        "--boundary",
        default="",
        metavar="NAME",
        help="boundary condition on all axes, or AXIS=NAME,... per axis of a file; required for files not written by "
        "heatpg (see heatpg list boundaries)",
    )
    parser.add_argument(
        "--nodes",
        default="",
        metavar="KIND",
        help="position of the nodes of a file: vertex (default), or cell for cell centres, as in histograms and "
        "images; AXIS=KIND,... per axis",
    )
    parser.add_argument(
        "--minimise",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="treat the values as a loss, whose minimum is the optimum (default: what the file says, else maximise)",
    )
    parser.add_argument(
        "--variable", default="", metavar="NAME", help="array, or column of a table, that holds Q in the file"
    )
    parser.add_argument(
        "--axes",
        default="",
        metavar="A,B",
        help=(
            "coordinates, or columns of a table, in the order of the axes; log10(A), log2(A), log(A) for logarithmic "
            "axes"
        ),
    )
    parser.add_argument(
        "--standard-error",
        default="",
        metavar="NAME",
        help="array, or column of a table, with the standard errors of Q",
    )
    parser.add_argument(
        "--returns",
        default="",
        metavar="AXIS",
        help="axis of the seeds in the file; Q is the mean over it",
    )
    parser.add_argument("--fill", type=float, metavar="NUMBER", help="value for missing points of the file")
    parser.add_argument(
        "--faces",
        action="append",
        default=[],
        metavar="AXIS=LOWER,UPPER",
        help="values on the walls of an axis of cells with boundary absorb or clip, instead of extrapolated ones; "
        "repeatable",
    )
