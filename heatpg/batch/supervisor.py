"""Worker processes: tasks are handed out, outcomes come back, and the end of a worker is one of them.

Every worker is a fresh process, which is given one task after another. If it dies, by a signal or by leaving, its task
is tried again by another one, up to three times in all; an error is final at once, since it would come again.
"""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from typing import IO, Any, Protocol, TypeVar

from heatpg import errors
from heatpg.batch import work
from heatpg.batch.spec import Task
from heatpg.errors import HeatpgError, ResourceError, StoreError, UnsupportedError
from heatpg.tools.folders import Folder, held

__all__ = [
    "NEVER",
    "THREAD_VARIABLES",
    "Outcome",
    "Process",
    "Supervision",
    "alone",
    "next_event",
    "on_signals",
    "supervise",
]

_Event = TypeVar("_Event")

StrPath = str | os.PathLike[str]

TRIES = 3  # taste: a worker that the system kills by mistake once, or twice, costs no task
NEVER = float("inf")  # a deadline that does not come
_GRACE = 5.0  # seconds that running tasks are given to end; taste: who presses Ctrl-C waits for them
# Taste, long enough for a busy machine.
_EXIT_WAIT = 10.0  # seconds for a process to be gone after its pipes are closed
_ENDING_WAIT = 60.0  # seconds for one that has closed them itself: how it ended is to be told, however busy the machine
_SHORT = 0.5  # seconds; taste: so short a task is over before anybody waits for it, when all have to stop
_PULSE = 1.0  # seconds after which a wait is begun again, see `next_event`; taste: nobody sees a signal wait that long
_TAIL = 2000  # bytes of the end of its standard error, in which the last line is looked for
_CODE = "import sys; sys.path[:] = sys.argv[1:]; from heatpg.batch.work import main; main()"
THREAD_VARIABLES = ("HEATPG_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What became of a task.

    Attributes
    ----------
    task
        The task.
    facts
        What `heatpg.batch.work.complete` says of it, if it is done.
    reason
        Why it failed, if it did.
    tries
        How often it was begun.
    """

    task: Task
    facts: dict[str, Any] | None = None
    reason: str = ""
    tries: int = 1


class Process(Protocol):
    """What is asked of the process of a worker; `subprocess.Popen` has it."""

    pid: int

    def wait(self, timeout: float | None = None) -> int:
        """Exit status, negative for a signal."""

    def kill(self) -> None:
        """End it at once."""


@dataclasses.dataclass
class _Link:
    """A process, our ends of its pipes, and the file that its standard error goes into."""

    process: Process
    outgoing: int
    incoming: int
    stderr: IO[bytes]


def _link(threads: int) -> _Link:
    """Start a worker: a new interpreter, which finds packages where this one does and runs nothing of the user's."""
    # A file takes the standard error, because a pipe that nobody reads would fill up and stop the worker. -P and our
    # own sys.path keep modules of the working directory from being taken for those of libraries.
    paths = [os.path.abspath(entry) for entry in sys.path if isinstance(entry, str)]
    stderr = tempfile.TemporaryFile()  # noqa: SIM115
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", _CODE, *paths],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=stderr,
        env=os.environ | dict.fromkeys(THREAD_VARIABLES, str(threads)),
        bufsize=0,
    )
    assert process.stdin is not None and process.stdout is not None
    link = _Link(process, os.dup(process.stdin.fileno()), os.dup(process.stdout.fileno()), stderr)
    process.stdin.close()
    process.stdout.close()
    return link


