"""Progress of long work: a callable of the caller, a bar for ``True``, and the logger of heatpg."""

from __future__ import annotations

import importlib
import logging
import sys
import time
from collections.abc import Callable
from typing import Any

from heatpg.errors import OptionError

__all__ = ["LOGGER", "Progress", "progress_of"]

Progress = Callable[[int, int], object] | bool | None
"""What ``progress=`` takes: a function of (done, total), True for a bar, or nothing."""

LOGGER = logging.getLogger("heatpg")
# a library is silent unless its user asks: without a handler Python would print warnings by itself
LOGGER.addHandler(logging.NullHandler())

_EVERY = 2.0  # seconds from one line to the next, where no bar can be drawn: a taste


def progress_of(progress: Progress, what: str) -> Callable[[int, int], object] | None:
    """What is called as ``progress(done, total)``: for True a bar of tqdm, or lines where tqdm is not installed.

    Parameters
    ----------
    progress
        A function is taken as it is; None and False are no progress.
    what
        Label in front of the bar.

    Raises
    ------
    OptionError
        For anything else.

    Examples
    --------
    >>> from heatpg.tools.progress import progress_of
    >>> progress_of(print, "solving") is print, progress_of(False, "solving")
    (True, None)
    """
    if progress is None or progress is False:
        return None
    if progress is not True:
        if not callable(progress):
            raise OptionError(
                "progress must be a function or True",
                given=repr(progress),
                allowed="a function called as progress(done, total), True for a bar, or None",
            )
        return progress
    try:
        # in a notebook it is a widget or a line, in a terminal a bar
        bar: Any = importlib.import_module("tqdm.auto").tqdm
    except ImportError:
        return _Lines(what)
    return _Bar(bar, what)


class _Bar:
    """A bar of tqdm, made when the total is known and closed when it is reached."""

    def __init__(self, make: Any, what: str) -> None:
        self._make, self._what = make, what
        self._bar: Any = None

    def __call__(self, done: int, total: int) -> None:
        if self._bar is None or self._bar.total != total:
            self._bar = self._make(total=total, desc=self._what)
        self._bar.update(done - self._bar.n)
        if done >= total:
            self._bar.close()
            self._bar = None


class _Lines:
    """A line on the standard error now and then."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._last = time.monotonic()

    def __call__(self, done: int, total: int) -> None:
        now = time.monotonic()
        if done >= total or now - self._last >= _EVERY:
            self._last = now
            print(f"{self._what}: {done} of {total}", file=sys.stderr, flush=True)
