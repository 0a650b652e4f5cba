"""Files that mean harm: refused before they are followed, or read where they can do none."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import re
import signal
import socket
import sys
import time
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import h5py
import numpy as np
import pytest

from heatpg import Axis, Grid, Landscape, load, save
from heatpg.errors import HeatpgError, ResourceError, StoreError, UnsupportedError
from heatpg.evolution import Evolution, solve
from heatpg.store import quarantine
from heatpg.store.quarantine import Limits, Refusal, inspect, read_in_quarantine
from heatpg.store.reading import verify_file
from tests.references import processor_seconds

SHAPE = (7, 6)


def fuzz_module() -> ModuleType:
    path = Path(__file__).with_name("fuzz_files.py")
    spec = importlib.util.spec_from_file_location("fuzz_files", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


fuzz = fuzz_module()


@pytest.fixture(scope="module")
def flow() -> Evolution:
    grid = Grid(Axis("torque", -1.0, 1.0, 7, boundary="clip"), Axis("angle", 0.0, 6.0, 6, boundary="periodic"))
    return solve(Landscape(np.random.default_rng(7).normal(size=SHAPE), grid, "noise"), [0.3, 0.6], "direct")


@pytest.fixture
def path(tmp_path: Path, flow: Evolution) -> Path:
    save(flow, tmp_path / "flow.h5")
    return tmp_path / "flow.h5"


@pytest.fixture(scope="module")
def link() -> Iterator[socket.socket]:
    with fuzz.nursery() as reached:
        yield reached


@pytest.fixture
def forked(link: socket.socket) -> Iterator[None]:
    """The process that reads is forked from one that has its libraries, which takes a tenth of the time."""
    with fuzz.forking(lambda: link, 20.0):
        yield


def assert_same(copy: Evolution, flow: Evolution) -> None:
    assert copy.values.tobytes() == flow.values.tobytes()
    assert copy.landscape.values.tobytes() == flow.landscape.values.tobytes()
    assert copy.grid == flow.grid
    assert copy.solver == flow.solver
    assert copy.paths == flow.paths


def replace(file: h5py.File, name: str, *arguments: Any, **keywords: Any) -> h5py.Dataset:
    del file[name]
    return file.create_dataset(name, *arguments, **keywords)


def relink(file: h5py.File, name: str, target: Any) -> None:
    del file[name]
    file[name] = target


# ----------------------------------------------------------------------------------------------------------------------
# The nine kinds of attack


def to_other_file(file: h5py.File) -> None:
    other = Path(file.filename).with_name("other.h5")
    with h5py.File(other, "w") as target:
        target["u"] = np.zeros((2, *SHAPE))
    relink(file, "u", h5py.ExternalLink(str(other), "/u"))


def to_pipe(file: h5py.File) -> None:
    pipe = Path(file.filename).with_name("pipe.h5")
    os.mkfifo(pipe)
    relink(file, "u", h5py.ExternalLink(str(pipe), "/u"))


def to_virtual(file: h5py.File) -> None:
    layout = h5py.VirtualLayout((2, *SHAPE), "f8")
    layout[:] = h5py.VirtualSource("other.h5", "u", (2, *SHAPE))
    del file["u"]
    file.create_virtual_dataset("u", layout)


def packed_zeros(file: h5py.File) -> None:
    """Two gibibytes of zeros in two megabytes."""
    chunk = (1, 2**10, 2**9)
    shape = (2**9, 2**10, 2**9)
    dataset = replace(file, "u", shape, "f8", chunks=chunk, compression="gzip")
    piece = zlib.compress(bytes(8 * chunk[1] * chunk[2]), 9)
    for i in range(shape[0]):
        dataset.id.write_direct_chunk((i, 0, 0), piece)


def one_chunk(file: h5py.File) -> None:
    dataset = replace(file, "u", (1, 2**14, 2**15 - 1), "f8", chunks=(1, 2**14, 2**15 - 1), compression="gzip")
    dataset.id.write_direct_chunk((0, 0, 0), zlib.compress(bytes(2**22), 9))


def broken_bytes(file: h5py.File) -> None:
    """What `byte-mutated` stands for; thousands of others are below."""
    place, name = file["u"].id.get_chunk_info(0).byte_offset, file.filename
    file.close()
    content = bytearray(Path(name).read_bytes())
    content[place] ^= 1
    Path(name).write_bytes(content)


NINE: dict[str, tuple[Callable[[h5py.File], Any], str]] = {
    "raw storage in a file": (
        lambda f: replace(f, "u", (2, *SHAPE), "f8", external=[("/etc/passwd", 0, 800)]), "another file"
    ),
    "raw storage in a device": (
        lambda f: replace(f, "u", (2, *SHAPE), "f8", external=[("/dev/zero", 0, 800)]), "another file"
    ),
    "link to another file": (to_other_file, "not a hard link"),
    "link to a pipe": (to_pipe, "not a hard link"),
    "virtual dataset": (to_virtual, "virtual"),
    "8 PB": (lambda f: replace(f, "u", (2**25, 2**25), "f8", chunks=(64, 64)), "memory|declares 8192.0 TiB"),
    "packed zeros": (packed_zeros, "shape|would grow from 2.0 MiB to 2.0 GiB"),
    "a chunk of 4 GB": (one_chunk, "chunks"),
    "broken bytes": (broken_bytes, "damaged|filter"),
}  # fmt: skip


@pytest.mark.parametrize("attack", NINE)
def test_attack_is_refused(path: Path, attack: str) -> None:
    act, words = NINE[attack]
    with h5py.File(path, "a") as file:
        act(file)
    for untrusted in (False, True):
        begin = processor_seconds()
        with pytest.raises(HeatpgError, match=words) as caught:
            load(path, untrusted=untrusted)
        assert processor_seconds() - begin < 10  # far from the 20 s after which reading is given up
        if untrusted:
            assert isinstance(caught.value, StoreError)
            assert str(caught.value).startswith("refused: ")


def test_a_refused_file_does_not_pass(path: Path) -> None:
    with h5py.File(path, "a") as file:
        file["u"].attrs["heatpg_u"] = 1.0
        relink(file, "time", h5py.SoftLink("/sigma"))
    report = verify_file(path, untrusted=True)
    assert not report.passed
    assert "refused" in report["structure"].message


# ----------------------------------------------------------------------------------------------------------------------
# More of what a file may hold


def bent_float() -> Any:
    kind = h5py.h5t.IEEE_F64LE.copy()
    kind.set_ebias(1000)
    return kind


def many_links(file: h5py.File) -> None:
    group = file.create_group("many")
    for i in range(10_001):
        group[str(i)] = file["sigma"]


def many_attributes(file: h5py.File) -> None:
    for i in range(1001):
        file["u"].attrs[f"a{i}"] = i


def of_type(kind: Any) -> Callable[[h5py.File], Any]:
    def make(file: h5py.File) -> None:
        h5py.h5d.create(file.id, b"zz", h5py.h5t.py_create(kind, logical=True) if not hasattr(kind, "id") else kind,
                        h5py.h5s.create_simple((3,)))  # fmt: skip

    return make


MORE: dict[str, tuple[Callable[[h5py.File], Any], str]] = {
    "soft link": (lambda f: relink(f, "time", h5py.SoftLink("/sigma")), "not a hard link"),
    "many links": (many_links, "too many objects"),
    "many attributes": (many_attributes, "too many attributes"),
    "region references": (of_type(h5py.regionref_dtype), "not a supported float, integer or text"),
    "committed type": (lambda f: f.__setitem__("zz", np.dtype("f8")), "neither a group nor a dataset"),
    "compound": (of_type(np.dtype([("a", "f8"), ("b", "i4")])), "not a supported float, integer or text"),
    "arrays of any length": (of_type(h5py.vlen_dtype("f8")), "not a supported float, integer or text"),
    "opaque": (of_type(np.dtype("V8")), "not a supported float, integer or text"),
    "enumeration": (of_type(h5py.enum_dtype({"a": 1})), "not a supported float, integer or text"),
    "complex": (of_type(np.dtype("c16")), "not a supported float, integer or text"),
    "half precision": (of_type(np.dtype("f2")), "float16"),
    "extended precision": (of_type(np.dtype("longdouble")), "not a supported float, integer or text"),
    "bent numbers": (of_type(bent_float()), "not a supported float, integer or text"),
    "gzip twice": (
        lambda f: replace_with_filters(f, h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_DEFLATE), "each at most once"
    ),
    "unwritten": (lambda f: replace(f, "u", (2, *SHAPE), "f8", chunks=(1, *SHAPE)), "is incomplete"),
    "unwritten in part": (
        lambda f: replace(f, "u", (2, *SHAPE), "f8", chunks=(1, *SHAPE)).__setitem__(0, 1.0), "is incomplete"
    ),
    "control characters": (lambda f: f.__setitem__("a\x1b[2J", [1.0]), "cannot be printed"),
    "NaN": (lambda f: f["u"].__setitem__((0, 0, 0), np.nan), "NaN"),
    "infinity": (lambda f: f["landscape"].__setitem__((0, 0), np.inf), "NaN or infinity"),
    "another shape": (lambda f: replace(f, "u", data=np.zeros((2, 6, 7))), "shape"),
    "no shape": (lambda f: replace(f, "u", dtype="f8", shape=None, data=h5py.Empty("f8")), "no dataset u"),
    "no checksum": (lambda f: f.attrs.__delitem__("heatpg_u_sha256"), "SHA-256 of u"),
    "no checksum of the specification": (lambda f: f.attrs.__delitem__("heatpg_spec_sha256"), "SHA-256"),
    "schema of numbers": (lambda f: f.attrs.__setitem__("heatpg_schema", 1), "not written by heatpg"),
    "schema that is none": (lambda f: f.attrs.__setitem__("heatpg_schema", "١"), "heatpg_schema"),
    "large schema": (lambda f: f.attrs.__setitem__("heatpg_schema", "9" * 5000), "heatpg_schema"),
}  # fmt: skip


def replace_with_filters(file: h5py.File, *filters: int) -> None:
    plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plist.set_chunk((3,))
    for number in filters:
        plist.set_filter(number, 0, (1,))
    h5py.h5d.create(file.id, b"zz", h5py.h5t.IEEE_F64LE, h5py.h5s.create_simple((3,)), plist)


@pytest.mark.usefixtures("forked")
@pytest.mark.parametrize("attack", MORE)
def test_more_attacks_are_refused(path: Path, attack: str) -> None:
    act, words = MORE[attack]
    with h5py.File(path, "a") as file:
        act(file)
    for untrusted in (False, True):
        with pytest.raises(StoreError, match=words):
            load(path, untrusted=untrusted)


def deep(file: h5py.File) -> None:
    group = file.create_group("deep")
    for _ in range(1000):
        group = group.create_group("a")


HARMLESS: dict[str, Callable[[h5py.File], Any]] = {
    "nothing": lambda f: None,
    "a circle": lambda f: f.__setitem__("VTKHDF/self", f["/"]),
    "deep groups": deep,
    "dots for a name": lambda f: f.__setitem__("..", [1.0]),
    "scales that lie": lambda f: f["u"].attrs.__delitem__("DIMENSION_LIST"),
    "a foreign dataset": lambda f: f.__setitem__("notes", "measured on Monday"),
    "a view of other data": lambda f: relink(f, "VTKHDF/PointData/u", f["landscape"]),
    "packed zeros that nobody reads": lambda f: f.create_dataset(
        "zz", data=np.zeros(10**6), chunks=(10**6,), compression="gzip"
    ),
}  # fmt: skip


@pytest.mark.usefixtures("forked")
@pytest.mark.parametrize("change", HARMLESS)
def test_what_is_harmless_is_read(path: Path, flow: Evolution, change: str) -> None:
    with h5py.File(path, "a") as file:
        HARMLESS[change](file)
    for untrusted in (False, True):
        assert_same(load(path, untrusted=untrusted), flow)
        assert verify_file(path, untrusted=untrusted).passed


def rewritten(path: Path, name: str, change: Callable[[Any], str | None]) -> None:
    """Change one of the records, and the checksums with it."""
    parts = ("heatpg_spec", "heatpg_run", "heatpg_report", "heatpg_environment")
    with h5py.File(path, "a") as file:
        texts = {part: str(file.attrs[part]) for part in parts}
        record = json.loads(texts[name])
        texts[name] = change(record) or json.dumps(record)
        del file.attrs[name]
        file.create_dataset(name, data=texts[name], dtype=h5py.string_dtype())
        file.attrs["heatpg_spec_sha256"] = hashlib.sha256(texts[parts[0]].encode()).hexdigest()
        records = "\n".join(texts[part] for part in parts[1:])
        file.attrs["heatpg_records_sha256"] = hashlib.sha256(records.encode()).hexdigest()


def setting(*keys: Any, to: Any) -> Callable[[Any], None]:
    def change(record: Any) -> None:
        for key in keys[:-1]:
            record = record[key]
        record[keys[-1]] = to

    return change


RECORDS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "nested": ("heatpg_spec", lambda r: "[" * 100_000 + "]" * 100_000),
    "nested in the provenance": (
        "heatpg_spec",
        lambda r: json.dumps(r).replace('"provenance": {', '"provenance": {"a": ' + "[" * 900 + "]" * 900 + ", ", 1),
    ),
    "a long number": ("heatpg_spec", lambda r: '{"grid": ' + "9" * 10_000 + "}"),
    "no object": ("heatpg_spec", lambda r: "null"),
    "positions without end": ("heatpg_spec", setting("grid", 0, "size", to=10**15)),
    "a size that is no number": ("heatpg_spec", setting("grid", 0, "size", to=[7])),
    "another axis": ("heatpg_spec", setting("grid", 0, "name", to="angle")),
    "an axis of the file": ("heatpg_spec", setting("grid", 0, "name", to="u")),
    "an axis without end": ("heatpg_spec", setting("grid", 0, "upper", to="Infinity")),
    "a unit that is none": ("heatpg_spec", setting("grid", 0, "unit", to=["N"])),
    "sigma descending": ("heatpg_spec", setting("sigma", to=[0.6, 0.3])),
    "sigma of NaN": ("heatpg_spec", setting("sigma", to=["NaN", 0.3])),
    "sigma negative": ("heatpg_spec", setting("sigma", to=[-0.3, 0.6])),
    "a solver by path": ("heatpg_spec", setting("solver", "name", to="os.system")),
    "a solver with options": ("heatpg_spec", setting("solver", "options", to={"__class__": "x"})),
    "paths without end": (
        "heatpg_run",
        setting("paths", to=[[[0, 0.0], [0, 0.0]], *[[[i, 0.0], [i, 0.0]] for i in range(1, 30_000)]]),
    ),
    "paths that share what is not there": ("heatpg_run", setting("paths", to=[[[5, 0.0], [0, 0.0]]])),
    "paths that share backwards": ("heatpg_run", setting("paths", to=[[[-1, 0.0], [0, 0.0]]])),
    "paths that share infinity": ("heatpg_run", setting("paths", to=[[["Infinity"], ["Infinity"]]])),
    "times of text": ("heatpg_run", setting("timing", to=[["solve", "long"]])),
    "a status that is none": ("heatpg_report", setting("checks", to=[{"name": "a", "status": "fine", "message": "b"}])),
    "a check of numbers": ("heatpg_report", setting("checks", to=[{"name": 1, "status": "passed", "message": "b"}])),
    "a figure of text": (
        "heatpg_report",
        setting("checks", to=[{"name": "a", "status": "passed", "message": "b", "figure": "large"}]),
    ),
    "a check with more": (
        "heatpg_report",
        setting("checks", to=[{"name": "a", "status": "passed", "message": "b", "more": 1}]),
    ),
}  # fmt: skip


@pytest.mark.usefixtures("forked")
@pytest.mark.parametrize("attack", RECORDS)
def test_records_that_mean_harm_are_refused(path: Path, monkeypatch: pytest.MonkeyPatch, attack: str) -> None:
    monkeypatch.setattr("heatpg.tools.resources.available_memory", lambda: float(2**30))
    rewritten(path, *RECORDS[attack])
    with h5py.File(path, "a") as file:
        if attack == "sigma descending":
            file["sigma"][()] = [0.6, 0.3]
            file["time"][()] = np.array([0.6, 0.3]) ** 2
    for untrusted in (False, True):
        begin = processor_seconds()
        with pytest.raises(StoreError if untrusted else (StoreError, ResourceError)):
            load(path, untrusted=untrusted)
        assert processor_seconds() - begin < 5


def test_rewritten_records_would_be_believed(path: Path, flow: Evolution) -> None:
    """So the refusals above are due to what was changed."""
    rewritten(path, "heatpg_run", setting("reason", to="another"))
    assert load(path).reason == "another"
    assert load(path, untrusted=True).reason == "another"


def test_positions_are_counted_before_they_are_made(path: Path) -> None:
    rewritten(path, "heatpg_spec", setting("grid", 0, "size", to=8))
    with pytest.raises(StoreError, match=r"an axis of the shape \(7,\) is described as"):
        load(path)


def test_paths_take_no_more_than_the_file_has(tmp_path: Path) -> None:
    """3000 sigmas of 3 nodes, each sharing all of the path before: 36 million numbers, were they written out."""
    grid = Grid(Axis("x", 0.0, 1.0, 3, boundary="reflect"))
    sigma = np.linspace(0.001, 0.5, 3000)
    flow = solve(Landscape(np.array([0.0, 1.0, 0.0]), grid, "small"), sigma, "implicit")
    flow.save(tmp_path / "long.h5")
    tracemalloc.start()
    try:
        again = load(tmp_path / "long.h5", untrusted=True)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # all of them written out are 8 * 3000 * 3001 / 2 bytes in the least, 36 MB
    assert len(again.paths[-1][0]) > 3000 and again.paths[-1] == flow.paths[-1] and most < 2**24


@pytest.mark.parametrize("count", [0, 1, 3, 1000])
def test_as_many_paths_as_sigmas(path: Path, count: int) -> None:
    run = [[[0, 0.0], [0, 0.0]]] * count
    rewritten(path, "heatpg_run", setting("paths", to=run))
    with pytest.raises(StoreError, match=f"{count} paths where 2 are needed"):
        load(path, untrusted=True)


@pytest.mark.parametrize("value", [1e200, 1e160, -0.3])
def test_sigma_out_of_range(path: Path, value: float) -> None:
    rewritten(path, "heatpg_spec", setting("sigma", 1, to=value))
    with pytest.raises(StoreError, match="it or its square is not finite"):
        load(path, untrusted=True)


# ----------------------------------------------------------------------------------------------------------------------
# Places


def test_places_that_are_no_files(tmp_path: Path, path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "empty").touch()
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    for place, words in (
        (tmp_path / "pipe", "not a file"),
        (tmp_path, "not a file"),
        (Path("/dev/zero"), "not a file"),
        (tmp_path / "empty", "not an HDF5 file"),
        (tmp_path / "missing", "No such file"),
        (tmp_path / "circle", "symbolic links"),
        (path / "flow.h5", "Not a directory"),
        (tmp_path / "a\0b", "null"),
        (tmp_path / ("a" * 300), "too long"),
    ):
        for act in (load, verify_file):
            with pytest.raises(StoreError, match=words):
                act(place, untrusted=True)


def test_a_file_that_is_exchanged_meanwhile(path: Path, flow: Evolution, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is read is what was opened, not what has the name by then."""
    start = quarantine._start

    def exchange(descriptor: int, order: Any) -> Any:
        path.unlink()
        os.mkfifo(path)
        return start(descriptor, order)

    monkeypatch.setattr(quarantine, "_start", exchange)
    assert_same(load(path, untrusted=True), flow)


