"""Batches on workers of Dask: the same results, whoever dies, hangs or is lost, and no port that others can reach.

By hand, with larger numbers; the last line is JSON:

    python tests/batch/test_cluster.py deaths --tasks 1000      a tenth of the tasks kill their worker when first tried
    python tests/batch/test_cluster.py overhead --tasks 1000    seconds for tiny tasks, with Dask and without
"""

from __future__ import annotations

import argparse
import concurrent.futures
import contextlib
import functools
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import dask
import distributed
import pytest

from heatpg import __version__
from heatpg.batch import Interrupted, Progress, Scheduler, cluster, run, running, verify
from heatpg.batch.journal import read_journal
from heatpg.batch.shards import shard_path, stored, temporaries
from heatpg.batch.spec import read_spec
from heatpg.batch.supervisor import NEVER
from heatpg.cli import main as command
from heatpg.errors import (
    HeatpgWarning,
    MissingFileError,
    MissingPackageError,
    OptionError,
    ResourceError,
    StoreError,
    UnsupportedError,
)

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals and sockets of Linux")

ROOT = Path(__file__).resolve().parents[2]


def width(number: int) -> float:
    return round(0.2 + 0.001 * number, 3)


def specification(tasks: int) -> dict[str, Any]:
    return {
        "landscape": {"source": "ridge", "size": 16},
        "evolve": {"sigma": [0.3, 0.6]},
        "sweep": {"product": {"landscape.width": [width(number) for number in range(tasks)]}},
    }


# What workers load before anything else: before a task they do what is written beside the folder of the batch.
PRELOAD = """
import json, os, signal, time
from pathlib import Path
from heatpg.batch import work
from heatpg.errors import GridError, ResourceError

if "complete" not in globals():  # Dask loads it more than once
    complete = work.complete

def infected(resolved, folder):
    path = Path(folder).parent / "deeds.json"
    width = str(round(resolved["landscape"]["options"]["width"], 3))
    deed, _, once = json.loads(path.read_text()).get(width, "").partition(" ") if path.exists() else ("", "", "")
    if once:
        try:
            os.close(os.open(path.parent / f"mark-{width}", os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            deed = ""
    if deed == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    elif deed == "hang":
        (path.parent / f"hangs-{width}").write_text(str(os.getpid()))
        time.sleep(600)
    elif deed == "error":
        raise GridError("no such grid", given=width, advice="take another")
    elif deed == "crash":
        1 / 0
    elif deed == "full":
        raise work.Halt(ResourceError("the disk is full", given="9 bytes", advice="free some space"))
    elif deed == "threads":
        (path.parent / "threads").write_text(os.environ.get("HEATPG_THREADS", "none"))
    return complete(resolved, folder)

work.complete = infected
"""


def deeds(folder: Path, what: Mapping[int, str]) -> None:
    """Have tasks do something, by their numbers; `deed once` only when they are first tried."""
    (folder.parent / "deeds.json").write_text(json.dumps({str(width(number)): deed for number, deed in what.items()}))


@contextlib.contextmanager
def infected(place: Path) -> Iterator[None]:
    path = place / "preload.py"
    path.write_text(PRELOAD)
    with dask.config.set({"distributed.worker.preload": [str(path)]}):
        yield


WARM = """
from heatpg.batch import work
from heatpg.batch.spec import read_spec
from heatpg.tools.parallel import set_threads

set_threads(1)  # a process with threads is not to be copied
spec = {"landscape": {"source": "ridge", "size": 16}, "evolve": {"sigma": [0.3, 0.6]}}
work.run_task(read_spec(spec).tasks()[0].resolved)
"""


def fork_workers(place: Path) -> None:
    """Have workers forked from a process that has everything loaded, so that a life takes a fraction of a second."""
    (place / "warm.py").write_text(WARM)
    sys.path.insert(0, str(place))
    cluster._START = "forkserver"
    with dask.config.set({"distributed.worker.multiprocessing-method": "forkserver"}):
        context = distributed.utils.get_mp_context()
    context.set_forkserver_preload(["distributed.nanny", "heatpg.batch.cluster", "warm"])


