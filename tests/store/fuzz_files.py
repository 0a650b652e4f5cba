"""Broken and hostile files by the thousand: whatever the bytes, an evolution or an error of heatpg comes out, soon.

By hand: ``python tests/fuzz_files.py 100000 SEED`` reads so many mutated files in quarantine and tells what became of
them; ``python tests/fuzz_files.py --flips 10000 SEED`` flips so many single bits of stored data, each in a file of its
own, and asks `verify_file`.

The process that reads is forked from one that has imported its libraries already, a hundred times faster than to start
each anew; it does the same work under the same limits.
"""

from __future__ import annotations

import collections
import contextlib
import hashlib
import io
import json
import os
import random
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from heatpg.errors import StoreError
from heatpg.store import quarantine

SECONDS = 0.5  # a file whose reading never ends is given up after them
SLOWEST = 20.0
NUMBERS = (0, 1, 2, 8, 0x7F, 0xFF, 0xFFFF, 2**31 - 1, 2**32 - 1, 2**48, 2**63 - 1, 2**63, 2**64 - 1)
WORDS = (
    *("NaN", "Infinity", "-Infinity", "1e400", "-1", "0", "1e308", "9" * 400, "9" * 5000, "3000000000", "null", "true"),
    *('"x"', '"NaN"', '"Infinity"', '""', "{}", "[]", "[[]]", '"\\u0000"', '"\\ud800"', "[" * 3000, '{"a":' * 3000),
    *('"periodic"', '"u"', '"cell"', '"../../etc/passwd"', '"__class__"', '"spectral"', "[1,[2,[3]]]", "1.5", "2"),
)


def seed_files() -> list[bytes]:
    """Small files of every kind that `save` writes."""
    from heatpg import Axis, Grid, Landscape
    from heatpg.evolution import solve
    from heatpg.solvers import make
    from heatpg.store.writing import image

    rng = np.random.default_rng(11)
    axes = (Axis("x", -1.0, 1.0, 7, boundary="clip", unit="N m"), Axis("y", 0.0, 6.0, 6, boundary="periodic"))
    line, plane = Grid(axes[0]), Grid(*axes)
    long = {"long": ["x" * 100] * 330}
    flows = [
        solve(Landscape(rng.normal(size=(7, 6)), plane, "plane"), [0.3, 0.6]),
        solve(Landscape(rng.normal(size=7).astype("f4"), line, "line"), 0.5, make("crank_nicolson", steps=3)),
        solve(Landscape(rng.normal(size=(2, 7, 6)), plane, "batch", long), {"x": [0.1, 0.2], "y": 0.5}),
        solve(
            Landscape(rng.normal(size=(6, 6)), Grid(axes[1], Axis("z", 0, 1, 6, boundary="periodic")), "correlated"),
            covariance=[[0.2, 0.05], [0.05, 0.1]],
        ),
    ]
    packed = image(flows[0], compression="gzip:4", task="seed")
    compact = image(flows[0], storage="compact", tolerance=1e-3, task="seed")
    return [*(image(flow, task="seed") for flow in flows), packed, compact]


# ----------------------------------------------------------------------------------------------------------------------
# Mutations


def _bytes(content: bytearray, chance: random.Random) -> None:
    for _ in range(chance.choice((1, 2, 4, 16, 64))):
        content[chance.randrange(len(content))] = chance.randrange(256)


def _bit(content: bytearray, chance: random.Random) -> None:
    content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)


def _number(content: bytearray, chance: random.Random) -> None:
    width = chance.choice((1, 2, 4, 8))
    for _ in range(chance.choice((1, 1, 3))):
        place = chance.randrange(0, len(content) - width, chance.choice((1, width)))
        number = chance.choice((*NUMBERS, chance.randrange(len(content))))
        content[place : place + width] = (number % 256**width).to_bytes(width, "little")


def _copy(content: bytearray, chance: random.Random) -> None:
    length = chance.choice((8, 32, 200, 2000))
    source, target = (chance.randrange(len(content) - length) for _ in range(2))
    content[target : target + length] = content[source : source + length]


