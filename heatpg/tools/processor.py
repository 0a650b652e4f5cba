"""For which kind of processor kernels are compiled.

The compiler says what the processor of this machine has. The environment variable ``HEATPG_PROCESSOR`` takes less of
it, so that what is tuned for one kind can be tested on another.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

import llvmlite.binding

from heatpg.errors import OptionError

__all__ = ["KINDS", "compiled_for", "processor_kind"]

# Each kind needs what is named, and the kinds before it. A vector has 16, 32 or 64 bytes, and there are 16, 16 or 32.
KINDS: Mapping[str, tuple[str, ...]] = {
    "baseline": (),  # what every processor has for which there is a compiler
    "avx2": ("avx2", "fma"),
    "avx512": ("avx512f", "avx512dq", "avx512vl"),
}
# The least processor of each kind that the compiler knows. For the last there is none to be stood in for.
_STANDS_FOR = {"baseline": "generic", "avx2": "haswell"}


def _kinds_of_host() -> list[str]:
    """The kinds that this machine can be taken for, the best one last."""
    try:
        features = llvmlite.binding.get_host_cpu_features()
    except RuntimeError:  # not known of this processor
        features = {}
    kinds = []
    for kind, needed in KINDS.items():
        if not all(features.get(name) for name in needed):
            break
        kinds.append(kind)
    return kinds


def _choose(allowed: list[str]) -> str:
    chosen = os.environ.get("HEATPG_PROCESSOR", "") or allowed[-1]
    if chosen not in allowed:
        problem = "not a kind of processor" if chosen not in KINDS else "this processor cannot run what is for another"
        raise OptionError(
            f"HEATPG_PROCESSOR: {problem}",
            given=repr(chosen),
            allowed=", ".join(map(repr, allowed)) + " on this machine",
        )
    return chosen


_of_host = _kinds_of_host()
_chosen = _choose(_of_host)  # once per process: all kernels of it are of one kind


def processor_kind() -> str:
    """The kind of processor that kernels are compiled for: ``baseline``, ``avx2`` or ``avx512``.

    Examples
    --------
    >>> from heatpg.tools.processor import KINDS, processor_kind
    >>> processor_kind() in KINDS
    True
    """
    return _chosen


def compiled_for() -> str | None:
    """The least processor of the chosen kind, as the compiler calls it, or None for this one as it is."""
    return None if _chosen == _of_host[-1] else _STANDS_FOR[_chosen]
