"""Options of landscapes and solvers: names and types read off a signature, words off a docstring, values held to them.

An annotation is compared with words and never evaluated; the values are numbers, words, and lists of them. They come
with a type, as from TOML (`fitting`), or as the text of a command line (`from_text`).
"""

from __future__ import annotations

import difflib
import inspect
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from heatpg.errors import OptionError

__all__ = [
    "add_synonyms",
    "defaults",
    "fitting",
    "from_text",
    "in_words",
    "kinds",
    "nearest",
    "parameter_notes",
    "sentence",
    "settable",
    "shown",
]

# what a program passes, and no user sets by a word
_NOT_OPTIONS = ("grid", "progress")
_WIDEST = 63  # bits of a whole number, as TOML and HDF5 have them
_LONGEST = 1000  # letters
_LIKE = 0.7  # ratio of difflib: solvr is like solver (0.91), spacing is not like storage (0.53). A taste
_BEGUN = 3  # letters that say which word was begun. A taste
_SHORT = 3  # letters of a word of which one may be wrong. A taste
_WORDS = {
    "None": "none",
    "bool": "true or false",
    "int": "a whole number",
    "float": "a number",
    "str": "a word",
    "tuple[float, ...]": "a list of numbers",
    "tuple[int, ...]": "a list of whole numbers",
    "tuple[str, ...]": "a list of words",
}
_PARAMETERS = re.compile(r"^(\w+(?:, \w+)*)(?: : .*)?$")  # the line of a docstring that names them


def shown(value: object) -> str:
    """A value as it is quoted in a message: never long, and never refused.

    Examples
    --------
    >>> from heatpg.tools.options import shown
    >>> shown("word"), shown(2**200)
    ("'word'", 'a whole number of 201 bits')
    """
    if isinstance(value, int) and value.bit_length() > _WIDEST:
        return f"a whole number of {value.bit_length()} bits"
    if isinstance(value, str):
        text = repr(value[:60])
        return text if len(value) <= 60 else f"{text[:-1]}...' ({len(value)} letters)"
    if isinstance(value, list | tuple):
        inner = ", ".join(map(shown, value[:4]))
        return f"[{inner}]" if len(value) <= 4 else f"[{inner}, ...] ({len(value)} entries)"
    if isinstance(value, dict):
        inner = ", ".join(f"{str(key)[:60]} = {shown(item)}" for key, item in value.items()) if len(value) <= 4 else ""
        return f"{{{inner}}}" if inner else f"a table of {len(value)} keys"
    if value is None or isinstance(value, bool | int | float):
        return repr(value)
    return f"something of type {type(value).__name__}"


# what other programs call a name of ours, in small letters without marks: our name, and a remark
_SYNONYMS: dict[str, list[tuple[str, str]]] = {}


def _plain_word(word: str) -> str:
    return re.sub(r"[^a-z0-9]", "", word[:200].lower())


def add_synonyms(table: Mapping[str, Mapping[str, str]]) -> None:
    """Names that other programs use, for the question that `nearest` asks.

    Parameters
    ----------
    table
        Our name, to other names with a remark for each, which may be empty.
    """
    for name, others in table.items():
        for other, remark in others.items():
            entries = _SYNONYMS.setdefault(_plain_word(other), [])
            if (name, remark) not in entries:
                entries.append((name, remark))


def nearest(word: str, known: Iterable[str]) -> str:
    """A question whether a known name was meant: the name of a synonym, or names of similar spelling; may be empty.

    Examples
    --------
    >>> from heatpg.tools.options import nearest
    >>> nearest("gama", ["gamma", "size"]), nearest("step_count", ["poles", "step"])
    ("did you mean 'gamma'?", "did you mean 'step'?")
    """
    known = list(known)
    for name, remark in _SYNONYMS.get(_plain_word(word), ()):
        if name in known:
            return f"did you mean {name!r}?{remark and ' '}{remark}"
    # the dashes of two options are no likeness; a name from a file may be of any length, and the comparison takes its
    # square
    bare = word[:200].lstrip("-").lower()
    by_bare = {name.lstrip("-").lower(): name for name in known}
    near = difflib.get_close_matches(bare, by_bare, n=2, cutoff=_LIKE)
    # two letters exchanged, or a wrong one, are much of a short word
    near = near or [name for name in by_bare if sorted(name) == sorted(bare) or _one_letter_off(name, bare)]
    # a word that begins another one: whoever stops typing early, or goes on as another program does
    near += [
        name
        for name in by_bare
        if min(len(bare), len(name)) >= _BEGUN and (name.startswith(bare) or bare.startswith(name)) and name not in near
    ]
    return f"did you mean {' or '.join(repr(by_bare[name]) for name in near[:2])}?" if near else ""


