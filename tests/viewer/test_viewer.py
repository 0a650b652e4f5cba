"""The page of an evolution: what is in it, how far it is rounded, how large it gets, and what it must not do."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import zlib
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from heatpg import Axis, Grid, Landscape, evolve, landscapes
from heatpg.cli import main
from heatpg.errors import NonFiniteError, OptionError, UnsupportedError
from heatpg.evolution import Evolution, solve
from heatpg.planes import Draws, evolve_plane
from heatpg.risk import distribution
from heatpg.scalespace import basins
from heatpg.tools.lines import visible
from heatpg.tools.pages import own_text
from heatpg.viewer import document, page, structure
from heatpg.viewer.packing import BITS, Packed, expected_size, fits, pack, quantise

HOSTILE = '</script><script>alert(1)</script><!-- <script> & "quoted" \u2028 @@DATA@@ \\u003c'


def grid(*sizes: int, boundary: str = "clip", unit: str = "") -> Grid:
    return Grid(*(Axis(f"x{i + 1}", -1.0, 1.0, n, boundary=boundary, unit=unit) for i, n in enumerate(sizes)))


def inflate(text: str) -> bytes:
    return zlib.decompress(base64.b64decode(text, validate=True), wbits=-15)


def unpack(packed: Packed | dict[str, Any], shape: tuple[int, ...]) -> np.ndarray:
    """The inverse of `pack`, as viewer.js has it."""
    one = packed if isinstance(packed, dict) else {**vars(packed), "data": packed.text}
    high, low = np.frombuffer(inflate(one["data"]), np.uint8).reshape(2, -1).astype(np.uint16)
    zigzag = (high << 8) | low
    codes = ((zigzag >> 1) ^ (0 - (zigzag & 1)).astype(np.uint16)).reshape(shape)
    for _ in range(one["passes"]):
        for axis in range(len(shape)):
            codes = np.cumsum(codes, axis=axis, dtype=np.uint16)
    return np.asarray(one["low"] + one["step"] * codes.astype(np.float64))


def content(text: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    assert found is not None
    return dict(json.loads(found[1]))


def bumps(size: int = 201, sigma: Any = (0.2, 0.4, 0.8, 1.6)) -> Evolution:
    return solve(landscapes.unequal_bumps(size=size), sigma)


# Packing


@pytest.mark.parametrize("bits", BITS)
@pytest.mark.parametrize("shape", [(3,), (64,), (17, 5), (6, 7, 8)])
@pytest.mark.parametrize("kind", ["smooth", "noise", "constant", "step", "float32"])
def test_packing_keeps_values_within_half_a_step(
    kind: str, shape: tuple[int, ...], bits: int, rng: np.random.Generator
) -> None:
    values = np.linspace(-3.0, 2.0, int(np.prod(shape))).reshape(shape) ** 2
    if kind == "noise":
        values = rng.standard_normal(shape)
    elif kind == "constant":
        values = np.full(shape, 0.1)
    elif kind == "step":
        values = np.where(values > 1, 1e5, -1e-3)
    elif kind == "float32":
        values = values.astype(np.float32)
    packed = pack(values, bits)
    width = float(values.max()) - float(values.min())
    assert packed.step == pytest.approx(width / (2**bits - 1), rel=1e-12)
    assert np.abs(unpack(packed, shape) - values).max() <= packed.step / 2 + 1e-15 * np.abs(values).max()


@pytest.mark.parametrize("values", [[-1e308, 0.0, 1e308], [0.0, 1e-310, 2e-310], [5e-324, 0.0, 0.0]])
def test_packing_of_the_ends_of_the_numbers(values: list[float]) -> None:
    """The range of the first overflows, the others are denormal; a range that cannot be divided is rounded away."""
    field = np.array(values)
    packed = pack(field, 16)
    halves = 0.5 * packed.low + 0.5 * packed.step * quantise(field, 16).codes
    assert np.abs(halves - 0.5 * field).max() <= max(0.26 * packed.step, 5e-324)


def test_smooth_fields_are_predicted_and_noise_is_not(rng: np.random.Generator) -> None:
    x = np.linspace(-2.0, 2.0, 96)
    smooth = pack(np.exp(-(x[:, None] ** 2) - x**2), 16)
    noise = pack(rng.uniform(size=(96, 96)), 12)
    assert (smooth.passes, noise.passes) == (2, 0)
    assert len(smooth.text) < 0.75 * len(noise.text)
    assert len(noise.text) < 1.05 * 96 * 96 * 12 / 6  # 6 bits a letter


def test_expected_size_is_near_the_size(rng: np.random.Generator) -> None:
    frames = [rng.standard_normal((300, 200)) for _ in range(3)]
    size = sum(len(pack(frame, 14).text) for frame in frames)
    assert expected_size(frames, 1, 14) == pytest.approx(size, rel=0.01)
    assert expected_size(frames, 2, 14) == pytest.approx(size / 4, rel=0.03)


# What is in a page


@pytest.mark.parametrize("sizes", [(101,), (24, 31), (8, 9, 10)])
def test_values_of_the_page_are_those_of_the_evolution(sizes: tuple[int, ...], rng: np.random.Generator) -> None:
    flow = solve(Landscape(rng.standard_normal(sizes), grid(*sizes, unit="N")), [0.2, 0.3, 0.5])
    found = content(page(flow))
    assert [axis["size"] for axis in found["axes"]] == list(sizes)
    assert (found["bits"], found["stride"], found["unit"]) == (16, 1, "N")
    assert [frame["label"] for frame in found["frames"]] == ["Q, σ = 0", "σ = 0.2 N", "σ = 0.3 N", "σ = 0.5 N"]
    assert found["abscissa"] == [0.0, 0.2, 0.3, 0.5]
    assert found["range"] == [flow.landscape.values.min(), flow.landscape.values.max()]
    for frame, field in zip(found["frames"], [flow.landscape.values, *flow.values], strict=True):
        assert np.abs(unpack(frame, sizes) - field).max() <= frame["step"] / 2 * (1 + 1e-9)
        index = tuple(frame["best"]["index"])
        assert field[index] == field.max() == frame["best"]["value"]
        assert frame["best"]["initial"] == flow.landscape.values[index]
        assert tuple(frame["best"]["place"]) == flow.grid.point(index)
    worst = max(frame["step"] for frame in found["frames"]) / 2
    assert f"stored in 16 bits, with an error of at most {worst:.2g}" in " ".join(found["notes"])


@pytest.mark.parametrize("minimise", [False, True])
@pytest.mark.parametrize("sizes", [(101,), (24, 31), (8, 9, 10)])
def test_the_layer_of_the_worst_returns(sizes: tuple[int, ...], minimise: bool, rng: np.random.Generator) -> None:
    q = Landscape(rng.standard_normal(sizes), grid(*sizes), minimise=minimise)
    # a sigma of 0 is Q again, and no frame
    flow = solve(q, [0.0, 0.3, 0.5])
    found = content(page(flow, risk=0.2, tracks=False, basins=False))
    tail = distribution(q, [0.3, 0.5], solver=flow.solver.name).tail_mean(0.2)
    assert len(found["risk"]["frames"]) == 2 == len(found["frames"]) - 1
    for frame, values in zip(found["risk"]["frames"], tail.values, strict=True):
        # both within their bounds
        assert np.abs(unpack(frame, sizes) - values).max() <= frame["step"] / 2 * (1 + 1e-9) + 2 * tail.tolerance
        value = values.min() if minimise else values.max()
        assert frame["best"]["value"] == pytest.approx(value, abs=2 * tail.tolerance)
        assert frame["least"] < frame["most"]
    for frame, mean in zip(found["risk"]["frames"], flow.values[1:], strict=True):
        # the worst returns are worse than the mean, of a loss larger
        apart = unpack(frame, sizes) - mean
        assert (apart >= -frame["step"] if minimise else apart <= frame["step"]).all()
    assert "mean of the worst 20 %" in found["risk"]["name"] and found["risk"]["symbol"] == "CVaR 20 %"
    words = " ".join(found["notes"])
    assert "The layer of the worst 20 %" in words and ("smallest value" if minimise else "largest value") in words
    assert content(page(flow, tracks=False, basins=False))["risk"] is None


def test_the_colours_of_a_loss_span_its_range() -> None:
    q = Landscape(np.linspace(0.0, 1.0, 101) ** 2, grid(101), minimise=True)
    for frame in content(page(solve(q, [0.3]), tracks=False, basins=False))["frames"]:
        assert frame["most"] - frame["least"] > 0.5 and frame["best"]["value"] == frame["least"]


def test_a_layer_without_noise_is_none_and_its_bounds_are_named() -> None:
    flat = content(page(bumps(sigma=[0.0]), risk=0.1, tracks=False, basins=False))
    assert flat["risk"] is None
    words = " ".join(content(page(bumps(), risk=0.1))["notes"])
    assert "accurate to" in words and "(spacing / sigma)^2" in words


def test_intervals_of_draws_have_the_freedom_of_their_repeats() -> None:
    """Sixteen repeats of Sobol' points, or as many draws as there were: t at .975 from a table."""
    plane = Landscape.from_function(lambda x, y: np.exp(-(x**2) - y**2), grid(21), dimensions=2)
    for points, count, t in (("sobol", 256, 2.131450), ("random", 16, 2.131450), ("random", 61, 2.000298)):
        flow = evolve_plane(plane, [0.5], Draws(count=count, points=points, antithetic=False), checks="none")
        found = content(page(flow, tracks=False, basins=False))
        best = found["frames"][1]["best"]
        assert flow.standard_error is not None
        assert best["error"] == pytest.approx(t * flow.standard_error[0][tuple(best["index"])], rel=1e-5)
        assert f"{t:.3g} standard errors over the draws" in " ".join(found["notes"])


