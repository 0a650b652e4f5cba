"""The command line: one command a file.

Exit codes: 0 success; 2 bad usage or input; 3 a check failed; 4 tasks of a batch failed; 5 not enough memory or disk;
130 interrupted. Large packages are imported only when a command needs them, so ``heatpg --help`` is fast.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import os
import sys
import warnings
from collections.abc import Iterator, Sequence

from heatpg.cli import batch, bench, check, claims, completion, doctor, listing, orders, run, schema, show, study, view
from heatpg.cli.parser import Commands, in_words_of
from heatpg.cli.talk import BAD_INPUT, CHECK_FAILED, INTERRUPTED, NO_RESOURCES, OK, note
from heatpg.errors import CheckError, HeatpgError, ResourceError, in_one_line
from heatpg.tools.folders import expanded
from heatpg.tools.resources import address_space_limit, human_bytes

__all__ = ["commands", "main"]

# as the help lists them: first what makes results, then what looks at them, then what is about heatpg itself
_ORDER = (run, study, claims, check, show, view, batch, orders, bench, listing, doctor, schema, completion)


_PATHS = ("source", "file", "spec", "folder", "out", "figure", "tls_ca_file", "tls_cert", "tls_key")  # arguments


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
    if isinstance(reason, HeatpgError) and reason.command:
        reason.advice = reason.command
    note(f"error: {reason}")
    return code


# Measured: with two processors 490 MiB are not enough to load NumPy, SciPy and Numba, and 540 MiB are. BLAS takes a
# buffer for each processor.
_ADDRESS_SPACE = 2**29  # bytes
_PER_PROCESSOR = 2**25  # bytes
# Where the system has run out of something, the words of whoever met it first say little.
_SHORT = {
    errno.ENOSPC: "the disk is full; free some space",
    errno.EDQUOT: "the quota of the disk is full; free some space",
    errno.EMFILE: "too many files are open in one process; raise the limit, for example with ulimit -n 256",
    errno.ENFILE: "too many files are open on this machine; close other programs",
    errno.ENOMEM: "not enough memory",
    errno.EAGAIN: "the limit of processes or threads is reached; raise it with ulimit -u",
}


def _shortage(reason: BaseException) -> str:
    """What the system has run out of, if that is behind an error; empty otherwise."""
    seen: BaseException | None = reason
    limited = address_space_limit() < float("inf")
    while seen is not None:
        if isinstance(seen, OSError) and seen.errno in _SHORT:
            return _SHORT[seen.errno]
        # a library that cannot be mapped is told as one that is not there
        if isinstance(seen, ImportError | OSError) and "shared object" in str(seen) and limited:
            return "not enough address space to load the libraries; raise it with ulimit -v"
        seen = seen.__cause__ or seen.__context__
    return ""


def _require_address_space() -> None:
    """Refuse a limit with which the libraries cannot be loaded: some of them would wait for memory for ever."""
    needed = _ADDRESS_SPACE + _PER_PROCESSOR * (os.cpu_count() or 1)
    if address_space_limit() < needed:
        raise ResourceError(
            "not enough address space to load the libraries",
            given=human_bytes(address_space_limit()),
            allowed=f"about {human_bytes(needed)}",
            advice="raise it with ulimit -v",
        )


def _hold_streams() -> None:
    """Put something in the place of standard streams that are closed: else the next file that is opened becomes one."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # it gets the lowest free number, which is this one
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w" if number else "r"))  # noqa: SIM115 - for the rest of the process


def _at_home(arguments: argparse.Namespace) -> argparse.Namespace:
    """The arguments with a leading ``~`` of paths expanded: a shell does not do it within quotes."""
    for name in _PATHS:
        given = getattr(arguments, name, None)
        if isinstance(given, str) and given.startswith("~"):
            setattr(arguments, name, str(expanded(given)))
    return arguments


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    argv
        The arguments after ``heatpg``; by default those of this process.

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
    _hold_streams()
    try:
        arguments = _at_home(commands().parser.parse_args(argv))
    except SystemExit as end:  # argparse exits after help, and after a mistake that it has told
        return end.code if isinstance(end.code, int) else OK
    try:
        with _plain_warnings():
            _require_address_space()
            return int(arguments.function(arguments))
    except KeyboardInterrupt:
        return _fail("interrupted; no partial result was written", INTERRUPTED)
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
    except (HeatpgError, ValueError, OSError, ImportError) as reason:
        if isinstance(reason, HeatpgError):
            in_words_of(getattr(arguments, "options", {}), reason)
        shortage = _shortage(reason)
        if shortage:
            return _fail(f"{shortage} ({in_one_line(reason)})", NO_RESOURCES)
        if isinstance(reason, ImportError) and not isinstance(reason, HeatpgError):
            raise
        return _fail(reason, BAD_INPUT)
