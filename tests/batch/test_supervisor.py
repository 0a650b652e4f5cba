"""Workers that die, hang, complain and fill the disk: the batch goes on, or ends as it should."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from heatpg.batch import supervisor, work
from heatpg.batch.shards import inspect, stored, temporaries
from heatpg.batch.spec import Task, read_spec
from heatpg.batch.supervisor import NEVER, Outcome, alone, supervise
from heatpg.errors import ResourceError, StoreError, UnsupportedError

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")


def tasks_of(count: int, **landscape: object) -> tuple[Task, ...]:
    widths = [0.2 + 0.01 * k for k in range(count)]
    return read_spec(
        {
            "landscape": {"source": "ridge", "size": 16, **landscape},
            "evolve": {"sigma": [0.3]},
            "sweep": {"product": {"landscape.width": widths}},
        }
    ).tasks()


# A worker that speaks as ours do and loads nothing: what it says it has done, it has not.
LIGHT = """
import json, os, pathlib, signal, struct, sys, threading, time, queue

inbox = queue.SimpleQueue()

def listen():
    while head := os.read(0, 4):
        length = struct.unpack("<I", head)[0]
        text = b""
        while len(text) < length:
            text += os.read(0, length - len(text))
        inbox.put(json.loads(text))
    os._exit(0)

def send(message):
    text = json.dumps(message).encode()
    os.write(1, struct.pack("<I", len(text)) + text)

def mark(name):
    try:
        os.close(os.open(folder / name, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return False
    return True

signal.signal(signal.SIGINT, signal.SIG_IGN)
threading.Thread(target=listen, daemon=True).start()
send({"ready": 1})
while True:
    message = inbox.get()
    folder = pathlib.Path(message["folder"])
    width = round(message["task"]["landscape"]["options"]["width"], 3)
DEED
    (folder / f"done-{width}").touch()
    send({"done": {"failures": []}})
"""

# A worker of ours that does something before each task.
HEAVY = """
import os, pathlib, resource, sys
sys.path[:] = sys.argv[1:]
from heatpg.batch import work
complete = work.complete

def infected(resolved, place):
    folder = pathlib.Path(place)
    width = round(resolved["landscape"]["options"]["width"], 3)
DEED
    return complete(resolved, place)

work.complete = infected
work.main()
"""


def infect(monkeypatch: pytest.MonkeyPatch, deed: str, worker: str = HEAVY) -> None:
    monkeypatch.setattr(supervisor, "_CODE", infected(deed, worker))


def infected(deed: str, worker: str) -> str:
    return worker.replace("DEED", textwrap.indent(textwrap.dedent(deed), "    "))


def outcomes(tasks: tuple[Task, ...], folder: Path, *, workers: int = 2, timeout: float | None = None) -> list[Outcome]:
    return [o for found in supervise(tasks, folder, workers=workers, timeout=timeout, cores=2) for o in found]


def by_width(found: list[Outcome]) -> dict[float, Outcome]:
    return {round(outcome.task.resolved["landscape"]["options"]["width"], 3): outcome for outcome in found}


def test_workers_give_what_this_process_gives(tmp_path: Path) -> None:
    tasks = tasks_of(5)
    for name in ("0", "2"):
        (tmp_path / name).mkdir()
    ours = [outcome for found in alone(tasks, tmp_path / "0") for outcome in found]
    assert [outcome.task for outcome in ours] == list(tasks)
    theirs = outcomes(tasks, tmp_path / "2")
    assert {outcome.task.id for outcome in theirs} == {task.id for task in tasks}
    for outcome in theirs:
        assert outcome.facts is not None and outcome.tries == 1
        place = outcome.facts["path"]
        assert (tmp_path / "2" / place).read_bytes() == (tmp_path / "0" / place).read_bytes()
        assert inspect(tmp_path / "2", outcome.task.id, full=True) == ""


def test_the_deaths_of_workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a signal, a crash, or leaving; once, or at every try: each takes its own task with it, and no other."""
    deed = """
        if width == 0.2 and mark("once"):
            os.kill(os.getpid(), signal.SIGKILL)
        if width == 0.21:
            print("something was said", file=sys.stderr)
            os._exit(3)
        if width == 0.22:
            import ctypes
            ctypes.string_at(0)
    """
    infect(monkeypatch, deed, LIGHT)
    found = by_width(outcomes(tasks_of(6), tmp_path))
    assert len(found) == 6
    assert found[0.2].facts is not None and found[0.2].tries == 2
    assert found[0.21].facts is None and found[0.21].tries == 3
    assert "exited with status 3" in found[0.21].reason and "something was said" in found[0.21].reason
    assert found[0.22].facts is None and "SIGSEGV" in found[0.22].reason
    assert all(found[width].facts for width in (0.23, 0.24, 0.25))


def test_an_error_is_final_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deed = """
        if width == 0.2:
            from heatpg.errors import GridError
            raise GridError("no such grid", given=width, advice="take another")
        if width == 0.21:
            1 / 0
        if width == 0.22:
            sys.exit("on purpose")
    """
    infect(monkeypatch, deed)
    found = by_width(outcomes(tasks_of(4), tmp_path, workers=1))
    assert found[0.2].reason == "no such grid; got: 0.2; take another"
    assert "ZeroDivisionError" in found[0.21].reason and "line" in found[0.21].reason
    assert "on purpose" in found[0.22].reason
    assert [found[width].tries for width in (0.2, 0.21, 0.22)] == [1, 1, 1]
    assert found[0.23].facts is not None


def test_short_tasks_lie_ready(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "_SHORT", 1e9)
    give, ready = supervisor._Worker.send, []

    def given(self: supervisor._Worker, task: Task, *rest: Any) -> None:
        if self.task is not None:
            ready.append(task.id)
        give(self, task, *rest)
        assert self.task is not None and (self.task is task) != (self.following is task)

    monkeypatch.setattr(supervisor._Worker, "send", given)
    infect(monkeypatch, "pass", LIGHT)
    tasks = tasks_of(8)
    found = outcomes(tasks, tmp_path)
    assert sorted(outcome.task.id for outcome in found) == sorted(task.id for task in tasks)
    assert {outcome.tries for outcome in found} == {1}
    # not the first two, by which it is seen that they are short, nor the last two
    assert 0 < len(ready) <= 4
    ready.clear()
    monkeypatch.setattr(supervisor, "_SHORT", 0.0)
    outcomes(tasks, tmp_path)
    assert ready == []


def test_what_lay_ready_for_a_worker_that_died_is_done_by_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "_SHORT", 1e9)
    infect(monkeypatch, "if width in (0.22, 0.24) and mark(f'killed-{width}'): os.kill(os.getpid(), 9)", LIGHT)
    found = by_width(outcomes(tasks_of(12), tmp_path))
    assert len(found) == 12 and all(outcome.facts for outcome in found.values())
    # to lie ready is no try
    assert {width for width, outcome in found.items() if outcome.tries != 1} == {0.22, 0.24}


def test_what_lies_behind_a_long_task_is_given_to_another_worker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "_SHORT", 2.0)
    deed = """
        import time
        for _ in range(6000 if width == 0.23 else 0):
            if (folder / "others").exists():
                break
            time.sleep(0.02)
        else:
            assert width != 0.23, "the others were not done"
    """
    infect(monkeypatch, deed)
    tasks, found = tasks_of(12), []
    for ended in supervise(tasks, tmp_path, workers=2, cores=2):
        found += ended
        if len(found) == 11:
            (tmp_path / "others").touch()
    assert len(found) == 12 and all(outcome.facts for outcome in found)
    assert {outcome.tries for outcome in found} == {1}


