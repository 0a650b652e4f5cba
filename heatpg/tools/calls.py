"""Calls of public functions: unknown keywords, missing arguments, and objects of another kind than the one needed.

The kinds that a parameter takes are read off its annotation, which is compared as text: nothing is imported for it, and
a signature says once what is taken.
"""

from __future__ import annotations

import functools
import inspect
import operator
import os
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, ParamSpec, TypeVar, cast

from heatpg.errors import HeatpgError, KeywordError, OptionError
from heatpg.tools.arguments import real_number
from heatpg.tools.options import kinds, nearest

__all__ = ["SIGMA_KEYWORDS", "checked_call", "checked_class", "checked_entry", "require_kind"]

Asked = ParamSpec("Asked")
Result = TypeVar("Result")
Kind = TypeVar("Kind", bound=type)
Thing = TypeVar("Thing")

SIGMA_KEYWORDS = {
    "sigmas": "pass all noise levels as sigma=[...]",
    "t": "pass sigma = sqrt(t): u(., t) is Q smoothed with variance t = sigma^2",
    "time": "pass sigma = sqrt(t): u(., t) is Q smoothed with variance t = sigma^2",
    "std": "pass the standard deviation as sigma",
    "variance": "pass sigma = sqrt(variance)",
    "method": "pass the name of the solver as solver",
    "mode": "pass the boundary condition as boundary",
}
"""What is meant by keywords that other programs have for the noise and its solver."""

# Keywords of other programs, and ours that does the same: told where a function has ours.
_OURS = {
    "minimize": "minimise",
    "maximize": "minimise",
    "maximise": "minimise",
    "n": "size",
    "num": "size",
    "npoints": "size",
    "points": "size",
    "resolution": "size",
    "dx": "spacing",
    "h": "spacing",
    "step": "spacing",
    "low": "lower",
    "min": "lower",
    "start": "lower",
    "high": "upper",
    "max": "upper",
    "stop": "upper",
    "bc": "boundary",
    "boundaries": "boundary",
    "boundary_condition": "boundary",
    "mode": "boundary",
    "padding_mode": "boundary",
    "units": "unit",
    "axis": "axes",
    "figsize": "width",
    "seeds": "returns",
    "stderr": "standard_error",
    "vectorised": "vectorized",
}
# What to write for an argument that is missing.
_MISSING = {
    "boundary": "pass the boundary condition, e.g. boundary='clip' for clipped actions, 'periodic' for angles; "
    "heatpg list boundaries explains each",
    "sigma": "pass the standard deviation of the noise, in the units of the axes",
}

