"""What may be read of an HDF5 file, and a separate process in which untrusted files are read.

HDF5 files can point to other files and to devices, name plug-ins, declare petabytes, and crash the library that reads
them. So a file is first walked by an allow-list, which follows nothing but hard links and looks at every type, filter
and size before any data are touched. That walk itself runs code of HDF5 on the bytes of the file; for files that are
not one's own it runs in a process that can open no other file, has little memory and little time, and answers in plain
numbers and text. Whatever becomes of that process, the reader here gets an answer or a `StoreError`.
"""

# One file, because both ends of the pipe have to be read together, what the process does and what is believed of it;
# and because that process is to import as little of heatpg as it can: this file, the errors, the look at free memory.

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
import os
import re
import select
import signal
import stat
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from heatpg.errors import StoreError, UnsupportedError
from heatpg.tools.resources import available_memory, human_bytes

__all__ = [
    "Contents",
    "Limits",
    "Member",
    "Refusal",
    "inspect",
    "open_regular",
    "read_in_quarantine",
    "require_complete",
    "stored_attributes",
]

Array = NDArray[Any]
Attributes = dict[str, str | float]

SIGNATURE = b"\x89HDF\r\n\x1a\n"
_ATTRIBUTES = ("boundary", "nodes", "lower", "upper")  # of the axes; besides them only those named heatpg_...
_MOST_ATTRIBUTES = 1000  # of one object
_LARGEST_TEXT = 2**26  # bytes
_LARGEST_HEADER = 2**24  # bytes; names and shapes of 10,000 objects have a twentieth of it
_LARGEST_REASON = 2**12  # bytes
_LARGEST_EXPANSION = 200  # of a packed file that is read in quarantine
_SMALL = 2**26  # bytes; so much may come out of any file
_ROOM = 2**28  # bytes; what HDF5 may use beside the arrays
_SHARE_OF_MEMORY = 0.4  # the array is there twice, once in each process
_SECONDS = 20.0  # whatever the size: to start Python on a busy machine takes some of them
_SLOWEST = 9.0  # how many times as long it may take beside, where the machine is busy with other things
_BYTES_PER_SECOND = 2e7  # what a slow disk does
# Frames of our own, a letter and a length: multiprocessing.connection would wait for the rest of a message without a
# deadline, and is one more thing that the process had to import.
_FRAME = struct.Struct("<cQ")
_HEADER, _DATA, _REFUSED = b"H", b"D", b"R"


class Refusal(Exception):
    """Why a file is not read."""


@dataclasses.dataclass(frozen=True)
class Limits:
    """How much a file may hold.

    Attributes
    ----------
    objects
        Links to groups and datasets, in all groups together.
    chunk
        Bytes of one chunk.
    declared
        Bytes of all arrays, as they will be in memory.
    expansion
        How many times its own size the arrays of a file may take in memory, once they take more than 64 MiB.
    """

    objects: int = 10_000
    chunk: int = 2**26
    declared: float = math.inf
    expansion: float = math.inf


