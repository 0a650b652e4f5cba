"""Every public function, called wrongly: an error of heatpg that says what to write, and never a bare one of Python."""

from __future__ import annotations

import importlib
import inspect
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib import pyplot

import heatpg
from heatpg import Axis, Grid, HeatpgError, HeatpgWarning, Landscape, evolve, plot, smooth, study
from heatpg.errors import KeywordError, OptionError
from heatpg.scalespace import Shape, ascent_labels, power_spectrum, price, track
from heatpg.solvers import Spectral
from heatpg.tools.calls import require_kind
from heatpg.tools.faces import homes

ROOMS = ("", ".scalespace", ".policy", ".risk", ".intervals", ".planes", ".batch")
OTHERS = (
    "heatpg.plot",
    "heatpg.viewer",
    "heatpg.verify",
    "heatpg.large",
    "heatpg.landscapes",
    "heatpg.interop.ndimage",
)
KINDS = ("Landscape", "Evolution", "ScaleSpace", "Study", "Grid", "Distribution", "SafestAction", "Report")
AXIS = Axis("x", -4.0, 4.0, 65, boundary="clip")
# has no keyword of its own, or hands keywords on
OPEN = {"threads", "mollify", "Width", "rows_of_rank", "claim", "judge", "fields_of_checks"}
OPEN |= {"require_memory_for_checks"}


def functions() -> Iterator[tuple[str, Callable[..., Any]]]:
    """The public functions: those of the stubs, and of rooms without one."""
    found: dict[str, Callable[..., Any]] = {}
    for room in ROOMS:
        package = importlib.import_module(f"heatpg{room}")
        assert package.__file__ is not None
        for name in homes(Path(package.__file__).with_suffix(".pyi"), package.__name__):
            thing = getattr(package, name)
            if inspect.isfunction(thing):
                found[f"{thing.__module__}.{name}"] = thing
    for module in OTHERS:
        package = importlib.import_module(module)
        for name in package.__all__:
            thing = getattr(package, name)
            if inspect.isfunction(thing) and thing.__module__ != "typing":
                found[f"{thing.__module__}.{name}"] = thing
    for name in ("from_array", "from_function", "from_xarray", "from_file"):
        found[f"heatpg.Landscape.{name}"] = getattr(Landscape, name)
    yield from sorted(found.items())


FUNCTIONS = dict(functions())


@pytest.fixture(scope="module")
def things() -> dict[str, Any]:
    """One of each kind, and of what people pass in place of them."""
    q = Landscape.from_function(lambda x: np.exp(-((x - 1) ** 2)) + 0.7 * np.exp(-((x + 1) ** 2)), AXIS)
    page = study(q, [0.1, 0.2, 0.4, 0.8, 1.2])
    return {
        "Landscape": q,
        "Evolution": page.evolution,
        "ScaleSpace": page.space,
        "Study": page,
        "PriceCurve": page.curve,
        "Grid": q.grid,
        "Axis": AXIS,
        "array": np.zeros(10),
        "list": [1.0, 2.0, 3.0],
        "path": "q.h5",
        "Path": Path("q.h5"),
        "number": 3.0,
        "nothing": None,
        "function": np.sin,
    }


def _taken(annotation: str) -> set[str]:
    # an evolution is a record with its methods
    annotation = annotation.replace("Record", "Evolution")
    return {kind for kind in KINDS if kind in annotation.replace("|", " ").replace("[", " ").replace("]", " ").split()}


TAKERS = [
    name
    for name, function in FUNCTIONS.items()
    if (p := list(inspect.signature(function).parameters.values()))
    and _taken(str(p[0].annotation))
    and name.rpartition(".")[2] not in OPEN
]


def test_there_are_many() -> None:
    """Else the walk below would walk nowhere."""
    assert len(TAKERS) > 40 and len(FUNCTIONS) > 90