def deaths(tasks: int, place: Path, workers: int = 2) -> dict[str, Any]:
    """A batch in which every tenth task kills its worker when it is first tried."""
    folder = place / "batch"
    deeds(folder, {number: "die once" for number in range(5, tasks, 10)})
    begin = time.perf_counter()
    with infected(place):
        summary = run(specification(tasks), folder, workers=workers, scheduler="local")
    seconds = time.perf_counter() - begin
    found = verify(folder, full=True)
    faults = [] if summary.done == tasks == found.sound else [str(summary), str(found)]
    tried = [event["tries"] for event in read_journal(folder) if event["event"] == "done"]
    return {
        "tasks": tasks,
        "deaths": len(list(place.glob("mark-*"))),
        "tries": {count: tried.count(count) for count in sorted(set(tried))},
        "seconds": round(seconds, 2),
        "faults": faults,
    }


def overhead(tasks: int, place: Path) -> dict[str, Any]:
    """Seconds until the first task is told, and from then on to the last."""
    result = {}
    for name, scheduler in (("supervisor", None), ("dask", "local")):
        told: list[float] = [time.perf_counter()]
        run(
            specification(tasks),
            place / name,
            workers=2,
            scheduler=scheduler,
            progress=lambda progress, told=told: told.append(time.perf_counter()),  # type: ignore[misc]
        )
        result[name] = {"first": round(told[2] - told[0], 2), "others": round(told[-1] - told[2], 2)}
    return {"tasks": tasks, **result, "faults": []}


def ours(pid: int) -> bool:
    words = Path(f"/proc/{pid}/cmdline").read_bytes()
    return b"deaths" not in words and b"resource_tracker" not in words


def children() -> set[int]:
    """Processes of this one that live, and theirs; without the deaths beside, and the tracker that Python keeps."""
    found: set[int] = set()
    below = [os.getpid()]
    while below:
        for path in Path(f"/proc/{below.pop()}/task").glob("*/children"):
            with contextlib.suppress(OSError):
                fresh = {pid for pid in map(int, path.read_text().split()) if pid not in found and ours(pid)}
                found |= fresh
                below += fresh
    return {pid for pid in found if is_alive(pid)}


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def listening(processes: set[int]) -> set[str]:
    """Addresses on which processes listen, as the system writes them."""
    inodes = set()
    for pid in processes:
        for path in Path(f"/proc/{pid}/fd").glob("*"):
            with contextlib.suppress(OSError):
                inodes.add(os.readlink(path))
    found = set()
    for name in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]:
            words = line.split()
            if words[3] == "0A" and f"socket:[{words[9]}]" in inodes:
                found.add(words[1].partition(":")[0])
    return found


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    patient(monkeypatch)


