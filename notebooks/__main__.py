"""Run the notebooks, and store them with what they show: ``python -m notebooks [NAME ...]``.

A notebook is a Python file in jupytext's percent format, `1_mollification.py`, and the copy of it with its outputs,
`1_mollification.ipynb`. The Python file is the source; the copy is made here, in a fresh kernel.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import io
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import jupytext
import nbformat
from nbclient import NotebookClient
from PIL import Image
from traitlets.config import Config

FOLDER = Path(__file__).resolve().parent
_KERNEL = "python3"


def sources() -> list[Path]:
    """The Python files of all notebooks, in their order."""
    return sorted(FOLDER.glob("[0-9]*.py"))


def read(source: Path) -> Any:
    """The notebook that a Python file stands for, without outputs; the same ids of its cells every time."""
    notebook = jupytext.read(source, fmt="py:percent")
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    notebook.metadata = {
        "jupytext": {"formats": "ipynb,py:percent"},
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": _KERNEL},
        "language_info": {"file_extension": ".py", "mimetype": "text/x-python", "name": "python"},
    }
    for number, cell in enumerate(notebook.cells, 1):
        cell["id"] = f"cell-{number:02}"
    return nbformat.from_dict(notebook)


async def execute(source: Path, *, timeout: int = 1200) -> Any:
    """Run a notebook in a fresh kernel, and return it with its outputs and nothing that changes from run to run.

    Parameters
    ----------
    source
        The Python file.
    timeout
        Seconds that a cell may take.

    Raises
    ------
    nbclient.exceptions.CellExecutionError
        If a cell fails.
    RuntimeError
        If a cell writes to the standard error stream, as warnings do.
    """
    notebook = read(source)
    with tempfile.TemporaryDirectory() as profile:
        # what a user has set up for interactive work must not change what a notebook shows
        environment = os.environ | {
            "IPYTHONDIR": profile,
            "PYDEVD_DISABLE_FILE_VALIDATION": "1",
            # said on a machine without a private cache folder, where everything works as well
            "PYTHONWARNINGS": "ignore:compiled kernels are not kept",
        }
        environment.pop("MPLBACKEND", None)
        # sockets in a private folder where there are such: on TCP other users of the machine could read along
        manager = {
            "transport": "tcp" if sys.platform == "win32" else "ipc",
            "connection_file": str(Path(profile) / "kernel.json"),
        }
        client = NotebookClient(
            notebook,
            config=Config({"AsyncKernelManager": manager}),
            kernel_name=_KERNEL,
            timeout=timeout,
            startup_timeout=timeout,
            record_timing=False,
            resources={"metadata": {"path": str(FOLDER)}},
        )
        await client.async_execute(env=environment)
    for cell in notebook.cells:
        _clean(cell, source)
    return notebook


def _clean(cell: Any, source: Path) -> None:
    cell.metadata = {"tags": cell.metadata["tags"]} if cell.metadata.get("tags") else {}
    for output in cell.get("outputs", []):
        if output.get("name") == "stderr":
            raise RuntimeError(f"{source.stem}, {cell['id']} wrote to stderr:\n{output['text']}")
        if "metadata" in output:
            output.metadata = {}
        if "image/png" in output.get("data", {}):
            output.data["image/png"] = _smaller(output.data["image/png"])


def _smaller(figure: str) -> str:
    """A figure packed well, without its opacity and what its program says of itself; every colour is kept."""
    content = io.BytesIO()
    with Image.open(io.BytesIO(base64.b64decode(figure))) as image:
        # in 256 colours the ends of a colour bar, or the slopes of a map, would be steps
        image.convert("RGB").save(content, "PNG", optimize=True)
    return base64.b64encode(content.getvalue()).decode("ascii")


async def store(source: Path, folder: Path) -> tuple[Path, float]:
    """Run a notebook and write its copy; returns where it is and the seconds that the run took."""
    begin = time.perf_counter()
    notebook = await execute(source)
    seconds = time.perf_counter() - begin
    nbformat.validate(notebook)
    target = folder / f"{source.stem}.ipynb"
    target.write_text(nbformat.writes(notebook) + "\n", encoding="utf-8")
    return target, seconds


async def store_all(chosen: list[Path], folder: Path, jobs: int) -> list[str]:
    """Run notebooks, some at a time, and write their copies; returns what failed, in words."""
    free, failures = asyncio.Semaphore(jobs), []

    async def one(source: Path) -> None:
        async with free:
            try:
                target, seconds = await store(source, folder)
                print(f"{target.name:<32} {seconds:6.1f} s {target.stat().st_size / 1e3:7.0f} kB", flush=True)
            except Exception as error:
                failures.append(f"{source.name} failed: {error}")
                print(failures[-1], file=sys.stderr, flush=True)

    await asyncio.gather(*map(one, chosen))
    return failures


def _chosen(names: list[str]) -> list[Path]:
    """The notebooks of these names: the whole name, or its beginning."""
    if not names:
        return sources()
    found = []
    for name in names:
        stem = Path(name).stem
        matching = [source for source in sources() if source.stem.startswith(stem)]
        if not matching:
            known = ", ".join(source.stem for source in sources())
            raise SystemExit(f"python -m notebooks: there is no notebook {name!r}; there are: {known}")
        found += matching
    return found


def main(arguments: list[str] | None = None) -> int:
    """Run the notebooks named, two at a time; returns 1 if one of them failed."""
    parser = argparse.ArgumentParser(prog="python -m notebooks", description=__doc__, add_help=True)
    parser.add_argument("names", nargs="*", metavar="NAME", help="which notebooks; by default all of them")
    parser.add_argument("--into", type=Path, default=FOLDER, metavar="FOLDER", help="where the copies are written")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="how many run at once")
    given = parser.parse_args(arguments)
    return int(bool(asyncio.run(store_all(_chosen(given.names), given.into, max(1, given.jobs)))))


if __name__ == "__main__":
    raise SystemExit(main())
