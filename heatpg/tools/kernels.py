"""The one place where Numba is configured, and where its disk cache lives.

Kernels are plain functions on arrays and numbers. They release the GIL, so that Python threads
run them side by side, and they are cached on disk under a folder named by a digest of the sources
that hold kernels: Numba notices a change in a kernel's own file, not in a file that it calls into.

Each file of the cache ends with the SHA-256 of what is before. A power cut may leave files cut or empty, which Numba
would stumble over for ever: what is damaged is deleted, and compiled once more.
"""

from __future__ import annotations

import contextlib
import fractions
import glob
import hashlib
import io
import math
import operator
import os
import stat
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numba
import numba.core.caching
import numba.core.config
import numba.core.registry
import numba.extending
from llvmlite import ir
from numpy.typing import NDArray

from heatpg.errors import HeatpgWarning, ResourceError
from heatpg.tools.processor import compiled_for, processor_kind
from heatpg.tools.progress import LOGGER

__all__ = [
    "PROCESSOR",
    "cache_folder",
    "kernel",
    "kernel_part",
    "multiply_add",
    "number_bytes",
    "read_only",
    "remove_damaged",
]

Function = Callable[..., Any]

PROCESSOR = processor_kind()
"""The kind of processor that kernels are compiled for, chosen before the first is decorated."""


def _compile_for(processor: str) -> None:
    """Have Numba compile for another processor than this one, in the whole process."""
    # the compiler asks once, when it is made
    if "_toplevel_target_context" in vars(numba.core.registry.cpu_target):
        raise ResourceError(
            "HEATPG_PROCESSOR comes too late: this process has compiled something already",
            given=repr(PROCESSOR),
            advice="import heatpg before what else uses Numba",
        )
    # an empty list of features: those of the processor that is named, and none of this one
    numba.core.config.CPU_NAME, numba.core.config.CPU_FEATURES = processor, ""


_processor = compiled_for()
if _processor is not None:
    _compile_for(_processor)

_DIGEST = hashlib.sha256().digest_size  # bytes at the end of each file of the cache


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
                if b"tools.kernels import" in content:
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
            raise PermissionError(f"{folder} is accessible to other users")
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


def _is_whole(path: str | Path) -> bool:
    content = Path(path).read_bytes()
    return hashlib.sha256(content[:-_DIGEST]).digest() == content[-_DIGEST:]


def remove_damaged() -> tuple[int, int]:
    """Look at every file of the cache, and delete those that are damaged, so that they are compiled once more.

    Returns
    -------
    looked_at, removed
        Numbers of files.
    """
    folder = cache_folder()
    looked_at = removed = 0
    for path in [] if folder is None else sorted(folder.rglob("*.nb[ic]")):
        try:
            whole = _is_whole(path)
        except FileNotFoundError:  # another process has put one in its place
            continue
        except OSError:
            whole = False
        looked_at += 1
        if not whole:
            path.unlink(missing_ok=True)
            removed += 1
    return looked_at, removed


class _CheckedFile(numba.core.caching.IndexDataCacheFile):  # type: ignore[misc]
    """The files of one kernel, believed only if they are whole; that they cannot be kept is no error."""

    _told = False  # in this process

    @contextlib.contextmanager
    def _open_for_write(self, filepath: str) -> Iterator[io.BytesIO]:
        content = io.BytesIO()
        yield content
        with super()._open_for_write(filepath) as stream:
            stream.write(content.getvalue() + hashlib.sha256(content.getvalue()).digest())

    def _load_index(self) -> Any:
        if os.path.exists(self._index_path) and not _is_whole(self._index_path):
            raise EOFError
        return super()._load_index()

    def _load_data(self, name: str) -> Any:
        if not _is_whole(self._data_path(name)):
            raise EOFError
        return super()._load_data(name)

    def load(self, key: object) -> Any:
        """The compiled kernel, or None if there is none, or none that is whole: then it is compiled, which is told."""
        try:
            found = super().load(key)
        except Exception:  # whatever Numba and pickle make of what is there
            self._discard()
            found = None
        if found is None:
            _announce(Path(self._index_path).name.split("-")[0])
        return found

    def save(self, key: object, data: object) -> None:
        """Keep a compiled kernel, if the disk lets us; without it the next process compiles again."""
        for _ in range(2):
            try:
                super().save(key, data)
            except OSError:
                return
            except Exception:  # of an index that is damaged
                self._discard()
            else:
                return

    def _discard(self) -> None:
        if not _CheckedFile._told:
            _CheckedFile._told = True
            warnings.warn(
                f"compiled kernels in {self._cache_path} were corrupted, as after a power cut; they are recompiled",
                HeatpgWarning,
                stacklevel=2,
            )
        base = self._index_path.removesuffix(".nbi")
        for path in [self._index_path, *glob.glob(f"{glob.escape(base)}.*.nbc")]:
            with contextlib.suppress(OSError):
                os.unlink(path)


