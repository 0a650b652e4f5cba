"""Values on walls between cells that a user states: right to the order that is promised, kept by every door."""

from __future__ import annotations

import itertools
import math
import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.integrate import quad
from scipy.special import ndtr

from heatpg import Axis, Grid, Landscape, batch, evolve, load, study
from heatpg.batch import SpecError, read_spec
from heatpg.boundaries import face_values
from heatpg.cli import main
from heatpg.core.faces import checked_faces
from heatpg.core.field import HeatField
from heatpg.errors import BoundaryError, GridError, NonFiniteError, OptionError, StoreError, UnsupportedError
from heatpg.evolution import solve
from heatpg.large import evolve_large
from heatpg.policy import estimate_gradient
from heatpg.risk import distribution
from heatpg.roughness.inversion import backward
from heatpg.scalespace import basins, track
from heatpg.solvers import make, solvers, stated
from heatpg.solvers.base import Solver
from heatpg.verify import verify

Array = NDArray[Any]

SUMS = ("direct", "multiresolution", "spectral", "compact")
EVERY = tuple(solvers.names())
FACED = ("absorb", "clip")


def cells(size: int, boundary: str, lower: float = 0.0, upper: float = 1.0, name: str = "x") -> Axis:
    return Axis(name, lower, upper, size, boundary=boundary, nodes="cell")


def smooth(x: Array | float) -> Any:
    """With a value, a slope and a curvature at both ends of [0, 1]."""
    return np.exp(0.7 * np.asarray(x)) + 0.3 * np.sin(2.0 * np.asarray(x))


def continuous(
    x: float, sigma: float, boundary: str, inside: Callable[[float], float], walls: tuple[float, float]
) -> float:
    """u of a function on [0, 1] and values on or beyond the walls, by adaptive quadrature and, held, a sine series."""
    low, high = walls
    if boundary == "clip":
        density = lambda y: math.exp(-0.5 * ((x - y) / sigma) ** 2) / (sigma * math.sqrt(2.0 * math.pi))  # noqa: E731
        middle = quad(lambda y: inside(y) * density(y), 0.0, 1.0, points=[x], epsabs=1e-14, epsrel=1e-13, limit=400)[0]
        return float(middle + low * ndtr(-x / sigma) + high * ndtr((x - 1.0) / sigma))
    total = low + (high - low) * x
    for m in range(1, math.ceil(8.5 / (math.pi * sigma)) + 2):
        part = quad(lambda y: inside(y) - low - (high - low) * y, 0.0, 1.0, weight="sin", wvar=math.pi * m, limit=400)[
            0
        ]
        total += 2.0 * part * math.sin(math.pi * m * x) * math.exp(-0.5 * (math.pi * m * sigma) ** 2)
    return total


@pytest.mark.parametrize("boundary", FACED)
@pytest.mark.parametrize("sigma", [1e-3, 0.04, 0.3, 0.99, 1.01, 3.0, 1e3])
def test_what_a_wall_adds_is_the_flow_of_a_step(boundary: str, sigma: float) -> None:
    axis = cells(25, boundary)
    found = stated.exact_columns(axis, sigma)
    wanted = (
        [continuous(float(x), sigma, boundary, lambda y: 0.0, (1.0, 0.0)) for x in axis.coordinates]
        if (boundary == "clip" or sigma > 0.02)
        else 2.0 * ndtr(-axis.coordinates / sigma)
    )
    # sums of up to a few hundred numbers of size one
    assert np.abs(found[0] - wanted).max() < 1e-13
    assert np.array_equal(found[1], found[0][::-1])


@pytest.mark.parametrize("boundary", FACED)
@pytest.mark.parametrize("sigma", [0.04, 0.3, 0.99, 1.01, 3.0])
def test_the_slope_of_what_a_wall_adds(boundary: str, sigma: float) -> None:
    axis = cells(400, boundary)
    slopes, column = stated.exact_columns(axis, sigma, True), stated.exact_columns(axis, sigma)
    h = axis.spacing
    for slope, values in zip(slopes, column, strict=True):
        differences = (values[:-4] - 8 * values[1:-3] + 8 * values[3:-1] - values[4:]) / (12 * h)
        # h^4 / 30 of the fifth derivative: at most 12 / sigma^5 for a normal density, twice for two images
        assert np.abs(slope[2:-2] - differences).max() < h**4 / 30 * 24 / sigma**5 + 1e-12


