"""The one place where Numba is configured, and where its disk cache lives.

Kernels are plain functions on arrays and numbers. They release the GIL, so that Python threads
run them side by side, and they are cached on disk under a folder named by a digest of the sources
that hold kernels: Numba notices a change in a kernel's own file, not in a file that it calls into.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numba
import numba.core.config

from heatpg.errors import HeatpgWarning

__all__ = ["cache_folder", "kernel"]

Function = Callable[..., Any]


def _user_cache() -> Path:
    chosen = os.environ.get("HEATPG_CACHE_DIR")
    if chosen:
        return Path(chosen)
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", str(Path.home() / "AppData" / "Local"))) / "heatpg"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "heatpg"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "heatpg"


_PACKAGE = Path(__file__).parents[1]  # kernels stand in many of its rooms


def _source_digest(root: Path = _PACKAGE) -> str:
    """Digest of all files with kernels below a folder, and of the Numba that compiles them."""
    digest = hashlib.sha256(numba.__version__.encode())
    # sorted: the same digest on every file system; the solvers are reached by a link in a checkout
    for folder, _, files in sorted(os.walk(root, followlinks=True)):
        for name in sorted(files):
            if name.endswith(".py"):
                content = (Path(folder) / name).read_bytes()
                if b"@kernel" in content:
                    # by content and not by time: a checkout that goes back finds its kernels again
                    digest.update(name.encode() + content)
    return digest.hexdigest()[:16]


def _private_folder() -> str | None:
    """Make the cache folder, or say why there is none: the cache holds pickles, so it must be ours alone."""
    try:
        # sources that changed have another folder, so what is stale is never read
        folder = _user_cache() / f"kernels-{_source_digest()}"
        # the mode counts only for a new folder, so what is there is looked at below
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        state = folder.stat()
        if os.name == "posix" and (state.st_uid != os.getuid() or state.st_mode & (stat.S_IWGRP | stat.S_IWOTH)):
            raise PermissionError(f"{folder} is not owned by you alone")
        if not os.access(folder, os.W_OK):
            raise PermissionError(f"{folder} is not writable")
    except (OSError, RuntimeError) as reason:
        warnings.warn(
            f"compiled kernels are not kept between processes: {reason}; set HEATPG_CACHE_DIR to a private folder",
            HeatpgWarning,
            stacklevel=2,
        )
        return None
    return str(folder)


_FOLDER = _private_folder()  # once per process: all kernels are decorated at import


def cache_folder() -> Path | None:
    """Folder of the compiled kernels, or None where no private folder can be had."""
    return None if _FOLDER is None else Path(_FOLDER)


@contextlib.contextmanager
def _numba_cache_at(folder: str) -> Iterator[None]:
    # Numba reads the setting when a function is decorated; other packages' kernels keep theirs.
    before = numba.core.config.CACHE_DIR
    numba.core.config.CACHE_DIR = folder
    try:
        yield
    finally:
        numba.core.config.CACHE_DIR = before


def kernel(function: Function) -> Function:
    """Compile a function on arrays and numbers: no GIL, cached on disk, IEEE arithmetic (``isnan`` works).

    A kernel never takes or closes over another compiled function (that misses the disk cache);
    it may call one by its global name.

    Examples
    --------
    >>> from heatpg.tools.kernels import kernel
    >>> @kernel
    ... def twice(x):
    ...     return 2.0 * x
    >>> twice(1.5)
    3.0
    """
    compiled: Function
    # error_model numpy: a division by zero gives infinity, as in NumPy, and lets loops be vectorised
    if _FOLDER is None:
        compiled = numba.njit(nogil=True, error_model="numpy")(function)
        return compiled
    with _numba_cache_at(_FOLDER):
        try:
            compiled = numba.njit(nogil=True, cache=True, error_model="numpy")(function)
        except RuntimeError:  # a function without a file (interactive use) cannot be cached
            compiled = numba.njit(nogil=True, error_model="numpy")(function)
    return compiled