_announced = False  # in this process


def _announce(name: str) -> None:
    """Log which kernel is compiled; and once, to who sits at a prompt, why the call takes seconds."""
    global _announced
    LOGGER.info("compiling %s", name)
    # a prompt, and no kernel of a notebook, whose cells would keep the line
    if hasattr(sys, "ps1") and "ipykernel" not in sys.modules and not _announced:
        _announced = True
        print(
            f"heatpg: compiling {name} and its dependencies once for this machine and version; this takes a few "
            f"seconds",
            file=sys.stderr,
            flush=True,
        )


def _check_cache(compiled: Any) -> None:
    """Have the files of a kernel looked at before they are believed."""
    cache: Any = getattr(compiled, "_cache", None)
    # where Numba is switched off, or keeps its files in another way, there is nothing to look at
    with contextlib.suppress(AttributeError):
        cache._cache_file = _CheckedFile(cache.cache_path, cache._impl.filename_base, cache._cache_file._source_stamp)


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
            _check_cache(compiled)
        except RuntimeError:  # a function without a file (interactive use) cannot be cached
            compiled = numba.njit(nogil=True, error_model="numpy")(function)
    return compiled


def kernel_part(function: Function) -> Function:
    """A function that kernels call, put into each of them where it is called, before anything is compiled.

    A kernel that is called by another is compiled alone, with all that Python would need to call it, and then once more
    as a part of the other. Measured: a quarter of the time of the first call. Called in many places it is better a
    kernel, because each place is compiled for itself.

    Examples
    --------
    >>> from heatpg.tools.kernels import kernel, kernel_part
    >>> @kernel_part
    ... def twice(x):
    ...     return 2.0 * x
    >>> @kernel
    ... def four_times(x):
    ...     return twice(twice(x))
    >>> four_times(1.5)
    6.0
    """
    # not kept on the disk: only tests call it alone
    part: Function = numba.njit(nogil=True, error_model="numpy", inline="always")(function)
    return part


def _fused(context: Any, a: Any, b: Any, c: Any) -> Any:
    """a b + c of three numbers of one type, in kernels: rounded once where the processor has an instruction for it.

    Which products are fused is written down, and not left to the compiler as by contraction: all lanes of a vector and
    what is left over after the last one round alike, so that bits do not depend on where a number stands.
    """
    if not a == b == c:
        return None  # no conversions: in a loop they would cost more than the arithmetic

    def generate(_: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        number = arguments[0].type
        # `llvm.fma` would call a function of the system where there is no such instruction
        name, function_type = "llvm.fmuladd", ir.FunctionType(number, [number] * 3)
        return builder.call(builder.module.declare_intrinsic(name, [number], function_type), arguments)

    return a(a, a, a), generate


def _fused_plainly(a: Any, b: Any, c: Any) -> Any:
    """The same where kernels are not compiled, to look into them: rounded once, as on a processor that fuses."""
    if not (math.isfinite(a) and math.isfinite(b) and math.isfinite(c)):
        return a * b + c
    exact = fractions.Fraction(float(a)) * fractions.Fraction(float(b)) + fractions.Fraction(float(c))
    # a sum of zeros has their sign
    return type(a)(exact) if exact else a * b + c


multiply_add: Function = _fused_plainly if numba.config.DISABLE_JIT else numba.extending.intrinsic(_fused)
"""a b + c in kernels, see `_fused`."""


def _number_bytes(context: Any, array: Any) -> Any:
    """Bytes of a number of an array, in kernels: a constant for each type, which `array.itemsize` is not to Numba.

    Measured: where it says how far rows are from each other, loops over several of them are an eighth faster.
    """
    size = array.dtype.bitwidth // 8

    def generate(target: Any, _: Any, signature: Any, arguments: Any) -> Any:
        return target.get_constant(signature.return_type, size)

    return numba.types.intp(array), generate


number_bytes: Function = (
    operator.attrgetter("itemsize") if numba.config.DISABLE_JIT else numba.extending.intrinsic(_number_bytes)
)
"""Bytes of a number of an array, in kernels, see `_number_bytes`."""


def read_only(array: NDArray[Any]) -> NDArray[Any]:
    """A view of an array that cannot be written to: what kernels read is of one type, and compiled once.

    To the compiler an array that may be written to and one that may not are two types. What is evolved comes as
    either, as Q or as what is made of it on the way.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg.tools.kernels import read_only
    >>> read_only(np.zeros(3)).flags.writeable
    False
    """
    view = array.view()
    view.flags.writeable = False
    return view
