"""The command line: one command a file.

Exit codes: 0 all is well; 2 bad usage or input; 3 a check failed; 4 tasks of a batch failed; 5 not enough memory or
disk; 130 interrupted. Nothing heavy is imported before a command needs it, so that ``heatpg --help`` is instant.
"""

from __future__ import annotations

import contextlib
import os
import sys
import warnings
from collections.abc import Iterator, Sequence

from heatpg.cli import batch, bench, check, claims, completion, doctor, listing, orders, run, schema, show, study, view
from heatpg.cli.parser import Commands
from heatpg.cli.talk import BAD_INPUT, CHECK_FAILED, INTERRUPTED, NO_RESOURCES, OK, note
from heatpg.errors import CheckError, HeatpgError, ResourceError

__all__ = ["commands", "main"]

# as the help lists them: first what makes results, then what looks at them, then what is about heatpg itself
_ORDER = (run, study, claims, check, show, view, batch, orders, bench, listing, doctor, schema, completion)


def commands() -> Commands:
    """The commands of heatpg with their parser, in the order of the help."""
    found = Commands()
    for command in _ORDER:
        command.add(found)
    return found


@contextlib.contextmanager
def _plain_warnings() -> Iterator[None]:
    def show(message: Warning | str, *rest: object, **keywords: object) -> None:
        note(f"warning: {message}")

    # file and line of a warning are those of heatpg, which help nobody at a terminal
    with warnings.catch_warnings():
        warnings.showwarning = show
        yield


# The order of the handlers below decides: ResourceError and CheckError are HeatpgErrors with an exit code of their own.
# What is none of these is a mistake of ours, and its traceback is shown.
def _fail(reason: object, code: int) -> int:
    note(f"error: {reason}")
    return code


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    argv
        The words after ``heatpg``; by default those of this process.

    Returns
    -------
    code
        The exit code, as listed at the top of this module.

    Examples
    --------
    >>> from heatpg.cli import main
    >>> main(["list", "boundaries"])
    boundaries:
      absorb    ...
    0
    """
    try:
        arguments = commands().parser.parse_args(argv)
    except SystemExit as end:  # argparse exits after help, and after a mistake that it has told
        return end.code if isinstance(end.code, int) else OK
    try:
        with _plain_warnings():
            return int(arguments.function(arguments))
    except KeyboardInterrupt:
        return _fail("interrupted; nothing half-written is left", INTERRUPTED)
    except ResourceError as reason:
        return _fail(reason, NO_RESOURCES)
    except MemoryError as reason:
        return _fail(f"not enough memory: {reason}", NO_RESOURCES)
    except CheckError as reason:
        return _fail(reason, CHECK_FAILED)
    except BrokenPipeError:
        # The reader of our output has gone, as with `| head`. The interpreter flushes the output once more at its end,
        # and must find somewhere to write to, else it complains.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    except (HeatpgError, ValueError, OSError) as reason:
        return _fail(reason, BAD_INPUT)
