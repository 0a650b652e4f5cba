"""The machine: what it is, how busy others keep it, and how fast it copies."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.registry import Run

__all__ = ["busy_seconds", "copy_run", "describe", "own_seconds", "peak_memory", "reset_peak_memory", "wait_for_quiet"]

_PACKAGES = ("heatpg", "numpy", "scipy", "numba", "py-pde", "ducc0", "opencv-python-headless")
_COPY_BYTES = 128 * 2**20  # of each array: several times the last cache of what this is run on
_QUIET = 0.2  # processors that others may use: a taste
_LOOK = 0.1  # seconds: ten ticks of the clock of /proc/stat


def describe(threads: int) -> dict[str, Any]:
    """Processor, system and versions; nothing that names the machine."""
    # not above: a worker may run in an environment with an earlier heatpg, which has none
    from heatpg.tools.processor import processor_kind

    model = platform.processor() or platform.machine()
    flags: list[str] = []
    details = Path("/proc/cpuinfo")
    if details.exists():
        # the last processor counts; they are all alike
        fields = dict(line.split(":", 1) for line in details.read_text().splitlines() if ":" in line)
        fields = {key.strip(): value.strip() for key, value in fields.items()}
        model = fields.get("model name", model)
        flags = [flag for flag in ("avx2", "avx512f") if flag in fields.get("flags", "").split()]
    versions = {}
    for package in _PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = "not installed"
    if versions["heatpg"] == "not installed":  # a checkout on the path
        import heatpg

        versions["heatpg"] = heatpg.__version__
    return {
        "processor": " ".join([model, *flags]),
        "kind": processor_kind(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "threads": threads,
        "versions": versions,
    }


def busy_seconds() -> float | None:
    """Seconds of processor time that the whole machine has spent, or None where it does not say."""
    try:
        with open("/proc/stat", encoding="ascii") as file:
            # idle and waiting left out; steal is what the host gave to other machines
            user, nice, system, _, _, interrupt, soft, steal = map(int, file.readline().split()[1:9])
    except (OSError, ValueError):
        return None
    return (user + nice + system + interrupt + soft + steal) / os.sysconf("SC_CLK_TCK")


def own_seconds() -> float:
    """Seconds of processor time of this process and of the children that have ended."""
    times = os.times()
    # the system adds children up once they have ended
    return time.process_time() + times.children_user + times.children_system


def wait_for_quiet(patience: float) -> float:
    """Wait until others leave the machine alone, at most `patience` seconds; returns what is left of it."""
    begin = time.perf_counter()
    while patience > 0:
        before, look = busy_seconds(), time.perf_counter()
        if before is None:
            break
        time.sleep(_LOOK)
        after = busy_seconds()
        if after is None or (after - before) / (time.perf_counter() - look) < _QUIET:
            break
        if time.perf_counter() - begin > patience:
            break
    return patience - max(0.0, time.perf_counter() - begin - _LOOK)


def _status(field: str) -> float | None:
    """Bytes of a field of the status of this process."""
    try:
        for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
            if line.startswith(field + ":"):
                return float(line.split()[1]) * 1024.0
    except OSError:
        pass
    return None


def reset_peak_memory() -> float | None:
    """Forget the peak of this process; returns what it holds now, or None where that is unknown."""
    try:
        # 5: forget the peak of resident memory
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return None
    return _status("VmRSS")


def peak_memory() -> float | None:
    """Peak of what this process held since the last reset, in bytes."""
    return _status("VmHWM")


def copy_run(size: int = _COPY_BYTES) -> tuple[Run, float]:
    """A copy between arrays out of cache, and the bytes that it reads and writes."""
    source, target = np.ones(size // 8), np.zeros(size // 8)
    return (lambda: np.copyto(target, source)), 2.0 * size