# The kinds of objects that functions take, in words, and the expression that makes each of another one.
_WORDS = {
    "Landscape": "a heatpg.Landscape: values with their grid",
    "Evolution": "an Evolution, the result of evolve(landscape, sigma)",
    "ScaleSpace": "a ScaleSpace, the result of track(flow)",
    "Study": "a Study, the result of study(landscape)",
    "Report": "a Report, the attribute report of an Evolution",
    "Distribution": "a Distribution, the result of heatpg.risk.distribution",
    "SafestAction": "a SafestAction, the result of heatpg.risk.safest_action",
    "Basins": "Basins, the result of heatpg.scalespace.basins",
    "PriceCurve": "a PriceCurve, the result of heatpg.scalespace.price",
    "Intervals": "Intervals, the result of heatpg.intervals.seed_intervals",
    "Shape": "a Shape, the result of heatpg.scalespace.optimum_shape",
    "Grid": "a heatpg.Grid",
    "Stepping": "a heatpg.policy.Stepping, such as Stepping(rate=0.1)",
    "HoverTask": "a heatpg.policy.HoverTask",
    "Learning": "a heatpg.policy.Learning",
    "Draws": "heatpg.planes.Draws, such as Draws(error=0.05)",
}
_LANDSCAPE = {
    "Evolution": "flow.landscape",
    "ScaleSpace": "space.landscape",
    "Study": "study.evolution.landscape",
    "PriceCurve": "flow.landscape",
    "path": "Landscape.from_file(path, boundary='reflect')",
    "xarray": "Landscape.from_xarray(values, boundary='reflect')",
    "function": "Landscape.from_function(function, grid)",
    "array": "Landscape.from_array(values, boundary='reflect')",
}
_EVOLUTION = {
    **{kind: f"evolve({words}, sigma)" for kind, words in _LANDSCAPE.items()},
    "Landscape": "evolve(landscape, sigma)",
    "ScaleSpace": "space.evolution",
    "Study": "study.evolution",
    "PriceCurve": "flow",
    "path": "heatpg.load(path)",
}
_WAYS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "Landscape": _LANDSCAPE,
        "Evolution": _EVOLUTION,
        "ScaleSpace": {
            **{kind: f"track({words})" for kind, words in _EVOLUTION.items()},
            "Evolution": "track(flow)",
            "Study": "study.space",
            "PriceCurve": "space",
        },
        "Study": {
            **{kind: f"study({words})" for kind, words in _LANDSCAPE.items()},
            "Landscape": "study(landscape)",
            "Evolution": "study(flow)",
            "ScaleSpace": "study(space.evolution)",
        },
        "Grid": {
            "Landscape": "landscape.grid",
            "Evolution": "flow.grid",
            "ScaleSpace": "space.grid",
            "Study": "study.evolution.grid",
            "array": "Grid(Axis('x', -1.0, 1.0, 101, boundary='clip'))",
        },
        "Report": {"Study": "study.evolution.report"},
        "SafestAction": {"Study": "study.risk"},
        "Basins": {"Study": "study.basins"},
        "PriceCurve": {"Study": "study.curve", "ScaleSpace": "price(space)"},
        "Intervals": {"Study": "study.intervals"},
        "Shape": {
            "Study": "optimum_shape(study.space)",
            "ScaleSpace": "optimum_shape(space)",
            "Evolution": "optimum_shape(track(flow))",
        },
    }
)
# Figures of what was given, where the figure that was asked for is of something else.
_DRAWN = {
    ("plot.landscape", "Evolution"): "plot.field(flow, index) for one noise level, plot.summary(flow) for several",
    ("plot.price_curve", "PriceCurve"): "plot.price_curve(space, curve=curve)",
}
_READ = {"path": "read the file first: ", "function": "sample the function on a grid: "}


def _kind_of(given: object) -> str:
    """What an object is, as the tables above have it."""
    for each in type(given).__mro__:
        if each.__module__.partition(".")[0] == "heatpg" and each.__name__ in _WORDS:
            return each.__name__
    if isinstance(given, str | os.PathLike):
        return "path"
    if type(given).__module__.partition(".")[0] == "xarray":
        return "xarray"
    return "function" if callable(given) else "array"


def require_kind(function: str, given: object, wanted: tuple[str, ...], parameter: str = "") -> None:
    """Refuse an object of another kind than a function takes, with the expression that makes the right one.

    Parameters
    ----------
    function
        Name of the function, as it is called.
    given
        The object.
    wanted
        Names of the classes that are taken.
    parameter
        Name of the parameter, where it is not the first one.

    Raises
    ------
    OptionError
        If it is of no such class.

    Examples
    --------
    >>> from heatpg.tools.calls import require_kind
    >>> require_kind("track", [1.0, 2.0], ("Evolution",))
    Traceback (most recent call last):
    heatpg.errors.OptionError: track() needs an Evolution, the result of evolve(landscape, sigma)
      got: list
      try: track(evolve(Landscape.from_array(values, boundary='reflect'), sigma))
    """
    kind = _kind_of(given)
    if kind in wanted or (given is None and "None" in wanted):
        return
    ways = [_WAYS[name][kind] for name in wanted if kind in _WAYS.get(name, {}) and given is not None]
    # where several kinds are taken, those that are made of this one in fewer steps
    short = [way for way in ways if way.count("(") == min(each.count("(") for each in ways)]
    inside = f"{parameter}=" if parameter else ""
    calls = [_DRAWN[function, kind]] if (function, kind) in _DRAWN else []
    calls += [f"{function}({'..., ' if parameter else ''}{inside}{way})" for way in dict.fromkeys(short)]
    if kind == "Landscape" and function.startswith("plot."):
        calls.append("plot.landscape(landscape) for Q itself")
    if kind == "path" and "heatpg.load(path)" not in ways:
        calls += ["heatpg.load(path).landscape for a result of heatpg"] if ways else []
    raise OptionError(
        f"{function}(){f': {parameter}' if parameter else ''} needs "
        + ", or ".join(_WORDS[name] for name in wanted if name in _WORDS),
        given=type(given).__name__,
        advice=_READ.get(kind, "") * bool(calls) + ", or ".join(calls),
    )