def test_a_layer_that_cannot_be_had_is_refused() -> None:
    for bad in (0.0, 1.5, float("nan")):
        with pytest.raises(OptionError):
            page(bumps(), risk=bad)


def test_margins_are_those_of_the_grid() -> None:
    flow = bumps()
    found = content(page(flow, tracks=False, basins=False))
    assert found["frames"][0]["margins"] is None
    assert found["frames"][2]["margins"] == list(flow.grid.margin(0.4, 0.01))


def test_report_and_provenance_are_in_the_page() -> None:
    flow = evolve(landscapes.quadrotor(size=33), [0.2, 0.4])
    found = content(page(flow))
    assert found["report"] == json.loads(json.dumps(flow.report.as_dict()["checks"]))
    rows = dict(reversed(found["provenance"]))  # the first of each name
    assert rows["solver"].startswith(repr(flow.solver))
    assert "clip (Gaussian policy, actions clipped" in rows["axis"]
    assert "heatpg" in rows["page made with"]
    assert json.loads(rows["made with"]) == json.loads(json.dumps(flow.landscape.provenance))


def test_tracks_and_events() -> None:
    """The lower bump dies where its second derivative vanishes with its first: tests/scalespace knows that sigma."""
    flow = bumps(401, np.geomspace(0.05, 2.0, 24))
    found = content(page(flow))
    (death,) = found["tracks"]["events"]
    assert (death["kind"], death["resolved"]) == ("death", True)
    assert found["abscissa"][int(death["frame"])] < death["sigma"] < found["abscissa"][int(death["frame"]) + 1]
    long, short = sorted(found["tracks"]["tracks"], key=lambda one: -len(one["places"]))
    assert long["begin"] == short["begin"] == 1
    assert (len(long["places"]), len(short["places"])) == (24, int(death["frame"]))
    assert (long["death"], short["death"]["sigma"]) == (None, death["sigma"])
    for k in range(1, 25):
        assert long["places"][k - 1] == pytest.approx(found["frames"][k]["best"]["place"], abs=flow.grid.spacing[0])


