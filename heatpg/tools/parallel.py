"""Python threads over kernels that release the GIL: no Numba threading layer, hence no fork hazard.

Work is cut into the same pieces whatever the number of threads, so results agree bit for bit.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from heatpg.errors import HeatpgWarning, ResourceError
from heatpg.tools.arguments import whole_number
from heatpg.tools.calls import checked_call

__all__ = ["for_each", "set_threads", "threads"]

Item = TypeVar("Item")

_MOST = 4096  # threads: above what any machine has, and far below what no system starts


def _default_threads() -> int:
    text = os.environ.get("HEATPG_THREADS", "")
    if text:
        if not (text.isascii() and text.isdigit() and len(text) < 10 and 1 <= int(text) <= _MOST):
            raise ResourceError(
                "HEATPG_THREADS must be a number of threads",
                given=repr(text),
                allowed=f"a whole number from 1 to {_MOST}",
            )
        return int(text)
    if "HEATPG_NUM_THREADS" in os.environ:
        warnings.warn(
            "HEATPG_NUM_THREADS is ignored: the environment variable of heatpg is HEATPG_THREADS",
            HeatpgWarning,
            stacklevel=2,
        )
    # the processors that this process may use, which may be fewer than the machine has
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


_threads: int | None = None
_pool: ThreadPoolExecutor | None = None


def threads() -> int:
    """Number of threads that solvers use: ``HEATPG_THREADS``, or the processors of this process.

    Examples
    --------
    >>> from heatpg.tools.parallel import threads
    >>> threads() >= 1
    True
    """
    global _threads
    if _threads is None:
        _threads = _default_threads()
    return _threads


@checked_call()
def set_threads(count: int) -> None:
    """Set the number of threads of this process."""
    global _threads, _pool
    count = whole_number("the number of threads", count, most=_MOST)
    if _pool is not None:
        # the next call makes a pool of the new size
        _pool.shutdown(wait=True)
    _threads, _pool = count, None


# threads do not survive a fork: a pool that came along would wait for ever
def _forget_pool() -> None:
    global _pool
    _pool = None


# threads do not survive a fork, and a pool without its threads would wait for ever
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_pool)


def for_each(function: Callable[[Item], object], items: Iterable[Item]) -> None:
    """Call a function on every item, on `threads` threads; the first exception is raised."""
    global _pool
    todo = list(items)
    # without a pool, which would take longer than the work
    if threads() == 1 or len(todo) < 2:
        for item in todo:
            function(item)
        return
    # made when it is first needed, and kept: starting threads takes longer than a small solve
    if _pool is None:
        _pool = ThreadPoolExecutor(threads(), thread_name_prefix="heatpg")
    # map hands results on in order, and the first exception with them
    for _ in _pool.map(function, todo):
        pass
