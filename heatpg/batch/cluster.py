"""Tasks on the workers of Dask: those of a cluster within this process, or of a scheduler that runs elsewhere.

What travels is text: a task goes out as its specification, and what comes back is where its shard lies. Every worker is
given its tasks by its address, one to work on and one to go on with: when it ends it is known during which task.

Dask itself speaks pickle: who reaches a scheduler or a worker can run anything there. So all of it stays on the
loopback interface, or is encrypted and authenticated by TLS.
"""

# One file, because who may be spoken to, how workers begin and what is kept of them are read together: every death,
# answer and deadline of a worker goes through the same accounts.

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import dataclasses
import functools
import hashlib
import importlib
import ipaddress
import itertools
import json
import logging
import os
import queue
import re
import signal
import tempfile
import threading
import time
import uuid
import warnings
from collections.abc import Callable, Coroutine, Generator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from heatpg.batch import work
from heatpg.batch.spec import Task
from heatpg.batch.supervisor import NEVER, THREAD_VARIABLES, Outcome, Supervision, next_event, on_signals
from heatpg.errors import HeatpgWarning, MissingFileError, OptionError, ResourceError, StoreError, UnsupportedError
from heatpg.tools.folders import Folder
from heatpg.tools.parallel import set_threads, threads
from heatpg.tools.plain import json_like
from heatpg.version import __version__

# so that who lacks one of them learns it at once, and type checkers need none of them
dask: Any = importlib.import_module("dask")
distributed: Any = importlib.import_module("distributed")
importlib.import_module("cryptography")

__all__ = ["credentials", "dask_setup", "supervise"]

StrPath = str | os.PathLike[str]

# All of them are taste, long enough for a busy machine: none decides what comes of a task that is worked on.
_POLL = 0.1  # seconds between two looks at who is there
_CONNECT = 30.0  # seconds for a scheduler elsewhere to answer
_NO_WORKER_WAIT = 60.0  # seconds without a worker of another scheduler, after which somebody is told
_START_WAIT = 900.0  # seconds for a worker of our own: it loads all of heatpg, on a machine that may do much else
_EXIT_WAIT = 3.0  # seconds for a process to end when it is told to; then it is killed
_GONE_WAIT = 60.0  # seconds for it to be gone
_TASKS_PER_WORKER = 2  # tasks that a worker has: while one is worked on, the next is there already
_LOOPBACK = "127.0.0.1"
_START = "spawn"  # how processes begin
_ADDRESS = re.compile(r"(tcp|tls)://(\[[0-9a-fA-F:.]+\]|[^\[\]:/\s]+):([0-9]{1,5})")
_PARTS = ("ca_file", "cert", "key")


# ----------------------------------------------------------------------------------------------------------------------
_BUSY = threading.Lock()  # one task at a time in this process