class _Worker:
    """One process, the task that it has, and the one that lies ready for it.

    While an outcome is written down, which waits for the disk, a worker with short tasks would wait for its next one.

    Everything but `_listen` runs in the thread of the supervisor.
    """

    def __init__(self, threads: int, events: queue.SimpleQueue[tuple[_Worker | None, Any]]) -> None:
        self.link = _link(threads)
        self.events = events
        self.task: Task | None = None
        self.following: Task | None = None
        self.ready = False
        self.short = False  # whether its last task was
        self.deadline = NEVER
        self.timed_out = False
        self.begun = 0.0
        self.asked = False  # for the task that lies ready
        self._listener = threading.Thread(target=self._receive_all, daemon=True)

    def start(self) -> None:
        self._listener.start()

    def _receive_all(self) -> None:
        while (message := work.receive(self.link.incoming)) is not None:
            self.events.put((self, message))
        self.events.put((self, None))

    def send(self, task: Task, message: Mapping[str, Any], timeout: float | None) -> None:
        if self.task is None:
            self._begin(task, timeout)
        else:
            self.following = task
        self._tell({**message, "name": task.id})

    def _tell(self, message: Mapping[str, Any]) -> None:
        with contextlib.suppress(BrokenPipeError):  # it has ended, which the listener tells
            work.send(self.link.outgoing, message)

    def _begin(self, task: Task | None, timeout: float | None) -> None:
        self.task, self.following, self.begun, self.asked = task, None, time.monotonic(), False
        self.deadline = NEVER if task is None or timeout is None else self.begun + timeout

    def end(self, timeout: float | None) -> None:
        """Its task has ended, and it goes on with what lies ready."""
        self.short = time.monotonic() - self.begun < _SHORT
        self._begin(self.following, timeout)

    def ask_back(self) -> None:
        self.asked = True
        self._tell({work.RETURN: ""})

    def exit_words(self) -> str:
        """How it ended, in words: it has, or is about to."""
        try:
            status = self.link.process.wait(_ENDING_WAIT)
        except subprocess.TimeoutExpired:
            self.link.process.kill()
            status = self.link.process.wait()
        if status < 0:
            try:
                name = signal.Signals(-status).name
            except ValueError:
                name = f"signal {-status}"
            words = f"its worker was killed by {name}"
            if name == "SIGKILL":
                words += " (as the operating system does when memory runs out)"
        else:
            words = f"its worker exited with status {status}"
        last = self._last_line()
        return f"{words}; last line on stderr: {last}" if last else words

    def _last_line(self) -> str:
        file = self.link.stderr
        file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL))
        lines = file.read().decode(errors="replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "")

    def close(self) -> None:
        """End it, if it has not ended, and give back what it holds."""
        with contextlib.suppress(OSError):
            os.close(self.link.outgoing)
        if self.task is not None:
            self.link.process.kill()
        try:
            self.link.process.wait(_EXIT_WAIT)
        except subprocess.TimeoutExpired:
            self.link.process.kill()
            self.link.process.wait()
        self.link.stderr.close()
        if self._listener.ident is not None:  # it was started
            self._listener.join(_EXIT_WAIT)
        # A process that the worker has started may keep the pipe open, and the listener in it. A descriptor that a
        # thread reads from must not be closed, since its number may be given to another file: then it is left open.
        if not self._listener.is_alive():
            os.close(self.link.incoming)


def error_of(parts: dict[str, Any]) -> HeatpgError:
    """The error that stopped a worker, to be raised in this process."""
    kinds = {kind.__name__: kind for kind in (ResourceError, StoreError)}
    kind = kinds.get(str(parts.pop("kind", "")), errors.HeatpgError)
    return kind(
        str(parts.pop("problem", "")),
        given=parts.get("given"),
        allowed=parts.get("allowed"),
        advice=str(parts.get("advice") or ""),
    )


@contextlib.contextmanager
def on_signals(act: Callable[[int], object]) -> Iterator[None]:
    """Have SIGINT and SIGTERM noticed; only the main thread may, elsewhere they are left as they are."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        signal.signal(number, lambda number, frame: act(number))
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)


def next_event(events: queue.SimpleQueue[_Event], deadline: float) -> _Event | None:
    """What happens next; None if nothing does before the deadline, in seconds of `time.monotonic`."""
    # A signal that reaches the process just before the main thread begins to wait, or that the system gives to another
    # thread, does not end the wait, and its handler runs only after it. So no wait is long.
    while True:
        left = deadline - time.monotonic()
        try:
            return events.get(timeout=max(0.0, min(left, _PULSE)))
        except queue.Empty:
            if left <= _PULSE:
                return None


class Supervision(ABC):
    """What all who have tasks done by others keep: what waits, what has been tried how often, and when to stop.

    Parameters
    ----------
    tasks, folder, timeout, stopping
        As for `supervise`.
    """

    def __init__(
        self,
        tasks: Sequence[Task],
        folder: Folder | StrPath,
        timeout: float | None,
        stopping: Callable[[int], object] | None = None,
    ) -> None:
        with held(folder) as place:
            self.folder = place.path
            self.identity = place.identity
        self.timeout = timeout
        self.waiting = collections.deque(tasks)
        self.tries: collections.Counter[str] = collections.Counter()
        self.signals = 0
        self.tell_stopping = stopping
        self.halt: HeatpgError | None = None
        self.give_up_at = NEVER  # when what still runs is given up

    def message(self, task: Task) -> dict[str, Any]:
        """What is sent of a task: its specification, and which folder its shard goes into."""
        return {"task": task.resolved, "folder": str(self.folder), "identity": self.identity}

    @property
    @abstractmethod
    def busy(self) -> int:
        """How many tasks are worked on."""

    @property
    def finished(self) -> bool:
        """Whether nothing is worked on and nothing waits."""
        return not self.busy and not self.waiting

    @abstractmethod
    def proceed(self) -> None:
        """Hand out what waits."""

    @abstractmethod
    def gather(self) -> list[Outcome]:
        """Wait for something to happen, and see what else has happened meanwhile."""

    def cancel_unstarted(self) -> None:  # noqa: B027 - most hand out nothing that is not begun
        """Take back what nobody works on yet."""

    @property
    def stopping(self) -> bool:
        return self.signals > 0 or self.halt is not None

    def timed_out(self, task: Task) -> Outcome:
        """What becomes of a task that has taken too long."""
        return Outcome(task, reason=f"it took longer than {self.timeout:g} s", tries=self.tries[task.id])

    def fail_or_retry(self, task: Task, words: str) -> Outcome | None:
        """The failure of a task whose worker has ended too often; None if it is to be tried again."""
        tries = self.tries[task.id]
        return Outcome(task, reason=f"{words}, at the last of {tries} tries", tries=tries) if tries >= TRIES else None

    def outcome_of(self, task: Task, said: dict[str, Any]) -> Outcome | None:
        """What a worker has answered to a task; None if all have to stop."""
        tries = max(1, self.tries[task.id])
        if "halt" in said:
            self.halt = self.halt or error_of(said["halt"])
            return None
        if "done" in said:
            return Outcome(task, facts=said["done"], tries=tries)
        return Outcome(task, reason=str(said["failed"]), tries=tries)

    def outcomes(self) -> Iterator[list[Outcome]]:
        # One turn: hand out what waits, hand on what has ended, wait for what happens next. When all have to stop,
        # nothing is handed out any more, and what runs has until `give_up_at`, or until a second signal.
        found: list[Outcome] = []
        while True:
            if self.stopping:
                if self.give_up_at == NEVER:
                    self.give_up_at = time.monotonic() + _GRACE
                    self.cancel_unstarted()
                busy = self.busy
                ended = not busy or self.signals > 1 or time.monotonic() >= self.give_up_at
                if self.signals and not ended and self.tell_stopping is not None:
                    self.tell_stopping(busy)
                    self.tell_stopping = None
            else:
                ended = self.finished
                if not ended:
                    # before the outcomes are handed on, so that nobody waits while they are written down
                    self.proceed()
            if found:
                yield found
            if ended:
                break
            found = self.gather()
        if not self.stopping:
            return
        if self.halt is not None:
            raise self.halt
        raise KeyboardInterrupt


class _Supervision(Supervision):
    """Workers that are processes of this one."""

    def __init__(
        self,
        tasks: Sequence[Task],
        folder: Folder | StrPath,
        workers: int,
        timeout: float | None,
        cores: int,
        stopping: Callable[[int], object] | None,
    ) -> None:
        super().__init__(tasks, folder, timeout, stopping)
        self.count = min(workers, len(tasks))
        self.threads = max(1, cores // max(workers, 1))
        self.workers: list[_Worker] = []
        self.events: queue.SimpleQueue[tuple[_Worker | None, Any]] = queue.SimpleQueue()
        self.failed_starts = 0

    @property
    def busy(self) -> int:
        return sum(worker.task is not None for worker in self.workers)

    def proceed(self) -> None:
        self.start_workers()
        self.dispatch()
        self.ask_back()

    def on_signal(self, number: int) -> None:
        self.signals += 1
        self.events.put((None, number))

    def start_workers(self) -> None:
        """Have as many workers as there is work for."""
        fresh = []
        try:
            while len(self.workers) < min(self.count, self.busy + len(self.waiting)):
                fresh.append(_Worker(self.threads, self.events))
                self.workers.append(fresh[-1])
            for worker in fresh:
                worker.start()
        except (OSError, RuntimeError) as reason:  # no descriptors, no processes, no threads
            raise ResourceError(
                "a worker cannot be started",
                given=reason,
                advice="use fewer workers, or raise the limits of the system (ulimit -n, ulimit -u)",
            ) from reason

    def dispatch(self) -> None:
        for worker in self.workers:
            # one that has run out of time may have answered all the same, but is about to end
            if worker.ready and not worker.timed_out and worker.task is None and self.waiting:
                task = self.waiting.popleft()
                self.tries[task.id] += 1
                worker.send(task, self.message(task), self.timeout)
        for worker in self.workers:
            more = worker.short and worker.task is not None and worker.following is None and not worker.timed_out
            if more and len(self.waiting) > self.count:  # the last tasks are kept for whoever is free first
                task = self.waiting.popleft()
                worker.send(task, self.message(task), self.timeout)

    def _held_up(self) -> list[_Worker]:
        """Workers with a task that lies ready, while another worker has nothing to do."""
        if self.waiting or all(worker.task is not None or not worker.ready for worker in self.workers):
            return []
        return [worker for worker in self.workers if worker.following is not None and not worker.asked]

    def ask_back(self) -> None:
        """Have back what lies behind a task that takes longer than was thought, where somebody else can do it."""
        for worker in self._held_up():
            if worker.begun + _SHORT <= time.monotonic():
                worker.ask_back()

    def take_back(self, worker: _Worker, name: str) -> None:
        """A worker has given back a task that it had not begun, whatever was thought of it here."""
        for task in (worker.task, worker.following):
            if task is not None and task.id == name:
                self.waiting.appendleft(task)
                if task is worker.task:  # its answer to the one before was quicker
                    self.tries[name] -= 1
                    worker.task, worker.deadline = None, NEVER
                else:
                    worker.following = None

    def end_timed_out(self) -> None:
        now = time.monotonic()
        for worker in self.workers:
            if worker.deadline <= now:
                worker.timed_out, worker.deadline = True, NEVER
                worker.link.process.kill()  # then its listener finds the end of the pipe

    def worker_ended(self, worker: _Worker) -> Outcome | None:
        """What becomes of the task of a worker whose process has ended."""
        self.workers.remove(worker)
        task, words = worker.task, worker.exit_words()
        if worker.following is not None:  # it was not begun, and is no worse for that
            self.waiting.appendleft(worker.following)
        worker.close()
        # one that ends before it is ready cannot start; three of them in a row, and none ever will
        if task is None:
            self.failed_starts += not worker.ready
            if self.failed_starts >= TRIES:
                raise ResourceError(
                    "workers cannot be started",
                    given=words.replace("its worker", "the last one", 1),
                    advice="run heatpg doctor to test the installation; --workers 0 uses only this process",
                )
            return None
        if worker.timed_out:
            return self.timed_out(task)
        if self.stopping:
            return None
        outcome = self.fail_or_retry(task, words)
        if outcome is None:
            self.waiting.append(task)
        return outcome

    def handle(self, worker: _Worker, message: dict[str, Any] | None) -> Outcome | None:
        """A message of a worker; None is the end of its pipe."""
        if message is None:
            return self.worker_ended(worker) if worker in self.workers else None
        if "ready" in message:
            worker.ready, self.failed_starts = True, 0
            return None
        if work.RETURN in message:
            self.take_back(worker, str(message[work.RETURN]))
            return None
        task = worker.task
        assert task is not None, message
        worker.end(self.timeout)
        if worker.task is not None:
            self.tries[worker.task.id] += 1
        return self.outcome_of(task, message)

    def gather(self) -> list[Outcome]:
        # Everything that is there already is taken along: the journal then has one fsync for all of it.
        found = []
        limits = [self.give_up_at, *(worker.deadline for worker in self.workers)]
        limits += [worker.begun + _SHORT for worker in self._held_up()]
        event = next_event(self.events, min(limits))
        self.end_timed_out()
        while event is not None:
            worker, message = event
            outcome = None if worker is None else self.handle(worker, message)
            if outcome is not None:
                found.append(outcome)
            event = None if self.events.empty() else self.events.get()
        return found

    def close(self) -> None:
        # all are ended before any is waited for
        for worker in self.workers:
            if worker.task is not None:
                worker.link.process.kill()
        for worker in self.workers:
            worker.close()


def supervise(
    tasks: Sequence[Task],
    folder: Folder | StrPath,
    *,
    workers: int,
    timeout: float | None = None,
    cores: int = 1,
    stopping: Callable[[int], object] | None = None,
) -> Generator[list[Outcome], None, None]:
    """Have tasks done by processes of their own, whatever becomes of these.

    Parameters
    ----------
    tasks
        What is to be done, each once.
    folder
        The folder of the batch.
    workers
        How many processes, 1 or more.
    timeout
        Seconds after which a task is given up; None for no limit.
    cores
        Processors for all workers together; each has its part of them as threads.
    stopping
        Called once after a signal, with the number of tasks that are given time to end.

    Yields
    ------
    outcomes
        One for each task, as they end; those that came together are in one list.

    Raises
    ------
    KeyboardInterrupt
        After SIGINT or SIGTERM: nothing new is begun, and what runs is given a few seconds. A second signal ends all
        at once.
    ResourceError, StoreError
        If a shard cannot be written, or no worker can be started.
    """
    supervision = _Supervision(tasks, folder, workers, timeout, cores, stopping)
    with contextlib.closing(supervision), on_signals(supervision.on_signal):
        yield from supervision.outcomes()


def _interrupt(number: int) -> None:
    raise KeyboardInterrupt


def alone(
    tasks: Sequence[Task], folder: Folder | StrPath, *, timeout: float | None = None
) -> Generator[list[Outcome], None, None]:
    """Do tasks one after another in this process; as `supervise`, without its protection.

    Raises
    ------
    KeyboardInterrupt
        At SIGINT or SIGTERM, at once.
    ResourceError, StoreError
        If a shard cannot be written.
    UnsupportedError
        If a timeout is given: only another process can be ended.
    """
    if timeout is not None:
        raise UnsupportedError("a timeout needs workers", given="workers=0", allowed="workers >= 1")
    with on_signals(_interrupt):
        for task in tasks:
            try:
                outcome = Outcome(task, facts=work.complete(task.resolved, folder))
            except work.Halt as halt:
                raise halt.reason from halt
            except Exception as reason:
                outcome = Outcome(task, reason=work.explain(reason))
            yield [outcome]