def _blank(content: bytearray, chance: random.Random) -> None:
    place = chance.randrange(len(content))
    length = min(chance.choice((8, 64, 512, 4096)), len(content) - place)
    content[place : place + length] = bytes([chance.choice((0, 255))]) * length


def _cut(content: bytearray, chance: random.Random) -> None:
    del content[chance.randrange(8, len(content)) :]


def _shift(content: bytearray, chance: random.Random) -> None:
    place = chance.randrange(8, len(content))
    if chance.random() < 0.5:
        content[place:place] = chance.randbytes(chance.choice((1, 8, 100)))
    else:
        del content[place : place + chance.choice((1, 8, 100))]


def _structures(content: bytearray, chance: random.Random) -> None:
    """Numbers next to the marks of HDF5's own structures, where lengths and addresses are."""
    marks = (b"TREE", b"HEAP", b"SNOD", b"GCOL", b"OHDR", b"OCHK", b"FRHP", b"\x89HDF")
    mark = chance.choice([mark for mark in marks if mark in content])
    places = []
    place = content.find(mark)
    while place >= 0:
        places.append(place)
        place = content.find(mark, place + 1)
    for _ in range(chance.choice((1, 2, 4))):
        place = min(chance.choice(places) + 4 + chance.randrange(64), len(content) - 8)
        width = chance.choice((1, 2, 4, 8))
        content[place : place + width] = (chance.choice(NUMBERS) % 256**width).to_bytes(width, "little")


MUTATIONS = (_bytes, _bit, _number, _copy, _blank, _cut, _shift, _structures)


def _other_texts(content: bytes, chance: random.Random) -> bytes:
    """Records with something else in them, and with the checksums that belong to it."""
    buffer = io.BytesIO(content)
    parts = ("heatpg_spec", "heatpg_run", "heatpg_report", "heatpg_environment")
    with h5py.File(buffer, "r+") as file:
        texts = {name: file.attrs[name] if name in file.attrs else file[name].asstr()[()] for name in parts}
        name = chance.choice(parts[:3])
        text = texts[name]
        for _ in range(chance.choice((1, 1, 2))):
            marks = [i for i, letter in enumerate(text) if letter in '[]{},:"']
            begin, end = sorted((chance.choice(marks), chance.choice(marks)))
            if end - begin > 200:
                end = min(i for i in marks if i > begin) if begin < marks[-1] else begin + 1
            text = text[: begin + 1] + chance.choice((*WORDS, text[begin + 1 : end] * 2)) + text[end:]
        texts[name] = text
        if name in file.attrs and len(text) < 2**15:
            file.attrs[name] = text
        else:
            if name in file:
                del file[name]
            else:
                del file.attrs[name]
            file.create_dataset(name, data=text, dtype=h5py.string_dtype())
        file.attrs["heatpg_spec_sha256"] = hashlib.sha256(texts[parts[0]].encode()).hexdigest()
        records = "\n".join(texts[part] for part in parts[1:])
        file.attrs["heatpg_records_sha256"] = hashlib.sha256(records.encode()).hexdigest()
    return buffer.getvalue()


def mutated(seed: int, files: list[bytes]) -> Iterator[tuple[str, bytes, bytes]]:
    """What was done, the changed file, and the file that it was."""
    chance = random.Random(seed)
    while True:
        original = chance.choice(files)
        if chance.random() < 0.1:
            yield "_other_texts", _other_texts(original, chance), original
            continue
        content = bytearray(original)
        change = chance.choice(MUTATIONS)
        change(content, chance)
        yield change.__name__, bytes(content), original


# ----------------------------------------------------------------------------------------------------------------------
# A process that forks the processes that read


