"""heatpg doctor: report the environment of heatpg on this machine, and test it.

Nothing in here may fail because something else is broken: every look is taken by itself, and what it raises is told.
Versions are read from the metadata of the installed distributions, so that a package need not be imported to be named.
"""

from __future__ import annotations

import argparse
import functools
import importlib
import importlib.metadata
import importlib.util
import json
import os
import platform
import stat
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from heatpg.cli.parser import Commands
from heatpg.cli.requirements import extra_lines, requirements
from heatpg.cli.talk import BAD_INPUT, CHECK_FAILED, NO_RESOURCES, OK, envelope, fitted, is_quiet, note, say
from heatpg.errors import HeatpgError, ResourceError, in_one_line
from heatpg.tools import resources
from heatpg.tools.extras import how_to_add, how_to_mend
from heatpg.tools.options import nearest
from heatpg.tools.resources import human_bytes
from heatpg.version import __version__

if TYPE_CHECKING:
    from heatpg.evolution import Evolution

__all__ = ["EXTRAS", "VARIABLES", "add"]

Answer = TypeVar("Answer")

# What each optional extra of the distribution is for; which packages it brings stands in the metadata alone.
EXTRAS = {
    "xarray": "labelled arrays: Evolution.to_xarray, and files opened by name",
    "fast": "transforms about twice as fast",
    "mpi": "fields distributed over the memory of several machines",
    "cluster": "batches on workers of a Dask cluster",
    "rl": "landscapes of Gymnasium and MuJoCo environments",
    "sb3": "policies of stable-baselines3",
    "torch": "policies that are torch networks",
    "test": "dependencies of the tests",
    "docs": "dependencies of the documentation",
    "dev": "dependencies for developing heatpg",
}