@pytest.mark.parametrize("origin", [0.0, 1.7e9, -1e12])
def test_places_of_tracks_are_those_of_an_axis_far_from_0(origin: float) -> None:
    """To 1e-6 of the length of the axis, or what a double tells apart there."""
    grid = Grid(Axis("x", origin, origin + 4.0, 81, boundary="clip"))
    values = np.exp(-8 * (grid[0].coordinates - origin - 1.3) ** 2)
    found = content(page(solve(Landscape(values, grid), [0.2, 0.3])))
    (one,) = (one for one in found["tracks"]["tracks"] if not one["edge"])
    tolerance = 4e-6 + np.spacing(abs(origin))
    # symmetric about its top, so that it stays there but for the tail that the box cuts off
    assert np.abs(np.array(one["places"]) - (origin + 1.3)).max() < 1e-3 + tolerance
    assert one["places"][0][0] == pytest.approx(found["frames"][1]["best"]["place"][0], abs=0.025)


def test_tracks_begin_where_the_grid_resolves_them(monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator) -> None:
    flow = solve(Landscape(rng.standard_normal((48, 48)), grid(48, 48)), np.geomspace(0.01, 0.5, 9))
    first = int(np.argmax(flow.sigma >= 1.5 * flow.grid.spacing[0]))
    found = content(page(flow))
    assert first > 0
    assert found["tracks"]["first"] == first + 1
    assert (
        f"Tracks begin at σ = {flow.sigma[first]:.4g}, the first level that is 1.5 grid spacings" in found["notes"][0]
    )
    monkeypatch.setattr(structure, "_MOST_TRACKS", 3)
    monkeypatch.setattr(structure, "_MOST_EVENTS", 1)
    few = content(page(flow))
    assert len(few["tracks"]["tracks"]) == 3
    assert len(few["tracks"]["events"]) == 1
    assert "3 of " in few["notes"][0]
    assert "of their events are not shown" in few["notes"][0]
    best = few["frames"][-1]["best"]["place"]
    assert any(np.allclose(one["places"][-1], best, atol=0.06) for one in few["tracks"]["tracks"])
    monkeypatch.setattr(structure, "_MOST_MAXIMA", {2: 5})
    assert content(page(flow))["tracks"]["first"] > first + 1
    monkeypatch.setattr(structure, "_MOST_MAXIMA", {2: 0})
    assert "no noise level is at least 1.5 grid spacings with at most 0 maxima" in content(page(flow))["notes"][0]