def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that is busy takes its time to start workers."""
    monkeypatch.setattr(cluster, "_NO_WORKER_WAIT", 900.0)
    monkeypatch.setattr(cluster, "_CONNECT", 900.0)


@pytest.fixture(scope="module", autouse=True)
def twenty_deaths() -> Iterator[subprocess.Popen[str]]:
    """What takes longest goes on beside the other tests."""
    process = subprocess.Popen(
        [sys.executable, __file__, "deaths", "--tasks", "200", "--fork"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    yield process
    process.kill()
    process.communicate()


def test_the_sockets_that_listen_are_found() -> None:
    with socket.create_server(("0.0.0.0", 0)), socket.create_server(("127.0.0.1", 0)):
        assert listening({os.getpid()}) >= {"00000000", "0100007F"}


def test_a_run_is_interrupted_resumed_and_gives_what_this_process_gives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec, ours, theirs = specification(12), tmp_path / "0" / "b", tmp_path / "2" / "b"
    run(spec, ours, workers=0)
    (tmp_path / "temporary").mkdir()
    (tmp_path / "work").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    monkeypatch.chdir(tmp_path / "work")
    strangers, threads = children(), threading.active_count()
    listens: set[str] = set()

    def tell(progress: Progress) -> None:
        if progress.task:
            listens.update(listening({os.getpid(), *(children() - strangers)}))
        if progress.done == 3 and not (tmp_path / "once").exists():
            (tmp_path / "once").touch()
            raise KeyboardInterrupt

    theirs.parent.mkdir(exist_ok=True)
    deeds(theirs, {11: "threads"})
    with infected(theirs.parent):
        with pytest.raises(Interrupted) as caught:
            run(spec, theirs, workers=2, scheduler="local", progress=tell)
        assert caught.value.summary.done >= 3
        kept = {task: shard_path(theirs, task).stat().st_ino for task in stored(theirs)}
        monkeypatch.setattr(running, "threads", lambda: 7)
        summary = run(spec, theirs, workers=2, scheduler="local", progress=tell)
    assert len(kept) >= 3 and (summary.done, summary.skipped) == (12 - len(kept), len(kept))
    assert listens and listens <= {"0100007F", "0" * 24 + "01000000"}, "all on 127.0.0.1 or ::1"
    assert (theirs.parent / "threads").read_text() == "3"
    for task in read_spec(spec).tasks():
        place = shard_path(theirs, task.id)
        assert place.read_bytes() == shard_path(ours, task.id).read_bytes()
        assert kept.get(task.id, place.stat().st_ino) == place.stat().st_ino
    # nothing is left: no process, no thread that works, no file, no setting
    assert children() - strangers == set()
    assert temporaries(theirs) == []
    assert list((tmp_path / "temporary").iterdir()) == [] and list((tmp_path / "work").iterdir()) == []
    assert dask.config.get("distributed.scheduler.allowed-failures") == 3
    assert threading.active_count() <= threads + 4, threading.enumerate()


def test_a_signal_ends_a_run_in_order(tmp_path: Path) -> None:
    """Ctrl-C reaches the workers as well, which finish what they work on; only what hangs is dropped."""
    place = tmp_path / "place"
    place.mkdir()
    deeds(place / "b", {3: "hang once"})
    script = tmp_path / "script.py"
    script.write_text(
        textwrap.dedent(
            f"""
            import sys
            sys.path.insert(0, {str(Path(__file__).parent)!r})
            from pathlib import Path
            from heatpg.batch import supervisor
            from test_cluster import infected, run, specification

            def tell(progress):
                if progress.stopping:
                    print("finishing", progress.stopping, file=sys.stderr)

            if __name__ == "__main__":
                supervisor._GRACE = 0.5
                with infected(Path({str(place)!r})):
                    run(specification(8), {str(place / "b")!r}, workers=1, scheduler="local", progress=tell)
            """
        )
    )
    process = subprocess.Popen(
        [sys.executable, str(script)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    end = time.monotonic() + 600
    while not (place / f"hangs-{width(3)}").exists() and time.monotonic() < end:
        time.sleep(0.02)
    workers = {int(word) for word in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()}
    os.killpg(process.pid, signal.SIGINT)
    begin = time.monotonic()
    complaints = process.communicate(timeout=600)[1]
    assert "Interrupted: interrupted: 3 tasks are done and kept" in complaints, complaints
    assert complaints.count("finishing 1") == 1
    assert time.monotonic() - begin < 300 and not any(map(is_alive, workers))
    assert len(stored(place / "b")) == 3
    assert run(specification(8), place / "b", workers=0).done == 5


def test_a_script_without_a_guard_is_told_so(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        f"from heatpg.batch.running import run\nrun({specification(1)!r}, {str(tmp_path / 'b')!r}, "
        "workers=1, scheduler='local')\n"
    )
    process = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=600)
    assert process.returncode == 1 and "ResourceError: Dask workers cannot be started" in process.stderr
    assert 'if __name__ == "__main__"' in process.stderr


CLUSTER = """
import sys, json, dask, distributed
if __name__ == "__main__":
    options = json.loads(sys.argv[1])
    security = options.pop("security", None)
    if security is not None:
        options["security"] = distributed.Security(**security)
    # a nanny whose worker takes longer to come back, as on a busy machine, is otherwise given up for good
    patience = {"distributed.deploy.lost-worker-timeout": "1 day"}
    dask.config.set({"distributed.worker.preload": [sys.argv[2]], **patience})
    cluster = distributed.LocalCluster(
        host="127.0.0.1", dashboard_address=None, memory_limit=0, local_directory=sys.argv[3], **options
    )
    print(cluster.scheduler_address, flush=True)
    sys.stdin.read()