def test_a_task_is_given_back_only_while_nobody_has_begun_it(tmp_path: Path) -> None:
    supervision = supervisor._Supervision(tasks_of(3), tmp_path, 2, None, 2, None)
    worker = supervisor._Worker.__new__(supervisor._Worker)
    one, two, three = supervision.waiting
    supervision.waiting.clear()
    # it lies ready
    worker.task, worker.following, worker.deadline = one, two, NEVER
    supervision.take_back(worker, two.id)
    assert [worker.task, worker.following, *supervision.waiting] == [one, None, two]
    # the answer to the task before was read first, and it was taken for begun
    supervision.waiting.clear()
    supervision.tries[two.id] = 1
    worker.task = two
    supervision.take_back(worker, two.id)
    assert [worker.task, *supervision.waiting, supervision.tries[two.id]] == [None, two, 0]
    # nobody knows it
    supervision.take_back(worker, three.id)
    assert list(supervision.waiting) == [two]


def test_an_error_in_this_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tasks = tasks_of(2)
    complete = work.complete
    monkeypatch.setattr(work, "complete", lambda r, f: 1 / 0 if r == tasks[0].resolved else complete(r, f))
    first, second = (outcome for found in alone(tasks, tmp_path) for outcome in found)
    assert "ZeroDivisionError" in first.reason and second.facts is not None


