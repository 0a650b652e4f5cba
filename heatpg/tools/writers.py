"""Files of what lies below the store, found by name; so a landscape can save itself."""

from __future__ import annotations

import os
from typing import Any, Protocol

from heatpg.tools.registry import Registry

__all__ = ["Writing", "writers"]


class Writing(Protocol):
    """What is registered: a function that writes one thing into a file."""

    def __call__(
        self, thing: Any, /, path: str | os.PathLike[str], *, force: bool = False, compression: str = "none"
    ) -> None:
        """Write it; the file appears under its name when it is complete."""


# the files of heatpg.store are imported when something is first saved, and register themselves then
writers: Registry[Writing] = Registry("writer", "heatpg.store")
