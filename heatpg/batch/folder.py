"""The folder of a batch: ``spec.toml``, the shards, and what is derived from them.

Its files are named here as far as they are not named by the modules that write them: shards, index, lock and journal.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from heatpg.batch.shards import temporary_name
from heatpg.batch.spec import Spec, Task, read_spec
from heatpg.errors import StoreError
from heatpg.tools.folders import Folder
from heatpg.tools.publishing import publish_within

__all__ = ["INDEX", "SPEC", "Source", "StrPath", "make_folder", "opened", "source_of", "tasks_in", "write_spec"]

SPEC = "spec.toml"
INDEX = "index.h5"
# Names that a folder of a batch can hold before its specification is written: a run that was killed at its begin left
# them, and the folder is still ours.
_OURS = re.compile(r"(spec\.toml|shards|draws|index\.h5|lock.*|journal.*\.jsonl|\.tmp-.*)")

StrPath = str | os.PathLike[str]
Source = StrPath | Mapping[str, Any] | Spec


@contextlib.contextmanager
def opened(folder: StrPath) -> Iterator[Folder]:
    """The folder of a batch, held open."""
    path = Path(os.path.realpath(Path(folder).expanduser()))
    if not path.is_dir():
        raise StoreError(f"{path} is not a batch directory (no {SPEC})")
    with Folder(path) as place:
        yield place


def tasks_in(folder: Folder) -> tuple[Spec, tuple[Task, ...]]:
    """The specification of the batch in a folder, and its tasks."""
    if not folder.kind(SPEC):
        raise StoreError(f"{folder} is not a batch directory (no {SPEC})")
    spec = read_spec(_own_spec(folder))
    return spec, spec.tasks()


def _own_spec(folder: Folder) -> Path:
    """The specification that lies in the folder, and not elsewhere under a link."""
    os.close(folder.open(SPEC))
    return folder.path / SPEC


def source_of(spec: Source, out: StrPath | None) -> tuple[Spec, Path]:
    """What is to be run, and the folder in which."""
    stem = ""
    if isinstance(spec, Spec):
        read = spec
    elif isinstance(spec, Mapping):
        read = read_spec(spec)
    else:
        path = Path(spec).expanduser()
        if path.is_dir():
            out = path if out is None else out
            with Folder(path) as folder:
                path = _own_spec(folder) if folder.kind(SPEC) else path / SPEC
        read = read_spec(path)
        stem = path.stem
    if out is not None:
        return read, Path(os.path.realpath(Path(out).expanduser()))
    stem = stem or re.sub(r"[^A-Za-z0-9_-]+", "_", read.batch.name).strip("_")
    if not stem:
        raise StoreError("the batch directory needs a name", advice="pass out=, or set [batch] name")
    return read, Path(stem).resolve()


def make_folder(path: Path) -> Folder:
    """Make the folder and hold it open, or refuse one that is something else."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        folder = Folder(path)
    except OSError as reason:
        raise StoreError(f"the directory {path} cannot be used", given=reason.strerror or reason) from None
    try:
        # never write among the files of somebody else: a folder is new, empty, or has a specification of ours in it
        strangers = [name for name in folder.names() if not _OURS.fullmatch(name)]
        if strangers and not folder.kind(SPEC):
            raise StoreError(
                "the directory is not empty and is not a batch directory",
                given=f"{folder}, with {strangers[0]}",
                advice="choose another directory",
            )
        # what is written in the end is checked in the beginning: hours of work are not to end in a refusal
        for name in (SPEC, INDEX):
            if folder.kind(name):
                os.close(folder.open(name))
    except OSError as reason:
        folder.close()
        raise StoreError(f"the directory {path} cannot be used", given=reason.strerror or reason) from None
    except BaseException:
        folder.close()
        raise
    return folder


def write_spec(folder: Folder, spec: Spec, tasks: Sequence[Task], there: set[str]) -> None:
    """Keep the specification with the results; that of another batch is not replaced."""
    text = spec.as_toml().encode()
    if folder.kind(SPEC):
        if folder.read(SPEC) == text:
            return
        # A sweep may be made longer or shorter in its folder. With no result in common it is most likely another batch
        # that was given the wrong folder.
        if there and not there.intersection(task.id for task in tasks):
            raise StoreError(
                "the directory contains another batch",
                given=f"{folder}, with {len(there)} results, none of them of a task of this batch",
                advice="choose another directory",
            )
    publish_within(folder, SPEC, text, temporary=temporary_name(SPEC))
