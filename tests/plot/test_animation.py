"""Animations: every frame, their colours, sizes and durations; files that are complete; pages that load nothing."""

from __future__ import annotations

import base64
import hashlib
import io
import itertools
import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib import colormaps, rc_context
from numpy.typing import NDArray
from PIL import Image, ImageSequence

from heatpg import Axis, Grid, Landscape, errors, landscapes, plot
from heatpg.cli import main
from heatpg.evolution import Evolution, solve
from heatpg.plot import animation
from heatpg.plot.animation import ANIMATIONS, animate

SMALL = (320, 320)
LEVELS = (0.1, 0.2, 0.4)


@pytest.fixture(scope="module")
def flow() -> Evolution:
    grid = Grid(*(Axis(name, -1, 1, 31, boundary="clip", unit="N") for name in "ab"))
    bumps = Landscape.from_function(
        lambda a, b: (
            np.exp(-((a - 0.5) ** 2 + (b - 0.5) ** 2) / 0.01) + 0.6 * np.exp(-((a + 0.4) ** 2 + (b + 0.4) ** 2) / 0.2)
        ),
        grid,
        name="bumps",
    )
    return solve(bumps, LEVELS)


@pytest.fixture
def small_text() -> Iterator[None]:
    """The text that small animations have, for scenes that a test draws by itself."""
    with rc_context({"font.size": animation._SMALL_TEXT}):
        yield


class Sketch(animation._Scene):
    """A scene of plain frames, for tests of what is around them."""

    def __init__(self, evolution: Evolution, size: tuple[int, int], scale: str) -> None:
        self.evolution, self.size, self.grey = evolution, size, 3 if scale == "frame" else 2
        self.levels = list(range(1 + len(evolution)))

    def alternative(self, place: int) -> str:
        return f"frame {place}"

    def pixels(self, place: int) -> NDArray[np.uint8]:
        return np.full((self.size[1], self.size[0], 3), self.grey + 8 * place, dtype=np.uint8)


@pytest.fixture
def sketched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(animation, "_Scene", Sketch)


def frames(content: bytes) -> list[NDArray[np.uint8]]:
    return [np.asarray(frame.convert("RGB")) for frame in ImageSequence.Iterator(Image.open(io.BytesIO(content)))]


def width_of(path: str) -> int:
    with Image.open(path) as image:
        return image.width


def durations(content: bytes) -> list[float]:
    return [frame.info["duration"] for frame in ImageSequence.Iterator(Image.open(io.BytesIO(content)))]


class Page(HTMLParser):
    """What is in a page: its elements, its style and its script."""

    def __init__(self, content: bytes) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.inside: dict[str, str] = {}
        self._last = ""
        self.feed(content.decode())

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.elements.append((tag, {key: value or "" for key, value in attrs}))
        self._last = tag

    def handle_endtag(self, tag: str) -> None:
        self._last = ""

    def handle_data(self, data: str) -> None:
        self.inside[self._last] = self.inside.get(self._last, "") + data

    def all(self, tag: str) -> Iterator[dict[str, str]]:
        return (attributes for name, attributes in self.elements if name == tag)


def pictures(page: Page) -> list[NDArray[np.uint8]]:
    sources = [each["src"].removeprefix("data:image/png;base64,") for each in page.all("img")]
    return [np.asarray(Image.open(io.BytesIO(base64.b64decode(source))).convert("RGB")) for source in sources]


def color_tables(content: bytes) -> tuple[int, list[int]]:
    """Colours in the global table of a GIF, and in the local one of every frame."""
    flags = content[10]
    size = 2 << (flags & 7) if flags & 0x80 else 0
    position = 13 + 3 * size
    local = []
    while content[position] != 0x3B:
        if content[position] == 0x21:
            position += 2
        else:
            assert content[position] == 0x2C
            own = content[position + 9]
            local.append(2 << (own & 7) if own & 0x80 else 0)
            position += 11 + 3 * local[-1]
        while content[position]:
            position += 1 + content[position]
        position += 1
    return size, local


@pytest.mark.parametrize("kind", ANIMATIONS)
def test_a_frame_for_q_and_for_every_stored_sigma(flow: Evolution, kind: str) -> None:
    content = animate(flow, format=kind, size=(340, 320))
    found = pictures(Page(content)) if kind == "html" else frames(content)
    assert len(found) == 1 + len(LEVELS)
    assert {frame.shape for frame in found} == {(320, 340, 3)}
    for earlier, later in itertools.pairwise(found):
        assert (earlier != later).any(axis=-1).mean() > 0.01


