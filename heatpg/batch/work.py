"""The work on one task, and the process that does such work for others: JSON comes in, JSON goes out.

Neither pickles nor arrays travel: a task is its specification, and what is sent back is where its shard lies.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import queue
import re
import signal
import struct
import threading
import time
import traceback
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from heatpg.batch.drawing import STATES, drawn_evolution, state_name
from heatpg.batch.files import MINIMISE, landscape_in_file
from heatpg.batch.folder import SPEC
from heatpg.batch.outlines import OUTLINE, Outline
from heatpg.batch.shards import publish_shard, shard_name
from heatpg.batch.spec import Task
from heatpg.core.landscape import Landscape
from heatpg.driver import evolve
from heatpg.errors import HeatpgError, MissingFileError, StoreError, in_one_line
from heatpg.evolution import Evolution
from heatpg.landscapes.named import family_of
from heatpg.solvers import Solver, solvers
from heatpg.store.reading import fields_digest
from heatpg.store.writing import image
from heatpg.tools.folders import Folder, held, moved
from heatpg.tools.options import fitting, settable
from heatpg.tools.plain import json_like

__all__ = [
    "RETURN",
    "Halt",
    "answer",
    "complete",
    "explain",
    "is_of_the_cache",
    "main",
    "receive",
    "run_task",
    "send",
    "serve",
]

StrPath = str | os.PathLike[str]

# Frames are made here, and not by `multiprocessing.connection.Connection`. That was tried: it tells a pipe that has
# ended, half a frame and a length beyond the bound just as well. But on Windows it takes sockets and no pipes of
# `subprocess`, and it asks for the whole memory of a frame as soon as it has read its length.
_LENGTH = struct.Struct("<I")
_LONGEST = 2**28  # bytes of a message; bound: what a broken length can make us wait for. A task takes a few thousand
_PIECE = 2**20  # bytes that are asked for at a time; taste: a pipe of Linux gives 64 KiB at most
_MOST_WARNINGS = 20  # of one task that are kept; taste
# how a failure begins that was met while compiled kernels were read; before it was told so, it ended with Numba's file
_CACHE = "the cache of compiled kernels is corrupted"
_IN_CACHE = re.compile(rf"{_CACHE}: .*|.*\(caching\.py, line [0-9]+\)", flags=re.DOTALL)
RETURN = "return"
"""Key of the message that asks for a task which lies ready, and of the answer, with its name."""
_PARTS = ("problem", "given", "allowed", "advice")  # of an error, as they are sent


class Halt(Exception):
    """What stops a whole batch, because it would stop every other task as well: `reason` is the error to raise."""

    def __init__(self, reason: HeatpgError) -> None:
        super().__init__(in_one_line(reason))
        self.reason = reason


def _options(entry: Any, given: Mapping[str, Any]) -> dict[str, Any]:
    """Options as their annotations want them: JSON has lists where tuples are meant."""
    annotations = settable(entry)
    return {key: fitting(key, value, annotations[key]) for key, value in given.items()}


def _from_file(resolved: Mapping[str, Any]) -> Landscape:
    path = Path(resolved["file"])
    try:
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
    except FileNotFoundError as reason:
        raise MissingFileError(f"cannot read the landscape {path}", given=reason.strerror) from None
    except OSError as reason:
        raise StoreError(f"cannot read the landscape {path}", given=reason.strerror or reason) from None
    # the identity of the task names the content: a result of another file would be found under it for ever
    if digest != resolved["sha256"]:
        raise StoreError(
            f"{path} has changed since the batch was created (its SHA-256 differs)",
            given=f"SHA-256 {digest[:12]}..., of the task {resolved['sha256'][:12]}...",
            advice="restore the file, or create the batch again",
        )
    return landscape_in_file(resolved)


def _landscape(resolved: Mapping[str, Any]) -> Landscape:
    if resolved["source"] == "file":
        return _from_file(resolved)
    family = family_of(resolved["source"])
    return family(**_options(family, resolved["options"])).regarded(minimise=resolved.get(MINIMISE, False))


def _evolution(resolved: Mapping[str, Any]) -> Evolution:
    wanted = resolved["solver"]
    auto = wanted["name"] == "auto"
    solver: str | Solver = "auto"
    if not auto:
        kind = solvers.get(wanted["name"])
        solver = kind(**_options(kind, wanted["options"]))
    return evolve(
        _landscape(resolved["landscape"]),
        resolved["sigma"],
        solver,
        checks=resolved["checks"],
        **({"tolerance": wanted["tolerance"], "prefer": wanted["prefer"]} if auto else {}),
    )


def run_task(resolved: Mapping[str, Any]) -> tuple[bytes, dict[str, Any]]:
    """Do the work of a task: the landscape, its evolution, the checks, and the bytes of the file.

    Parameters
    ----------
    resolved
        The resolved specification, as `heatpg.batch.Task.resolved` gives it; every part of it is checked again.

    Returns
    -------
    image
        The bytes of the file; the same task gives the same bytes, whatever the number of threads.
    facts
        ``task`` (the identity), ``seconds``, ``u_sha256`` (of the fields as they are stored), ``failures`` (names of
        checks that failed), ``warnings``, ``sha256`` (of the image), ``outline`` (what the index shows of it).

    Raises
    ------
    HeatpgError
        Of the kind that the failing step raises.

    Examples
    --------
    >>> from heatpg.batch import read_spec
    >>> from heatpg.batch.work import run_task
    >>> spec = read_spec({"landscape": {"source": "ridge", "size": 17}, "evolve": {"sigma": 0.5}})
    >>> image, facts = run_task(spec.tasks()[0].resolved)
    >>> image[1:4], facts["task"] == spec.tasks()[0].id
    (b'HDF', True)
    """
    return _worked(resolved, None)


def _worked(resolved: Mapping[str, Any], state: Path | None) -> tuple[bytes, dict[str, Any]]:
    """The same with a file that keeps draws of noise in all components, from which interrupted work goes on."""
    begin = time.perf_counter()
    # it may come through a pipe or a scheduler: nothing in it is believed until it has been read as a specification is
    task = Task.from_resolved(resolved)
    storage = task.resolved["storage"]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        if STATES in task.resolved:
            evolution = drawn_evolution(_landscape(task.resolved["landscape"]), task.resolved, state)
        else:
            evolution = _evolution(task.resolved)
    # nothing of the clock goes into the file: the same task gives the same bytes
    compact = {"storage": "compact", "tolerance": storage["tolerance"]} if storage["mode"] == "compact" else {}
    content = image(evolution, compression=storage["compression"], task=task.canonical().decode(), **compact)
    facts = {
        "task": task.id,
        "seconds": time.perf_counter() - begin,
        "u_sha256": fields_digest(content),
        "failures": [check.name for check in evolution.report.failures],
        "warnings": [str(warning.message) for warning in caught[:_MOST_WARNINGS]],
        "sha256": hashlib.sha256(content).hexdigest(),
        OUTLINE: Outline.of(evolution, compact=bool(compact)).as_dict(),
    }
    return content, facts


def complete(resolved: Mapping[str, Any], folder: Folder | StrPath) -> dict[str, Any]:
    """Do the work of a task, and publish its shard.

    Parameters
    ----------
    resolved
        As in `run_task`.
    folder
        The folder of the batch, by its name or held open.

    Returns
    -------
    facts
        Those of `run_task`, with ``path`` (relative to the folder) and ``bytes``; the shard is on the disk.

    Raises
    ------
    Halt
        If the shard cannot be written, because then no other can.
    HeatpgError
        As in `run_task`.
    """
    content, facts = run_task(resolved) if STATES not in resolved else _worked(resolved, _state(resolved, folder))
    # An error of the task is its own; an error of the disk would meet every other task too, so it stops the batch.
    try:
        publish_shard(content, folder, facts["task"], facts["sha256"])
        if STATES in resolved:
            with held(folder) as place:
                place.remove(state_name(facts["task"]))
    except HeatpgError as reason:
        raise Halt(reason) from reason
    return facts | {"path": shard_name(facts["task"]), "bytes": len(content)}


def _state(resolved: Mapping[str, Any], folder: Folder | StrPath) -> Path:
    """Where the draws of a task are kept until it is done."""
    task = Task.from_resolved(resolved)
    try:
        with held(folder) as place:
            place.make_folder(STATES)
            return Path(place) / state_name(task.id)
    except HeatpgError as reason:
        raise Halt(reason) from reason


def explain(reason: BaseException) -> str:
    """An exception in one line; one that nobody expected comes with the place where it was raised."""
    if isinstance(reason, HeatpgError):
        return reason.one_line
    frames = traceback.extract_tb(reason.__traceback__)
    place = f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""
    # Numba reads and writes its cache in this module alone
    cached = any(Path(frame.filename).parts[-3:] == ("numba", "core", "caching.py") for frame in frames)
    return f"{f'{_CACHE}: ' if cached else ''}{type(reason).__name__}: {reason}{place}"


def is_of_the_cache(reason: str) -> bool:
    """Whether a failure, in the words of `explain`, comes from the cache of compiled kernels and not from the task.

    Examples
    --------
    >>> from heatpg.batch.work import is_of_the_cache
    >>> is_of_the_cache("EOFError: Ran out of input (caching.py, line 636)"), is_of_the_cache("sigma is negative")
    (True, False)
    """
    return _IN_CACHE.fullmatch(reason) is not None


def send(descriptor: int, message: Mapping[str, Any]) -> None:
    """Write a message into a pipe: four bytes of length, then JSON."""
    text = json.dumps(json_like(dict(message)), allow_nan=False).encode()
    rest = memoryview(_LENGTH.pack(len(text)) + text)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _exactly(descriptor: int, count: int) -> bytes:
    # a read from a pipe gives what is there, which may be less; memory grows only with what has come
    parts = []
    while count:
        part = os.read(descriptor, min(count, _PIECE))
        if not part:
            return b""
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


def receive(descriptor: int) -> dict[str, Any] | None:
    """Read a message from a pipe; None if the other end has gone, or speaks another language."""
    # Who sends half a frame has died, and who sends a wrong length is none of ours: both are the end of the pipe.
    head = _exactly(descriptor, _LENGTH.size)
    if not head or _LENGTH.unpack(head)[0] > _LONGEST:
        return None
    try:
        message = json.loads(_exactly(descriptor, _LENGTH.unpack(head)[0]))
    except ValueError:
        return None
    return message if isinstance(message, dict) else None


@contextlib.contextmanager
def _folder_of(message: Mapping[str, Any]) -> Iterator[Folder]:
    """The folder that a message names, if it is the one that is meant: by its number, or by its specification."""
    # Another folder may have this name by now, or none: a worker never makes one, since nobody would look for it.
    with contextlib.ExitStack() as stack:
        try:
            folder = stack.enter_context(Folder(message["folder"]))
            meant = message.get("identity") in (None, list(folder.identity))
            if "specification" in message:
                meant = hashlib.sha256(folder.read(SPEC)).hexdigest() == message["specification"]
        except (StoreError, OSError) as reason:
            raise Halt(moved(message["folder"])) from reason
        if not meant:
            raise Halt(moved(message["folder"]))
        yield folder


def answer(message: Mapping[str, Any]) -> dict[str, Any]:
    """Do what a message asks for, and say what came of it."""
    try:
        with _folder_of(message) as folder:
            return {"done": complete(message["task"], folder)}
    except Halt as halt:
        # an error travels as its four texts, since neither pickles nor tracebacks do
        reason = halt.reason
        parts = {key: None if value is None else str(value) for key, value in vars(reason).items() if key in _PARTS}
        return {"halt": parts | {"kind": type(reason).__name__}}
    except BaseException as reason:  # whatever it is, it is the fault of the task
        return {"failed": explain(reason), "kind": type(reason).__name__}


def serve(incoming: int, outgoing: int) -> None:
    """Do task after task until the other end of the pipe is closed, which ends this process at once.

    Parameters
    ----------
    incoming, outgoing
        Descriptors of pipes: tasks come from the one, answers go into the other.
    """
    inbox: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
    turn = threading.Lock()  # a message must not get into the middle of another

    def tell(message: Mapping[str, Any]) -> None:
        with turn:
            send(outgoing, message)

    def listen() -> None:
        # In a thread of its own, so that a worker whose supervisor was killed does not work on.
        while (message := receive(incoming)) is not None:
            if RETURN not in message:
                inbox.put(message)
                continue
            # what lies ready while a task takes long is done by another worker; nothing, if it has been begun already
            with contextlib.suppress(queue.Empty, BrokenPipeError):
                tell({RETURN: inbox.get_nowait()["name"]})
        os._exit(0)

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # from the keyboard it comes to all; the supervisor decides
    threading.Thread(target=listen, daemon=True).start()
    try:
        # only after everything was imported: a worker that cannot start is told from one that a task has killed
        tell({"ready": os.getpid()})
        while True:
            tell(answer(inbox.get()))
    except BrokenPipeError:
        os._exit(0)


def main() -> None:
    """Be a worker: tasks come on the standard input, answers go to what was the standard output."""
    incoming, outgoing = os.dup(0), os.dup(1)
    # what libraries print must not get among the messages
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    serve(incoming, outgoing)
