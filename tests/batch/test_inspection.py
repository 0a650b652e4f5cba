"""Looking at a batch: its results as one file."""

from __future__ import annotations

from pathlib import Path

import pytest

from heatpg.batch import merge, run
from heatpg.errors import StoreError
from tests.batch.ridges import specification


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    run(specification(), tmp_path / "out", workers=0)
    return tmp_path / "out"


def test_merge_of_a_run(folder: Path, tmp_path: Path) -> None:
    assert merge(folder, tmp_path / "all.h5") == tmp_path / "all.h5"
    with pytest.raises(StoreError, match="exists"):
        merge(folder, tmp_path / "all.h5")
    merge(folder, tmp_path / "all.h5", force=True)