def test_a_worker_that_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    infect(monkeypatch, "if width == 0.2 and mark('hangs'): time.sleep(600)", LIGHT)
    give = supervisor._Worker.send

    def given(self: supervisor._Worker, task: Task, message: Mapping[str, Any], timeout: float | None) -> None:
        """The time is up when the task hangs, and not before, however slow the machine is."""
        begin = time.monotonic()
        give(self, task, message, timeout)
        assert timeout == 1.5 and begin + 1.5 <= self.deadline <= time.monotonic() + 1.5
        self.deadline = NEVER
        if round(task.resolved["landscape"]["options"]["width"], 3) == 0.2:
            threading.Thread(target=expire, args=(self,)).start()

    def expire(worker: supervisor._Worker) -> None:
        while not (tmp_path / "hangs").exists():
            time.sleep(0.01)
        worker.deadline = 0.0
        worker.events.put((None, None))

    monkeypatch.setattr(supervisor._Worker, "send", given)
    begin = time.monotonic()
    found = by_width(outcomes(tasks_of(3), tmp_path, workers=2, timeout=1.5))
    assert found[0.2].reason == "it took longer than 1.5 s"
    assert found[0.21].facts and found[0.22].facts
    assert time.monotonic() - begin < 300
    with pytest.raises(UnsupportedError, match="needs workers"):
        list(alone(tasks_of(1), tmp_path, timeout=1.0))


def test_what_libraries_print_is_no_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    infect(monkeypatch, "print('hello'); os.write(1, b'world'); sys.stdin.read()")
    assert all(outcome.facts for outcome in outcomes(tasks_of(2), tmp_path, workers=1))


def test_workers_that_cannot_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "_CODE", "raise ImportError('no such thing')")
    with pytest.raises(ResourceError, match="cannot be started") as caught:
        outcomes(tasks_of(4), tmp_path)
    assert "no such thing" in str(caught.value)


def test_a_full_disk_stops_the_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tasks = tasks_of(4)
    infect(monkeypatch, "if width >= 0.21: resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))")
    done = []
    with pytest.raises(ResourceError, match="disk is full") as caught:
        for found in supervise(tasks, tmp_path, workers=1, cores=1):
            done += found
    assert "bytes" in str(caught.value)
    assert [outcome.task for outcome in done] == [tasks[0]]
    assert stored(tmp_path) == {tasks[0].id} and temporaries(tmp_path) == []


def test_a_folder_that_cannot_be_written_stops_the_batch(tmp_path: Path) -> None:
    (tmp_path / "shards").write_text("in the way")
    with pytest.raises(StoreError):
        outcomes(tasks_of(2), tmp_path, workers=1)
    with pytest.raises(StoreError):
        list(alone(tasks_of(2), tmp_path))


def test_each_worker_has_its_part_of_the_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    infect(monkeypatch, "(folder / 'threads').write_text(os.environ['HEATPG_THREADS'])", LIGHT)
    list(supervise(tasks_of(1), tmp_path, workers=2, cores=7))
    assert (tmp_path / "threads").read_text() == "3"


def test_messages_that_are_none() -> None:
    for content in (b"", b"\x01", b"\xff\xff\xff\xff", b"\x02\0\0\0{", b"\x02\0\0\0[]", b"\x02\0\0\0\xff\xff"):
        incoming, outgoing = os.pipe()
        os.write(outgoing, content)
        os.close(outgoing)
        assert work.receive(incoming) is None
        os.close(incoming)


SCRIPT = """
import gc, os, signal, sys, threading, time
from pathlib import Path
from heatpg.batch import supervisor
from heatpg.batch.spec import read_spec

supervisor._GRACE = float(sys.argv[2])
supervisor._CODE = sys.argv[3]
tasks = read_spec({
    "landscape": {"source": "ridge", "size": 16}, "evolve": {"sigma": 0.3},
    "sweep": {"product": {"landscape.width": [0.2 + 0.01 * k for k in range(40)]}},
}).tasks()

def tell():
    workers = []
    while len(workers) < 2 or not all(worker.task for worker in workers):
        time.sleep(0.01)
        workers = [thing for thing in gc.get_objects() if type(thing) is supervisor._Worker]
    print(*(worker.link.process.pid for worker in workers), flush=True)
    # a signal that this thread gets does not wake the one that waits
    while number := os.read(0, 8):
        signal.pthread_kill(threading.get_ident(), int(number))

threading.Thread(target=tell, daemon=True).start()
def stopping(count):
    print("stopping", flush=True)

try:
    list(supervisor.supervise(tasks, Path(sys.argv[1]), workers=2, cores=2, stopping=stopping))
except KeyboardInterrupt:
    sys.exit(130)
"""


class Supervisor:
    """A process that supervises two slow workers, both of which have a task."""

    def __init__(self, folder: Path, *, sleep: float, grace: float) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", SCRIPT, str(folder), str(grace), infected(f"time.sleep({sleep})", LIGHT)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert self.process.stdout is not None
        self.workers = [int(pid) for pid in self.process.stdout.readline().split()]
        assert len(self.workers) == 2

    def signal_another_thread(self, number: int) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{number}\n")
        self.process.stdin.flush()

    def end(self) -> int:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdout.read()
        self.process.stdout.close()
        self.process.stdin.close()
        return self.process.wait(300)


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