# The environment variables that heatpg, or what it compiles with, reads.
VARIABLES = {
    "HEATPG_CACHE_DIR": "folder of the compiled kernels",
    "HEATPG_NO_PLUGINS": "1 disables landscapes of other packages",
    "HEATPG_PROCESSOR": "kind of processor that kernels are compiled for: baseline, avx2 or avx512",
    "HEATPG_THREADS": "threads of the solvers",
    "HEATPG_TRANSFORMS": "library of transforms: auto, scipy or ducc0",
}
_ALSO = ("MKL_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "XDG_CACHE_HOME")

_PLUGINS = "heatpg.landscapes"  # group of entry points
# Bytes, below which nothing of use can be evolved or stored: this self-test takes some 200 MiB, libraries and compiler
# included, and a field of 1024 x 1024 at eight sigmas is a file of 64 MiB.
_LEAST_MEMORY = 256 * 2**20
_LEAST_DISK = 64 * 2**20
_LONGEST_IMPORT = 60.0  # seconds; it takes less than one where all is well, and some on a disk of the network
_AGREEMENT = 1e-10  # of osc(Q), with the exact evolution; it is 1e-15 where all is well, and a broken kernel is far off


class _Record:
    """What was found, and what is wrong with it."""

    def __init__(self) -> None:
        self.found: dict[str, Any] = {}
        self.problems: list[tuple[str, int]] = []
        self.advice: list[str] = []

    def problem(self, text: str, code: int) -> None:
        self.problems.append((text, code))

    # every look goes through here: an exception of one must not end the others
    def attempt(self, what: str, look: Callable[[], Answer], code: int = CHECK_FAILED) -> Answer | None:
        """What a look finds; what it raises is a problem."""
        try:
            return look()
        except Exception as reason:
            self.problem(f"{what}: {_reason(reason)}", _code(reason, code))
            return None

    @property
    def code(self) -> int:
        """The exit code: what is short explains what fails, and what fails matters more than what is badly set."""
        codes = {code for _, code in self.problems}
        return next((code for code in (NO_RESOURCES, CHECK_FAILED, BAD_INPUT) if code in codes), OK)


def _reason(reason: BaseException) -> str:
    """An exception on one line; of heatpg's own the message says enough."""
    words = " ".join(in_one_line(reason).split())
    return words if isinstance(reason, HeatpgError) and words else f"{type(reason).__name__}: {words}".rstrip(": ")


def _code(reason: Exception, usual: int) -> int:
    """The exit code for an exception; a bad setting shows in an error of heatpg, all else is a fault."""
    # looks that only read a setting can fail for nothing else than the setting, if heatpg itself says so
    if usual == BAD_INPUT:
        return BAD_INPUT if isinstance(reason, HeatpgError) else CHECK_FAILED
    return NO_RESOURCES if isinstance(reason, ResourceError | MemoryError) else usual


def _python() -> dict[str, Any]:
    return {
        "version": platform.python_version(),
        "implementation": platform.python_implementation(),
        "executable": sys.executable,
        "platform": platform.platform(),
    }


def _packages(record: _Record) -> None:
    """What heatpg needs, and its extras, by the metadata of its distribution."""
    record.found |= {"packages": [], "extras": {}}
    try:
        distribution = importlib.metadata.distribution("heatpg")
    except importlib.metadata.PackageNotFoundError:
        record.advice.append(
            "heatpg runs from a directory and is not installed, so its requirements are unknown: pip install ."
        )
        return
    # what runs may be a checkout on PYTHONPATH, and what pip knows of another version
    if distribution.version != __version__:
        record.advice.append(
            f"heatpg {__version__} is running, but {distribution.version} is installed: reinstall it, or check "
            f"PYTHONPATH"
        )
    extras = distribution.metadata.get_all("Provides-Extra") or []
    wanted = requirements(distribution.requires or [], extras)
    record.found["packages"] = [entry.as_dict() for entry in wanted[""]]
    for entry in wanted[""]:
        if not entry.fits:
            have = f"{entry.version} is installed" if entry.version else "not installed"
            record.problem(
                f"{entry.name} {entry.versions} is needed, {have}: pip install '{entry.name}{entry.versions}'",
                CHECK_FAILED,
            )
    for extra in extras:
        entries = wanted[extra]
        record.found["extras"][extra] = {
            "purpose": EXTRAS.get(extra, ""),
            "packages": [entry.as_dict() for entry in entries],
            "installed": all(entry.fits for entry in entries),
            "install": how_to_add(extra),
        }


def _imports(record: _Record, name: str) -> None:
    """Whether an optional package that is installed can be imported, in a process that may die of it."""
    if importlib.util.find_spec(name) is None:
        return
    done = subprocess.run(
        [sys.executable, "-c", f"import {name}"], capture_output=True, text=True, timeout=_LONGEST_IMPORT, check=False
    )
    if done.returncode:
        # the last line that Python has to say is the exception
        record.problem(f"{(done.stderr.strip() or 'no word').splitlines()[-1]}; {how_to_mend(name)}", CHECK_FAILED)


def _hdf5() -> str:
    import h5py

    return str(h5py.version.hdf5_version)


def _plugins() -> list[dict[str, Any]]:
    """Landscapes that other distributions offer; they are named, not imported."""
    found = []
    for entry in importlib.metadata.entry_points(group=_PLUGINS):
        origin = entry.dist
        found.append(
            {
                "name": entry.name,
                "value": entry.value,
                "distribution": origin.name if origin else None,
                "version": origin.version if origin else None,
            }
        )
    return found


def _processor_name() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _allowed_processors() -> float | None:
    """Processors' worth of time that the control group grants, if it limits it."""
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        return None if quota == "max" else float(quota) / float(period)
    except (OSError, ValueError):
        return None


def _processor(record: _Record) -> None:
    from heatpg.tools.parallel import threads

    affinity = getattr(os, "sched_getaffinity", None)
    usable = len(affinity(0)) if affinity else os.cpu_count() or 1
    allowed = _allowed_processors()
    count = record.attempt("threads", threads, BAD_INPUT)
    record.found["processor"] = {
        "name": _processor_name(),
        "machine": platform.machine(),
        "processors": os.cpu_count(),
        "usable": usable,
        "allowed": allowed,
        "threads": count,
    }
    # a container that grants two processors of 64 shows all 64 to whoever only counts them
    if count is not None and allowed is not None and count > max(allowed, 1):
        record.advice.append(
            f"{count} threads share {allowed:.1f} processors (limit of the control group): set "
            f"HEATPG_THREADS={max(1, round(allowed))}"
        )


def _environment(record: _Record) -> None:
    """The variables that are set; a name of ours that nothing reads is told."""
    # those of Numba and of BLAS are shown because they decide about speed; only ours can be misspelt with certainty
    names = sorted(
        name for name in os.environ if name.startswith(("HEATPG_", "NUMBA_")) or name in VARIABLES or name in _ALSO
    )
    record.found["environment"] = {name: os.environ[name] for name in names}
    for name in names:
        if name.startswith("HEATPG_") and name not in VARIABLES:
            asks = nearest(name, VARIABLES) or f"it reads: {', '.join(VARIABLES)}"
            record.advice.append(f"heatpg does not read the environment variable {name}; {asks}")
    if os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0"):
        record.advice.append("NUMBA_DISABLE_JIT is set: kernels run as plain Python, about 1000 times slower; unset it")


def _files_below(folder: Path) -> tuple[int, int]:
    """Number and bytes of the files of a folder."""
    count = size = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                size += (Path(place) / name).stat().st_size
                count += 1
            except OSError:  # removed meanwhile
                continue
    return count, size


def _kernels(record: _Record) -> None:
    """The cache of compiled kernels. To load the module compiles nothing."""

    def kind() -> str:
        from heatpg.tools.processor import processor_kind

        return processor_kind()

    def load() -> Path | None:
        # a folder that cannot be used is told by a warning, which becomes advice here
        with warnings.catch_warnings(record=True) as raised:
            warnings.simplefilter("always")
            from heatpg.tools.kernels import cache_folder

            folder = cache_folder()
        record.advice.extend(str(entry.message) for entry in raised if "HEATPG_CACHE_DIR" in str(entry.message))
        return folder

    record.found["kernels"] = None
    processor = record.attempt("the kernels cannot be loaded", kind, BAD_INPUT)
    if processor is None:
        return
    failures = len(record.problems)
    folder = record.attempt("the kernels cannot be loaded", load)
    if folder is None:
        if len(record.problems) == failures and not any("HEATPG_CACHE_DIR" in words for words in record.advice):
            record.advice.append(
                "compiled kernels are not kept between processes: set HEATPG_CACHE_DIR to a private folder"
            )
        return

    def look() -> dict[str, Any]:
        from heatpg.tools.kernels import remove_damaged

        looked_at, damaged = remove_damaged()
        count, size = _files_below(folder)
        # the name of a folder is a digest of the sources of all kernels, so each version of them has its own
        others = [each for each in folder.parent.glob("kernels-*") if each != folder]
        mode = stat.S_IMODE(folder.stat().st_mode)
        return {
            "processor": processor,
            "folder": str(folder),
            "files": count,
            "bytes": size,
            "looked_at": looked_at,
            "damaged": damaged,
            "mode": f"{mode:04o}",
            "private": os.name != "posix" or not mode & 0o077,
            "writable": os.access(folder, os.W_OK),
            "older": len(others),
            "older_bytes": sum(_files_below(each)[1] for each in others),
        }

    record.found["kernels"] = state = record.attempt("the kernel cache cannot be read", look)
    if state and state["damaged"]:
        record.advice.append(
            f"{state['damaged']} of {state['looked_at']} files of compiled kernels were corrupted, as after a power "
            f"cut; they were deleted and will be recompiled when needed"
        )
    if state and not state["private"]:
        record.advice.append(f"the kernel cache is accessible to other users: chmod 700 {folder}")


def _transforms() -> str:
    from heatpg.solvers.fft import library

    return library()


def _limit(value: float) -> float | None:
    return None if value == float("inf") else value


def _memory(record: _Record) -> None:
    kinds = resources.memory_by_kind()
    least = resources.available_memory()
    record.found["memory"] = {"available": _limit(least), "kinds": {name: _limit(x) for name, x in kinds.items()}}
    if least < _LEAST_MEMORY:
        # of several limits the lowest is the one to raise
        kind = min(kinds, key=lambda name: kinds[name])
        remedy = {
            "free": "end what else runs on this machine",
            "control group": "ask for a larger container, or end what else runs in it",
            "address space": "raise it with ulimit -v",
        }[kind]
        record.problem(f"only {human_bytes(least)} of memory are left ({kind}): {remedy}", NO_RESOURCES)


def _disk(record: _Record) -> None:
    folders: dict[str, Path] = {"here": Path.cwd()}
    if record.found.get("kernels"):
        folders["kernels"] = Path(record.found["kernels"]["folder"])
    folders["temporary"] = Path(tempfile.gettempdir())
    # filled one by one, so that what was found before a look failed is still shown
    record.found["disk"] = {}
    for name, folder in folders.items():
        free = record.attempt(f"the disk of {folder}", functools.partial(resources.available_disk, folder))
        writable = os.access(folder, os.W_OK)
        record.found["disk"][name] = {"folder": str(folder), "free": free, "writable": writable}
        if free is not None and free < _LEAST_DISK:
            record.problem(
                f"only {human_bytes(free)} are free on the disk of {folder}: free some space, or work elsewhere",
                NO_RESOURCES,
            )
    if not record.found["disk"]["here"]["writable"]:
        record.advice.append(f"nothing can be written to {folders['here']}: work in another folder, or give --out")


def _load() -> str:
    for name in ("evolution", "landscapes", "store.reading", "store.writing"):
        importlib.import_module(f"heatpg.{name}")
    return "NumPy, SciPy, Numba, h5py and the registered landscapes are loaded"


def _evolve() -> tuple[Evolution, str]:
    """Two Gaussians on a plane, by the transform and by the kernels, against their exact evolution."""
    import numpy as np

    from heatpg.core.grid import Axis, Grid
    from heatpg.evolution import solve
    from heatpg.landscapes import landscapes

    # odd and even numbers of nodes, of two boundaries, so that both kinds of transform and of line are run; wide enough
    # that the exact evolution, which is that of free space, holds in the box
    grid = Grid(Axis("x", -7.0, 7.0, 113, boundary="clip"), Axis("y", -7.0, 7.0, 112, boundary="periodic"))
    landscape = landscapes.get("gaussians")(grid, widths=(0.6, 0.8, 0.7, 0.5))
    worst = 0.0
    for solver in ("spectral", "direct"):
        flow = solve(landscape, [0.3, 0.8], solver)
        for values, sigma in zip(flow.values, flow.sigma, strict=True):
            error = float(np.abs(values - landscape.exact(sigma)).max()) / landscape.oscillation
            worst = max(worst, error)
            if not error <= _AGREEMENT:  # so written, NaN is refused as well
                raise ArithmeticError(
                    f"solver {solver!r} has an error of {error:.3g} of max Q - min Q at sigma = {sigma:g}, more than "
                    f"{_AGREEMENT:g}; see heatpg orders"
                )
    return flow, f"spectral and direct agree with the exact solution; largest error {worst:.1g} of max Q - min Q"


def _file(flow: Evolution) -> str:
    """A file written and read back in a temporary folder."""
    import numpy as np

    from heatpg.evolution import load, save

    with tempfile.TemporaryDirectory(prefix="heatpg-doctor-") as folder:
        path = Path(folder) / "doctor.h5"
        save(flow, path)
        again = load(path)
        size = path.stat().st_size
        if not np.array_equal(again.values, flow.values) or again.grid != flow.grid:
            raise ArithmeticError("what was read is not what was written")
    return f"{human_bytes(size)} written to {Path(folder).parent} and read back, the same to the last bit"


def _self_test(record: _Record) -> None:
    steps: list[dict[str, Any]] = []
    record.found["test"] = steps

    def step(name: str, action: Callable[[], Answer]) -> Answer | None:
        begin = time.perf_counter()
        before = len(record.problems)
        answer = record.attempt(f"self-test, {name}", action)
        passed = len(record.problems) == before  # `attempt` has put what was raised among the problems
        words = (answer[1] if isinstance(answer, tuple) else answer) if passed else record.problems[-1][0]
        seconds = time.perf_counter() - begin
        steps.append({"name": name, "passed": passed, "seconds": seconds, "message": words})
        return answer

    # what cannot be loaded cannot be run: one problem is told, not three
    if step("load", _load) is None:
        return
    solved = step("evolve", _evolve)
    if solved is not None:
        step("file", lambda: _file(solved[0]))


def _entries(label: str, lines: Iterable[str]) -> list[str]:
    return [f"{label if i == 0 else '':10} {line}" for i, line in enumerate(lines)]


def _package_lines(found: Mapping[str, Any]) -> list[str]:
    words = []
    for entry in found["packages"]:
        version = entry["version"] or "not installed"
        hdf5 = f" with HDF5 {found['hdf5']}" if entry["name"] == "h5py" and found["hdf5"] else ""
        words.append(
            f"{entry['name']} {version}{hdf5}" + ("" if entry["fits"] else f" ({entry['versions']} is needed)")
        )
    return [", ".join(words)] if words else ["unknown"]


def _place_lines(found: Mapping[str, Any]) -> list[str]:
    lines = []
    kernels = found["kernels"]
    if kernels:
        older = (
            f"; {kernels['older']} folders of other versions, {human_bytes(kernels['older_bytes'])}"
            if kernels["older"]
            else ""
        )
        able = "writable" if kernels["writable"] else "not writable"
        lines += _entries(
            "kernels",
            [
                f"compiled for {kernels['processor']}",
                f"{kernels['folder']}: {kernels['files']} files, {human_bytes(kernels['bytes'])}, mode "
                f"{kernels['mode']}, {able}{older}",
                f"you may delete {Path(kernels['folder']).parent / 'kernels-*'}; kernels are recompiled when needed",
            ],
        )
    disks = [
        f"{name}: {human_bytes(disk['free']) if disk['free'] is not None else 'unknown'} free in {disk['folder']}"
        + ("" if disk["writable"] else ", not writable")
        for name, disk in (found["disk"] or {}).items()
    ]
    lines += _entries("disk", disks)
    memory = found["memory"]
    if memory:
        least = "unlimited" if memory["available"] is None else f"{human_bytes(memory['available'])} available"
        limits = [
            f"{name} limited to {human_bytes(value)}"
            for name, value in memory["kinds"].items()
            if name != "free" and value is not None
        ]
        lines += _entries("memory", [f"{least}, {', '.join(limits) or 'no limits set'}"])
    return lines


def _lines(found: Mapping[str, Any]) -> list[str]:
    python, processor = found["python"], found["processor"]
    lines = [f"heatpg     {__version__}"]
    if python:
        lines += _entries(
            "python",
            [f"{python['version']} ({python['implementation']}), {python['executable']}", f"on {python['platform']}"],
        )
    lines += _entries("packages", _package_lines(found))
    lines += _entries("extras", extra_lines(found["extras"]))
    plugins = [
        f"{entry['name']}  {entry['value']}, of {entry['distribution']} {entry['version']}"
        for entry in found["plugins"] or []
    ]
    lines += _entries("plug-ins", plugins or [f"none (entry points of the group {_PLUGINS})"])
    if processor:
        count = processor["threads"]
        words = f"{processor['usable']} of {processor['processors']} processors can be used"
        lines += _entries(
            "processor", [f"{processor['name']}: {words}, heatpg uses {count or '?'} thread{'s' if count != 1 else ''}"]
        )
    lines += _entries("transforms", [found["transforms"] or "none: SciPy cannot be loaded"])
    lines += _entries("variables", [f"{name}={value}" for name, value in found["environment"].items()] or ["none set"])
    lines += _place_lines(found)
    steps = found["test"]
    if steps is not None:
        lines += _entries(
            "self-test",
            [
                f"{'passed' if step['passed'] else 'failed'}  {step['name']:6}  {step['message']} "
                f"({step['seconds']:.2f} s)"
                for step in steps
            ],
        )
    return lines


def _doctor(arguments: argparse.Namespace) -> int:
    record = _Record()
    found = record.found
    found |= envelope("doctor")
    # in this order: what is broken further down is often explained by what was found further up
    found["python"] = record.attempt("Python", _python)
    found |= {"packages": [], "extras": {}, "processor": None, "environment": {}, "memory": None, "disk": None}
    record.attempt("packages", lambda: _packages(record))
    # by itself, as its upgrade from 3 to 4 in place leaves a package that cannot be imported
    record.attempt("mujoco", lambda: _imports(record, "mujoco"))
    found["hdf5"] = record.attempt("h5py cannot be loaded", _hdf5)
    found["plugins"] = record.attempt("plug-ins", _plugins)
    record.attempt("processor", lambda: _processor(record))
    record.attempt("environment", lambda: _environment(record))
    record.attempt("kernels", lambda: _kernels(record))
    found["transforms"] = record.attempt("transforms", _transforms, BAD_INPUT)
    record.attempt("memory", lambda: _memory(record))
    record.attempt("disk", lambda: _disk(record))
    found["test"] = None
    if arguments.test:
        # an empty cache: without a word, some seconds of compilation look like a hang
        if not is_quiet(arguments) and (found["kernels"] or {}).get("files") == 0:
            note("compiling the kernels for the first time; this takes a few seconds")
        _self_test(record)
    code = record.code
    if arguments.json:
        found["problems"] = [text for text, _ in record.problems]
        found["advice"] = record.advice
        found["passed"] = code == OK
        # not `emit`: that takes arrays as well, and so loads NumPy, which may be what is broken
        say(json.dumps(found, indent=2, allow_nan=False))
        return code
    if not arguments.quiet:
        say(*fitted(_lines(found), 11))
        count = len(record.problems)
        verdict = "no problems" if not count else f"{count} problem{'s' if count > 1 else ''}, see below"
        say(*fitted([*(f"advice     {text}" for text in record.advice), f"verdict    {verdict}"], 11))
    for text, _ in record.problems:
        note(text)
    return code


def add(commands: Commands) -> None:
    """Put the command into the parser."""
    doctor = commands.add(
        "doctor",
        _doctor,
        "Diagnose the installation: report the environment, run a self-test, and suggest fixes.",
    )
    doctor.add_argument("--no-test", dest="test", action="store_false", help="report only: skip the self-test")