@pytest.mark.parametrize("sigma", [[0.1, 0.3, 0.5], [0.0, 0.3, 0.5]])
def test_basins(sigma: list[float], rng: np.random.Generator) -> None:
    sizes = (19, 23)
    flow = solve(Landscape(rng.standard_normal(sizes), grid(*sizes)), sigma)
    found = content(page(flow))
    labels = basins(flow).labels
    assert labels is not None
    assert len(found["basins"]["masks"]) == len(found["frames"]) == (4 if sigma[0] else 3)
    for mask, expected in zip(found["basins"]["masks"], labels, strict=True):
        bits = np.unpackbits(np.frombuffer(inflate(mask), np.uint8))[: 19 * 23]
        assert np.array_equal(bits.reshape(sizes) == 1, expected == 0)
    assert found["basins"]["counts"] == basins(flow).counts.tolist()
    assert found["basins"]["shares"] == pytest.approx(basins(flow).of_optimum(), rel=1e-3)


# What cannot be shown is left out, and the page says why


def notes(flow: Evolution, **options: Any) -> str:
    return " ".join(content(page(flow, **options))["notes"])


def test_a_flat_landscape() -> None:
    said = notes(solve(Landscape(np.ones((9, 9)), grid(9, 9)), [0.4, 0.8]))
    assert "Tracks of maxima are not shown: " in said
    assert "Basins are not shown: a constant field has no maximum" in said


