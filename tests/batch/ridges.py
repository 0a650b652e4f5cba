"""Batches of a few small ridges, for the tests of what is done with a batch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from heatpg.batch import Task, read_spec
from heatpg.batch.shards import shard_path

WIDTHS = [0.2, 0.3, 0.4, 0.5]


def specification(widths: list[float] = WIDTHS, **evolve: Any) -> dict[str, Any]:
    return {
        "batch": {"name": "some ridges"},
        "landscape": {"source": "ridge", "size": 16},
        "evolve": {"sigma": [0.3, 0.6], **evolve},
        "sweep": {"product": {"landscape.width": widths}},
    }


def tasks(widths: list[float] = WIDTHS) -> tuple[Task, ...]:
    return read_spec(specification(widths)).tasks()


def path_of(folder: Path, number: int) -> Path:
    return shard_path(folder, tasks()[number].id)


def bad_specification() -> dict[str, Any]:
    """Of its two tasks the second cannot be had: explicit steps beyond the limit of stability."""
    spec = specification([0.2])
    spec["sweep"] = {"zip": {"evolve.solver": ["direct", "explicit"], "evolve.solver_options": [{}, {"step": 100.0}]}}
    return spec
