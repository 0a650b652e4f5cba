"""Landscapes that are made by a Python file of the user."""

from __future__ import annotations

import functools
import importlib.util
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from heatpg.errors import HeatpgError, MissingFileError, OptionError, UnknownNameError
from heatpg.tools.endings import program_of
from heatpg.tools.options import nearest

if TYPE_CHECKING:
    from heatpg.core.landscape import Landscape

__all__ = ["program_landscape"]

Family = Callable[..., "Landscape"]

_FUNCTION = "landscape"


def program_landscape(source: str) -> Family:
    """The function of a Python file that makes a landscape. The file is run, as ``python FILE`` would do.

    Raises
    ------
    MissingFileError
        If there is no such file.
    UnknownNameError
        If it has no such function.
    OptionError
        If it fails, with the line where it does.
    """
    file, named = program_of(source) or (source, "")
    path, name = Path(file), named or _FUNCTION
    if not path.is_file():
        raise MissingFileError("no such file", given=path)
    # worker processes find what the file defines by its name, and the file finds its neighbours
    folder = str(path.parent.resolve())
    if folder not in sys.path:
        sys.path.insert(0, folder)
    module = sys.modules.get(path.stem)
    if module is None:
        specification = importlib.util.spec_from_file_location(path.stem, path.resolve())
        assert specification is not None and specification.loader is not None
        module = sys.modules[path.stem] = importlib.util.module_from_spec(specification)
        try:
            _called(path, specification.loader.exec_module, module)
        except BaseException:
            del sys.modules[path.stem]
            raise
    elif Path(getattr(module, "__file__", None) or "").resolve() != path.resolve():
        raise OptionError(f"{path.name} has the name of a module that is in use", advice="rename the file")
    function = getattr(module, name, None)
    if not callable(function):
        known = [key for key, value in vars(module).items() if callable(value) and not key.startswith("_")]
        raise UnknownNameError(
            f"{path.name} has no function {name!r}",
            allowed=f"a function that returns a heatpg.Landscape: {path.name} or {path.name}:FUNCTION",
            advice=nearest(name, known),
        )

    @functools.wraps(function)
    def made(**options: Any) -> Landscape:
        from heatpg.core.landscape import Landscape

        found = _called(path, function, **options)
        if not isinstance(found, Landscape):
            raise OptionError(
                f"{name}() of {path.name} must return a landscape",
                given=type(found).__name__,
                allowed="a heatpg.Landscape, as from landscapes.from_gymnasium or Landscape.from_function",
            )
        return found

    return made


def _called(path: Path, function: Callable[..., Any], *given: Any, **options: Any) -> Any:
    """What the function of a file returns; an error of the file says the line."""
    try:
        return function(*given, **options)
    except HeatpgError:
        raise
    except Exception as reason:
        lines = [
            frame.lineno
            for frame in traceback.extract_tb(reason.__traceback__)
            if Path(frame.filename).resolve() == path.resolve()
        ]
        if isinstance(reason, SyntaxError):
            lines = [reason.lineno]
        where = f", line {lines[-1]}" if lines else ""
        raise OptionError(f"{path.name}{where} failed", given=f"{type(reason).__name__}: {reason}") from reason
