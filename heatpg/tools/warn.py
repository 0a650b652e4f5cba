"""Warnings that point at the line of the caller's program, however many calls of heatpg lie between."""

from __future__ import annotations

import inspect
import warnings

from heatpg.errors import HeatpgWarning

__all__ = ["warn_caller"]


def warn_caller(text: str) -> None:
    """Warn, with the file and the line of the program that called heatpg.

    Parameters
    ----------
    text
        The warning.
    """
    frame, depth = inspect.currentframe(), 0
    # decorators add calls, so levels are counted and not written down
    while frame is not None and str(frame.f_globals.get("__name__", "")).partition(".")[0] == "heatpg":
        frame, depth = frame.f_back, depth + 1
    warnings.warn(text, HeatpgWarning, stacklevel=depth + 1)