@pytest.mark.parametrize("boundary", FACED)
@pytest.mark.parametrize("solver", SUMS)
def test_true_values_on_walls_keep_the_order(solver: str, boundary: str) -> None:
    sigma, errors, slopes = 0.15, [], []
    walls = (float(smooth(0.0)), float(smooth(1.0)))
    for size in (40, 80, 160):
        axis = cells(size, boundary)
        flow = solve(Landscape(smooth(axis.coordinates), axis, faces={"x": walls}), sigma, solver)
        places = [0, 1, 2, size // 4, size - 2, size - 1]
        exact = [continuous(float(axis.coordinates[i]), sigma, boundary, smooth, walls) for i in places]
        errors.append(float(np.abs(flow.values[0][places] - exact).max()))
        step = 1e-4
        around = [
            [continuous(float(axis.coordinates[i]) + k * step, sigma, boundary, smooth, walls) for k in (-1, 1)]
            for i in places
        ]
        central = [(high - low) / (2 * step) for low, high in around]
        slopes.append(float(np.abs(flow.gradient(0)[0][places] - central).max()))
    # order 4 is promised, with a tenth for the next term; central differences are off by h^2 / 6 of u''' = 1e-8
    assert math.log2(errors[1] / errors[2]) > 3.9 or errors[2] < 1e-12
    assert math.log2(slopes[1] / slopes[2]) > 3.9 or slopes[2] < 3e-8
    # what the cells say of the walls is no better than what is known
    guess = solve(Landscape(smooth(axis.coordinates), axis), sigma, solver)
    exact = [continuous(float(axis.coordinates[i]), sigma, boundary, smooth, walls) for i in places]
    assert errors[-1] <= 1.1 * np.abs(guess.values[0][places] - exact).max() + 1e-14


@pytest.mark.parametrize("boundary", FACED)
@pytest.mark.parametrize("solver", SUMS)
@pytest.mark.parametrize("cells_wide", [1.0, 1.7, 4.0, 30.0, 300.0])
def test_a_jump_at_a_wall_is_exact(solver: str, boundary: str, cells_wide: float) -> None:
    size = 40
    axis = cells(size, boundary)
    sigma = cells_wide * axis.spacing
    flow = evolve(Landscape(np.ones(size), axis, faces={"x": (0.0, 3.0)}), sigma, solver, checks="full")
    exact = [continuous(float(x), sigma, boundary, lambda y: 1.0, (0.0, 3.0)) for x in axis.coordinates]
    # a constant is kept to round-off, and the columns are exact
    assert np.abs(flow.values[0] - exact).max() < 1e-12
    assert not [check for check in flow.report if check.status == "failed"]


@pytest.mark.parametrize("boundary", FACED)
@pytest.mark.parametrize("solver", [name for name in EVERY if name not in SUMS])
def test_a_jump_at_a_wall_is_of_second_order_elsewhere(solver: str, boundary: str) -> None:
    sigma, errors = 0.2, []
    for size in (20, 40, 80):
        axis = cells(size, boundary)
        # time steps so short that space decides: one for each spacing squared, of schemes that are of order 1 and 2
        made = make(solver, steps=size**2 // 4) if solver == "implicit" else make(solver)
        flow = solve(Landscape(np.ones(size), axis, faces={"x": (0.0, 3.0)}), sigma, made)
        exact = [continuous(float(x), sigma, boundary, lambda y: 1.0, (0.0, 3.0)) for x in axis.coordinates]
        errors.append(float(np.abs(flow.values[0] - exact).max()))
    assert math.log2(errors[0] / errors[2]) / 2 > 1.8


def matrix(solver: Solver, axis: Axis, sigma: float) -> NDArray[np.float64]:
    """Weights of the lower wall, the cells and the upper wall in u, one row a cell."""
    units = np.eye(axis.size + 2)
    faces = {"x": (units[:, 0], units[:, -1])}
    flow = solve(Landscape(units[:, 1:-1], axis, faces=faces), sigma, solver)
    return np.asarray(flow.values[0].T)


@pytest.mark.parametrize("boundary", FACED)
@pytest.mark.parametrize("size", [3, 4, 7, 24])
@pytest.mark.parametrize("solver", EVERY)
def test_weights_of_cells_and_walls(solver: str, size: int, boundary: str) -> None:
    axis, made = cells(size, boundary, 0.0, float(size)), make(solver)
    for sigma in (1e-3, 0.3, 0.6, 1.0, 1.3, 2.0, 4.0, 16.0, 8.5 * size, 200.0):
        weights = matrix(made, axis, sigma)
        # rounding of a sum of `size` numbers that may be as large as the weights of a wall, 2.2 + 2.2 + 1.3 + .3
        rounding = 2.3e-16 * (64.0 + 16.0 * size + made.rounding(axis, (0.0, sigma**2)))
        assert np.abs(weights.sum(axis=1) - 1.0).max() < rounding, sigma
        if made.monotone(axis, sigma**2) and stated.keeps_promise(made, axis, sigma**2):
            assert weights.min() > -rounding, sigma


def planes() -> list[tuple[Grid, dict[str, Any]]]:
    x, y, z = cells(12, "absorb"), cells(9, "clip", -1.0, 2.0, "y"), Axis("z", 0.0, 1.0, 7, boundary="reflect")
    turn = Axis("turn", 0.0, 1.0, 8, boundary="periodic")
    return [
        (Grid(x), {"x": (2.0, None)}),
        (Grid(x, y), {"x": (2.0, np.linspace(0.0, 1.0, 9)), "y": (None, -1.0)}),
        (Grid(turn, y), {"y": (np.arange(8.0), 0.5)}),
        (Grid(z, x, turn), {"x": (np.zeros((7, 8)), 1.0)}),
        (Grid(x, y, z), {"y": (0.0, 0.0), "x": (None, 3.0)}),
    ]


@pytest.mark.parametrize("solver", ["auto", *EVERY])
@pytest.mark.parametrize("kind", [np.float64, np.float32])
@pytest.mark.parametrize("number", range(5))
def test_checks_hold_everywhere(solver: str, kind: type, number: int) -> None:
    grid, faces = planes()[number]
    values: Array = np.random.default_rng(number).standard_normal((2, *grid.shape)).astype(kind)
    flow = evolve(Landscape(values, grid, faces=faces), [0.01, 0.15, 0.4, 7.0], solver, checks="full")
    failed = [check for check in flow.report if check.status == "failed"]
    assert not failed, failed
    assert flow.values.dtype == kind
    # each entry of a batch by itself
    one = solve(flow.entry(1).landscape, flow.sigma, flow.solver)
    assert np.abs(one.values - flow.values[:, 1]).max() <= 64 * np.finfo(kind).eps * np.abs(values).max()


@pytest.mark.parametrize("boundary", FACED)
@pytest.mark.parametrize("solver", ["direct", "spectral", "implicit", "explicit"])
@pytest.mark.parametrize("size", [40, 2100])
@pytest.mark.parametrize("fault", ["too large", "the other wall", "left out"])
def test_a_fault_in_what_a_wall_adds_is_seen(
    monkeypatch: pytest.MonkeyPatch, boundary: str, solver: str, size: int, fault: str
) -> None:
    right = stated._columns
    axis = cells(size, boundary, 0.0, size / 40.0)

    def wrong(*given: Any) -> Array:
        columns = right(*given)
        return {"too large": 1.05 * columns, "the other wall": columns[::-1], "left out": 0.0 * columns}[fault]

    monkeypatch.setattr(stated, "_columns", wrong)
    q = Landscape(np.cos(axis.coordinates), axis, faces={"x": (3.0, -1.0)})
    flow = solve(q, 0.15, solver)
    for level in ("standard", "full"):
        assert "failed" in [check.status for check in verify(flow, level)], level


@pytest.mark.parametrize("solver", ["auto", "spectral", "implicit", "exponential"])
@pytest.mark.parametrize("boundary", FACED)
def test_offset_factor_and_origin_do_not_matter(solver: str, boundary: str) -> None:
    axis = cells(32, boundary)
    values, walls = np.cos(5.0 * axis.coordinates), (0.25, -2.0)
    plain = solve(Landscape(values, axis, faces={"x": walls}), [0.05, 0.3], solver)
    for offset, factor, origin, unit in ((1e9, 1.0, 0.0, 1.0), (0.0, 1e-200, 0.0, 1.0), (0.0, 1e30, 1e9, 2.0**20)):
        moved = Axis("x", origin, origin + unit, 32, boundary=boundary, nodes="cell")
        stored = offset + factor * values
        on_walls = tuple(offset + factor * wall for wall in walls)
        flow = solve(Landscape(stored, moved, faces={"x": on_walls}), [0.05 * unit, 0.3 * unit], solver)
        # the numbers that were stored are rounded, once in them and once in the result
        rounding = 4.0 * np.finfo(float).eps * (abs(offset) / factor + 16.0)
        assert np.abs((flow.values - offset) / factor - plain.values).max() <= rounding
        assert np.abs(flow.gradient() * unit / factor - plain.gradient()).max() <= 100.0 * rounding / axis.spacing


def test_between_the_nodes_and_in_a_study() -> None:
    axis = cells(96, "absorb", 0.0, 2.0 * math.pi)
    q = Landscape.from_function(lambda x: np.sin(x) + 0.5 * np.sin(5.0 * x), axis, faces={"x": (0.0, 0.0)})
    field, x = HeatField(q), np.linspace(0.1, 6.0, 50)
    sigma = 0.3
    exact = np.exp(-(sigma**2) / 2) * np.sin(x) + 0.5 * np.exp(-25 * sigma**2 / 2) * np.sin(5.0 * x)
    # Waves that vanish on the walls are sampled without an error. What the cells say of the walls flows as the samples
    # of a step, what is stated as a step: h^2 / 24 of its slope apart, at most 1 / 4 sigma^2 for each of two images.
    said = max(float(np.abs(side[0])) for side in face_values(q.values, 0))
    assert np.abs(field.value(x[:, None], sigma) - exact).max() < said * (axis.spacing / sigma) ** 2 / 24 + 1e-13
    # the walls are held: where they are told something else, the field between the nodes knows
    held = HeatField(Landscape(q.values, axis, faces={"x": (1.0, 0.0)}))
    assert held.value([[0.0]], sigma)[0] == pytest.approx(1.0, abs=1e-12)
    found = study(q, [0.2, 0.4, 0.8])
    # sin x and sin 5x both have a maximum at pi / 2; the same difference at sigma = .8, over sigma and a curvature .7
    error = said * (axis.spacing / 0.8) ** 2 / 24 / 0.8 / 0.7
    assert np.abs(found.space.optimum_positions[:, 0] - math.pi / 2).max() < error + 1e-9


def test_every_door_keeps_them(tmp_path: Path) -> None:
    x, y = cells(6, "absorb"), Axis("y", 0.0, 2.0, 5, boundary="clip")
    values, wall = np.arange(30.0).reshape(6, 5), np.linspace(0.0, 1.0, 5)
    faces = {"x": (wall, None)}
    q = Landscape(values, [x, y], faces=faces)
    assert q.faces["x"][1] is None
    assert np.array_equal(np.asarray(q.faces["x"][0]), wall)
    others = [
        Landscape.from_array(values, [x, y], faces=faces),
        Landscape.from_array(
            values,
            {"x": x.coordinates, "y": y.coordinates},
            boundary={"x": "absorb", "y": "clip"},
            nodes={"x": "cell", "y": "vertex"},
            faces=faces,
        ),
        q.regarded(minimise=True).regarded(minimise=False),
        pickle.loads(pickle.dumps(q)),
    ]
    with pytest.warns(UserWarning, match="descends"):
        others.append(
            Landscape.from_array(
                values[:, ::-1],
                {"x": x.coordinates, "y": y.coordinates[::-1]},
                boundary={"x": "absorb", "y": "clip"},
                nodes={"x": "cell", "y": "vertex"},
                faces={"x": (wall[::-1], None)},
            )
        )
    flow = evolve(q, [0.2, 0.4])
    path = tmp_path / "flow.h5"
    flow.save(path)
    for untrusted in (False, True):
        back = load(path, untrusted=untrusted)
        assert np.array_equal(back.values, flow.values)
        others.append(back.landscape)
        assert np.array_equal(back.gradient(), flow.gradient())
        assert np.array_equal(back.again().values, flow.values)
    np.savez(tmp_path / "q.npz", values=values, x=x.coordinates, y=y.coordinates)
    how: dict[str, Any] = {"boundary": {"x": "absorb", "y": "clip"}, "nodes": {"x": "cell", "y": "vertex"}}
    others.append(Landscape.from_file(tmp_path / "q.npz", faces=faces, **how))
    for other in others:
        assert np.array_equal(np.asarray(other.faces["x"][0]), wall)
        assert np.array_equal(solve(other, [0.2, 0.4]).values, flow.values)


def test_xarray_has_them() -> None:
    pytest.importorskip("xarray")
    x, y = cells(6, "absorb"), Axis("y", 0.0, 2.0, 5, boundary="clip")
    flow = evolve(Landscape(np.arange(30.0).reshape(6, 5), [x, y], faces={"x": (np.linspace(0, 1, 5), None)}), 0.2)
    data = flow.to_xarray()
    assert data["x_lower_face"].dims == ("y",)
    assert "x_upper_face" not in data
    back = Landscape.from_xarray(data.landscape, faces={"x": (data.x_lower_face.to_numpy(), None)})
    assert np.array_equal(solve(back, 0.2).values, flow.values)


def test_a_loss_has_its_mirror_image() -> None:
    axis = cells(32, "absorb", 0.0, 6.0)
    hill = Landscape(np.sin(axis.coordinates) + 0.5 * np.cos(7.0 * axis.coordinates), axis, faces={"x": (0.5, -1.0)})
    loss = Landscape(-hill.values, axis, faces={"x": (-0.5, 1.0)}, minimise=True)
    one, other = study(hill, [0.3, 0.6]), study(loss, [0.3, 0.6])
    assert [check.status for check in one.evolution.report] == [check.status for check in other.evolution.report]
    events = [[(event.kind, event.sigma) for event in found.space.events] for found in (one, other)]
    assert events[0]
    assert events[0] == events[1]


def test_command_line_and_batch(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    axis = cells(32, "absorb")
    np.savez(tmp_path / "one.npz", values=np.ones(32), x=axis.coordinates)
    out = tmp_path / "out.h5"
    words = ["run", str(tmp_path / "one.npz"), "--boundary", "absorb", "--nodes", "cell", "--sigma", "0.2"]
    assert main([*words, "--faces", "x=0,3", "--out", str(out)]) == 0
    wanted = solve(Landscape(np.ones(32), axis, faces={"x": (0.0, 3.0)}), 0.2)
    assert np.array_equal(load(out).values, wanted.values)
    assert main(["check", str(out)]) == 0
    for given, problem in (
        ("x", "invalid --faces"),
        ("x=1", "invalid --faces"),
        ("x=,", "invalid --faces"),
        ("y=0,1", "no axis with this name"),
        ("x=a,b", "invalid --faces"),
    ):
        capsys.readouterr()
        assert main([*words, "--faces", given]) == 2
        assert problem in capsys.readouterr().err
    assert main(["run", str(out), "--faces", "x=0,1", "--sigma", "0.3"]) == 2
    assert main(["run", "quadrotor", "--faces", "x=0,1"]) == 2
    spec = tmp_path / "spec.toml"
    text = '[landscape]\nsource = "one.npz"\nboundary = "absorb"\nnodes = "cell"\nfaces = {}\n[evolve]\nsigma = 0.2\n'
    spec.write_text(text.replace("{}", "{x = [0, 3.0]}"))
    batch.run(read_spec(spec), tmp_path / "batch", workers=1)
    (result,) = (tmp_path / "batch" / "shards").rglob("*.h5")
    assert np.array_equal(load(result).values, wanted.values)
    for bad in ("{x = [0]}", "{x = 1}", "3", '{x = ["a", "b"]}', "{x = [true, 1]}"):
        spec.write_text(text.replace("{}", bad))
        with pytest.raises(SpecError, match=re.escape("[lower, upper] per axis")):
            read_spec(spec)


@pytest.mark.parametrize(
    ("faces", "error", "words"),
    [
        ([1.0], GridError, "dictionary"),
        ({"z": (0.0, 1.0)}, GridError, "no axis with this name"),
        ({"x": 1.0}, GridError, "must be a pair"),
        ({"x": (1.0, 2.0, 3.0)}, GridError, "must be a pair"),
        ({"x": (np.zeros(6), 0.0)}, GridError, "wrong shape"),
        ({"x": (math.nan, 0.0)}, NonFiniteError, "must be finite"),
        ({"x": (0.0, math.inf)}, NonFiniteError, "must be finite"),
        ({"x": {0.0: 1, 1.0: 2}}, GridError, "must be a pair"),
        ({"x": {0.0, 1.0}}, GridError, "must be a pair"),
        ({"x": "01"}, GridError, "must be a pair"),
        ({"x": ("a", 0.0)}, GridError, "faces"),
        ({"x": (1j, 0.0)}, GridError, "faces"),
        ({"x": (True, 0.0)}, GridError, "faces"),
        ({"y": (0.0, 0.0)}, BoundaryError, "has nodes on its walls"),
        ({"t": (0.0, 0.0)}, BoundaryError, "does not use values on its walls"),
    ],
)
def test_what_does_not_fit_is_refused(faces: Any, error: type[Exception], words: str) -> None:
    axes = [cells(6, "absorb"), Axis("y", 0.0, 1.0, 5, boundary="clip"), Axis("t", 0, 1, 4, boundary="periodic")]
    with pytest.raises(error, match=words):
        Landscape(np.zeros((6, 5, 4)), axes, faces=faces)


def test_a_single_has_a_range_of_its_own() -> None:
    with pytest.raises(NonFiniteError, match="must be finite"):
        Landscape(np.zeros(6, np.float32), cells(6, "absorb"), faces={"x": (1e39, 0.0)})


def test_nothing_stated_is_nothing() -> None:
    assert checked_faces({"x": (None, None)}, np.zeros(6), Grid(cells(6, "absorb"))) is None
    assert Landscape(np.zeros(6), cells(6, "absorb"), faces={}).faces == {}


REFUSED: dict[str, Callable[[Landscape, Path], object]] = {
    "correlated noise": lambda q, path: evolve(q, covariance=[[0.01]]),
    "a distribution": lambda q, path: distribution(q, [0.1]),
    "backward": lambda q, path: backward(q, variance_step=0.01, noise=1e-3),
    "compact storage": lambda q, path: solve(q, 0.1).save(path, storage="compact"),
    "in pieces": lambda q, path: evolve_large(q, 0.1, path),
    "samples": lambda q, path: estimate_gradient(q, [0.5], 0.1, seed=0),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_does_not_know_them_says_so(what: str, tmp_path: Path) -> None:
    q = Landscape(np.arange(8.0), cells(8, "clip"), faces={"x": (0.0, None)})
    with pytest.raises(UnsupportedError, match="stated values on the walls"):
        REFUSED[what](q, tmp_path / "out.h5")


@pytest.mark.parametrize("scatter", [{"standard_error": np.ones(8)}, {"returns": np.ones((3, 8))}])
def test_seeds_do_not_go_with_them(scatter: dict[str, Any]) -> None:
    values = None if "returns" in scatter else np.zeros(8)
    with pytest.raises(UnsupportedError, match="standard errors or returns"):
        Landscape(values, cells(8, "clip"), faces={"x": (0.0, None)}, **scatter)


def test_a_file_in_which_they_do_not_fit_is_refused(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    path = tmp_path / "flow.h5"
    solve(Landscape(np.arange(8.0), cells(8, "clip"), faces={"x": (0.25, None)}), 0.1).save(path)
    with h5py.File(path, "r+") as file:
        text = file.attrs["heatpg_spec"]
        assert '"x":[0.25,null]' in text
        file.attrs["heatpg_spec"] = text.replace("0.25", "0.26")
    with pytest.raises(StoreError, match="SHA-256"):
        load(path)


def test_corners_have_the_mean_of_their_walls() -> None:
    grid = Grid(cells(4, "absorb", name="x"), cells(5, "clip", name="y"), cells(3, "clip", name="z"))
    walls = dict(zip("xyz", ((1.0, 2.0), (3.0, 4.0), (5.0, 7.0)), strict=True))
    faces = checked_faces(walls, np.zeros(grid.shape), grid)
    assert faces is not None
    whole = faces.layered(np.zeros(grid.shape))
    assert whole.shape == (6, 7, 5)
    for sides in itertools.product((0, -1), repeat=3):
        corner = np.mean([pair[side] for pair, side in zip(walls.values(), sides, strict=True)])
        assert whole[sides] == pytest.approx(corner, rel=1e-15)
        assert whole[sides[0], sides[1], 2] == pytest.approx((walls["x"][sides[0]] + walls["y"][sides[1]]) / 2)
    assert whole[0, 3, 2] == 1.0
    # a function that is smooth up to the walls has one value where they meet
    points = np.meshgrid(*(np.concatenate(([a.lower], a.coordinates, [a.upper])) for a in grid), indexing="ij")
    smooth_one = 1.0 + points[0] - 2.0 * points[1] + points[0] * points[1] + points[2]
    inner = smooth_one[1:-1, 1:-1, 1:-1]
    told = {
        "x": (smooth_one[0, 1:-1, 1:-1], smooth_one[-1, 1:-1, 1:-1]),
        "y": (smooth_one[1:-1, 0, 1:-1], smooth_one[1:-1, -1, 1:-1]),
        "z": (smooth_one[1:-1, 1:-1, 0], smooth_one[1:-1, 1:-1, -1]),
    }
    faces = checked_faces(told, inner, grid)
    assert faces is not None
    assert np.abs(faces.layered(inner) - smooth_one).max() < 1e-13


@pytest.mark.parametrize("solver", EVERY)
@pytest.mark.parametrize("boundary", FACED)
@pytest.mark.parametrize("size", [3, 4, 9])
def test_wide_noise_knows_the_walls(solver: str, boundary: str, size: int) -> None:
    # just above and just below where a solver takes its limit, of a line and of one twice as long
    axis = cells(size, boundary)
    lengths = [2.5, 2.9, 7.5, 8.5, 15.0, 17.0, 40.0, 1e3]
    flow = evolve(Landscape((-1.0) ** np.arange(size), axis, faces={"x": (1.0, 4.0)}), lengths, solver, checks="full")
    assert not flow.report.failures, flow.report
    # held walls leave the chord, free space the mean of what lies beyond, with density 1 / (sqrt(2 pi) sigma) inside
    last = 1.0 + 3.0 * axis.coordinates if boundary == "absorb" else np.full(size, 2.5)
    assert np.abs(flow.values[-1] - last).max() < (1e-12 if boundary == "absorb" else 5.0 / 2.5e3)


def test_walls_far_larger_than_the_cells() -> None:
    # numbers near the ends of their type are scaled by cells and walls together
    axis = cells(16, "absorb")
    noise = np.random.default_rng(0).standard_normal(16)
    wanted = solve(Landscape(np.zeros(16), axis, faces={"x": (1.0, -1.0)}), 0.2).values
    small = solve(Landscape(1e-310 * noise, axis, faces={"x": (1.0, -1.0)}), 0.2).values
    assert np.abs(small - wanted).max() < 1e-15
    single = Landscape((1e-32 * noise).astype(np.float32), axis, faces={"x": (1e8, -1e8)})
    # the rounding of single precision, of sums of 16 cells
    assert np.abs(solve(single, 0.2).values / 1e8 - wanted).max() < 16 * np.finfo(np.float32).eps


@pytest.mark.parametrize("boundary", FACED)
def test_constant_cells_between_cold_walls_have_a_maximum(boundary: str) -> None:
    found = study(Landscape(np.ones(40), cells(40, boundary), faces={"x": (0.0, 0.0)}), [0.05, 0.1, 0.3])
    # symmetric about the middle; below that u is 1 to round-off on a stretch of it
    assert found.space.optimum_positions[-1][0] == pytest.approx(0.5, abs=1e-9)


def test_xarray_and_netcdf_do_not_lose_them(tmp_path: Path) -> None:
    pytest.importorskip("xarray")
    pytest.importorskip("netCDF4")
    axis = cells(12, "absorb")
    flow = solve(Landscape(np.ones(12), axis, faces={"x": (0.0, 0.5)}), 0.2)
    data = flow.to_xarray()
    with pytest.raises(OptionError, match="are stated, but not in it"):
        Landscape.from_xarray(data.landscape)
    back = Landscape.from_xarray(data.landscape, faces={"x": (data.x_lower_face, data.x_upper_face)})
    assert np.array_equal(solve(back, 0.2).values, flow.values)
    assert Landscape.from_xarray(data.landscape, faces={}).faces == {}
    for kind in ("NETCDF4", "NETCDF3_64BIT"):
        data.landscape.to_netcdf(tmp_path / f"{kind}.nc", format=kind)
        with pytest.raises(OptionError, match="are stated, but not in it"):
            Landscape.from_file(tmp_path / f"{kind}.nc", variable="landscape")


@pytest.mark.parametrize("dimensions", [1, 2, 3])
def test_the_field_between_the_nodes_is_that_of_the_solver(dimensions: int) -> None:
    grid = Grid(cells(14, "absorb", name="x"), cells(10, "clip", name="y"), cells(8, "absorb", name="z"))
    grid = Grid(*grid.axes[:dimensions])
    rng, shape = np.random.default_rng(dimensions), grid.shape
    faces = {axis.name: (rng.standard_normal(shape[:i] + shape[i + 1 :]), 2.0) for i, axis in enumerate(grid)}
    flow = solve(Landscape(rng.standard_normal(shape), grid, faces=faces), [0.25, 0.6, 4.0], "direct")
    field = HeatField(flow.landscape)
    points = np.stack([each.ravel() for each in np.meshgrid(*(a.coordinates for a in grid), indexing="ij")], axis=1)
    for k, sigma in enumerate(flow.sigma):
        # both sum the same samples, and take the same columns: round-off, over 1 / sigma in a slope
        assert np.abs(field.value(points, sigma).reshape(shape) - flow.values[k]).max() < 1e-12
        slopes = field.gradient(points, sigma).T.reshape(dimensions, *shape)
        assert np.abs(slopes - flow.gradient(k)).max() < 1e-11
    # derivatives are those of each other, at places between the nodes too
    places, step = rng.uniform(0.2, 0.8, (5, dimensions)), 1e-4
    ahead, behind = (field.derivatives(places + side * np.eye(dimensions)[0] * step, 0.3, 3) for side in (1.0, -1.0))
    here = field.derivatives(places, 0.3, 4)
    for order in range(4):
        index: Any = (slice(None), order, *[0] * (dimensions - 1))
        higher: Any = (slice(None), order + 1, *[0] * (dimensions - 1))
        # h^2 / 6 of three derivatives more, each about 3 / sigma of the one before
        size = 10.0 * 20.0 * (3.0 / 0.3) ** (order + 3)
        assert np.abs((ahead[index] - behind[index]) / (2 * step) - here[higher]).max() < step**2 / 6 * size + 1e-8


def test_an_event_between_cold_walls_is_where_the_series_has_it() -> None:
    errors = []
    for size in (16, 32, 64):
        axis = cells(size, "absorb")
        q = Landscape(1.0 + 0.5 * np.cos(2 * np.pi * axis.coordinates), axis, faces={"x": (0.0, 0.0)})
        (event,) = track(solve(q, np.linspace(0.05, 0.5, 12))).events
        assert event.kind == "merge"
        # u_xx = 0 in the middle, by bisection of the sine series of 1 + cos(2 pi x) / 2
        errors.append(abs(event.sigma - 0.218831850188))
    # Q is of order 4 where the cells are taken; with the column of the comb it was 4.8e-4 and of order 2
    assert math.log2(errors[0] / errors[2]) / 2 > 3.8 or errors[2] < 1e-9


def test_wall_flows_at_no_noise() -> None:
    for boundary in FACED:
        field = HeatField(Landscape(np.zeros(6), cells(6, boundary), faces={"x": (2.0, 3.0)}))
        assert field.value([[0.0], [0.5], [1.0]], 0.0).tolist() == [2.0, 0.0, 3.0]


@pytest.mark.parametrize("minimise", [False, True])
@pytest.mark.parametrize("known", [False, True], ids=["array", "function"])
@pytest.mark.parametrize(("boundary", "wall"), [("absorb", 3.0), ("clip", 3.0), ("clip", 1.2)])
def test_the_optimum_of_q_may_be_a_stated_wall(boundary: str, wall: float, known: bool, minimise: bool) -> None:
    """Prices, drops, basins and what is left of the optimum start at the wall that is above all cells."""
    axis = Axis("x", 0.0, 1.0, 64, boundary=boundary, nodes="cell")
    sign = -1.0 if minimise else 1.0

    def hill(x: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(sign * np.sin(np.pi * x))

    faces = {"x": (sign * wall, 0.0)}
    if known:
        q = Landscape.from_function(hill, axis, faces=faces, minimise=minimise)
    else:
        q = Landscape(hill(axis.coordinates), Grid(axis), faces=faces, minimise=minimise)
    sigmas = np.array([0.03, 0.06, 0.12])
    page = study(q, sigmas)
    assert page.curve.best == sign * wall and page.curve.best_position.tolist() == [0.0]
    assert page.basins.best == sign * wall
    ends = [one.positions[:, 0].tolist() for one in page.basins.partitions]
    assert all(0.0 in one for one in ends)
    reached = [one.initial_values[one.positions[:, 0] == 0.0].tolist() for one in page.basins.partitions]
    assert reached == [[sign * wall]] * len(reached)
    if wall < 2.0:
        # u on the wall is the mean of what lies on either side, and the hill is higher
        assert page.departed is not None and page.departed.track is not None
        assert page.space.tracks[page.departed.track].positions[0].tolist() == [0.0]
        # sin(pi x) has its top where it is stated to order h^8, and the same for u by symmetry but for the wall
        np.testing.assert_allclose(page.curve.price, wall - 1.0, rtol=0, atol=1e-3)
        return
    assert page.departed is None
    np.testing.assert_array_equal(page.curve.price, 0.0)
    np.testing.assert_array_equal(page.curve.uncertainty, 0.0)
    kept = [0.0] * len(sigmas)
    if boundary == "clip":
        # half of the noise ends on the wall; the other one 8 sigmas away has no part in it
        inside = [quad(lambda z, s=s: np.sin(np.pi * s * z) * np.exp(-z * z / 2), 0, 1 / s)[0] for s in sigmas]
        kept = [wall / 2 - part / math.sqrt(2 * math.pi) for part in inside]
    # of fourth order in h = 1 / 64 at the wall, and of the size of pi^4 h^4
    np.testing.assert_allclose(page.curve.drop, kept, rtol=0, atol=(math.pi / 64) ** 4)


def test_the_check_of_the_range_says_what_walls_add() -> None:
    """A cubic through four cells has the weights (35, -35, 21, -5) / 16 at the wall: 6 for cells of 1, -1, 1, -1."""
    rough = (-1.0) ** np.arange(32)
    axis = cells(32, "clip")
    [words] = [
        check.message for check in evolve(Landscape(rough, axis), 4.0 * axis.spacing).report if check.name == "range"
    ]
    assert "extrapolated from the four cells next to them, the range is -6 to 6" in words
    assert "that of the nodes alone -1 to 1" in words and "faces=" in words
    told = evolve(Landscape(rough, axis, faces={"x": (9.0, 0.0)}), 4.0 * axis.spacing).report
    [words] = [check.message for check in told if check.name == "range"]
    assert "stated, the range is -1 to 9" in words and "faces=" not in words
    calm = evolve(Landscape(np.linspace(0.0, 1.0, 32), cells(32, "clip"), faces={"x": (0.0, 1.0)}), 4.0 * axis.spacing)
    assert all("walls" not in check.message for check in calm.report if check.name == "range")


@pytest.mark.parametrize("minimise", [False, True])
@pytest.mark.parametrize(("lower", "upper"), [(None, 1.5), (0.0, 1.5), (1.5, 0.0), (1.5, None), (1.4, 1.5)])
def test_the_basin_of_a_wall_ends_at_the_pass_beside_it(
    lower: float | None, upper: float | None, minimise: bool
) -> None:
    """On a line: from the highest wall to the lowest place between it and the next maximum, to a cell."""
    axis = Axis("x", -3.0, 3.0, 120, boundary="absorb", nodes="cell")
    sign = -1.0 if minimise else 1.0
    sides = tuple(None if side is None else sign * side for side in (lower, upper))
    q = Landscape.from_function(
        lambda x: sign * (np.exp(-2 * x**2) + 0.02 * x), Grid(axis), faces={"x": sides}, minimise=minimise
    )
    flow = solve(q, [0.05, 0.1, 0.3, 1.0])
    found = basins(flow)
    field, places = HeatField(q), np.linspace(-3.0, 3.0, 24001)
    for level, partition in enumerate(found.partitions):
        right = upper is not None and upper == max(side for side in (lower, upper) if side is not None)
        assert partition.positions[0, 0] == (3.0 if right else -3.0)
        assert partition.values[0] == sign * 1.5 and partition.initial_values[0] == sign * 1.5
        assert partition.on_edge[0]
        if level == 0:
            continue  # of Q, which jumps at the wall, it is the last cell
        u = sign * field.value(places[:, None], float(flow.sigma[level - 1]))
        # from the wall inwards u falls, and then rises
        inwards = u[::-1] if right else u
        length = 6.0 * int(np.argmax(np.diff(inwards) > 0)) / 24000
        assert abs(partition.shares[0] - length / 6.0) <= 1.0 / 120


def test_the_basin_of_a_wall_in_two_dimensions() -> None:
    """Where every row is the same, the share is that of a line; corners and constant walls begin no basin."""
    line = Axis("x", -3.0, 3.0, 60, boundary="absorb", nodes="cell")
    across = Axis("y", 0.0, 1.0, 9, boundary="reflect")
    one = Landscape.from_function(lambda x: np.exp(-2 * x**2), Grid(line), faces={"x": (0.0, 1.5)})
    two = Landscape.from_function(lambda x, y: np.exp(-2 * x**2) + 0 * y, Grid(line, across), faces={"x": (0.0, 1.5)})
    cold = Axis("y", 0.0, 1.0, 9, boundary="absorb", nodes="cell")
    three = Landscape.from_function(
        lambda x, y: np.exp(-2 * x**2 - 4 * (y - 0.5) ** 2),
        Grid(line, cold),
        faces={"x": (0.0, 0.0), "y": (0.0, 0.0)},
    )
    levels = {"x": [0.2, 0.6], "y": [0.0, 0.0]}
    plain, wide = basins(solve(one, [0.2, 0.6])), basins(solve(two, levels))
    for a, b in zip(plain.partitions, wide.partitions, strict=True):
        np.testing.assert_allclose(a.shares, b.shares, rtol=0, atol=1e-12)
        assert a.positions[:, 0].tolist() == b.positions[:, 0].tolist()
    for partition in basins(solve(three, [0.05, 0.2])).partitions:
        assert len(partition) == 1 and abs(partition.positions[0]).max() <= 0.55