@pytest.mark.parametrize("kind", ANIMATIONS)
def test_the_same_bytes_every_time(flow: Evolution, kind: str) -> None:
    assert animate(flow, format=kind, size=SMALL) == animate(flow, format=kind, size=SMALL)


def test_the_headings_name_the_stored_sigmas_only(flow: Evolution) -> None:
    scene = animation._Scene(flow, (480, 480), "landscape")
    headings = []
    for place in range(len(scene.levels)):
        scene.pixels(place)
        headings.append(scene.figure.get_suptitle())
    assert headings == ["bumps: Q (σ = 0)", *(f"bumps: u at σ = {level:g} N" for level in LEVELS)]


def test_the_fields_are_those_of_their_levels(flow: Evolution) -> None:
    scene = animation._Scene(flow, SMALL, "landscape")
    for place, values in enumerate([flow.landscape.values, *flow.values]):
        scene.pixels(place)
        np.testing.assert_array_equal(np.asarray(scene.main.images[0].get_array()), values.T)
        mark = np.asarray(scene.mark.get_xydata())
        np.testing.assert_array_equal(mark, [[place, values.max()]])


def test_a_stored_zero_is_q_and_shown_once(flow: Evolution) -> None:
    again = solve(flow.landscape, [0.0, 0.2])
    assert len(frames(animate(again, format="gif", size=SMALL))) == 2


def test_colours_stay_those_of_q_unless_asked(flow: Evolution) -> None:
    low, high = float(flow.landscape.values.min()), float(flow.landscape.values.max())
    fixed, own = (animation._Scene(flow, SMALL, scale) for scale in ("landscape", "frame"))
    for place, values in enumerate([flow.landscape.values, *flow.values]):
        fixed.pixels(place)
        own.pixels(place)
        assert fixed.main.images[0].get_clim() == (low, high)
        assert own.main.images[0].get_clim() == (float(values.min()), float(values.max()))
        assert "on its own scale" in " ".join(own.figure.get_suptitle().split())
        assert "scale" not in fixed.figure.get_suptitle()


def test_nothing_moves_from_frame_to_frame(flow: Evolution) -> None:
    scene = animation._Scene(flow, SMALL, "landscape")
    places = []
    for place in range(len(scene.levels)):
        scene.pixels(place)
        places.append([ax.get_position().extents for ax in scene.figure.axes])
    np.testing.assert_array_equal(places, np.broadcast_to(places[0], np.shape(places)))


def test_the_trail_is_where_the_argmax_was_and_jumps_are_not_joined(flow: Evolution) -> None:
    tops = [np.unravel_index(int(values.argmax()), values.shape) for values in [flow.landscape.values, *flow.values]]
    expected = np.array([flow.grid.point(tuple(int(i) for i in top)) for top in tops])
    assert np.abs(np.diff(expected, axis=0)).max() > 0.5  # the optimum jumps from one bump to the other
    scene = animation._Scene(flow, SMALL, "landscape")
    scene.pixels(3)
    line, dots = (np.asarray(each.get_xydata()) for each in scene.main.lines[-2:])
    np.testing.assert_array_equal(dots, expected[:-1])
    gaps = np.flatnonzero(np.isnan(line[:, 0]))
    assert len(gaps) == 1
    np.testing.assert_array_equal(np.delete(line, gaps, axis=0), expected)
    assert np.abs(expected[gaps[0]] - expected[gaps[0] - 1]).max() > 0.5


@pytest.mark.usefixtures("small_text")
def test_a_gif_has_one_palette_and_no_dithering(flow: Evolution) -> None:
    content = animate(flow, format="gif", size=(320, 320))
    size, local = color_tables(content)
    assert size == 256
    assert local == [0] * (1 + len(LEVELS))
    palette = {tuple(colour) for colour in animation._palette().tolist()}
    scene = animation._Scene(flow, (320, 320), "landscape")
    nearest = animation._Nearest(animation._palette())
    for place, frame in enumerate(frames(content)):
        assert {tuple(colour) for colour in np.unique(frame.reshape(-1, 3), axis=0).tolist()} <= palette
        pixels = scene.pixels(place)
        np.testing.assert_array_equal(frame, animation._palette()[nearest(pixels)])