@pytest.mark.parametrize("name", TAKERS)
def test_another_kind_is_refused_in_words(name: str, things: dict[str, Any]) -> None:
    function = FUNCTIONS[name]
    first, *rest = inspect.signature(function).parameters.values()
    taken = _taken(str(first.annotation))
    needed = [p for p in rest if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD]
    for kind, thing in things.items():
        # an axis or a list may stand for a grid, an array for a landscape of some functions; None where it is allowed
        if kind in taken or "ArrayLike" in str(first.annotation) or (thing is None and "None" in str(first.annotation)):
            continue
        if "GridLike" in str(first.annotation) and kind in ("Axis", "Grid"):
            continue
        with pytest.raises(HeatpgError) as caught, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            function(thing, *(0.5 for _ in needed))
        error = caught.value
        assert not isinstance(error, KeywordError), (kind, error)
        assert type(thing).__name__ in str(error.given), (kind, error)
        # what makes the right one of it can be said of every kind that is an object of heatpg
        if kind in ("Landscape", "Evolution", "ScaleSpace", "Study"):
            assert error.advice, (kind, error)


def _plain(parameter: inspect.Parameter) -> bool:
    """Whether a parameter takes numbers, texts and switches alone."""
    words = {word.strip() for word in str(parameter.annotation).split("|")} - {"None"}
    return bool(words) and words <= {"float", "int", "str", "bool", "ArrayLike"}