def _wanted(annotation: Any) -> tuple[str, ...]:
    """The kinds that an annotation names, if it names nothing else."""
    if not isinstance(annotation, str):
        return ()
    found = kinds(annotation)
    named = [kind for kind in found if kind in _WORDS]
    return found if named and len(named) + ("None" in found) == len(found) else ()


def _is_switch(annotation: Any) -> bool:
    return isinstance(annotation, str) and {*kinds(annotation)} - {"None"} == {"bool"}


def _require_switch(name: str, given: object) -> None:
    """Refuse a word such as "no", which Python takes for true."""
    if given is None or isinstance(given, bool | int) or type(given).__name__ in ("bool", "bool_"):
        return
    raise OptionError(f"{name} must be true or false", given=repr(given), allowed="True or False")


def _require_plain(label: str, name: str, annotation: Any, given: object) -> None:
    """Refuse what is no number, array, text or switch where the annotation asks for nothing else."""
    wanted = kinds(annotation) if isinstance(annotation, str) else ()
    plain = {"float", "int", "str", "bool", "ArrayLike"}.intersection(wanted)
    if len(plain) != 1 or len(wanted) != 1 + ("None" in wanted) or (given is None and "None" in wanted):
        return
    what = f"{label}(): {name}"
    if "ArrayLike" in plain:
        from heatpg.tools.arrays import real_array  # brings NumPy

        real_array(what, given)
    elif "float" in plain:
        real_number(what, given)
    elif "int" in plain:
        try:
            operator.index(given)  # type: ignore[arg-type]
        except TypeError:
            raise OptionError(f"{what} must be a whole number", given=repr(given)) from None
    elif not isinstance(given, str if "str" in plain else bool):
        raise OptionError(
            f"{what} must be {'a text' if 'str' in plain else 'True or False'}", given=type(given).__name__
        )


def checked_call(**meant: str) -> Callable[[Callable[Asked, Result]], Callable[Asked, Result]]:
    """Decorator: a wrong keyword, a missing argument, or an object of another kind raises an error that says the right.

    Parameters
    ----------
    meant
        What to do, for keywords that are tried often; others are compared by their spelling.

    Examples
    --------
    >>> from heatpg.tools.calls import checked_call
    >>> @checked_call(sigmas="pass all levels as sigma=[...]")
    ... def blur(values, sigma): ...
    >>> blur([1.0], sigmas=[2.0])
    Traceback (most recent call last):
    heatpg.errors.KeywordError: blur() has no keyword 'sigmas'; pass all levels as sigma=[...]
    """

    def decorate(function: Callable[Asked, Result]) -> Callable[Asked, Result]:
        return _checked(function, function.__name__, meant)

    return decorate


def checked_class(**meant: str) -> Callable[[Kind], Kind]:
    """Decorator of a class: the same as `checked_call` for the call that makes an object.

    Parameters
    ----------
    meant
        What to do, for keywords that are tried often; others are compared by their spelling.

    Examples
    --------
    >>> from heatpg import Axis
    >>> Axis("x", 0.0, 1.0, 5, bounday="clip")
    Traceback (most recent call last):
    heatpg.errors.KeywordError: Axis() has no keyword 'bounday'; did you mean 'boundary'?
    """

    def decorate(kind: Kind) -> Kind:
        made = cast(Any, kind)
        made.__init__ = _checked(made.__init__, kind.__name__, meant)
        return kind

    return decorate