def test_correlated_noise() -> None:
    q = landscapes.ridge(size=21)
    flow = solve(q, None, covariance=[[[0.04, 0.01], [0.01, 0.04]], [[0.16, 0.04], [0.04, 0.16]]])
    assert "Tracks of maxima are not shown: tracks need sigma" in notes(flow)
    assert content(page(flow))["frames"][1]["label"].endswith("ρ = 0.25")


def test_one_sigma_and_none() -> None:
    assert "tracks need at least two noise levels" in notes(bumps(sigma=0.5))
    found = content(page(bumps(sigma=0.0)))
    assert [frame["label"] for frame in found["frames"]] == ["Q, σ = 0"]
    assert found["subtitle"] == "x −4 to 4 (clip); 201 nodes; 0 noise levels"


def test_sigmas_that_do_not_order_the_frames() -> None:
    q = landscapes.ridge(size=21)
    found = content(page(solve(q, {"x1": [0.1, 0.2, 0.3], "x2": 0.4})))
    assert (found["abscissa"], found["abscissa_name"]) == ([0.0, 1.0, 2.0, 3.0], "level")
    assert "the same ratios" in " ".join(found["notes"])
    assert "is that of the axis with the largest noise" in found["notes"][0]


def test_tracks_and_basins_can_be_left_out() -> None:
    found = content(page(bumps(), tracks=False, basins=False))
    assert (found["tracks"], found["basins"]) == (None, None)
    assert len(found["notes"]) == 1


def test_one_of_a_batch(rng: np.random.Generator) -> None:
    values = rng.standard_normal((2, 3, 40))
    flow = solve(Landscape(values, grid(40)), [0.2, 0.4])
    for index, place in ((0, (0, 0)), (4, (1, 1))):
        found = content(page(flow, batch_index=index))
        assert np.abs(unpack(found["frames"][2], (40,)) - flow.values[(1, *place)]).max() <= found["frames"][2]["step"]
        assert np.abs(unpack(found["frames"][0], (40,)) - values[place]).max() <= found["frames"][0]["step"]
        assert f"Landscape ({place[0]}, {place[1]}) of a batch of shape (2, 3) is shown" in found["notes"][0]
        assert found["tracks"] is not None
    for index in (-1, 6):
        with pytest.raises(OptionError, match=r"(?s)batch index is out of range.*0 to 5"):
            page(flow, batch_index=index)
    with pytest.raises(OptionError, match=r"expected: 0 to 0"):
        page(bumps(), batch_index=1)


def test_four_dimensions_are_refused(rng: np.random.Generator) -> None:
    flow = solve(Landscape(rng.standard_normal((4, 4, 4, 4)), grid(4, 4, 4, 4)), [0.5])
    with pytest.raises(UnsupportedError, match=r"(?s)supports at most three dimensions.*got: 4 axes"):
        page(flow)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_fields_that_are_not_finite_are_refused(bad: float) -> None:
    flow = bumps()
    broken = flow.values.copy()
    broken[1, 7] = bad
    with pytest.raises(NonFiniteError, match="u at level 1"):
        page(Evolution(flow.landscape, flow.sigma, broken, flow.solver, paths=flow.paths))


# Size


def test_white_noise_at_33_levels_of_256_squared_stays_below_5_megabytes(rng: np.random.Generator) -> None:
    base = solve(Landscape(rng.standard_normal((256, 256)), grid(256, 256)), np.geomspace(0.01, 0.3, 32))
    worst = rng.standard_normal((32, 256, 256))
    text = page(Evolution(base.landscape, base.sigma, worst, base.solver, paths=base.paths), tracks=False)
    assert len(text.encode()) < 5_000_000
    found = content(text)
    assert (found["stride"], found["bits"]) == (1, 14)
    assert np.abs(unpack(found["frames"][9], (256, 256)) - worst[8]).max() <= found["frames"][9]["step"] / 2 * (
        1 + 1e-9
    )