"""


@contextlib.contextmanager
def elsewhere(place: Path, **options: Any) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """A cluster in another process, and its address."""
    (place / "preload.py").write_text(PRELOAD)
    (place / "cluster.py").write_text(CLUSTER)
    process = subprocess.Popen(
        [sys.executable, "cluster.py", json.dumps(options), str(place / "preload.py"), str(place / "scratch")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=place,
        env={name: value for name, value in os.environ.items() if name != "HEATPG_THREADS"},
        start_new_session=True,
    )
    assert process.stdin is not None and process.stdout is not None
    try:
        yield process.stdout.readline().strip(), process
    finally:
        process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with elsewhere(tmp_path_factory.mktemp("elsewhere"), n_workers=2, threads_per_worker=3) as (address, _):
        yield address


def expire_when_it_hangs(monkeypatch: pytest.MonkeyPatch, place: Path, number: int) -> None:
    """The time of this task is up when it hangs, and not before; all others have as much as the machine needs."""
    begin = cluster._Supervision.mark_started

    def begun(self: cluster._Supervision, worker: cluster._Worker) -> None:
        now = time.monotonic()
        begin(self, worker)
        assert self.timeout is not None
        assert now + self.timeout <= worker.deadline <= time.monotonic() + self.timeout
        worker.deadline = NEVER
        task = next(iter(worker.tasks.values()))
        if task.number == number:
            threading.Thread(target=expire, args=(self, worker, task)).start()

    def expire(self: cluster._Supervision, worker: cluster._Worker, task: Any) -> None:
        while not (place / f"hangs-{width(number)}").exists():
            time.sleep(0.02)
        self.events.put(functools.partial(end, worker, task))

    def end(worker: cluster._Worker, task: Any) -> None:
        if next(iter(worker.tasks.values()), None) is task:
            worker.deadline = 0.0

    monkeypatch.setattr(cluster._Supervision, "mark_started", begun)


def test_what_fails_fails_alone(tmp_path: Path, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Errors, deaths at every try, a death that does not come again, a task that hangs; with what was to be said."""
    folder = tmp_path / "b"
    deeds(folder, {0: "die", 1: "error", 2: "crash", 3: "die once", 4: "hang"})
    expire_when_it_hangs(monkeypatch, tmp_path, 4)
    summary = run(specification(12), folder, scheduler=address, timeout=10.0)
    failed = {failure.number: failure for failure in summary.failed}
    assert sorted(failed) == [0, 1, 2, 4] and summary.done == 8
    assert failed[0].reason == "its worker died, at the last of 3 tries" and failed[0].tries == 3
    assert failed[1].reason == f"no such grid; got: {width(1)}; take another"
    assert failed[2].reason.startswith("ZeroDivisionError: division by zero (")
    assert failed[4].reason == "it took longer than 10 s"
    # an answer is lost, and the task tried again, if the next one kills the worker at once
    assert all(failed[number].tries <= 2 for number in (1, 2, 4))
    assert not is_alive(int((tmp_path / f"hangs-{width(4)}").read_text()))
    tried = {event["task"]: event["tries"] for event in read_journal(folder) if event["event"] == "done"}
    assert tried[read_spec(specification(12)).tasks()[3].id] <= 2 and (tmp_path / f"mark-{width(3)}").exists()
    deeds(folder, {})
    monkeypatch.undo()
    patient(monkeypatch)
    assert run(specification(12), folder, scheduler=address, retry_failed=True, workers=1).done == 4
    assert verify(folder, full=True).sound == 12


def test_a_full_disk_stops_the_batch(tmp_path: Path, address: str) -> None:
    deeds(tmp_path / "b", {2: "full"})
    with pytest.raises(
        ResourceError,
        match=r"the disk is full\W+got: 9 bytes\W+(try: )?free some space\W+(try: )?finished tasks are kept",
    ):
        run(specification(40), tmp_path / "b", scheduler=address)
    assert len(stored(tmp_path / "b")) < 12