def test_the_map_keeps_its_colours() -> None:
    palette = animation._palette()
    table = np.rint(255.0 * colormaps["viridis"](np.arange(256))[None, :, :3]).astype(np.uint8)
    off = np.abs(table.astype(int) - palette[animation._Nearest(palette)(table)])
    assert off.max() <= 3  # of 255, so no bands are seen


def test_the_nearest_colour_is_the_nearest() -> None:
    palette = animation._palette()
    assert len(np.unique(palette, axis=0)) == len(palette) == 256
    colours = np.random.default_rng(5).integers(0, 256, (20, 30, 3)).astype(np.uint8)
    distance = ((colours[..., None, :].astype(int) - palette.astype(int)) ** 2).sum(axis=-1)
    found = animation._Nearest(palette)(colours)
    np.testing.assert_array_equal(
        np.take_along_axis(distance, found[..., None].astype(int), -1)[..., 0], distance.min(-1)
    )
    np.testing.assert_array_equal(animation._Nearest(palette)(palette[None]), [np.arange(256)])


@pytest.mark.usefixtures("small_text")
def test_an_animated_png_is_exact(flow: Evolution) -> None:
    scene = animation._Scene(flow, SMALL, "landscape")
    for place, frame in enumerate(frames(animate(flow, format="apng", size=SMALL))):
        np.testing.assert_array_equal(frame, scene.pixels(place))


@pytest.mark.usefixtures("sketched")
def test_durations_and_loops(flow: Evolution) -> None:
    gif = animate(flow, format="gif", size=SMALL)
    assert durations(gif) == [1000, 150, 150, 1000]
    assert Image.open(io.BytesIO(gif)).info["loop"] == 0
    assert "loop" not in Image.open(io.BytesIO(animate(flow, format="gif", size=SMALL, loop=False))).info
    once = animate(flow, format="apng", size=SMALL, duration=[0.1, 0.2, 0.3, 0.4], loop=False)
    assert durations(once) == [100, 200, 300, 400]
    assert Image.open(io.BytesIO(once)).info["loop"] == 1
    page = Page(animate(flow, format="html", size=SMALL, duration=0.5, loop=False))
    body = next(page.all("body"))
    assert (body["data-seconds"], body["data-loop"]) == ("[0.5, 0.5, 0.5, 0.5]", "false")


def test_other_levels_are_solved_from_q(flow: Evolution, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Evolution] = []

    def watched(evolution: Evolution, size: tuple[int, int], scale: str) -> animation._Scene:
        seen.append(evolution)
        return Sketch(evolution, size, scale)

    monkeypatch.setattr(animation, "_Scene", watched)
    animate(flow, format="gif", size=SMALL, sigma=[0.15, 0.3])
    assert seen[0].sigma.tolist() == [0.15, 0.3]
    assert seen[0].solver == flow.solver
    np.testing.assert_array_equal(seen[0].values[1], flow.at(0.3))


@pytest.mark.parametrize(("dimensions", "batch"), [(1, (2,)), (2, ()), (3, (2,))])
def test_any_grid(dimensions: int, batch: tuple[int, ...]) -> None:
    grid = Grid(*(Axis(f"x{i}", 0, 1 + i, 9 + i, boundary="periodic", unit="rad V"[i:]) for i in range(dimensions)))
    values = np.random.default_rng(3).normal(size=(*batch, *grid.shape))
    levels = {axis.name: [0.1, 0.2] for axis in grid}
    evolution = solve(Landscape(values, grid, "noise"), levels)
    scene = animation._Scene(evolution, SMALL, "frame" if batch else "landscape")
    assert {scene.pixels(place).shape for place in range(3)} == {(320, 320, 3)}
    heading = " ".join(scene.figure.get_suptitle().split())
    assert ("first of 2 landscapes" in heading) is bool(batch)
    assert ("x2 =" in heading) is (dimensions == 3)


