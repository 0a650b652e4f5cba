"""Pieces of work on processes of their own, started afresh and never forked.

What travels is pickled by `multiprocessing`, between this process and those that it has started: functions as their
module and name, so each must be found there.
"""

from __future__ import annotations

import contextlib
import io
import multiprocessing
import multiprocessing.connection
import os
import signal
import sys
import traceback
import types
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.reduction import ForkingPickler
from typing import Any, Protocol

from heatpg.errors import ResourceError, UnsupportedError

__all__ = ["on_workers", "require_main_guard", "require_portable"]

_EXIT_DEADLINE = 5.0  # seconds; a taste: a process that has closed its pipe, or was told to end, does so at once
_GUARD = 'if __name__ == "__main__":'


class Worker(Protocol):
    """What a process makes of its plan, and has work done by."""

    def work(self, piece: Any) -> Any:
        """The result of one piece."""


def _portable(reason: BaseException) -> BaseException:
    """The exception itself if it survives the way, or one that says as much."""
    # a traceback does not survive pickling; its text does
    told = "".join(traceback.format_exception(reason)).rstrip()
    try:
        # some exceptions can be pickled and not be made again from that, so both ways are tried
        ForkingPickler.loads(ForkingPickler.dumps(reason))
    except Exception:
        reason = RuntimeError(f"{type(reason).__name__}: {reason}")
    reason.add_note(f"in a worker process:\n{told}")
    return reason


def _serve(connection: multiprocessing.connection.Connection, make: Callable[[Any], Worker], plan: Any) -> None:
    """Make a worker, then do what comes until None comes."""
    # Ctrl-C goes to every process of the terminal at once
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the one who has started this process ends it
    # where the other end is gone nobody is left to be told
    with contextlib.suppress(EOFError, BrokenPipeError):
        try:
            worker = make(plan)
            while (message := connection.recv()) is not None:
                number, piece = message
                connection.send(("done", (number, worker.work(piece)), [], None))
        # of the connection, not of the work: ends the loop by the suppression above
        except (EOFError, BrokenPipeError):
            raise
        except Exception as reason:
            sent = _portable(reason)
            cause = None if reason.__cause__ is None else _portable(reason.__cause__)
            # apart: pickling leaves causes out, and an exception that says how it is pickled may leave out its notes
            connection.send(("failed", sent, list(getattr(sent, "__notes__", ())), cause))


def require_main_guard() -> None:
    """Refuse to start processes from a script that is itself only being read by one, or that none can read.

    A process that is started afresh reads the script of the one who started it, up to its end, before it begins to
    work. Without the guard it comes to the same call again.
    """
    # the mark that multiprocessing itself goes by; who the parent is, it learns only after the script is read
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        raise UnsupportedError(
            "workers were started while the main script was being imported",
            advice=f"put this call and all that follows below the line {_GUARD}",
        )
    main = sys.modules["__main__"]
    path = getattr(main, "__file__", None)
    # a script that came by a pipe has a name, and each worker would look for a file of this name
    if path is not None and getattr(main, "__spec__", None) is None and not os.path.exists(path):
        raise UnsupportedError(
            "a worker process must import the main script, but it is not in a file",
            given=path,
            advice="save the script to a file and run that, or use workers=0",
        )


class _Pickler(ForkingPickler):
    """The very pickler that multiprocessing sends with, noting what it takes from the main module."""

    def __init__(self) -> None:
        super().__init__(io.BytesIO(), None)
        self.of_main: list[str] = []

    def persistent_id(self, thing: Any) -> None:
        """Asked of every object; none is kept elsewhere."""
        if isinstance(thing, types.FunctionType | type) and thing.__module__ == "__main__":
            self.of_main.append(thing.__qualname__)


def _has_a_script() -> bool:
    """Whether the main module can be read by a process that is started afresh: a notebook and a prompt cannot."""
    main = sys.modules["__main__"]
    # the same questions that multiprocessing asks
    return getattr(main, "__spec__", None) is not None or getattr(main, "__file__", None) is not None


