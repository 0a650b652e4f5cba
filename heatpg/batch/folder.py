"""The folder of a batch: ``spec.toml``, the shards, and what is derived from them.

Its files are named here as far as they are not named by the modules that write them: shards, index, lock and journal.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from heatpg.batch.shards import temporary_name
from heatpg.batch.spec import Spec, Task, read_spec
from heatpg.errors import StoreError
from heatpg.tools.publishing import publish

__all__ = ["SPEC", "Source", "StrPath", "make_folder", "source_of", "tasks_in", "write_spec"]

SPEC = "spec.toml"
# Names that a folder of a batch can hold before its specification is written: a run that was killed at its begin left
# them, and the folder is still ours.
_OURS = re.compile(r"(spec\.toml|shards|index\.h5|lock.*|journal.*\.jsonl|\.tmp-.*)")

StrPath = str | os.PathLike[str]
Source = StrPath | Mapping[str, Any] | Spec


def tasks_in(folder: StrPath) -> tuple[Path, Spec, tuple[Task, ...]]:
    """The folder of a batch, its specification, and its tasks."""
    place = Path(folder).resolve()
    path = place / SPEC
    if not path.is_file():
        raise StoreError("this is not the folder of a batch", given=place, allowed=f"a folder with {SPEC}")
    spec = read_spec(path)
    return place, spec, spec.tasks()


def source_of(spec: Source, out: StrPath | None) -> tuple[Spec, Path]:
    """What is to be run, and the folder in which."""
    stem = ""
    if isinstance(spec, Spec):
        read = spec
    elif isinstance(spec, Mapping):
        read = read_spec(spec)
    else:
        path = Path(spec)
        if path.is_dir():
            out = path if out is None else out
            path = path / SPEC
        read = read_spec(path)
        stem = path.stem
    if out is not None:
        return read, Path(out).resolve()
    stem = stem or re.sub(r"[^A-Za-z0-9_-]+", "_", read.batch.name).strip("_")
    if not stem:
        raise StoreError("the folder of the batch has no name", advice="give out=, or the batch a name")
    return read, Path(stem).resolve()


def make_folder(folder: Path) -> None:
    """Make the folder, or refuse one that is something else."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # never write among the files of somebody else: a folder is new, empty, or has a specification of ours in it
        strangers = [name for name in os.listdir(folder) if not _OURS.fullmatch(name)]
        ours = (folder / SPEC).exists()
    except OSError as reason:
        raise StoreError(f"the folder {folder} cannot be used", given=reason.strerror or reason) from None
    if strangers and not ours:
        raise StoreError(
            "the folder is not empty, and is not that of a batch",
            given=f"{folder}, with {strangers[0]}",
            advice="choose another folder",
        )


def write_spec(folder: Path, spec: Spec, tasks: Sequence[Task], there: set[str]) -> None:
    """Keep the specification with the results; that of another batch is not replaced."""
    path = folder / SPEC
    text = spec.as_toml().encode()
    if path.is_file():
        if path.read_bytes() == text:
            return
        # A sweep may be made longer or shorter in its folder. With no result in common it is most likely another batch
        # that was given the wrong folder.
        if there and not there.intersection(task.id for task in tasks):
            raise StoreError(
                "the folder holds another batch",
                given=f"{folder}, with {len(there)} results, none of a task of this one",
                advice="choose another folder",
            )
    publish(text, path, force=True, temporary=temporary_name(SPEC))