def test_a_page_that_must_be_small_is_rounded_then_thinned(rng: np.random.Generator) -> None:
    flow = solve(Landscape(rng.standard_normal((61, 50)), grid(61, 50)), [0.02, 0.05])
    whole = page(flow)
    full, fields = len(whole), sum(len(frame["data"]) for frame in content(whole)["frames"])
    seen = []
    for most_bytes in (full + 1000, full - 3000, full - 12_000, full - fields * 9 // 10):
        text = page(flow, most_bytes=most_bytes)
        assert len(text.encode()) <= most_bytes
        found = content(text)
        stride = found["stride"]
        seen.append((stride, found["bits"]))
        assert [axis["size"] for axis in found["axes"]] == [len(range(0, n, stride)) for n in (61, 50)]
        assert found["axes"][0]["spacing"] == pytest.approx(stride * flow.grid.spacing[0])
        assert ("one of 2 nodes along each axis is shown, 31 x 25 of 61 x 50" in " ".join(found["notes"])) == (
            stride == 2
        )
        for frame, field in zip(found["frames"], [flow.landscape.values, *flow.values], strict=True):
            shown = field[::stride, ::stride]
            assert np.abs(unpack(frame, shown.shape) - shown).max() <= frame["step"] / 2 * (1 + 1e-9)
            assert frame["best"]["value"] == field.max()
        bits = np.frombuffer(inflate(found["basins"]["masks"][2]), np.uint8)
        assert len(bits) == -(-shown.size // 8)
    assert seen[0] == (1, 16)
    assert seen == sorted(seen, key=lambda one: (one[0], -one[1]))
    assert seen[1][0] == 1 and seen[1][1] < 16
    assert seen[3][0] >= 2


def test_a_wrong_guess_of_the_size_does_not_make_a_page_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    flow = bumps(801)
    full = len(page(flow))
    monkeypatch.setattr(document, "fits", lambda *_: True)
    text = page(flow, most_bytes=full - 300)
    assert len(text.encode()) <= full - 300
    assert (content(text)["stride"], content(text)["bits"]) == (1, 14)


def test_frames_that_will_not_fit_are_not_packed(rng: np.random.Generator) -> None:
    frames = [rng.standard_normal((60, 60)) for _ in range(3)]
    assert fits(frames, 1, 16, 3 * 60 * 60 * 16 / 6 * 1.05)
    assert not fits(frames, 1, 16, 3 * 60 * 60 * 16 / 6 * 0.85)
    assert not fits([np.zeros((60, 60))] * 3, 1, 16, 100)


def test_a_limit_that_no_page_fits_in() -> None:
    with pytest.raises(
        OptionError, match=r"the size limit is too small for a page of this evolution\W+got: 20,000 bytes"
    ):
        page(bumps(), most_bytes=20_000)


def test_progress_is_told() -> None:
    seen: list[tuple[int, int]] = []
    page(bumps(), progress=lambda done, total: seen.append((done, total)))
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert seen[-1] == (8, 8)


# Nothing in a page but its own


class Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def hostile() -> Evolution:
    box = Grid(Axis("x", -1.0, 1.0, 41, boundary="clip", unit=HOSTILE))
    q = Landscape(np.exp(-8 * box[0].coordinates ** 2), box, name=HOSTILE, provenance={HOSTILE: [HOSTILE]})
    return solve(q, [0.1, 0.2])


def test_names_cannot_leave_their_place() -> None:
    text = page(hostile())
    assert content(text)["name"] == visible(HOSTILE)
    reader = Reader()
    reader.feed(text)
    assert [tag for tag, _ in reader.tags].count("script") == 2
    assert "alert(1)</script>" not in text
    assert text.count("<!--") == 0


def test_the_policy_allows_the_script_and_the_style_of_the_page_and_nothing_else() -> None:
    text = page(hostile())
    reader = Reader()
    reader.feed(text)
    (policy,) = (attrs["content"] for tag, attrs in reader.tags if attrs.get("http-equiv") == "Content-Security-Policy")
    script = text.rsplit("<script>", 1)[1].rsplit("</script>", 1)[0]
    style = text.split("<style>", 1)[1].split("</style>", 1)[0]
    digests = [base64.b64encode(hashlib.sha256(part.encode()).digest()).decode() for part in (script, style)]
    assert policy == (
        f"default-src 'none'; script-src 'sha256-{digests[0]}'; style-src 'sha256-{digests[1]}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    # the policy comes before everything that it is to hold
    assert text.index("Content-Security-Policy") < text.index("<style>")


def test_the_page_asks_for_nothing() -> None:
    text = page(bumps())
    reader = Reader()
    reader.feed(text)
    for tag, attrs in reader.tags:
        assert tag not in ("img", "iframe", "object", "embed", "base", "video", "audio")
        assert "src" not in attrs and "style" not in attrs
        assert attrs.get("href") in (None, "data:,")
        assert not [name for name in attrs if name.startswith("on")]
    script = own_text("heatpg.viewer", "viewer.js")
    for word in ("innerHTML", "outerHTML", "insertAdjacent", "document.write", "eval(", "Function(", "fetch(", "http:"):
        assert word not in script, word
    for word in ("XMLHttpRequest", "WebSocket", "import(", "https:", "localStorage", "@import", "url("):
        assert word not in script + own_text("heatpg.viewer", "viewer.css"), word


# The command


def test_view(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    bumps().save("bumps.h5")
    assert main(["view", "bumps.h5"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("page ") and lines[-1] == str(tmp_path / "bumps.html")
    assert content((tmp_path / "bumps.html").read_text(encoding="utf-8"))["tracks"] is not None
    assert main(["view", "bumps.h5"]) == 2
    assert "--force" in capsys.readouterr().err
    assert main(["view", "bumps.h5", "--force", "--quiet", "--no-tracks", "--no-basins"]) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'bumps.html'}\n"
    assert content((tmp_path / "bumps.html").read_text(encoding="utf-8"))["tracks"] is None
    assert main(["view", "bumps.h5", "--json", "-o", "sub/other.htm", "--most-bytes", "80 kB"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["bytes"] == Path(told["path"]).stat().st_size <= 80_000
    assert told["command"] == "view"
    assert main(["view", "bumps.h5", "-o", "worst.html", "--risk", "0.1", "--quiet"]) == 0
    assert content((tmp_path / "worst.html").read_text(encoding="utf-8"))["risk"]["symbol"] == "CVaR 10 %"


@pytest.mark.parametrize(
    ("words", "match"),
    [
        (["-o", "page.png"], "the file name of a page must end in .html"),
        (["--most-bytes", "many"], "must be a number of bytes"),
        (["--most-bytes", "9kB"], "the size limit is too small for a page of this evolution"),
        (["--batch-index", "3"], "batch index is out of range"),
        (["--risk", "2"], "--risk is out of range"),
    ],
)
def test_bad_words(words: list[str], match: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bumps(sigma=[0.5]).save(tmp_path / "bumps.h5")
    assert main(["view", str(tmp_path / "bumps.h5"), "-o", str(tmp_path / "page.html"), *words]) == 2
    assert match in capsys.readouterr().err
    assert not list(tmp_path.glob("page*"))


def test_a_file_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["view", str(tmp_path / "missing.h5"), "-o", str(tmp_path / "page.html")]) == 2
    assert "missing.h5" in capsys.readouterr().err
