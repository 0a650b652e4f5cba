"""A small specification, and what the tests of specifications ask of it and of its variants."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from heatpg.batch import SpecError, read_spec

BASE: dict[str, Any] = {
    "landscape": {"source": "two_bumps", "size": 33},
    "evolve": {"sigma": [0.1, 0.3]},
}


def changed(**sections: Any) -> dict[str, Any]:
    """The base with keys of its sections added or replaced."""
    result = copy.deepcopy(BASE)
    for name, keys in sections.items():
        result[name] = [*keys] if name == "task" else {**result.get(name, {}), **keys}
    return result


def ids(source: Any) -> list[str]:
    return [task.id for task in read_spec(source).tasks()]


def problems(source: Any) -> dict[str, str]:
    with pytest.raises(SpecError) as caught:
        read_spec(source).tasks()
    return {problem.path: problem.message for problem in caught.value.problems}


def written(text: str, folder: Path) -> Path:
    path = folder / "spec.toml"
    path.write_text(text, encoding="utf-8", newline="")
    return path


def in_a_file(folder: Path, **options: Any) -> Path:
    def said(value: object) -> str:
        if isinstance(value, dict):
            return "{" + ", ".join(f"{key} = {each!r}" for key, each in value.items()) + "}"
        return repr(value)

    words = "".join(f"{key} = {said(value)}\n" for key, value in options.items())
    return written(f"[landscape]\n{words}[evolve]\nsigma = 0.5\n", folder)