@dataclasses.dataclass(frozen=True)
class Member:
    """A dataset: what is declared of it, and how it is read.

    Attributes
    ----------
    shape
        Its shape.
    dtype
        Type of its numbers; that of objects where it is one text.
    attrs
        Its attributes, as far as the format of heatpg has them.
    read
        Returns the array, or the text.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    attrs: Attributes
    read: Callable[[], Any]

    @property
    def nbytes(self) -> int:
        """Bytes of its numbers; none for a text."""
        return 0 if self.dtype.hasobject else math.prod(self.shape) * self.dtype.itemsize


@dataclasses.dataclass(frozen=True)
class Contents:
    """What a file holds that the allow-list lets through.

    Attributes
    ----------
    attrs
        Attributes of the file, as far as the format of heatpg has them.
    members
        Datasets by their path without the leading slash. Two hard links to one dataset share a `Member`.
    """

    attrs: Attributes
    members: Mapping[str, Member]

    @property
    def declared(self) -> int:
        """Bytes of all arrays."""
        # two names of one dataset count once
        return sum({id(member): member.nbytes for member in self.members.values()}.values())


def _standard_numbers() -> tuple[Any, ...]:
    integers = (f"STD_{sign}{bits}{order}" for sign in "IU" for bits in (8, 16, 32, 64) for order in ("LE", "BE"))
    floats = (f"IEEE_F{bits}{order}" for bits in (32, 64) for order in ("LE", "BE"))
    return tuple(getattr(h5py.h5t, name) for name in (*integers, *floats))


_NUMBERS = _standard_numbers()


def _refuse_type(dataset: h5py.Dataset) -> str:
    kind = dataset.id.get_type()
    if kind.get_class() == h5py.h5t.STRING or any(kind.equal(number) for number in _NUMBERS):
        return ""
    with contextlib.suppress(TypeError, ValueError):
        return f"its type, {kind.dtype}, is not a supported float, integer or text type"
    return "its type is not a float, integer or text type"


def _refuse_dataset(dataset: h5py.Dataset, limits: Limits) -> str:
    """Why a dataset is not to be read; empty if it may be."""
    refusal = _refuse_type(dataset)
    if refusal:
        return refusal
    plist = dataset.id.get_create_plist()
    if plist.get_external_count():
        return "its data are in another file"
    if plist.get_layout() not in (h5py.h5d.COMPACT, h5py.h5d.CONTIGUOUS, h5py.h5d.CHUNKED):
        return "it is a virtual dataset"
    allowed = [h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_FLETCHER32]
    for number in (plist.get_filter(i)[0] for i in range(plist.get_nfilters())):
        if number not in allowed:
            return f"its filters must be gzip, shuffle or fletcher32, each at most once; found filter {number}"
        # each filter once: two of a kind would multiply what a chunk grows to
        allowed.remove(number)
    if dataset.chunks and math.prod(dataset.chunks) * dataset.dtype.itemsize > limits.chunk:
        return f"chunks {dataset.chunks} are too large"
    if dataset.dtype.kind not in "fiu" and math.prod(dataset.shape or ()) > limits.objects:
        return "it contains too many strings"
    return ""


def _text(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def stored_attributes(thing: h5py.HLObject) -> Attributes:
    """The attributes that the format of heatpg has: texts and numbers; an empty text for what is neither.

    Raises
    ------
    Refusal
        For more than 1000 attributes, and for one of more than 64 MiB.
    """
    if h5py.h5a.get_num_attrs(thing.id) > _MOST_ATTRIBUTES:
        raise Refusal("an object has too many attributes")
    found: Attributes = {}
    for name in thing.attrs:
        # attributes of other kinds are not even checked
        if name not in _ATTRIBUTES and not name.startswith("heatpg_"):
            continue
        identifier = thing.attrs.get_id(name)
        kind = identifier.get_type()
        if identifier.get_storage_size() > _LARGEST_TEXT:
            raise Refusal(f"the attribute {name!r} is too large")
        found[name] = ""
        if identifier.shape == () and kind.get_class() == h5py.h5t.STRING:
            found[name] = _text(thing.attrs[name])
        elif identifier.shape == () and (kind.equal(h5py.h5t.IEEE_F64LE) or kind.equal(h5py.h5t.IEEE_F64BE)):
            found[name] = float(thing.attrs[name])
    return found


def require_complete(dataset: h5py.Dataset) -> None:
    """Refuse a dataset of which HDF5 would make up what is not in the file.

    Raises
    ------
    Refusal
        If it is incomplete.
    """
    # a chunk that is missing reads as zeros, without any checksum to fail
    if dataset.chunks:
        needed = math.prod(-(-size // chunk) for size, chunk in zip(dataset.shape, dataset.chunks, strict=True))
        there = dataset.id.get_num_chunks()
    else:
        needed, there = dataset.nbytes, dataset.id.get_storage_size()
    if there < needed:
        raise Refusal(f"{dataset.name} is incomplete")


def _read_numbers(dataset: h5py.Dataset) -> Array:
    require_complete(dataset)
    return np.asarray(dataset[()])


def _read_text(dataset: h5py.Dataset) -> str:
    return _text(dataset[()])


def _member(dataset: h5py.Dataset) -> Member | None:
    """A dataset of numbers, or of one text; None for what the format has no use for."""
    attributes = stored_attributes(dataset)
    if dataset.shape is None:
        return None
    if dataset.dtype.kind in "fiu":
        return Member(dataset.shape, dataset.dtype, attributes, lambda: _read_numbers(dataset))
    if dataset.shape == ():
        return Member((), np.dtype(object), attributes, lambda: _read_text(dataset))
    return None


def inspect(file: h5py.File, limits: Limits) -> Contents:
    """Look at everything in a file before any of it is followed or read.

    Parameters
    ----------
    file
        An open file.
    limits
        How much it may hold.

    Returns
    -------
    contents
        Its attributes, and its datasets, which are not read yet.

    Raises
    ------
    Refusal
        For a link that is not a hard link, data in other files, virtual datasets; types that are not float of 4 or 8
        bytes, integer or text; filters that are not gzip, shuffle, fletcher32; names with control characters; and for
        what is beyond the limits.

    Examples
    --------
    >>> import h5py
    >>> from heatpg.store.quarantine import Limits, inspect
    >>> with h5py.File("unused", "w", driver="core", backing_store=False) as file:
    ...     file["u"] = [1.0, 2.0]
    ...     contents = inspect(file, Limits())
    ...     contents.members["u"].shape, contents.members["u"].read()
    ((2,), array([1., 2.]))
    """
    members: dict[str, Member] = {}
    seen: dict[int, Member | None] = {}
    links = declared = stored = 0
    groups = [("", file["/"])]
    while groups:
        prefix, group = groups.pop()
        links += len(group)
        if links > limits.objects:
            raise Refusal(f"too many objects: more than {limits.objects}")
        for name in group:
            place = f"{prefix}{name}"
            if not name.isprintable():
                raise Refusal(f"the name {place!r} has characters that cannot be printed")
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                raise Refusal(f"/{place} is not a hard link; other links are not followed")
            thing = group[name]
            # by address, so that a circle of hard links ends, and a dataset of many names is checked once
            address = h5py.h5o.get_info(thing.id).addr
            if address not in seen:
                seen[address] = None
                if isinstance(thing, h5py.Group):
                    groups.append((f"{place}/", thing))
                    continue
                refusal = "it is neither a group nor a dataset"
                if isinstance(thing, h5py.Dataset):
                    refusal = _refuse_dataset(thing, limits)
                if refusal:
                    raise Refusal(f"/{place}: {refusal}")
                seen[address] = member = _member(thing)
                if member is not None:
                    declared += member.nbytes
                    stored += thing.id.get_storage_size()
                if declared > limits.declared:
                    raise Refusal(f"it declares {human_bytes(declared)} of data")
                if declared > max(_SMALL, limits.expansion * max(stored, 1)):
                    raise Refusal(
                        f"it would grow from {human_bytes(stored)} to {human_bytes(declared)}, "
                        f"more than {limits.expansion:g} times"
                    )
            known = seen[address]
            if known is not None:
                members[place] = known
    return Contents(stored_attributes(file), members)


def _write(descriptor: int, kind: bytes, content: bytes | memoryview) -> None:
    rest = memoryview(content)
    for piece in (memoryview(_FRAME.pack(kind, rest.nbytes)), rest):
        while piece:
            piece = piece[os.write(descriptor, piece) :]


def _limit_resources(seconds: float) -> None:
    import resource

    for name, value in (
        ("RLIMIT_CORE", 0),
        ("RLIMIT_FSIZE", 0),
        ("RLIMIT_NPROC", 0),
        ("RLIMIT_CPU", math.ceil(seconds)),
    ):
        # at the hard limit of the processor the system kills without saying why, so the soft one comes first
        hard = value + 1 if name == "RLIMIT_CPU" else value
        resource.setrlimit(getattr(resource, name), (value, hard))


def _held_memory() -> int:
    import resource

    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()


def _limit_memory(limit: int) -> None:
    import resource

    most = resource.getrlimit(resource.RLIMIT_AS)[1]
    resource.setrlimit(resource.RLIMIT_AS, (limit if most == resource.RLIM_INFINITY else min(limit, most), most))


def _forbid_opening() -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))  # what is open stays open


def _send(file: h5py.File, limits: Limits, held: int, out: int) -> None:
    contents = inspect(file, limits)
    # before anything is read: so much as the largest array needs, and no more
    _limit_memory(held + _ROOM + max((member.nbytes for member in contents.members.values()), default=0))
    names: dict[int, list[str]] = {}
    unique: dict[int, Member] = {}
    for name, member in contents.members.items():
        names.setdefault(id(member), []).append(name)
        unique[id(member)] = member
    header = {
        "attrs": contents.attrs,
        "members": [
            [names[key], "text" if member.dtype.hasobject else member.dtype.str, member.shape, member.attrs]
            for key, member in unique.items()
        ],
    }
    _write(out, _HEADER, json.dumps(header).encode())
    for member in unique.values():
        value = member.read()
        if isinstance(value, str):
            _write(out, _DATA, value.encode(errors="replace"))
        else:
            _write(out, _DATA, np.ascontiguousarray(value).reshape(-1).view(np.uint8).data)


def serve(order: Mapping[str, Any], *, source: int = 0, out: int = 1) -> None:
    """Read the open file `source` and write what it holds to `out`, or why it is refused; the work of the child.

    Parameters
    ----------
    order
        The limits: ``objects``, ``chunk``, ``declared``, ``expansion``, and ``seconds`` of work.
    source, out
        Descriptors of the file and of a pipe.
    """
    seconds = float(order["seconds"])
    limits = Limits(*(order[name] for name in ("objects", "chunk", "declared", "expansion")))
    try:
        _limit_resources(seconds)
        # in this order: first the limits that need /proc, and at last that nothing is opened any more
        held = _held_memory()
        _limit_memory(held + _ROOM)
        _forbid_opening()
        # a name would be resolved, and could stand for something else by now
        with os.fdopen(source, "rb", buffering=0) as stream, h5py.File(stream, "r") as file:
            _send(file, limits, held, out)
    except Refusal as reason:
        _write(out, _REFUSED, str(reason).encode(errors="replace")[:_LARGEST_REASON])
    except MemoryError:
        _write(out, _REFUSED, b"it takes more memory than it is given")
    except Exception as reason:  # whatever the libraries make of the file
        text = f"{type(reason).__name__}: {reason}"
        _write(out, _REFUSED, text.encode(errors="replace")[:_LARGEST_REASON])


_START = """
import importlib.util, json, sys
order = json.loads(sys.argv[1])
sys.path[:] = order["path"]
spec = importlib.util.spec_from_file_location("heatpg", order["package"])
sys.modules["heatpg"] = package = importlib.util.module_from_spec(spec)
spec.loader.exec_module(package)
from heatpg.store.quarantine import serve
serve(order)
"""


def _start(descriptor: int, order: Mapping[str, Any]) -> subprocess.Popen[bytes]:
    """A fresh Python whose standard input is the file; it imports NumPy, h5py and this very heatpg, and no more."""
    # nothing is looked for in the working folder, nor where PYTHON... variables and site files point to
    where = {
        "package": str(Path(__file__).absolute().parents[1] / "__init__.py"),
        "path": [entry for entry in sys.path if os.path.isabs(entry)],
    }
    # nothing of the environment but where libraries are
    environment = {name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ}
    environment |= {"HDF5_PLUGIN_PRELOAD": "::"}  # no plug-ins
    environment |= dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    return subprocess.Popen(
        [sys.executable, "-I", "-S", "-B", "-c", _START, json.dumps({**order, **where})],
        stdin=descriptor,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
        cwd="/",
    )


def _wants_processor(process: int) -> bool:
    """Whether a process would work on, if it had the processor or the disk; False where that is not known."""
    with contextlib.suppress(OSError, IndexError):
        return Path(f"/proc/{process}/stat").read_bytes().rpartition(b")")[2].split()[0] in (b"R", b"D")
    return False


class _Answer:
    """What comes out of the pipe, believed in nothing: neither in length, nor in form, nor that it comes at all."""

    def __init__(self, descriptor: int, seconds: float, process: int) -> None:
        self._descriptor = descriptor
        self._process = process
        self._seconds = seconds
        self._end = time.monotonic() + seconds
        self._last = self._end + _SLOWEST * seconds
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLIN | select.POLLHUP)

    def remaining(self) -> float:
        """Seconds until it is too late."""
        left = self._end - time.monotonic()
        if left <= 0 and time.monotonic() < self._last and _wants_processor(self._process):
            # the machine is slow, or busy with other things: the time of the processor is limited in the process itself
            self._end = time.monotonic() + 0.1
            return 0.1
        if left <= 0:
            raise Refusal(f"reading it took longer than {self._seconds:.3g} s")
        return left

    def _fill(self, buffer: memoryview) -> int:
        done = 0
        while done < len(buffer):
            # woken at the end of the time, and then remaining raises
            if not self._poll.poll(1000 * self.remaining()):
                continue
            count = os.readv(self._descriptor, [buffer[done:]])
            if not count:
                break
            done += count
        return done

    def _exactly(self, buffer: memoryview) -> None:
        if self._fill(buffer) < len(buffer):
            raise EOFError

    def frame(self, kind: bytes, length: int | None = None, most: int = 0) -> memoryview:
        """The next frame, of the kind and the length that are due; the reason, if it is a refusal."""
        head = bytearray(_FRAME.size)
        self._exactly(memoryview(head))
        found, size = _FRAME.unpack(head)
        if found == _REFUSED and size <= _LARGEST_REASON:
            reason = bytearray(size)
            self._exactly(memoryview(reason))
            raise Refusal("".join(c if c.isprintable() else "?" for c in reason.decode(errors="replace")))
        # no length is believed before it is compared with what is due, so that nothing is allocated for a lie
        if found != kind or (size > most if length is None else size != length):
            raise Refusal("the reader process returned an invalid answer")
        content = np.empty(size, np.uint8).data
        self._exactly(content)
        return content

    def end(self) -> None:
        """Nothing more may come."""
        if self._fill(memoryview(bytearray(1))):
            raise Refusal("the reader process returned an invalid answer")


def _is_attributes(value: object) -> bool:
    return isinstance(value, dict) and all(isinstance(item, str | float) for item in value.values())


def _received(answer: _Answer, limits: Limits) -> Contents:
    header = json.loads(bytes(answer.frame(_HEADER, most=_LARGEST_HEADER)))
    attributes, entries = header["attrs"], header["members"]
    if not _is_attributes(attributes) or len(entries) > limits.objects:
        raise TypeError
    declared = 0
    due: list[tuple[list[str], np.dtype[Any] | None, tuple[int, ...], Attributes]] = []
    for names, kind, sizes, own in entries:
        shape = tuple(sizes)
        # type and not isinstance: a bool is no length
        good = all(isinstance(name, str) for name in names) and all(type(n) is int and n >= 0 for n in shape)
        if not good or not _is_attributes(own) or len(shape) > 32:
            raise TypeError
        if kind == "text":
            due.append((names, None, (), own))
        elif re.fullmatch(r"[<>|][iu][1248]|[<>]f[48]", kind):
            due.append((names, np.dtype(kind), shape, own))
            declared += math.prod(shape) * np.dtype(kind).itemsize
        else:
            raise TypeError
    if declared > limits.declared:
        raise Refusal(f"it declares {human_bytes(declared)} of data")
    members: dict[str, Member] = {}
    for names, dtype, shape, own in due:
        if dtype is None:
            text = bytes(answer.frame(_DATA, most=_LARGEST_TEXT)).decode(errors="replace")
            member = Member(shape, np.dtype(object), own, lambda text=text: text)  # type: ignore[misc]
        else:
            content = answer.frame(_DATA, math.prod(shape) * dtype.itemsize)
            values = np.frombuffer(content, dtype).reshape(shape)
            member = Member(shape, dtype, own, lambda values=values: values)  # type: ignore[misc]
        members.update(dict.fromkeys(names, member))
    answer.end()
    return Contents(attributes, members)


def _ending(code: int) -> str:
    if code >= 0:
        return f"the reader process exited with code {code}"
    if -code == signal.SIGXCPU:
        return "reading it exceeded the time limit"
    with contextlib.suppress(ValueError):
        return f"the reader process was killed by {signal.Signals(-code).name}"
    return f"the reader process was killed by signal {-code}"


def _converse(descriptor: int, limits: Limits, seconds: float) -> Contents:
    order = {**dataclasses.asdict(limits), "seconds": seconds}
    child = _start(descriptor, order)
    assert child.stdout is not None
    try:
        answer = _Answer(child.stdout.fileno(), seconds, child.pid)
        try:
            contents = _received(answer, limits)
        except EOFError:
            raise Refusal(_ending(child.wait(answer.remaining()))) from None
        except (TypeError, ValueError, LookupError, RecursionError):
            raise Refusal("the reader process returned an invalid answer") from None
        code = child.wait(answer.remaining())
        if code:
            raise Refusal(_ending(code))
        return contents
    except subprocess.TimeoutExpired:
        raise Refusal(f"reading it took longer than {seconds:.3g} s") from None
    except MemoryError:
        raise Refusal("it exceeds the memory limit") from None
    finally:
        # whatever happened, also an interrupt: nothing of it goes on
        child.kill()
        child.wait()
        child.stdout.close()


@contextlib.contextmanager
def open_regular(path: Path) -> Iterator[int]:
    """A descriptor of a file that has the signature of HDF5; of nothing that one could wait for.

    Raises
    ------
    StoreError
        If there is no such file (`MissingFileError`), if it is something else than a file, or if it does not begin as
        HDF5 does.
    """
    try:
        # without O_NONBLOCK, to open a pipe would wait for ever
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        descriptor = os.open(path, flags)
    except (OSError, ValueError) as reason:
        raise StoreError.unreadable(path, reason) from None
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise StoreError("the path is not a file", given=path)
        try:
            signature = os.read(descriptor, len(SIGNATURE))
        except OSError as reason:
            raise StoreError.unreadable(path, reason) from None
        if signature != SIGNATURE:
            raise StoreError(
                f"{path} is not an HDF5 file", given=f"first bytes {signature!r}", allowed="files of heatpg"
            )
        yield descriptor
    finally:
        os.close(descriptor)


def read_in_quarantine(path: Path, *, seconds: float | None = None) -> Contents:
    """Read a file of unknown origin in a sandboxed process.

    The process has the one file open and can open no other, may not write or start anything, and gets little more
    memory than the largest array of the file. It runs as the same user: a fault of HDF5 by which a file takes over that
    process is confined by these limits, not by the rights of another user.

    Parameters
    ----------
    path
        Name of the file.
    seconds
        How long it may take; by default 20, and one more for every 20 MB of the file.

    Returns
    -------
    contents
        All that the allow-list lets through, in memory.

    Raises
    ------
    StoreError
        If there is no such file, and "refused" with the reason for everything that goes wrong beyond: what
        `inspect` refuses, what takes too much time or memory, and what ends the process.
    UnsupportedError
        On other systems than Linux, which lack the limits.

    Examples
    --------
    >>> import os, tempfile
    >>> from pathlib import Path
    >>> from heatpg import landscapes, save
    >>> from heatpg.evolution import solve
    >>> from heatpg.store.quarantine import read_in_quarantine
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(solve(landscapes.ridge(size=21), [0.2, 0.4]), os.path.join(folder, "ridge.h5"))
    ...     contents = read_in_quarantine(Path(folder) / "ridge.h5")
    >>> contents.members["u"].shape
    (2, 21, 21)
    """
    if not sys.platform.startswith("linux") or not sys.executable:
        raise UnsupportedError(
            "untrusted files can be read only on Linux",
            given=sys.platform,
            advice="read it on Linux, or compute its evolution again",
        )
    with open_regular(path) as descriptor:
        size = os.fstat(descriptor).st_size
        limits = Limits(declared=available_memory() * _SHARE_OF_MEMORY, expansion=_LARGEST_EXPANSION)
        try:
            return _converse(descriptor, limits, seconds or _SECONDS + size / _BYTES_PER_SECOND)
        except Refusal as reason:
            raise StoreError(
                f"refused: {path}",
                given=reason,
                advice="do not open it with other software unless you trust its origin",
            ) from None
