"""Labels of axes: what figures, pages and files call them, and that no result and no identity depends on them."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from heatpg import Axis, Grid, Landscape, load, save
from heatpg.errors import GridError
from heatpg.evolution import Evolution, solve
from heatpg.viewer import page

LABEL = r"hip $\theta$, left"


def flow(label: str = LABEL, name: str = "hill") -> Evolution:
    grid = Grid(
        Axis("x", -1.0, 1.0, 33, boundary="clip", unit="rad", label=label), Axis("y", -1.0, 1.0, 33, boundary="clip")
    )
    x, y = grid.mesh()
    return solve(Landscape(np.exp(-4 * (x**2 + 2 * y**2)), grid, name), [0.2, 0.3, 0.4])


def texts(figure: Any) -> list[str]:
    from matplotlib.text import Text

    figure.savefig(io.BytesIO(), format="svg")
    return [one.get_text() for one in figure.findobj(Text)]


def test_a_label_is_no_part_of_what_an_axis_is() -> None:
    one, other = (Axis("x", 0.0, 1.0, 5, boundary="clip", label=label) for label in (LABEL, ""))
    assert one == other and hash(one) == hash(other) and repr(one) == repr(other)
    assert (one.title, other.title) == (LABEL, "x")
    with pytest.raises(GridError, match="label must be text"):
        Axis("x", 0.0, 1.0, 5, boundary="clip", label=3)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["summary", "multiples", "study", "waterfall", "fingerprint", "maxima"])
def test_figures_use_it(kind: str) -> None:
    told = texts(flow().plot(kind))
    assert any(LABEL in text for text in told)
    assert not any(text in ("x", "x (rad)") for text in told)


def test_pages_use_it() -> None:
    text = page(flow())
    # in the table as it is; beside the axis as it is read, since a canvas sets no mathematics
    assert LABEL.replace("\\", "\\\\") in text
    assert '"label":"hip theta, left (rad)"' in text


@pytest.mark.parametrize("bad", [r"$\unheard{$ of", "5 $", r"$\frac{1}$", "a$b$c$", r"\$ 5"])
@pytest.mark.parametrize("kind", ["summary", "multiples", "fingerprint", "maxima"])
def test_what_is_no_mathematics_is_drawn_as_it_is(bad: str, kind: str) -> None:
    """In a label as in the name of a landscape."""
    assert texts(flow(label=bad).plot(kind)) and texts(flow(name=bad).plot(kind))


def test_mathematics_in_a_name_is_drawn() -> None:
    assert any(text.startswith(r"$\phi^2$") for text in texts(flow(name=r"$\phi^2$").plot("summary")))


def test_files_and_xarray_keep_it(tmp_path: Path) -> None:
    path = tmp_path / "labelled.h5"
    save(flow(), path)
    again = load(path).grid
    assert [axis.label for axis in again] == [LABEL, ""]
    data = flow().to_xarray()
    assert data["x"].attrs["long_name"] == LABEL and data["y"].attrs["long_name"] == "y"
    back = Landscape.from_xarray(data["landscape"]).grid
    assert [axis.label for axis in back] == [LABEL, ""]
    # with another boundary they are axes of their own
    other = Landscape.from_xarray(data["landscape"], boundary="reflect").grid
    assert [axis.label for axis in other] == [LABEL, ""]


@pytest.mark.parametrize("engine", ["netcdf4", "scipy"])
def test_files_of_others_bring_it(engine: str, tmp_path: Path) -> None:
    xarray = pytest.importorskip("xarray")
    if engine == "netcdf4":
        pytest.importorskip("netCDF4")
    x = np.linspace(0.0, 1.0, 9)
    data = xarray.DataArray(
        np.cos(3 * x), dims="hip", coords={"hip": ("hip", x, {"long_name": LABEL, "units": "rad"})}, name="q"
    )
    data.to_netcdf(tmp_path / "q.nc", engine=engine)
    axis = Landscape.from_file(tmp_path / "q.nc", boundary="clip").grid[0]
    assert (axis.name, axis.label, axis.unit) == ("hip", LABEL, "rad")


def test_the_identity_of_a_task_has_no_empty_label(tmp_path: Path) -> None:
    """The description of an axis without a label is what it was before there were labels."""
    import h5py

    for label, has in (("", False), (LABEL, True)):
        path = tmp_path / f"{has}.h5"
        save(flow(label), path)
        with h5py.File(path) as file:
            assert ('"label"' in str(file.attrs["heatpg_spec"])) is has