def require_portable(what: str, thing: Any) -> None:
    """Refuse what cannot be sent to another process, or not be found there."""
    pickler = _Pickler()
    try:
        pickler.dump(thing)
    except Exception as reason:
        raise UnsupportedError(
            f"{what} cannot be sent to a worker process",
            given=f"{thing!r}: {reason}",
            allowed="a function, or an object of a class, defined at module level",
            advice="move it to an importable module, or use workers=0",
        ) from None
    if pickler.of_main and not _has_a_script():
        name = pickler.of_main[0]
        raise UnsupportedError(
            f"{what} is defined in a notebook or at a prompt, where a worker process cannot import it",
            given=name,
            allowed="a function, or an object of a class, defined at module level",
            advice="write it to a file, in a notebook by a cell whose first line is %%writefile my_environment.py, "
            f"then from my_environment import {name.partition('.')[0]}; or use workers=0",
        )


class _Pool:
    """Processes, what each has in hand, and who is free."""

    def __init__(self, make: Callable[[Any], Worker], plan: Any, count: int) -> None:
        # never fork: threads of this process, of NumPy or a simulator, may hold locks that a fork copies for ever
        context = multiprocessing.get_context("spawn")
        self.processes: dict[multiprocessing.connection.Connection, Any] = {}
        for _ in range(count):
            ours, theirs = context.Pipe()
            # daemon: a process that is left over ends with this one
            process = context.Process(target=_serve, args=(theirs, make, plan), daemon=True)
            try:
                process.start()
            except OSError as reason:
                self.close()
                raise ResourceError("a worker process cannot be started", given=reason) from None
            # only the worker may hold its end, or its exit would not close the pipe, and be waited for in vain
            theirs.close()
            self.processes[ours] = process

    def results(self, pieces: Sequence[Any]) -> Iterator[tuple[int, Any]]:
        # handed out one at a time to whoever is free: a slow piece holds up nobody else
        waiting = iter(enumerate(pieces))
        free = list(self.processes)
        busy: set[multiprocessing.connection.Connection] = set()
        while True:
            for connection in free:
                if (task := next(waiting, None)) is not None:
                    busy.add(connection)
                    with contextlib.suppress(BrokenPipeError):  # its end is found out below
                        connection.send(task)
            if not busy:
                return
            free = []
            # wakes up for an answer and for a pipe that closes, so that an exit is noticed at once
            for ready in multiprocessing.connection.wait(list(busy)):
                assert isinstance(ready, multiprocessing.connection.Connection)
                try:
                    kind, content, notes, cause = ready.recv()
                except (EOFError, ConnectionResetError):
                    raise self.exit_error(ready) from None
                if kind == "failed":
                    content.__notes__ = notes
                    raise content from cause
                busy.remove(ready)
                free.append(ready)
                yield content

    def exit_error(self, connection: multiprocessing.connection.Connection) -> ResourceError:
        process = self.processes[connection]
        # the pipe closes a moment before the exit status is known
        process.join(_EXIT_DEADLINE)
        code = process.exitcode
        words = f"exit code {code}"
        # negative: the number of the signal that ended it
        if code is not None and code < 0:
            with contextlib.suppress(ValueError):
                words += f", {signal.Signals(-code).name}"
        return ResourceError(
            "a worker process died; its error output is on stderr",
            given=words,
            advice=(
                f"in a script, put the call below the line {_GUARD}; pass functions and environments defined at "
                f"module level"
            ),
        )

    def close(self) -> None:
        for connection, process in self.processes.items():
            with contextlib.suppress(OSError):
                # an idle worker leaves its loop by itself; a busy one is ended below
                connection.send(None)
            connection.close()
            process.terminate()
        for process in self.processes.values():
            process.join(_EXIT_DEADLINE)
            # a library may hold back the polite signal
            if process.is_alive():
                process.kill()
                process.join()
            process.close()


def on_workers(
    make: Callable[[Any], Worker], plan: Any, pieces: Sequence[Any], count: int
) -> Iterator[tuple[int, Any]]:
    """Have pieces worked on by processes, each of which makes its worker of the plan.

    Yields
    ------
    number, result
        Of each piece, in the order in which they are done.

    Raises
    ------
    ResourceError
        If a process dies, with its exit code, or cannot be started.
    Exception
        What a worker raises, with a note that holds its traceback.
    """
    pool = _Pool(make, plan, min(count, len(pieces)))
    # also where the consumer stops early, or a worker fails: no process is left behind
    with contextlib.closing(pool):
        yield from pool.results(pieces)