@pytest.mark.parametrize("name", [name for name in FUNCTIONS if name.rpartition(".")[2] not in OPEN])
def test_no_number_ends_in_an_error_of_python(
    name: str, things: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a number, a text or a switch is taken, nothing else ends in anything but an error of heatpg."""
    monkeypatch.chdir(tmp_path)  # a text may be the name of a file
    function = FUNCTIONS[name]
    parameters = inspect.signature(function).parameters.values()
    shape = Shape(np.zeros(2), 1.0, 0.0, np.array([100.0, 1.0]), np.eye(2), np.array([0.1, 1.0]))
    right = things | {
        "Record": things["Evolution"],
        "GridLike": things["Grid"],
        "Report": things["Evolution"].report,
        "ArrayLike": np.array([0.5, 1.0]),
        "float": 0.5,
        "int": 2,
        "Shape": shape,
    }
    arguments: dict[str, Any] = {}
    for each in parameters:
        if each.default is each.empty and each.kind in (each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY):
            words = [word.strip() for word in str(each.annotation).split("|")]
            found = [right[word] for word in words if word in right]
            if not found:
                return  # a class of its own, which the other tests have
            arguments[each.name] = [0.3, 0.6] if each.name == "sigma" else found[0]
    for each in filter(_plain, parameters):
        for wrong in ("a", None, [1.0, 2.0], {}, object(), True, float("nan"), 10**400):
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    function(**arguments | {each.name: wrong})
            except HeatpgError:
                pass
    pyplot.close("all")


@pytest.mark.parametrize("name", [name for name in FUNCTIONS if name.rpartition(".")[2] not in OPEN])
def test_an_unknown_keyword_is_answered(name: str) -> None:
    with pytest.raises(KeywordError, match="has no keyword 'no_such_keyword'"):
        FUNCTIONS[name](no_such_keyword=1)


def test_the_advice_runs(things: dict[str, Any]) -> None:
    """What the messages of one function say is code: it is run as it stands."""
    names: dict[str, Any] = {
        "track": track,
        "evolve": evolve,
        "study": study,
        "price": price,
        "heatpg": heatpg,
        "Landscape": Landscape,
        "plot": plot,
        "landscape": things["Landscape"],
        "flow": things["Evolution"],
        "space": things["ScaleSpace"],
        "curve": things["PriceCurve"],
        "values": np.array([0.0, 1.0, 3.0, 2.0, 1.0, 4.0, 0.0, 0.0, 1.0]),
        "sigma": [0.5, 1.0],
    }
    said: dict[tuple[Callable[..., Any], str], str] = {
        (price, "Evolution"): "price(track(flow))",
        (price, "Study"): "price(study.space)",
        (price, "Landscape"): "price(track(evolve(landscape, sigma)))",
        (price, "array"): "price(track(evolve(Landscape.from_array(values, boundary='reflect'), sigma)))",
        (track, "Landscape"): "track(evolve(landscape, sigma))",
        (track, "ScaleSpace"): "track(space.evolution)",
        (study, "ScaleSpace"): "study(space.landscape), or study(space.evolution)",
        (evolve, "Evolution"): "evolve(flow.landscape)",
        (plot.price_curve, "PriceCurve"): "plot.price_curve(space, curve=curve)",
        (plot.fingerprint, "Study"): "plot.fingerprint(study.evolution), or plot.fingerprint(study.space)",
    }
    for (function, kind), expected in said.items():
        with pytest.raises(OptionError) as caught:
            function(things[kind])
        assert expected in caught.value.advice, (function, kind, caught.value.advice)
        for code in caught.value.advice.split(", or "):
            if function is not evolve and not code.startswith("study"):
                eval(code, names | ({"study": things["Study"]} if kind == "Study" else {}))


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: Axis("x", 0.0, 1.0, 8, bounday="clip"), "'boundary'"),  # type: ignore[call-arg]
        (lambda: Axis("x", 0.0, 1.0, n=11, boundary="clip"), "'size'"),  # type: ignore[call-arg]
        (lambda: Landscape.from_array(np.eye(4), boundary="clip", minimize=True), "'minimise'"),  # type: ignore[call-arg]
        (lambda: Landscape(np.zeros(65), AXIS, minimize=True), "'minimise'"),  # type: ignore[call-arg]
        (lambda: heatpg.landscapes.ridge(sze=21), "'size'"),
        (lambda: Spectral(stesp=3), "Spectral() has no keyword 'stesp'"),
        (lambda: smooth(np.zeros(9), 1.0), "smooth() needs boundary"),  # type: ignore[call-arg]
        (lambda: smooth(np.zeros(9)), "smooth() needs sigma and boundary"),  # type: ignore[call-arg]
        (lambda: evolve(), "evolve() needs landscape"),  # type: ignore[call-arg]
        (lambda: smooth(np.zeros(9), 1.0, "clip", 0.5), "pass spacing=, axes=,"),  # type: ignore[call-arg]
        (lambda: smooth(np.zeros(9), 1.0, "clip", sigma=2.0), "smooth() is given sigma twice"),  # type: ignore[misc]
    ],
)
def test_wrong_calls(call: Callable[[], Any], said: str) -> None:
    with pytest.raises(KeywordError) as caught:
        call()
    assert said in str(caught.value)
    assert isinstance(caught.value, TypeError)


def test_a_type_error_within_a_call_is_kept() -> None:
    """What goes wrong in a function of the caller is not taken for a wrong call of ours."""

    def own(x: Any) -> Any:
        return x.no_such(1) if hasattr(x, "no_such") else len(3)  # type: ignore[arg-type]

    with pytest.raises(TypeError) as caught:
        Landscape.from_function(own, AXIS)
    assert not isinstance(caught.value, KeywordError)


def test_one_axis_stands_for_its_grid() -> None:
    grid = Grid(AXIS)
    values = AXIS.coordinates**2
    for given in (AXIS, [AXIS], (AXIS,), grid):
        assert Landscape(values, given).grid == grid
        assert Landscape.from_array(values, given).grid == grid
        assert Landscape.from_function(np.square, given).grid == grid
        assert heatpg.landscapes.unequal_bumps(given).grid == grid
        np.testing.assert_array_equal(power_spectrum(values, given).power, power_spectrum(values, grid).power)
        np.testing.assert_array_equal(ascent_labels(values, given)[0], ascent_labels(values, grid)[0])


def test_a_warning_points_at_the_program_of_the_caller() -> None:
    """However many decorators lie between."""
    landscape = Landscape.from_array(np.eye(8), boundary="reflect")
    with pytest.warns(HeatpgWarning, match="sorted") as caught:
        evolve(landscape, [1.0, 0.5])
    assert caught[0].filename == __file__


def test_a_second_parameter_is_named() -> None:
    with pytest.raises(OptionError, match=r"basin_curve\(\): basins needs Basins"):
        plot.basin_curve(evolve(Landscape(np.zeros(65), AXIS), [1.0]), basins=3)  # type: ignore[arg-type]
    require_kind("f", None, ("Grid", "None"))
