"""Nodes in cells, and boundaries of each axis, from the command line and in batches."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from heatpg import batch, load
from heatpg.batch import SpecError, read_spec
from heatpg.cli import main
from tests.references import end_error_of_waves

CENTRES = (np.arange(32) + 0.5) / 32
WAVE = np.cos(np.pi * CENTRES)
SIGMA = 0.2
DECAY = np.exp(-((SIGMA * np.pi) ** 2) / 2)  # of cos(pi x) between mirrors at 0 and 1
LEFT = end_error_of_waves(np.pi / 32, 32 * SIGMA, 32, "cell")  # where slopes on walls come from four cells


@pytest.mark.parametrize("nodes", ["cell", "x=cell"])
def test_cells_of_a_file_keep_their_half_cells(tmp_path: Path, nodes: str) -> None:
    source, out = tmp_path / "wave.npz", tmp_path / "out.h5"
    np.savez(source, values=WAVE, x=CENTRES)
    words = ["run", str(source), "--boundary", "reflect", "--nodes", nodes, "--sigma", str(SIGMA), "--out", str(out)]
    assert main(words) == 0
    flow = load(out)
    assert (flow.grid[0].lower, flow.grid[0].upper, flow.grid[0].nodes) == (0.0, 1.0, "cell")
    assert np.abs(flow.values[0] - DECAY * WAVE).max() < LEFT


def test_each_axis_of_a_file_has_its_own(tmp_path: Path) -> None:
    source, out = tmp_path / "plane.npz", tmp_path / "out.h5"
    angle = np.arange(24) * 2 * np.pi / 24
    np.savez(source, values=np.multiply.outer(WAVE, np.cos(angle)), x=CENTRES, angle=angle)
    words = ["run", str(source), "--boundary", "x=reflect,angle=periodic", "--nodes", "x=cell", "--solver", "spectral"]
    assert main([*words, "--sigma", str(SIGMA), "--out", str(out)]) == 0
    flow = load(out)
    assert [(axis.boundary, axis.nodes) for axis in flow.grid] == [("reflect", "cell"), ("periodic", "vertex")]
    exact = DECAY * np.exp(-(SIGMA**2) / 2) * np.multiply.outer(WAVE, np.cos(angle))
    assert np.abs(flow.values[0] - exact).max() < LEFT


def test_cells_from_disk_to_disk(tmp_path: Path) -> None:
    source, out = tmp_path / "wave.npy", tmp_path / "out.h5"
    np.save(source, WAVE)
    words = [
        "run",
        str(source),
        "--boundary",
        "reflect",
        "--nodes",
        "cell",
        "--sigma",
        str(32 * SIGMA),
        "--out",
        str(out),
    ]
    assert main([*words, "--memory", "1GiB"]) == 0
    flow = load(out)
    assert (flow.grid[0].upper, flow.grid[0].nodes) == (32.0, "cell")
    assert np.abs(flow.values[0] - DECAY * WAVE).max() < LEFT


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--boundary", "reflect", "--nodes", "middle"], "(?s)unknown kind of nodes.*vertex, cell"),
        (["--boundary", "reflect", "--nodes", "y=cell"], "(?s)no axis with this name.*expected: x"),
        (["--boundary", "reflect", "--nodes", "x=cell,x=cell"], "(?s)invalid --nodes.*each axis once"),
        (["--boundary", "x="], "invalid --boundary"),
        (["--boundary", "x=wall"], "unknown boundary"),
    ],
)
def test_words_that_fit_no_axis_are_refused(
    tmp_path: Path, options: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "wave.npz"
    np.savez(source, values=WAVE, x=CENTRES)
    assert main(["run", str(source), *options, "--sigma", "0.2", "--out", str(tmp_path / "out.h5")]) == 2
    assert re.search(words, capsys.readouterr().err)


def test_nodes_are_for_files(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "quadrotor", "--nodes", "cell"]) == 2
    assert "--nodes" in capsys.readouterr().err


SPEC = """
[landscape]
source = "wave.npz"
boundary = "reflect"
nodes = {nodes}
[evolve]
sigma = 0.2
checks = "none"
"""


@pytest.mark.parametrize("nodes", ['"cell"', '{x = "cell"}'])
def test_a_batch_takes_nodes_in_cells(tmp_path: Path, nodes: str) -> None:
    np.savez(tmp_path / "wave.npz", values=WAVE, x=CENTRES)
    spec = tmp_path / "spec.toml"
    spec.write_text(SPEC.format(nodes=nodes))
    batch.run(read_spec(spec), tmp_path / "batch", workers=1)
    (result,) = (tmp_path / "batch" / "shards").rglob("*.h5")
    assert np.abs(load(result).values[0] - DECAY * WAVE).max() < LEFT


@pytest.mark.parametrize("nodes", ['"middle"', '{x = "middle"}', "3", "{}"])
def test_a_batch_refuses_other_nodes(tmp_path: Path, nodes: str) -> None:
    np.savez(tmp_path / "wave.npz", values=WAVE, x=CENTRES)
    spec = tmp_path / "spec.toml"
    spec.write_text(SPEC.format(nodes=nodes))
    with pytest.raises(SpecError, match="must be 'vertex' or 'cell'"):
        read_spec(spec)