@pytest.mark.parametrize(
    ("number", "group", "grace", "finished"),
    [
        (signal.SIGINT, True, 300.0, True),  # Ctrl-C reaches the workers too
        (signal.SIGTERM, False, 0.05, False),  # no time to finish
    ],
)
def test_a_signal_ends_a_run_in_order(tmp_path: Path, number: int, group: bool, grace: float, finished: bool) -> None:
    run = Supervisor(tmp_path, sleep=0.8 if finished else 600.0, grace=grace)
    if group:
        os.killpg(run.process.pid, number)
    else:
        run.process.send_signal(number)
    assert run.end() == 130
    assert len(list(tmp_path.glob("done-*"))) == (2 if finished else 0)
    assert not any(map(is_alive, run.workers))


@pytest.mark.parametrize("elsewhere", [False, True], ids=["main thread", "another thread"])
def test_a_second_signal_ends_it_at_once(tmp_path: Path, elsewhere: bool) -> None:
    run = Supervisor(tmp_path, sleep=600.0, grace=600.0)
    send = run.signal_another_thread if elsewhere else run.process.send_signal
    send(signal.SIGTERM)
    assert run.process.stdout is not None and run.process.stdout.readline() == "stopping\n"
    begin = time.monotonic()
    send(signal.SIGTERM)
    assert run.end() == 130
    assert time.monotonic() - begin < 300
    assert not any(map(is_alive, run.workers))


def test_workers_do_not_outlive_their_supervisor(tmp_path: Path) -> None:
    run = Supervisor(tmp_path, sleep=600.0, grace=5.0)
    run.process.kill()
    assert run.end() == -signal.SIGKILL
    end = time.monotonic() + 300
    while any(map(is_alive, run.workers)) and time.monotonic() < end:
        time.sleep(0.02)
    assert not any(map(is_alive, run.workers))


def test_a_worker_heeds_its_pipe_and_not_the_keyboard(tmp_path: Path) -> None:
    """It works on when Ctrl-C reaches it, and does not when nobody is left to tell."""
    process = subprocess.Popen(
        [sys.executable, "-c", infected("(folder / 'begun').touch(); import time; time.sleep(600)", HEAVY), *sys.path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        bufsize=0,
    )
    assert process.stdin is not None and process.stdout is not None
    assert work.receive(process.stdout.fileno()) == {"ready": process.pid}
    work.send(process.stdin.fileno(), {"task": tasks_of(1)[0].resolved, "folder": str(tmp_path)})
    while not (tmp_path / "begun").exists():
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    assert select.select([process.stdout], [], [], 0.3)[0] == []  # neither an answer nor the end
    process.stdin.close()
    assert process.wait(300) == 0
    process.stdout.close()


def test_handlers_are_as_before(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    list(alone(tasks_of(1), tmp_path))
    generator = alone(tasks_of(2), tmp_path)
    next(generator)
    assert signal.getsignal(signal.SIGTERM) != before[0]
    generator.close()
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before


def test_a_signal_in_this_process(tmp_path: Path) -> None:
    generator = alone(tasks_of(3), tmp_path)
    next(generator)
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGTERM)
    generator.close()
    assert len(stored(tmp_path)) == 1


def test_another_thread_leaves_signals_alone(tmp_path: Path) -> None:
    done: list[Outcome] = []
    thread = threading.Thread(target=lambda: done.extend(o for found in alone(tasks_of(1), tmp_path) for o in found))
    thread.start()
    thread.join()
    assert done[0].facts is not None


def test_a_script_without_a_guard_runs_once(tmp_path: Path) -> None:
    """Workers import nothing of the user's: neither ``if __name__`` is needed, nor is anything pickled."""
    script = tmp_path / "script.py"
    spec = {"landscape": {"source": "ridge", "size": 16}, "evolve": {"sigma": 0.3}}
    script.write_text(
        "from heatpg.batch.running import run\n"
        f"print(run({json.dumps(spec)}, {str(tmp_path / 'out')!r}, workers=1).done)\n"
    )
    (tmp_path / "numpy.py").write_text("raise SystemExit('a file of the user')")
    result = subprocess.run(
        [sys.executable, "-P", str(script)], capture_output=True, text=True, cwd=tmp_path, timeout=600
    )
    assert (result.returncode, result.stdout) == (0, "1\n"), result.stderr


def test_paths_that_are_not_utf8(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff"))
    try:
        folder.mkdir()
    except OSError:
        pytest.skip("this disk has no such names")
    infect(monkeypatch, "", LIGHT)
    outcomes(tasks_of(1), folder, workers=1)
    assert len(list(folder.glob("done-*"))) == 1