def test_other_systems_are_told(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(UnsupportedError, match="Linux"):
        read_in_quarantine(path)


# ----------------------------------------------------------------------------------------------------------------------
# The process that reads

PREPARED = quarantine._START.rpartition("serve(order)")[0]
FRAME = "import os, struct\ndef frame(kind, content, size=None):\n"
FRAME += "    os.write(1, struct.pack('<cQ', kind, len(content) if size is None else size) + content)\n"


def header(members: str) -> str:
    return FRAME + f"""frame(b"H", b'{{"attrs": {{}}, "members": {members}}}')\n"""


MISBEHAVIOUR: dict[str, tuple[str, str]] = {
    "crash": ("import os; os.kill(os.getpid(), 11)", "killed by SIGSEGV"),
    "abort": ("import os; os.abort()", "killed by SIGABRT"),
    "other signal": (f"import os; os.kill(os.getpid(), {int(signal.SIGRTMIN) + 3})", "killed by signal"),
    "exit": ("raise SystemExit(3)", "exited with code 3"),
    "silence": ("", "exited with code 0"),
    "sleep": ("import time; time.sleep(600)", "longer than 0.2 s"),
    "slow answer": (FRAME + "import time\nwhile True: os.write(1, b'H'); time.sleep(0.1)", "invalid answer|longer"),
    "sleep after the answer": (header("[]") + "import time; time.sleep(600)", "longer than 0.2 s"),
    "sleep with the pipe closed": (header("[]") + "os.close(1); import time; time.sleep(600)", "longer than 0.2 s"),
    "crash after the answer": (header("[]") + "os.kill(os.getpid(), 11)", "killed by SIGSEGV"),
    "crash in the answer": (
        header('[[["u"], "<f8", [9], {}]]') + "frame(b'D', b'12345', 72); os.kill(os.getpid(), 9)", "killed by SIGKILL"
    ),
    "garbage": ("import os; os.write(1, os.urandom(99))", "invalid answer"),
    "endless": ("import os\nwhile True: os.write(1, b'H' * 65536)", "invalid answer"),
    "long header": (FRAME + "frame(b'H', b'', 2**63)", "invalid answer"),
    "long reason": (FRAME + "frame(b'R', b'', 2**40)", "invalid answer"),
    "reason with controls": (FRAME + "frame(b'R', b'a\\x1b[2Jb\\xff')", "got: a\\?\\[2Jb\ufffd\n"),
    "another frame": (FRAME + """frame(b'D', b'{"attrs": {}, "members": []}')""", "invalid answer"),
    "no JSON": (FRAME + "frame(b'H', b'{')", "invalid answer"),
    "nested": (FRAME + "frame(b'H', b'[' * 100000)", "invalid answer"),
    "a list": (FRAME + "frame(b'H', b'[1, 2]')", "invalid answer"),
    "other keys": (FRAME + "frame(b'H', b'{}')", "invalid answer"),
    "attributes of lists": (FRAME + """frame(b'H', b'{"attrs": {"a": []}, "members": []}')""", "invalid answer"),
    "objects": (header('[[["u"], "|O", [1], {}]]'), "invalid answer"),
    "half precision": (header('[[["u"], "<f2", [1], {}]]'), "invalid answer"),
    "texts": (header('[[["u"], "<U99", [1], {}]]'), "invalid answer"),
    "a type of numbers": (header('[[["u"], 8, [1], {}]]'), "invalid answer"),
    "a negative shape": (header('[[["u"], "<f8", [-1], {}]]'), "invalid answer"),
    "a shape of truths": (header('[[["u"], "<f8", [true], {}]]'), "invalid answer"),
    "a shape of fractions": (header('[[["u"], "<f8", [1.5], {}]]'), "invalid answer"),
    "many dimensions": (header('[[["u"], "<f8", ' + str([1] * 40) + ", {}]]"), "invalid answer"),
    "much": (header('[[["u"], "<f8", [9223372036854775807], {}]]'), "declares"),
    "a name that is none": (header('[[[1], "<f8", [1], {}]]'), "invalid answer"),
    "too little": (header('[[["u"], "<f8", [2], {}]]') + "frame(b'D', b'12345678')", "invalid answer"),
    "too much": (header('[[["u"], "<f8", [1], {}]]') + "frame(b'D', b'12345678' * 2)", "invalid answer"),
    "more": (header("[]") + "frame(b'D', b'1')", "invalid answer"),
    "a long text": (header('[[["u"], "text", [], {}]]') + "frame(b'D', b'', 2**40)", "invalid answer"),
}  # fmt: skip


@pytest.mark.parametrize("kind", MISBEHAVIOUR)
def test_whatever_the_process_does(path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    code, words = MISBEHAVIOUR[kind]
    monkeypatch.setattr(quarantine, "_START", code)
    begin = time.perf_counter()
    # that a process crashes or talks invalid answer is to be seen however long the machine takes to start it
    seconds = 0.2 if "longer" in words else 300.0
    with pytest.raises(StoreError, match=words) as caught:
        read_in_quarantine(path, seconds=seconds)
    assert str(caught.value).startswith("refused: ")
    assert time.perf_counter() - begin < 300  # of the 600 s that some of them sleep


def test_an_interrupt_ends_the_process(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    children = []
    start = quarantine._start

    def interrupted(*arguments: Any) -> Any:
        raise KeyboardInterrupt

    def remember(descriptor: int, order: Any) -> Any:
        children.append(start(descriptor, order))
        return children[0]

    monkeypatch.setattr(quarantine, "_start", remember)
    monkeypatch.setattr(quarantine, "_received", interrupted)
    with pytest.raises(KeyboardInterrupt):
        read_in_quarantine(path)
    assert children[0].returncode is not None


def in_the_process(path: Path, monkeypatch: pytest.MonkeyPatch, work: str, seconds: float = 20.0) -> str:
    """Do something in place of the allow-list, and return why the file was refused."""
    lines = "\n".join(f"    {line}" for line in work.splitlines())
    code = f"{PREPARED}\nfrom heatpg.store import quarantine\n"
    code += f"def look(file, limits):\n{lines}\nquarantine.inspect = look\n"
    monkeypatch.setattr(quarantine, "_START", f"{code}import h5py, json, numpy, os, sys\nserve(order)\n")
    with pytest.raises(StoreError) as caught:
        read_in_quarantine(path, seconds=seconds)
    return str(caught.value.given)


def test_the_process_is_light_and_alone(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HDF5_PLUGIN_PATH", "/tmp/plugins")
    monkeypatch.setenv("PYTHONPATH", "/tmp/elsewhere")
    monkeypatch.setattr(sys, "path", ["", "relative", *sys.path])
    work = "names = {n if n.startswith('heatpg.') else n.split('.')[0] for n in sys.modules}\n"
    work += "raise quarantine.Refusal(json.dumps([sorted(names), dict(os.environ), sys.path, quarantine.__file__]))"
    modules, environment, folders, origin = json.loads(in_the_process(path, monkeypatch, work))
    assert {"h5py", "numpy", "heatpg"} <= set(modules)
    assert not {"numba", "scipy", "matplotlib", "site"} & set(modules)
    assert {name for name in modules if name.startswith("heatpg.")} == {
        *("heatpg.errors", "heatpg.letters", "heatpg.store", "heatpg.store.quarantine"),
        *("heatpg.tools", "heatpg.tools.faces", "heatpg.tools.resources"),
    }
    assert environment["HDF5_PLUGIN_PRELOAD"] == "::"
    assert {name for name in environment if name.startswith(("HDF5", "PYTHON"))} == {"HDF5_PLUGIN_PRELOAD"}
    assert all(os.path.isabs(folder) for folder in folders)
    assert origin == quarantine.__file__


@pytest.mark.parametrize(
    ("work", "words"),
    [
        ("open('/etc/passwd')", "Too many open files"),
        ("os.open('/tmp', os.O_RDONLY)", "Too many open files"),
        ("h5py.File('/etc/passwd')", "Too many open files"),
        ("file['raw'][()]", "unable to open external raw data file|open failed|errno = 24"),
        ("file['link'][()]", "can't open file|Too many open files|'secret' doesn't exist"),
        ("numpy.ones(2**27)", "more memory"),
        ("os.ftruncate(0, 0)", "Invalid argument|Bad file|not permitted"),
        ("os.pipe()", "Too many open files"),
        ("while True: pass", "exceeded the time limit|longer than"),
    ],
)
def test_the_process_can_do_no_harm(path: Path, monkeypatch: pytest.MonkeyPatch, work: str, words: str) -> None:
    """Were the allow-list deceived, other files, devices, plug-ins and much memory would still be out of reach."""
    with h5py.File(path.with_name("other.h5"), "w") as other:
        other["secret"] = [1.0]
    with h5py.File(path, "a") as file:
        file.create_dataset("raw", (3,), "u1", external=[("/etc/passwd", 0, 3)])
        file["link"] = h5py.ExternalLink("other.h5", "/secret")
    reason = in_the_process(path, monkeypatch, work, 1.0 if "while" in work else 20.0)
    assert re.search(words, reason), reason


def test_memory_of_the_parent_is_asked_first(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quarantine, "available_memory", lambda: 2000.0)
    with pytest.raises(StoreError, match="declares"):
        load(path, untrusted=True)


def test_limits_are_those_given(path: Path) -> None:
    with h5py.File(path) as file:
        contents = inspect(file, Limits(objects=13, chunk=336, declared=1176))
        assert contents.declared == 8 * (3 * 7 * 6 + 2 + 2 + 13 + 2 + 2)  # fields, sigma, time, positions, two of steps
        assert contents.members["u"] is contents.members["VTKHDF/PointData/u"]
        for limits in (Limits(objects=12), Limits(chunk=335), Limits(declared=1175)):
            with pytest.raises(Refusal):
                inspect(file, limits)


# ----------------------------------------------------------------------------------------------------------------------
# By the thousand


def test_a_thousand_mutated_files(tmp_path: Path) -> None:
    """Nothing but an evolution or a refusal comes out; what passes has the content that was stored."""
    outcomes, slowest = fuzz.campaign(1000, 20260122, tmp_path, seconds=0.25)
    assert outcomes.total() == 1000
    assert outcomes["read"] > 100
    assert outcomes["refused"] > 300
    assert slowest < fuzz.SLOWEST


def test_the_sign_of_a_zero_is_noticed(path: Path) -> None:
    with h5py.File(path, "a") as file:
        assert file["angle"][0] == 0.0
        file["angle"][0] = -0.0
    assert not verify_file(path).passed


def test_every_flipped_bit_of_the_data_is_noticed(tmp_path: Path) -> None:
    assert fuzz.flips(200, 1, tmp_path) == 0