def _one_letter_off(name: str, word: str) -> bool:
    return len(name) == len(word) == _SHORT and sum(a != b for a, b in zip(name, word, strict=True)) == 1


def kinds(annotation: str) -> tuple[str, ...]:
    """The alternatives of an annotation.

    Examples
    --------
    >>> from heatpg.tools.options import kinds
    >>> kinds("tuple[float, ...] | None")
    ('tuple[float, ...]', 'None')
    """
    return tuple(kind.strip() for kind in annotation.split("|"))


def settable(function: Callable[..., Any]) -> dict[str, str]:
    """Keywords of a landscape or a solver that can be set by a word or a number, with their annotations."""
    parameters = inspect.signature(function).parameters
    return {name: _kind_of(p) for name, p in parameters.items() if name not in _NOT_OPTIONS}


def _kind_of(parameter: inspect.Parameter) -> str:
    """The annotation of a keyword, or what its default suggests where a function has none."""
    if parameter.annotation is not inspect.Parameter.empty:
        return _words_of(parameter.annotation)
    default = parameter.default
    if isinstance(default, bool | str):
        return type(default).__name__
    if isinstance(default, int | float):
        # 1 may stand for 1.0
        return "int | float"
    return "int | float | str | None" if default is None else "int | float | str"


def _words_of(annotation: Any) -> str:
    """An annotation as it is written, also that of a plug-in whose annotations are types already."""
    return annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)


def defaults(function: Callable[..., Any]) -> dict[str, Any]:
    """What those keywords are if they are not set."""
    parameters = inspect.signature(function).parameters
    return {name: p.default for name, p in parameters.items() if name not in _NOT_OPTIONS}


def sentence(text: str, longest: int = 400) -> str:
    """A piece of a docstring on one line, without its marks, and cut where it is longer than a tooltip should be."""
    words = " ".join(text.replace("``", "").replace("`", "").split())
    return words if len(words) <= longest else f"{words[: longest - 1]}…"


def parameter_notes(thing: Callable[..., Any]) -> dict[str, str]:
    """What a docstring in the style of NumPy says of each parameter, or attribute.

    Examples
    --------
    >>> from heatpg.tools.options import parameter_notes
    >>> from heatpg.tools.registry import Plugin
    >>> parameter_notes(Plugin)["distribution"]
    'Who brings it.'
    """
    notes: dict[str, str] = {}
    lines = (inspect.getdoc(thing) or "").splitlines()
    names: list[str] = []
    inside = False
    for number, line in enumerate(lines):
        below = lines[number + 1] if number + 1 < len(lines) else ""
        # a heading, which numpydoc underlines
        if below and set(below) == {"-"}:
            # a heading begins another section, wherever it stands
            inside, names = line in ("Parameters", "Attributes"), []
        elif not inside or (line and set(line) == {"-"}):
            continue
        elif line.startswith(" ") and names:
            for name in names:
                notes[name] = f"{notes[name]} {line.strip()}".strip()
        elif found := _PARAMETERS.match(line):
            names = found[1].split(", ")
            notes |= dict.fromkeys(names, "")
    return {name: sentence(text) for name, text in notes.items() if text}


def _scalar(value: object, kind: str) -> Any:
    """The value as this kind; ValueError if it is none."""
    if kind == "bool" and isinstance(value, bool):
        return value
    if kind == "int" and isinstance(value, int) and not isinstance(value, bool) and value.bit_length() <= _WIDEST:
        return int(value)
    if kind == "float" and isinstance(value, int | float) and not isinstance(value, bool):
        number = float(value) + 0.0  # -0.0 and 0.0 are one number
        if math.isfinite(number):
            return number
    if kind == "str" and isinstance(value, str) and len(value) <= _LONGEST and value.isprintable():
        return value
    raise ValueError