def test_a_page_loads_nothing_and_says_what_it_shows(flow: Evolution) -> None:
    flow = solve(Landscape(flow.landscape.values, flow.grid, "<b>&\"'</script>"), LEVELS)
    content = animate(flow, format="html", size=SMALL)
    page = Page(content)
    policy = next(each["content"] for each in page.all("meta") if "http-equiv" in each)
    assert policy.startswith("default-src 'none'; ") and " img-src data:; " in policy
    for tag in ("style", "script"):
        digest = base64.b64encode(hashlib.sha256(page.inside[tag].encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert not re.search(rb"https?:|//|@import|url\(", re.sub(rb'src="data:[^"]*"', b"", content))
    assert not any(key.startswith("on") for _, attributes in page.elements for key in attributes)
    assert [tag for tag, _ in page.elements if tag in ("b", "iframe", "object")] == []
    # the icon, which a browser would ask for otherwise, is empty
    assert [each["href"] for each in page.all("link")] == ["data:,"]
    assert len(list(page.all("script"))) == 1
    assert page.inside["title"] == "<b>&\"'</script> against σ"
    words = [each["alt"] for each in page.all("img")]
    assert words[1] == "u at σ = 0.1 N: largest value 0.545 at a = −0.4, b = −0.4"
    assert [each.get("class") for each in page.all("img")] == ["shown", None, None, None]
    assert next(page.all("input"))["max"] == "3"


@pytest.mark.usefixtures("sketched")
def test_files_are_complete_or_not_there(flow: Evolution, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "a.gif"
    content = animate(flow, target, size=SMALL)
    assert target.read_bytes() == content
    with pytest.raises(errors.StoreError, match="exists"):
        animate(flow, target, size=SMALL)
    animate(flow, target, size=SMALL, duration=0.5, force=True)
    assert target.read_bytes() != content
    assert animate(flow, tmp_path / "b.PNG", format="apng", size=SMALL).startswith(b"\x89PNG")

    def broken(*arguments: Any) -> bytes:
        raise OSError("no")

    before = target.read_bytes()
    monkeypatch.setitem(animation._WRITERS, "gif", broken)
    with pytest.raises(OSError, match="no"):
        animate(flow, target, size=SMALL, force=True)
    assert target.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.gif", "b.PNG"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "no format"),
        ({"path": "a.mp4"}, r"\.gif, \.apng, \.html"),
        ({"format": "gfi"}, "gif"),
        ({"path": "a.gif", "format": "apng"}, "disagree"),
        ({"format": "gif", "scale": "q"}, "landscape"),
        ({"format": "gif", "size": (100, 400)}, "320 to 4096"),
        ({"format": "gif", "size": (400,)}, "320 to 4096"),
        ({"format": "gif", "size": (400.5, 400)}, "320 to 4096"),
        ({"format": "gif", "size": (float("inf"), 400)}, "320 to 4096"),
        ({"format": "gif", "size": (float("nan"), 400)}, "320 to 4096"),
        ({"format": "gif", "size": 400}, "320 to 4096"),
        ({"format": "gif", "duration": 0.0}, "0.02 to 60"),
        ({"format": "gif", "duration": float("nan")}, "0.02 to 60"),
        ({"format": "gif", "duration": float("inf")}, "0.02 to 60"),
        ({"format": "gif", "duration": []}, "0.02 to 60"),
        ({"format": "gif", "duration": [0.1, 0.1]}, "per frame .4"),
        ({"format": "gif", "duration": "fast"}, "0.02 to 60"),
        ({"format": "gif", "sigma": []}, "sigma is empty"),
        ({"format": "gif", "sigma": [-1.0]}, "not negative"),
    ],
)
def test_bad_input(flow: Evolution, options: dict[str, Any], said: str) -> None:
    with pytest.raises((errors.OptionError, errors.UnknownNameError, errors.SigmaError), match=said):
        animate(flow, **options)


def test_correlated_noise(flow: Evolution) -> None:
    evolution = solve(
        Landscape(flow.landscape.values, Grid(*(Axis(n, -1, 1, 31, boundary="periodic") for n in "ab"))),
        covariance=[[0.02, 0.01], [0.01, 0.02]],
    )
    assert len(frames(animate(evolution, format="gif", size=SMALL))) == 2
    with pytest.raises(errors.UnsupportedError, match="covariance"):
        animate(evolution, format="gif", sigma=0.1)


def test_fields_that_are_not_finite(flow: Evolution) -> None:
    spoiled = solve(flow.landscape, LEVELS)
    values = spoiled.values.copy()
    values[1, 3, 3] = np.nan
    spoiled.values = values
    with pytest.raises(errors.NonFiniteError, match=r"σ = 0.2"):
        animate(spoiled, format="gif", size=SMALL)


def test_too_many_frames_for_the_memory(flow: Evolution, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("heatpg.tools.resources.available_memory", lambda: 2**20)
    monkeypatch.setattr("heatpg.tools.resources._NOT_WORTH_ASKING", 0)
    with pytest.raises(errors.ResourceError, match="4 frames"):
        animate(flow, format="gif", size=(4096, 4096))


def test_without_pillow(flow: Evolution, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    with pytest.raises(errors.MissingPackageError, match="pip install pillow"):
        animate(flow, format="gif", size=SMALL)


def test_needs_no_window(tmp_path: Path) -> None:
    code = (
        "import sys, heatpg.plot\n"
        "assert not {'matplotlib', 'PIL'} & set(sys.modules)\n"
        "from heatpg import landscapes\n"
        "from heatpg.evolution import solve\n"
        "heatpg.plot.animate(solve(landscapes.ridge(size=11), 0.3), 'a.gif', size=(320, 320))\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "a.gif").stat().st_size > 2_000


# The command -------------------------------------------------------------------------------------------------------


@pytest.fixture
def stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    solve(landscapes.ridge(size=21), [0.2, 0.4]).save("ridge.h5")
    return tmp_path / "ridge.h5"


@pytest.mark.usefixtures("sketched")
def test_show_goes_by_the_ending(stored: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small = ["--size", "320x330", "--quiet"]
    for ending, begin in (("gif", b"GIF89a"), ("apng", b"\x89PNG"), ("HTML", b"<!doctype html>")):
        assert main(["show", "ridge.h5", "-o", f"a.{ending}", *small]) == 0
        assert Path(f"a.{ending}").read_bytes().startswith(begin)
        assert capsys.readouterr().out.splitlines() == [str(stored.with_name(f"a.{ending}"))]
    assert frames(Path("a.gif").read_bytes())[0].shape == (330, 320, 3)
    more = ["--sigma", "0.1:0.4:5", "--duration", "0.3", "--scale", "frame", "--force", "--json"]
    assert main(["show", "ridge.h5", "-o", "a.gif", *small, *more]) == 0
    assert '"kind": "animation"' in capsys.readouterr().out
    assert durations(Path("a.gif").read_bytes()) == [300] * 6
    assert main(["show", "ridge.h5", "-o", "a.gif", *small]) == 2
    assert "--force" in capsys.readouterr().err


def test_show_for_print(stored: Path) -> None:
    assert main(["show", "ridge.h5", "--figure", "a.png", "--kind", "checks", "--width", "column", "--quiet"]) == 0
    assert width_of("a.png") == 3.5 * 300
    assert main(["show", "ridge.h5", "-o", "b.png", "--kind", "checks", "--width", "4", "--quiet"]) == 0
    assert width_of("b.png") == 4 * 300


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("a.gif --kind maxima", "--kind maxima"),
        ("a.gif --width column", "--width column"),
        ("a.png --size 300x300", "--size"),
        ("a.png --duration 1", "--duration"),
        ("a.png --scale frame", "--scale"),
        ("a.png --sigma 0.1", "--sigma 0.1"),
        ("a.png --width wide", "'column'"),
        ("a.png --width nan", "inches"),
        ("a.gif --size 300", "720x720"),
        ("a.gif --size 1x1", "320 to 4096"),
        ("a.gif --duration 0", "0.02"),
        ("a.gif --sigma no", "invalid sigma"),
        ("a.mp4", ".gif"),
    ],
)
def test_show_refuses(words: str, said: str, stored: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "ridge.h5", "--figure", *words.split()]) == 2
    assert said in capsys.readouterr().err
    assert [path.name for path in stored.parent.iterdir()] == ["ridge.h5"]


def test_animate_is_in_the_package() -> None:
    assert plot.animate is animate


@pytest.mark.parametrize(
    ("sigma", "shown"),
    [
        (np.geomspace(0.05, 1.0, 16), [0.0, 0.1, 0.2, 0.5, 1.0]),
        (np.linspace(0.05, 0.4, 8), np.linspace(0.0, 0.4, 9)),  # short as they are
        ([0.0604, 0.0801], [0.0, 0.0604, 0.0801]),  # nothing short lies between them
        ([0.3333, 0.1234, 0.7], [0.0, 0.3333, 0.1234, 0.7]),  # in no order
    ],
)
def test_sigmas_of_few_digits_below_the_strip(sigma: Any, shown: Any) -> None:
    stored = np.array([0.0, *sigma])
    ticks = animation._round_ticks(stored, 9)
    np.testing.assert_allclose([value for _, value in ticks], shown)
    places = [place for place, _ in ticks]
    np.testing.assert_allclose(np.interp(places, range(len(stored)), stored), shown)
    assert len(animation._round_ticks(stored, 3)) <= 4