def _nursery(link: socket.socket) -> None:
    """Forks a reader for every request, tells its number, and how it ended."""
    while True:
        message, descriptors, _, _ = socket.recv_fds(link, 2**16, 2)
        if not message:
            return
        child = os.fork()
        if child == 0:
            os.dup2(descriptors[0], 0)
            os.dup2(descriptors[1], 1)
            quarantine.serve(json.loads(message))
            os._exit(0)
        for descriptor in descriptors:
            os.close(descriptor)
        link.sendall(child.to_bytes(8, "little"))
        _, status = os.waitpid(child, 0)
        link.sendall(os.waitstatus_to_exitcode(status).to_bytes(8, "little", signed=True))


class _Forked:
    """As much of a `subprocess.Popen` as the quarantine uses."""

    def __init__(self, link: socket.socket, descriptor: int, order: Mapping[str, Any]) -> None:
        ours, theirs = os.pipe()
        self.stdout = os.fdopen(ours, "rb", buffering=0)
        self._link = link
        socket.send_fds(link, [json.dumps(dict(order)).encode()], [descriptor, theirs])
        os.close(theirs)
        self._code: int | None = None
        self._number = self.pid = self._told()

    def _told(self) -> int:
        answer = self._link.recv(8)
        if len(answer) < 8:
            raise RuntimeError("the process that forks readers has ended")
        return int.from_bytes(answer, "little", signed=True)

    def wait(self, timeout: float | None = None) -> int:
        if self._code is None:
            if not select.select([self._link], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired("reader", timeout or 0.0)
            self._code = self._told()
        return self._code

    def kill(self) -> None:
        if self._code is None:
            assert self._number > 1, "this is no process of ours"
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._number, signal.SIGKILL)


@contextlib.contextmanager
def nursery() -> Iterator[socket.socket]:
    """A process that forks readers, and how to reach it."""
    ours, theirs = socket.socketpair()
    code = (
        f"import runpy, socket, sys; namespace = runpy.run_path({str(Path(__file__))!r});"
        f"namespace['_nursery'](socket.socket(fileno={theirs.fileno()}))"
    )
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1", "HDF5_PLUGIN_PRELOAD": "::"}
    process = subprocess.Popen([sys.executable, "-c", code], pass_fds=[theirs.fileno()], env=environment)
    theirs.close()
    try:
        yield ours
    finally:
        ours.close()
        process.wait(300)


@contextlib.contextmanager
def forking(link: Callable[[], socket.socket], seconds: float = SECONDS) -> Iterator[None]:
    """Within it, the quarantine has its readers forked, by whom `link` reaches, and gives up after so many seconds."""
    before = quarantine._start, quarantine._SECONDS
    quarantine._start = lambda descriptor, order: _Forked(link(), descriptor, order)  # type: ignore
    quarantine._SECONDS = seconds
    try:
        yield
    finally:
        quarantine._start, quarantine._SECONDS = before


# ----------------------------------------------------------------------------------------------------------------------
# Campaigns


def _outcome(path: Path, change: str, expected: Any) -> str:
    """What became of a file; an AssertionError if it is believed and is not what it was."""
    from heatpg.evolution import load

    try:
        # what is written in the file may overflow in it, and the answer is a refusal
        with np.errstate(all="ignore"):
            flow = load(path, untrusted=True)
    except StoreError as reason:
        text = str(reason)
        if not text.startswith("refused"):
            return "damaged"
        if "SIG" in text:
            return f"refused: ended by SIG{text.partition('SIG')[2].partition(';')[0]}"
        return "refused: too long" if "took" in text else "refused"
    repr(flow), str(flow.report)
    if change != "_other_texts":
        assert flow.values.tobytes() == expected.values.tobytes()
        assert flow.landscape.values.tobytes() == expected.landscape.values.tobytes()
        assert flow.report.as_dict() == expected.report.as_dict()
        assert flow.grid == expected.grid
    return "read"