def fitting(what: str, value: object, annotation: str) -> Any:
    """A value as its annotation wants it: 1 becomes 1.0 where a number is meant, a list becomes a tuple.

    One number or word stands for a list of one; the word ``none`` for None, where that is allowed.

    Parameters
    ----------
    what
        Name of the option, for the message.
    value
        A boolean, a finite number, a word, or a list or tuple of them.
    annotation
        ``bool``, ``int``, ``float``, ``str``, ``tuple[... , ...]`` of one of them, ``None``, or several with ``|``.

    Raises
    ------
    OptionError
        If the value fits none of the alternatives.

    Examples
    --------
    >>> from heatpg.tools.options import fitting
    >>> fitting("gamma", 1, "float"), fitting("dt", "none", "float | None")
    (1.0, None)
    >>> fitting("state", [0, 1], "tuple[float, ...]")
    (0.0, 1.0)
    """
    alternatives = kinds(annotation)
    # none is a word and would fit str, so it comes first
    if "None" in alternatives and (value is None or (isinstance(value, str) and value.lower() == "none")):
        return None
    # one number stands for a list of one
    items = value if isinstance(value, list | tuple) else [value]
    try:
        return _first_fit(alternatives, _scalar, value, items)
    except ValueError:
        raise OptionError(f"{what} must be {in_words(alternatives)}", given=shown(value)) from None


def in_words(alternatives: Iterable[str]) -> str:
    """Kinds of values in words, as they stand in a message.

    Examples
    --------
    >>> from heatpg.tools.options import in_words
    >>> in_words(["float", "None"])
    'a number or none'
    """
    return " or ".join(_WORDS.get(kind, kind) for kind in alternatives)


def _first_fit(alternatives: Sequence[str], read: Callable[[Any, str], Any], value: Any, items: Iterable[Any]) -> Any:
    """The value, or a tuple of its items, by the first alternative that fits; ValueError if none does.

    The order decides: in ``int | str`` the text 3 is a number, in ``str | int`` a word.
    """
    # the first alternative that fits, in the order of the annotation: int before float keeps 1 a whole number
    for kind in alternatives:
        inner = kind.removeprefix("tuple[").removesuffix(", ...]")
        try:
            return read(value, kind) if inner == kind else tuple(read(item, inner) for item in items)
        except (ValueError, OverflowError):
            continue
    raise ValueError


_TRUTH = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def _scalar_of_text(text: str, kind: str) -> Any:
    """The text as this kind; ValueError if it is none."""
    if kind == "bool" and text.lower() in _TRUTH:
        return _TRUTH[text.lower()]
    if kind in ("int", "float", "str"):
        return {"int": int, "float": float, "str": str}[kind](text)
    raise ValueError


def from_text(what: str, text: str, annotation: str) -> Any:
    """The value that a text on the command line stands for, by the annotation of its option.

    A list is written with commas; true, yes and 1 are one truth value, false, no and 0 the other. Whether a number is
    finite and in range the landscape or the solver says, in words that fit.

    Parameters
    ----------
    what
        Name of the option, for the message.
    text
        What was typed.
    annotation
        As for `fitting`.

    Raises
    ------
    OptionError
        If the text fits none of the alternatives.

    Examples
    --------
    >>> from heatpg.tools.options import from_text
    >>> from_text("widths", "0.5, 1", "tuple[float, ...]")
    (0.5, 1.0)
    >>> from_text("dt", "none", "float | None") is None
    True
    """
    alternatives = kinds(annotation)
    if "None" in alternatives and text.lower() == "none":
        return None
    items = [part.strip() for part in text.split(",") if part.strip()]
    try:
        return _first_fit(alternatives, _scalar_of_text, text, items)
    except ValueError:
        raise OptionError(f"{what} must be {in_words(alternatives)}", given=shown(text)) from None