def checked_entry(name: str, entry: Thing) -> Thing:
    """A function or a class that is registered under a name, with its calls checked; anything else as it is."""
    if inspect.isclass(entry):
        return cast(Thing, checked_class()(entry)) if "__init__" in vars(entry) else entry
    return cast(Thing, _checked(entry, name, {})) if inspect.isfunction(entry) else entry


def _advice(name: str, known: list[str], meant: Mapping[str, str]) -> str:
    if name in meant:
        return meant[name]
    ours = _OURS.get(name.lower())
    if ours in known:
        return f"did you mean {ours!r}?"
    return nearest(name, known) or (f"its keywords are {', '.join(known)}" if known else "it takes no keywords")


def _checked(function: Callable[Asked, Result], label: str, meant: Mapping[str, str]) -> Callable[Asked, Result]:
    signature = inspect.signature(function)
    parameters = [p for p in signature.parameters.values() if p.name not in ("self", "cls")]
    bound = len(signature.parameters) - len(parameters)  # the object or the class itself
    open_ended = any(p.kind is p.VAR_KEYWORD for p in parameters)
    known = [p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    # a switch is of no kind
    held = [
        (place + bound, p.name, wanted)
        for place, p in enumerate(parameters)
        if (wanted := _wanted(p.annotation)) or _is_switch(p.annotation)
    ]
    places = list(signature.parameters)
    plain = {p.name: p.annotation for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)}
    if function.__module__.partition("plot")[0] == "heatpg.":
        label = f"plot.{label}"  # a figure often has the name of what is drawn

    def explain(reason: TypeError, given: tuple[Any, ...], keywords: Mapping[str, Any]) -> None:
        """Raise what is wrong with the call itself, if that is what a TypeError is about."""
        try:
            signature.bind(*given, **keywords)
        except TypeError:
            positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
            if len(given) - bound > len(positional):
                others = [p.name for p in parameters if p.kind is p.KEYWORD_ONLY]
                raise KeywordError(
                    f"{label}() takes at most {len(positional)} positional arguments",
                    given=f"{len(given) - bound}",
                    advice=f"pass {', '.join(f'{name}=' for name in others)} by keyword" if others else "",
                ) from None
            passed = {p.name for p in positional[: len(given) - bound]} | set(keywords)
            missing = [
                p.name
                for p in parameters
                if p.default is p.empty and p.name not in passed and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
            ]
            if missing:
                advice = _MISSING.get(missing[0], "")
                raise KeywordError(f"{label}() needs {' and '.join(missing)}", advice=advice) from None
            twice = [p.name for p in positional[: len(given) - bound] if p.name in keywords]
            if twice:
                raise KeywordError(f"{label}() is given {twice[0]} twice", advice="pass it once") from None
            raise KeywordError(f"{label}(): {reason}") from None

    @functools.wraps(function)
    def checked(*given: Asked.args, **keywords: Asked.kwargs) -> Result:
        for name in keywords:
            if name not in known and not open_ended:
                raise KeywordError(f"{label}() has no keyword {name!r}", advice=_advice(name, known, meant))
        for place, name, wanted in held:
            if place < len(given):
                value = given[place]
            elif name in keywords:
                value = keywords[name]
            else:
                continue
            if wanted:
                require_kind(label, value, wanted, name if place > bound else "")
            else:
                _require_switch(name, value)
        try:
            return function(*given, **keywords)
        except HeatpgError:
            raise
        except (TypeError, AttributeError, ValueError, OverflowError) as reason:
            if isinstance(reason, TypeError):
                explain(reason, given, keywords)
            passed = dict(zip(places, given, strict=False)) | keywords
            for name in passed.keys() & plain.keys():
                _require_plain(label, name, plain[name], passed[name])
            raise

    return checked