def campaign(
    count: int, seed: int, folder: Path, *, readers: int = 2, seconds: float = SECONDS
) -> tuple[collections.Counter[str], float]:
    """Read mutated files; what became of them, and the longest time that one took.

    Raises
    ------
    AssertionError
        If anything else came out than an evolution or a `StoreError`, if it took too long, or if a file whose checksums
        had not been written anew was believed although its content had changed. The file is kept.
    """
    from heatpg.evolution import load

    files = seed_files()
    expected = {}
    for original in files:
        (folder / "seed.h5").write_bytes(original)
        expected[original] = load(folder / "seed.h5")
    own = threading.local()
    pending = iter(zip(range(count), mutated(seed, files), strict=False))
    lock = threading.Lock()

    def work(reader: int) -> tuple[collections.Counter[str], float]:
        outcomes: collections.Counter[str] = collections.Counter()
        slowest = 0.0
        path = folder / f"file{reader}.h5"
        with nursery() as own.link:
            while True:
                with lock:
                    task = next(pending, None)
                if task is None:
                    return outcomes, slowest
                number, (change, content, original) = task
                path.write_bytes(content)
                begin = time.perf_counter()
                try:
                    outcomes[_outcome(path, change, expected[original])] += 1
                    taken = time.perf_counter() - begin
                    slowest = max(slowest, taken)
                    assert taken < SLOWEST, f"{taken:.1f} s"
                except BaseException as reason:
                    keep = Path(tempfile.gettempdir(), f"heatpg-fuzz-{seed}-{number}.h5")
                    keep.write_bytes(content)
                    raise AssertionError(f"{change}, number {number}, kept as {keep}: {reason!r}") from reason
                if number % 10_000 == 9_999:
                    print(f"{number + 1} files", flush=True)

    with forking(lambda: own.link, seconds), ThreadPoolExecutor(readers) as pool:
        results = list(pool.map(work, range(readers)))
    return sum((outcomes for outcomes, _ in results), collections.Counter()), max(slowest for _, slowest in results)


def data_regions(path: Path) -> list[tuple[int, int]]:
    """Begin and end of all stored numbers in a file: chunks as they are stored, and whole arrays."""
    found = []

    def collect(name: str, member: Any) -> None:
        if not isinstance(member, h5py.Dataset) or member.dtype.kind not in "fi" or name.startswith("VTKHDF"):
            return
        if member.chunks:
            for i in range(member.id.get_num_chunks()):
                chunk = member.id.get_chunk_info(i)
                found.append((chunk.byte_offset, chunk.byte_offset + chunk.size))
        elif not name.startswith(("level", "batch")):  # numbers 0, 1, 2, ... for other readers
            found.append((member.id.get_offset(), member.id.get_offset() + member.nbytes))

    with h5py.File(path) as file:
        file.visititems(collect)
    return found


def flips(count: int, seed: int, folder: Path) -> int:
    """Flip single bits of stored numbers; how many of them `verify_file` did not notice."""
    from heatpg.store.reading import verify_file

    chance = random.Random(seed)
    files = []
    path = folder / "flip.h5"
    for content in seed_files():
        path.write_bytes(content)
        assert verify_file(path).passed
        regions = data_regions(path)
        files.append((content, [place for begin, end in regions for place in range(begin, end)]))
    missed = 0
    for _ in range(count):
        content, places = chance.choice(files)
        changed = bytearray(content)
        changed[chance.choice(places)] ^= 1 << chance.randrange(8)
        path.write_bytes(changed)
        with np.errstate(all="ignore"):
            missed += verify_file(path).passed
    return missed


def main() -> None:
    words = [word for word in sys.argv[1:] if word != "--flips"]
    count, seed = int(words[0]), int(words[1])
    with tempfile.TemporaryDirectory() as name:
        begin = time.perf_counter()
        if "--flips" in sys.argv:
            print(f"{flips(count, seed, Path(name))} of {count} flips were not noticed")
        else:
            outcomes, slowest = campaign(count, seed, Path(name))
            for outcome, number in outcomes.most_common():
                print(f"{number:8} {outcome}")
            print(f"slowest {slowest:.2f} s")
        print(f"{time.perf_counter() - begin:.0f} s")


if __name__ == "__main__":
    main()