def test_text_travels_one_task_at_a_time_with_the_threads_of_the_worker(
    tmp_path: Path, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[tuple[Any, ...]] = []
    received: list[Any] = []
    submit, gather = distributed.Client.submit, distributed.Client.gather
    waiting: list[int] = []

    async def kept(answer: Any) -> Any:
        received.append(await answer)
        waiting.append(len(sent) - len(received))
        return received[-1]

    def spy(self: Any, *arguments: Any, **keywords: Any) -> Any:
        sent.append((*arguments, *keywords["key"]))
        return submit(self, *arguments, **keywords)

    monkeypatch.setattr(distributed.Client, "submit", spy)
    monkeypatch.setattr(distributed.Client, "gather", lambda *words, **keywords: kept(gather(*words, **keywords)))
    with contextlib.ExitStack() as stack:
        client = stack.enter_context(distributed.Client(address, set_as_default=False))
        run(specification(30), tmp_path / "b", scheduler=address)
        assert set(client.run(work_threads).values()) == {3}
    assert 30 <= len(received) <= len(sent) <= 34  # and who the workers are, as far as that was waited for
    assert {type(part) for entry in sent for part in entry[1:]} == {str, int}
    assert {entry[0].__module__ for entry in sent} == {"heatpg.batch.cluster"}
    assert {type(answer) for answer in received} == {str} and max(map(len, received)) < 1000
    assert max(waiting) <= 4  # two for each worker, whatever the length of the batch


def work_threads() -> int:
    from heatpg.tools.parallel import threads

    return threads()


work_threads.__module__ = "__main__"  # so that it goes out as what it is: workers do not know this file


def test_workers_that_do_not_fit(tmp_path: Path, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(cluster, "__version__", "0.0.0")
        with pytest.raises(StoreError, match=r"(?s)no worker.*it has heatpg .*, but this process has 0\.0\.0"):
            run(specification(1), tmp_path / "b", scheduler=address)
    monkeypatch.setattr(cluster, "_digest", lambda folder: "of another folder")
    with pytest.raises(
        StoreError, match=r"(?s)does not exist there, or is a different one.*every machine needs the same"
    ):
        run(specification(1), tmp_path / "b", scheduler=address)
    assert stored(tmp_path / "b") == set()
    said = json.loads(cluster._describe_worker(str(tmp_path / "missing")))
    assert said["digest"] == "of another folder"


def test_a_worker_without_the_folder_says_why(tmp_path: Path) -> None:
    said = json.loads(cluster._describe_worker(str(tmp_path / "missing")))
    assert said["digest"] == "" and said["problem"] == "No such file or directory"


def test_a_scheduler_that_is_lost(tmp_path: Path) -> None:
    with elsewhere(tmp_path, n_workers=1, threads_per_worker=1) as (address, process):

        def tell(progress: Progress) -> None:
            if progress.done == 3:
                process.kill()

        begin = time.monotonic()
        with pytest.raises(
            ResourceError, match=r"(?s)the connection to the Dask scheduler was lost.*finished tasks are kept"
        ):
            run(specification(500), tmp_path / "b", scheduler=address, progress=tell)
        assert time.monotonic() - begin < 300
        kept = len(stored(tmp_path / "b"))
        assert kept >= 3
        with pytest.raises(ResourceError, match="no Dask scheduler answers"):
            cluster._CONNECT, before = 0.3, cluster._CONNECT
            try:
                run(specification(500), tmp_path / "b", scheduler=address)
            finally:
                cluster._CONNECT = before
    assert verify(tmp_path / "b", full=True).sound == kept


def test_two_hundred_tasks_and_twenty_deaths(twenty_deaths: subprocess.Popen[str]) -> None:
    out, complaints = twenty_deaths.communicate(timeout=900)
    assert out, complaints
    found = json.loads(out.splitlines()[-1])
    print(found)
    assert found["faults"] == [] and found["deaths"] == 20
    assert set(found["tries"]) <= {"1", "2", "3"} and found["tries"]["1"] >= 150


def certificates(place: Path) -> dict[str, str]:
    """Files of an authority that knows nobody but itself."""
    made = distributed.Security.temporary()
    place.mkdir()
    for name, text in (("ca_file", made.tls_ca_file), ("cert", made.tls_client_cert), ("key", made.tls_client_key)):
        (place / name).write_text(text)
    return {name: str(place / name) for name in ("ca_file", "cert", "key")}


def test_tls(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files, others = certificates(tmp_path / "ours"), certificates(tmp_path / "theirs")
    roles = {
        f"tls_{role}_{part}": files[part] for role in ("client", "scheduler", "worker") for part in ("cert", "key")
    }
    security = {"tls_ca_file": files["ca_file"], "require_encryption": True, **roles}
    with elsewhere(tmp_path, n_workers=1, threads_per_worker=1, protocol="tls", security=security) as (address, _):
        assert address.startswith("tls://127.0.0.1:")
        (tmp_path / "small.toml").write_text('[landscape]\nsource = "ridge"\nsize = 16\n[evolve]\nsigma = [0.3, 0.6]\n')
        words = ["batch", "run", str(tmp_path / "small.toml"), "--out", str(tmp_path / "c"), "--scheduler", address]
        options = {name: f"--tls-{name.replace('_', '-')}" for name in files}
        assert command([*words, *(word for name in files for word in (options[name], files[name]))]) == 0
        assert "done now      1" in capsys.readouterr().out
        assert command([*words, options["cert"], files["cert"]]) == 0  # done, so that nobody is asked
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(cluster, "_CONNECT", 1.0)
            with pytest.raises(
                ResourceError, match=r"(?s)no Dask scheduler answers.*TLS|no Dask scheduler.*certificate"
            ):
                run(specification(1), tmp_path / "b", scheduler=Scheduler(address, others))
        with pytest.raises(OptionError, match=r"(?s)tls:// needs certificates.*--tls-ca-file"):
            run(specification(1), tmp_path / "b", scheduler=address)


@pytest.mark.parametrize(
    ("scheduler", "match"),
    [
        ("tcp://10.0.0.1:8786", r"(?s)without encryption.*--tls-ca-file.*--shard.*--private-network"),
        ("tcp://node1.cluster:8786", "without encryption"),
        ("tcp://0.0.0.0:8786", "without encryption"),
        ("tcp://[2001:db8::1]:8786", "without encryption"),
        ("tcp://localhost.example.org:8786", "without encryption"),
        ("tcp://127.0.0.1.example.org:8786", "without encryption"),
        ("tcp://2130706433:8786", "without encryption"),
        ("tcp://127.0.0.1@example.org:8786", "without encryption"),
        ("127.0.0.1:8786", "invalid scheduler address"),
        ("tcp://127.0.0.1", "invalid scheduler address"),
        ("tcp://127.0.0.1:0", "invalid scheduler address"),
        ("tcp://127.0.0.1:99999", "invalid scheduler address"),
        ("tcp://127.0.0.1:8786\n", "invalid scheduler address"),
        ("ucx://127.0.0.1:8786", "invalid scheduler address"),
        ("inproc://127.0.0.1:8786", "invalid scheduler address"),
        ("LOCAL", "invalid scheduler address"),
        ("", "invalid scheduler address"),
        ("tls://127.0.0.1:8786", "needs certificates"),
    ],
)
def test_addresses_that_are_refused(
    tmp_path: Path, scheduler: str, match: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoken: list[Any] = []
    monkeypatch.setattr(cluster, "_connect", lambda *words, **options: spoken.append(words))
    kind = UnsupportedError if "without encryption" in match else OptionError
    with pytest.raises(kind, match=match) as caught:
        run(specification(1), tmp_path / "b", scheduler=scheduler)
    assert type(caught.value) is kind
    assert spoken == [], "nobody was spoken to"


@pytest.mark.parametrize(
    "scheduler", ["tcp://127.0.0.1:1", "tcp://127.200.0.1:65535", "tcp://localhost:8786", "tcp://[::1]:8786"]
)
def test_addresses_of_this_machine(scheduler: str) -> None:
    cluster._checked_address(scheduler, cluster.credentials(), allow_insecure=False)


def test_the_way_out_for_private_networks_and_the_way_in_for_workers() -> None:
    cluster._checked_address("tcp://10.0.0.1:8786", cluster.credentials(), allow_insecure=True)
    with pytest.raises(UnsupportedError, match="refusing to use the worker without encryption"):
        cluster._refuse_plain("tcp://10.0.0.2:4000", "worker")
    cluster._refuse_plain("tls://10.0.0.2:4000", "worker")


def test_credentials(tmp_path: Path) -> None:
    files = certificates(tmp_path / "tls")
    security = cluster.credentials(files)
    assert security.require_encryption and security.tls_worker_key == files["key"]
    assert cluster.credentials(security) is security
    with pytest.raises(OptionError, match="must begin with tls://"):
        cluster._checked_address("tcp://127.0.0.1:8786", security, allow_insecure=False)
    cluster._checked_address("tls://10.0.0.1:8786", security, allow_insecure=False)
    with pytest.raises(OptionError, match=r"three files\W+got: ca_file, key\W+expected: ca_file, cert, key"):
        cluster.credentials(files | {"cert": None})
    with pytest.raises(MissingFileError, match=r"does not exist\W+got: key = /"):
        cluster.credentials(files | {"key": str(tmp_path / "missing")})
    Path(files["key"]).write_text("no key")
    with pytest.raises(OptionError, match="cannot be used"):
        cluster.credentials(files)
    with pytest.raises(OptionError, match="security must be TLS settings"):
        cluster.credentials("secret")


def test_bad_calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(OptionError, match="a local cluster needs workers"):
        run(specification(1), tmp_path / "b", scheduler="local", workers=0)
    with pytest.raises(OptionError, match="workers must be a whole number"):
        run(specification(1), tmp_path / "b", scheduler="tcp://127.0.0.1:8786", workers=-1)
    monkeypatch.setitem(sys.modules, "cryptography", None)
    monkeypatch.delitem(sys.modules, "heatpg.batch.cluster")
    with pytest.raises(MissingPackageError, match=r"(?s)extra 'cluster'.*pip install .*dask"):
        run(specification(1), tmp_path / "b", scheduler="local")


class Nobody:
    """A client that sends nothing, and whose loop does nothing."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, dict[str, Any]]] = []

    def submit(self, function: Callable[[str], str], text: str, **keywords: Any) -> Any:
        self.sent.append((keywords["workers"][0], json.loads(text) if function is cluster._run_task else {}))
        return self

    def cancel(self) -> None:
        pass


class Bench(cluster._Supervision):
    """The accounts of a batch whose workers are played by the test."""

    def __init__(self, folder: Path, tasks: int, workers: int = 0) -> None:
        run(specification(1), folder, workers=0)
        self.tasks = read_spec(specification(tasks)).tasks()
        super().__init__(self.tasks, folder, workers, None, local=False, allow_insecure=False)
        self.client = Nobody()

    def _launch(self, act: Any) -> Any:
        act.close()

    def come(self, *addresses: str) -> None:
        self.update_workers({f"tcp://127.0.0.1:{address}" for address in addresses})
        said = {"version": __version__, "digest": self.digest, "problem": ""}
        for worker in self.workers.values():
            if not worker.usable and worker.address not in self.unusable:
                self.check_worker(worker, json.dumps(said))
        self.dispatch()

    def has(self, address: str) -> list[int]:
        return [task.number for task in self.workers[f"tcp://127.0.0.1:{address}"].tasks.values()]

    def told(self) -> list[Any]:
        found = []
        while not self.events.empty():
            found.append(self.events.get()())
        return found


def test_who_dies_takes_one_task_with_it(tmp_path: Path) -> None:
    """The one that was worked on; the one that only waited is not charged, but both are alone from then on."""
    bench = Bench(tmp_path / "b", 6)
    bench.come("1", "2")
    assert (bench.has("1"), bench.has("2")) == ([0, 2], [1, 3])
    bench.come("2", "3")
    assert [task.number for task in bench.waiting] == [0, 2] and bench.has("3") == [4, 5]
    assert {number: bench.tries[bench.tasks[number].id] for number in range(6)} == {0: 1, 1: 1, 2: 0, 3: 0, 4: 1, 5: 0}
    bench.come("2", "3", "4", "5")
    assert (bench.has("4"), bench.has("5")) == ([0], [2])
    # dead twice more, each time alone; the others are not concerned
    bench.come("2", "3", "5", "6")
    assert bench.has("6") == [0]
    bench.come("2", "3", "5")
    (outcome,) = bench.told()
    assert outcome.task.number == 0 and outcome.reason == "its worker died, at the last of 3 tries"
    assert not bench.waiting and bench.has("5") == [2] and bench.tries[bench.tasks[2].id] == 1


def test_nothing_waits_behind_a_suspect(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "b", 4)
    bench.come("1")
    bench.come("2")
    bench.come("2")
    assert bench.has("2") == [2, 3] and len(bench.waiting) == 2
    answer(bench, "2")
    answer(bench, "2")
    bench.dispatch()
    assert bench.has("2") == [0]
    answer(bench, "2")
    bench.dispatch()
    assert bench.has("2") == [1]


def answer(bench: Bench, address: str) -> None:
    worker = bench.workers[f"tcp://127.0.0.1:{address}"]
    number = next(iter(worker.tasks))
    outcome = bench.handle_answer(worker, number, json.dumps({"done": {"failures": []}}))
    assert outcome is not None and outcome.facts == {"failures": []}
    assert bench.handle_answer(worker, number, json.dumps({"failed": "late"})) is None


def test_a_worker_that_comes_again_under_its_address(tmp_path: Path) -> None:
    """As with fixed ports: nobody sees that it was away, and Dask itself gives up the task."""
    bench = Bench(tmp_path / "b", 2)
    bench.come("1")
    first = bench.workers["tcp://127.0.0.1:1"]
    death = distributed.scheduler.KilledWorker.__new__(distributed.scheduler.KilledWorker)
    assert [bench.handle_answer(first, number, death) for number in list(first.tasks)] == [None, None]
    second = bench.workers["tcp://127.0.0.1:1"]
    assert second is not first and not second.usable and len(bench.waiting) == 2
    bench.come("1")
    assert second.usable and bench.has("1") == [0]
    bench.check_worker(first, "{}")  # of the one before


@pytest.mark.parametrize(
    "reason", [OSError("in <TLS>: Stream is closed"), TimeoutError(), concurrent.futures.CancelledError()]
)
def test_an_answer_that_is_lost_on_the_way_is_no_fault_of_its_task(tmp_path: Path, reason: BaseException) -> None:
    bench = Bench(tmp_path / "b", 2)
    bench.come("1")
    worker = bench.workers["tcp://127.0.0.1:1"]
    number = next(iter(worker.tasks))
    with pytest.raises(ResourceError, match="the connection to the Dask scheduler was lost"):
        bench.handle_answer(worker, number, reason)
    outcome = bench.handle_answer(worker, number, ImportError("no module named heatpg"))
    assert outcome is not None and outcome.reason.startswith("ImportError")


def test_one_that_does_not_fit_is_given_nothing(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "b", 4)
    bench.update_workers({"tcp://127.0.0.1:1", "tcp://127.0.0.1:2"})
    other = bench.workers["tcp://127.0.0.1:1"]
    bench.check_worker(other, json.dumps({"version": __version__, "digest": "", "problem": "No such file"}))
    with pytest.warns(
        HeatpgWarning, match="127.0.0.1:1 gets no tasks: the directory .* does not exist.*: No such file"
    ):
        bench.come("1", "2")
    assert bench.has("1") == [] and bench.has("2") == [0, 1]
    bench.add_worker("tcp://127.0.0.1:2")
    with pytest.raises(StoreError, match="No module named 'heatpg'"):
        bench.check_worker(bench.workers["tcp://127.0.0.1:2"], ModuleNotFoundError("No module named 'heatpg'"))
    with pytest.raises(UnsupportedError, match="refusing to use the worker without encryption"):
        bench.update_workers({"tcp://10.0.0.1:1"})


def test_nobody_comes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "_NO_WORKER_WAIT", 0.0)
    bench = Bench(tmp_path / "b", 1)
    bench.check_for_workers()
    with pytest.warns(HeatpgWarning, match="has no workers"):
        bench.check_for_workers()
    bench.check_for_workers()  # once is enough
    bench.local, bench.no_worker_deadline = True, 0.0
    with pytest.raises(ResourceError, match="cannot be started"):
        bench.check_for_workers()


def test_no_more_workers_than_wanted(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "b", 9, workers=1)
    bench.come("1", "2")
    assert (bench.has("1"), bench.has("2")) == ([0, 1], [])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("way", choices=("deaths", "overhead"))
    parser.add_argument("--tasks", type=int, default=1000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--fork", action="store_true", help="workers are copies of a process that has all loaded")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        if arguments.fork:
            fork_workers(Path(name))
        if arguments.way == "deaths":
            result = deaths(arguments.tasks, Path(name), arguments.workers)
        else:
            result = overhead(arguments.tasks, Path(name))
    print(json.dumps(result))
    return 1 if result["faults"] else 0


if __name__ == "__main__":
    sys.exit(main())