def dask_setup(worker: object) -> None:
    """What a worker of the local cluster does first: Ctrl-C reaches it too, and is not its concern."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


async def _exit_process() -> None:
    """End the process of a worker whose task takes too long: a thread cannot be ended, a process can."""
    os._exit(1)


def _kill(dask_worker: Any) -> None:
    """What a nanny does to a worker that does not answer."""
    os.kill(dask_worker.pid, signal.SIGKILL)


def _digest(folder: str) -> str:
    """SHA-256 of the specification in a folder, by which it is known from every machine."""
    return hashlib.sha256((Path(folder) / "spec.toml").read_bytes()).hexdigest()


def _describe_worker(folder: str) -> str:
    """The version of heatpg that a worker has, and what it sees of the folder, as JSON."""
    try:
        digest, problem = _digest(folder), ""
    except OSError as reason:
        digest, problem = "", str(reason.strerror or reason)
    return json.dumps({"version": __version__, "digest": digest, "problem": problem})


def _run_task(text: str) -> str:
    """Do a task, as JSON, and say what came of it, as JSON; with the threads that Dask has for the worker."""
    with _BUSY:  # the warnings of a task are collected, for which it must be alone in its process
        if not os.environ.get("HEATPG_THREADS"):
            count = int(distributed.get_worker().state.nthreads)
            if count != threads():
                set_threads(count)
        return json.dumps(json_like(work.answer(json.loads(text))))


def credentials(security: object = None) -> Any:
    """What proves who we are, as Dask wants it.

    Parameters
    ----------
    security
        A `distributed.Security`; a mapping of ``ca_file`` (certificate of the authority), ``cert`` and ``key``
        (certificate and private key of this side), each the name of a file in PEM; or None for the configuration of
        Dask.

    Returns
    -------
    security
        A `distributed.Security`.

    Raises
    ------
    OptionError
        If a part is missing, or one of the files cannot be used.
    MissingFileError
        If one of the files is not there.
    """
    if security is None or isinstance(security, distributed.Security):
        result = distributed.Security() if security is None else security
    elif isinstance(security, Mapping):
        if sorted(map(str, security)) != sorted(_PARTS) or not all(security.values()):
            given = ", ".join(str(key) for key, value in security.items() if value) or "nothing"
            raise OptionError("TLS needs three files", given=given, allowed=", ".join(_PARTS))
        files = {part: os.path.abspath(os.fspath(security[part])) for part in _PARTS}
        for part, file in files.items():
            if not os.path.isfile(file):
                raise MissingFileError("a TLS file does not exist", given=f"{part} = {file}")
        roles = {f"tls_{role}_{part}": files[part] for role in ("client", "scheduler", "worker") for part in _PARTS[1:]}
        result = distributed.Security(require_encryption=True, tls_ca_file=files["ca_file"], **roles)
    else:
        raise OptionError(
            "security must be TLS settings",
            given=repr(security),
            allowed="a distributed.Security, or a mapping of three files",
        )
    try:
        result.get_connection_args("client")
    except OSError as reason:  # of which the errors of TLS are a kind
        raise OptionError("the TLS files cannot be used", given=reason) from None
    return result


def _is_loopback(host: str) -> bool:
    # a name may mean another machine tomorrow; this one is reserved
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _refuse_plain(address: str, whose: str) -> None:
    """Refuse to speak without TLS to anything but this machine."""
    protocol, _, rest = address.partition("://")
    if protocol == "tls" or (protocol == "tcp" and _is_loopback(rest.rpartition(":")[0])):
        return
    raise UnsupportedError(
        f"refusing to use the {whose} without encryption: anyone who can reach it can execute code as you",
        given=address,
        allowed="tls://..., or tcp:// on this machine",
        advice="use TLS (--tls-ca-file, --tls-cert, --tls-key; in Python security=), or run array jobs with --shard "
        "I/N, which need no scheduler; on a private network only, add --private-network (allow_insecure=True)",
    )


def _checked_address(scheduler: str, security: Any, *, allow_insecure: bool) -> None:
    """Refuse an address that is none, or that is not to be spoken to."""
    match = _ADDRESS.fullmatch(scheduler)
    if match is None or not 0 < int(match[3]) < 65536:
        raise OptionError(
            "invalid scheduler address",
            given=repr(scheduler),
            allowed="local, tcp://host:port, tls://host:port",
        )
    if match[1] == "tls":
        if security.tls_client_cert is None or security.tls_ca_file is None:
            raise OptionError(
                "tls:// needs certificates",
                given=scheduler,
                advice="pass --tls-ca-file, --tls-cert and --tls-key; in Python security=",
            )
    elif security.require_encryption:
        raise OptionError("with certificates the address must begin with tls://", given=scheduler)
    elif not allow_insecure:
        _refuse_plain(scheduler, "scheduler")


def _unreachable(what: str, reason: object, advice: str) -> ResourceError:
    return ResourceError(what, given=reason, advice=advice)


def _connect(address: Any, *, patience: float, **arguments: Any) -> Any:
    return distributed.Client(address, set_as_default=False, timeout=patience, **arguments)


@contextlib.contextmanager
def _quiet_dask() -> Iterator[None]:
    """Keep what Dask logs from the screen: heatpg tells what matters in its own words."""
    names = [name for name in logging.Logger.manager.loggerDict if name.split(".")[0] == "distributed"]
    handlers = [handler for name in names for handler in logging.getLogger(name).handlers]
    levels = [handler.level for handler in handlers]
    for handler in handlers:
        handler.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for handler, level in zip(handlers, levels, strict=True):
            handler.setLevel(level)


async def _close_workers(cluster: Any) -> None:
    """End the workers of a local cluster, without waiting for what they work on."""
    await asyncio.gather(*(nanny.close(timeout=0.2) for nanny in cluster.workers.values()), return_exceptions=True)


@contextlib.contextmanager
def _local(workers: int, cores: int, security: Any) -> Iterator[Any]:
    """A scheduler within this process with workers of its own, and a client of it; nothing is left of them.

    Other users of this machine reach its loopback interface too. So even there the cluster speaks TLS, with
    certificates that are made for it and are on no disk.
    """
    share = str(max(1, cores // workers))
    with contextlib.ExitStack() as stack:
        stack.enter_context(_quiet_dask())
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="heatpg-dask-", ignore_cleanup_errors=True))
        settings = {
            "distributed.scheduler.allowed-failures": 0,  # told at the first end of a worker: tries are counted here
            # else a worker that happens to be away again so long after it ended first is not started any more
            "distributed.deploy.lost-worker-timeout": "1000 days",
            "temporary-directory": folder,
            "distributed.scheduler.http.routes": [],
            "distributed.worker.http.routes": [],
            "distributed.worker.profile.enabled": False,
            "distributed.worker.multiprocessing-method": _START,
        }
        stack.enter_context(dask.config.set(settings))
        try:
            cluster = distributed.LocalCluster(
                n_workers=workers,
                threads_per_worker=1,
                processes=True,
                host=_LOOPBACK,
                protocol="tls",
                security=security if security.require_encryption else distributed.Security.temporary(),
                dashboard_address=None,
                worker_dashboard_address=None,
                scheduler_kwargs={
                    "dashboard_address": f"{_LOOPBACK}:0"
                },  # its server is always there, and says nothing
                memory_limit=0,  # that it fits was found out before
                local_directory=folder,
                silence_logs=logging.CRITICAL,
                preload=["heatpg.batch.cluster", *dask.config.get("distributed.worker.preload")],
                env=dict.fromkeys(THREAD_VARIABLES, share),
            )
        except Exception as reason:
            raise _unreachable(
                "Dask workers cannot be started",
                work.explain(reason),
                'in a script, scheduler="local" needs the line: if __name__ == "__main__":',
            ) from reason
        stack.callback(cluster.close)
        stack.callback(cluster.sync, _close_workers, cluster)
        client = _connect(cluster, patience=_START_WAIT)
        stack.callback(client.close)
        yield client


@contextlib.contextmanager
def _remote(scheduler: str, security: Any) -> Iterator[Any]:
    """A client of a scheduler that runs elsewhere."""
    with _quiet_dask():
        try:
            client = _connect(scheduler, patience=_CONNECT, security=security)
        except (OSError, ValueError, RuntimeError) as reason:
            raise _unreachable(
                "no Dask scheduler answers",
                f"{scheduler}, {work.explain(reason)}",
                "check that it is running and reachable",
            ) from reason
        try:
            yield client
        finally:
            # a client that has lost its scheduler fails at closing
            with contextlib.suppress(OSError, concurrent.futures.CancelledError, asyncio.TimeoutError):
                client.close()


@dataclasses.dataclass
class _Worker:
    """A worker by its address, and its tasks by the numbers under which they were sent: the first is worked on."""

    address: str
    usable: bool = False
    terminating: bool = False
    tasks: dict[int, Task] = dataclasses.field(default_factory=dict)
    deadline: float = NEVER
    description: Any = None


class _Supervision(Supervision):
    """Workers of Dask, by their addresses.

    Coroutines in the thread of the client tell what happens; everything else is done in the thread of the caller.
    """

    def __init__(
        self,
        tasks: Sequence[Task],
        folder: Folder | StrPath,
        workers: int,
        timeout: float | None,
        *,
        local: bool,
        allow_insecure: bool,
        stopping: Callable[[int], object] | None = None,
    ) -> None:
        super().__init__(tasks, folder, timeout, stopping)
        self.client: Any = None
        self.watcher: concurrent.futures.Future[None] | None = None
        self.most = workers or len(tasks)
        self.local = local
        self.allow_insecure = allow_insecure
        self.digest = _digest(str(folder))
        self.isolated: set[str] = set()
        self.workers: dict[str, _Worker] = {}
        self.futures: dict[int, Any] = {}
        self.numbers = itertools.count()
        self.token = f"heatpg-{uuid.uuid4().hex}"
        self.events: queue.SimpleQueue[Callable[[], Outcome | None]] = queue.SimpleQueue()
        self.unusable: dict[str, str] = {}
        self.terminations: list[concurrent.futures.Future[None]] = []
        self.reported: set[str] = set()  # of those, the ones that somebody was told of
        self.no_worker_deadline: float | None = None  # since when there is nobody

    def message(self, task: Task) -> dict[str, Any]:
        # of another machine the numbers of devices and files say nothing
        known = super().message(task)
        return known if self.local else known | {"identity": None, "specification": self.digest}

    def start(self, client: Any) -> None:
        """Begin to look who is there."""
        self.client = client
        self.watcher = self._launch(self._watch())

    # In the thread of the client

    def _launch(self, act: Coroutine[Any, Any, None]) -> concurrent.futures.Future[None]:
        return asyncio.run_coroutine_threadsafe(act, self.client.loop.asyncio_loop)

    async def _watch(self) -> None:
        """Tell who is there, whenever it changes."""
        before: set[str] = set()
        told: set[str] | None = None
        while True:
            try:
                now = set(await self.client.nthreads(asynchronous=True))
            except Exception as reason:
                self.events.put(functools.partial(self.scheduler_lost, work.explain(reason)))
                return
            # the last answer of a worker that has gone may be on its way: it has gone when it is missing at two looks
            there, before = now | before, now
            if there != told:
                told = there
                self.events.put(functools.partial(self.update_workers, there))
            await asyncio.sleep(_POLL)

    async def _await_answer(self, future: Any, handle: Callable[[str | BaseException], Outcome | None]) -> None:
        """Tell what a worker answers."""
        answer: str | BaseException
        try:
            answer = await self.client.gather(future, asynchronous=True)
        except (Exception, asyncio.CancelledError) as reason:
            answer = reason
        self.events.put(functools.partial(handle, answer))

    async def _terminate(self, address: str) -> None:
        """End the process of a worker; its nanny, if it has one, starts another."""
        with contextlib.suppress(Exception):
            await self.client.run(_exit_process, workers=[address], wait=False, on_error="ignore")
            end = time.monotonic() + _EXIT_WAIT
            while stays := address in await self.client.nthreads(asynchronous=True):
                if time.monotonic() > end:
                    break
                await asyncio.sleep(_POLL)
            if stays:  # its event loop does not run, as within a long call of C: its nanny kills it
                await self.client.run(_kill, workers=[address], nanny=True, on_error="ignore")
        self.events.put(functools.partial(self.worker_returned, address))

    # In the thread of the caller

    @property
    def busy(self) -> int:
        return sum(bool(worker.tasks) for worker in self.workers.values())

    @property
    def finished(self) -> bool:
        return super().finished and self.events.empty()

    def proceed(self) -> None:
        self.dispatch()
        self.check_for_workers()

    def on_signal(self, number: int) -> None:
        self.signals += 1
        self.events.put(lambda: None)

    def scheduler_lost(self, reason: str) -> None:
        if not self.stopping:
            raise _unreachable("the connection to the Dask scheduler was lost", reason.split("\n")[0], "start it again")

    def submit(self, worker: _Worker, function: Callable[[str], str], text: str) -> tuple[int, Any]:
        number = next(self.numbers)
        future = self.client.submit(function, text, key=(self.token, number), workers=[worker.address], pure=False)
        return number, future

    def update_workers(self, there: set[str]) -> None:
        """Register workers that have come, and give up those that have gone."""
        for address in set(self.workers) - there:
            self.worker_lost(self.workers.pop(address), "its worker died")
        for address in sorted(there - set(self.workers)):
            if not self.allow_insecure:
                _refuse_plain(address, "worker")
            self.add_worker(address)
        for address in set(self.unusable) - there:
            del self.unusable[address]

    def add_worker(self, address: str) -> None:
        """Ask a worker for its version and its folder; if it has gone, the next one of its address answers."""
        worker = self.workers[address] = _Worker(address)
        _, worker.description = self.submit(worker, _describe_worker, str(self.folder))
        self._launch(self._await_answer(worker.description, functools.partial(self.check_worker, worker)))

    def worker_returned(self, address: str) -> None:
        """A worker was ended, and has come again under its old address."""
        if address in self.workers and self.workers[address].terminating:
            self.add_worker(address)

    def check_worker(self, worker: _Worker, answer: str | BaseException) -> None:
        """Whether a worker can be given tasks."""
        if self.workers.get(worker.address) is not worker:
            return
        problem = ""
        if isinstance(answer, BaseException):
            if isinstance(answer, concurrent.futures.CancelledError | distributed.scheduler.KilledWorker):
                return  # it has gone, which the watcher tells
            problem = f"it cannot run heatpg {__version__}: {work.explain(answer)}"
        else:
            said = json.loads(answer)
            if said["version"] != __version__:
                problem = f"it has heatpg {said['version']}, but this process has {__version__}"
            elif said["digest"] != self.digest:
                problem = f"the directory {self.folder} does not exist there, or is a different one"
                problem += f": {said['problem']}" if said["problem"] else ""
        worker.usable = not problem
        if problem:
            self.unusable[worker.address] = problem
        self.report_unusable()

    def report_unusable(self) -> None:
        """Warn of workers that cannot be used, when all have been asked; it is an error if there is no other."""
        if any(not worker.usable and worker.address not in self.unusable for worker in self.workers.values()):
            return
        news = sorted(set(self.unusable) - self.reported)
        self.reported = set(self.unusable)
        if news and not any(worker.usable for worker in self.workers.values()):
            raise StoreError(
                "no worker of the scheduler is usable",
                given=f"{news[0]}: {self.unusable[news[0]]}",
                advice="every machine needs the same directory path and the same version of heatpg",
            )
        for address in news:
            problem = self.unusable[address]
            warnings.warn(f"worker {address} gets no tasks: {problem}", HeatpgWarning, stacklevel=2)

    def dispatch(self) -> None:
        fit = [worker for worker in self.workers.values() if worker.usable and not worker.terminating][: self.most]
        for place in range(_TASKS_PER_WORKER):  # a second task for one only when all have a first
            for worker in fit:
                if len(worker.tasks) == place and self.waiting and self.may_send(worker, self.waiting[0]):
                    self.send(worker, self.waiting.popleft())

    def may_send(self, worker: _Worker, task: Task) -> bool:
        """Whether a worker may have this task too; a task that was with one that ended gets a worker for itself."""
        return not worker.tasks or not (
            task.id in self.isolated or any(other.id in self.isolated for other in worker.tasks.values())
        )

    def send(self, worker: _Worker, task: Task) -> None:
        text = json.dumps(self.message(task))
        number, future = self.submit(worker, _run_task, text)
        worker.tasks[number] = task
        self.futures[number] = future
        if len(worker.tasks) == 1:
            self.mark_started(worker)
        self._launch(self._await_answer(future, functools.partial(self.handle_answer, worker, number)))

    def mark_started(self, worker: _Worker) -> None:
        """Its first task is now worked on."""
        self.tries[next(iter(worker.tasks.values())).id] += 1
        worker.deadline = NEVER if self.timeout is None else time.monotonic() + self.timeout

    def take_back(self, worker: _Worker) -> list[Task]:
        """The tasks of a worker, which it does not have any longer."""
        tasks = list(worker.tasks.values())
        if worker.description is not None:
            worker.description.cancel()
        for number in worker.tasks:
            self.futures.pop(number).cancel()
        worker.tasks.clear()
        worker.deadline = NEVER
        return tasks

    def worker_lost(self, worker: _Worker, words: str) -> None:
        """A worker has ended, during its first task as far as anybody knows."""
        # The second task only waited, so its tries are not counted; but if the first is not to blame it may be, and
        # from now on both run alone.
        tasks = self.take_back(worker)
        worker.usable = False
        if not tasks or self.stopping:
            return
        first = tasks[0]
        self.isolated.update(task.id for task in tasks)
        outcome = self.fail_or_retry(first, words)
        if outcome is not None:
            self.events.put(lambda: outcome)
            tasks = tasks[1:]
        self.waiting.extend(tasks)

    def handle_answer(self, worker: _Worker, number: int, answer: str | BaseException) -> Outcome | None:
        """What a worker has answered to a task that it still has."""
        task = worker.tasks.get(number)
        if task is None:
            return None
        if isinstance(answer, distributed.scheduler.KilledWorker):
            self.worker_lost(worker, "its worker died")
            self.add_worker(worker.address)
            return None
        if isinstance(answer, concurrent.futures.CancelledError | OSError | TimeoutError):
            # what goes wrong in a task comes as text; this went wrong on the way
            self.scheduler_lost(work.explain(answer))
            return None
        first = next(iter(worker.tasks)) == number
        del worker.tasks[number], self.futures[number]
        if worker.tasks and first:
            self.mark_started(worker)
        elif not worker.tasks:
            worker.deadline = NEVER
        return self.outcome_of(
            task, {"failed": work.explain(answer)} if isinstance(answer, BaseException) else json.loads(answer)
        )

    def end_timed_out(self) -> Iterator[Outcome]:
        now = time.monotonic()
        for worker in self.workers.values():
            if worker.deadline <= now:
                task, *others = self.take_back(worker)
                self.waiting.extendleft(reversed(others))
                worker.usable, worker.terminating = False, True
                self.terminations.append(self._launch(self._terminate(worker.address)))
                yield self.timed_out(task)

    def check_for_workers(self) -> None:
        """Warn whoever waits for workers of another scheduler; workers of our own that do not start are an error."""
        if any(worker.usable for worker in self.workers.values()):
            self.no_worker_deadline = None
        elif self.no_worker_deadline is None:
            self.no_worker_deadline = time.monotonic() + (_START_WAIT if self.local else _NO_WORKER_WAIT)
        elif time.monotonic() >= self.no_worker_deadline:
            if self.local:
                raise _unreachable("Dask workers cannot be started", f"none in {_START_WAIT:g} s", "")
            warnings.warn("the scheduler has no workers yet; waiting for workers", HeatpgWarning, stacklevel=2)
            self.no_worker_deadline = NEVER

    def gather(self) -> list[Outcome]:
        found: list[Outcome] = []
        limits = [self.give_up_at, *(worker.deadline for worker in self.workers.values())]
        event = next_event(
            self.events, min([*limits, *([] if self.no_worker_deadline is None else [self.no_worker_deadline])])
        )
        while event is not None:
            outcome = event()
            if outcome is not None:
                found.append(outcome)
            event = None if self.events.empty() else self.events.get()
        found += self.end_timed_out()
        return found

    def cancel_unstarted(self) -> None:
        for worker in self.workers.values():
            for number in list(worker.tasks)[1:]:
                del worker.tasks[number]
                self.futures.pop(number).cancel()

    def close(self) -> None:
        if self.watcher is not None:
            self.watcher.cancel()
        for worker in self.workers.values():
            self.take_back(worker)
        if not self.local:  # whose workers end anyway
            concurrent.futures.wait(self.terminations, timeout=_GONE_WAIT)


def supervise(
    tasks: Sequence[Task],
    folder: Folder | StrPath,
    *,
    scheduler: str,
    workers: int,
    timeout: float | None = None,
    cores: int = 1,
    security: object = None,
    allow_insecure: bool = False,
    stopping: Callable[[int], object] | None = None,
) -> Generator[list[Outcome], None, None]:
    """Run tasks on Dask workers, as `heatpg.batch.supervisor.supervise`, on any number of machines.

    Every worker does one task at a time, with as many threads as Dask has for it. It is first asked for its version of
    heatpg and for what it sees of the folder; one that does not fit is given nothing. Workers may come and go. A task
    whose worker died is tried again by itself, up to three times in all.

    Parameters
    ----------
    tasks
        The tasks, each once.
    folder
        The folder of the batch, with its ``spec.toml``; it has the same name on every machine.
    scheduler
        ``local`` for a cluster within this process, on the loopback interface, with TLS and no dashboard; or the
        address of a scheduler: ``tls://host:port``, or ``tcp://host:port`` on this machine.
    workers
        Number of processes of a local cluster, at least 1; otherwise the largest number of workers of the scheduler, 0
        for all.
    timeout
        Time limit per task in seconds, after which its worker is ended; None for no limit.
    cores
        Processors for all workers of a local cluster together; each has its part of them as threads.
    security
        What `credentials` takes.
    allow_insecure
        Whether ``tcp://`` may be spoken on a network. Whoever reaches it can then run anything as this user.
    stopping
        As in `heatpg.batch.supervisor.supervise`.

    Yields
    ------
    outcomes
        One per task, as they end; those that ended together are in one list.

    Raises
    ------
    KeyboardInterrupt
        After SIGINT or SIGTERM: no new task starts, and running tasks get a few seconds. A second signal ends all
        at once. Workers of another scheduler finish what they work on, and publish it.
    ResourceError
        If no worker can be started, the scheduler does not answer or is lost, or the disk is full.
    StoreError
        If a result file cannot be written, or no worker can access the directory.
    OptionError
        If the address is invalid, or there are no workers.
    UnsupportedError
        If it would have to be spoken to without TLS.
    """
    secured = credentials(security)
    local = scheduler == "local"
    if local and workers < 1:
        raise OptionError("a local cluster needs workers", given=f"workers={workers}", allowed="1, 2, ...")
    if not local:
        _checked_address(scheduler, secured, allow_insecure=allow_insecure)
    count = min(workers, len(tasks))
    supervision = _Supervision(
        tasks, folder, count, timeout, local=local, allow_insecure=allow_insecure, stopping=stopping
    )
    with on_signals(supervision.on_signal):  # also while the cluster begins and ends
        connection = _local(count, cores, secured) if local else _remote(scheduler, secured)
        with connection as client, contextlib.closing(supervision):
            supervision.start(client)
            yield from supervision.outcomes()
