"""Values of options, as text of a command line and with a type as from TOML: one annotation, the same values."""

from __future__ import annotations

import pytest

from heatpg.errors import OptionError
from heatpg.tools.options import fitting, from_text


@pytest.mark.parametrize(
    ("text", "annotation", "value"),
    [
        ("3", "int", 3),
        ("3", "float", 3.0),
        ("0.1", "float | None", 0.1),
        ("None", "int | None", None),
        ("yes", "bool", True),
        ("0", "bool", False),
        ("rk4", "str", "rk4"),
        ("1, 2,3", "tuple[float, ...]", (1.0, 2.0, 3.0)),
        ("1", "tuple[float, ...] | None", (1.0,)),
        ("1,2", "tuple[int, ...]", (1, 2)),
        ("3", "int | str", 3),
        ("3", "str | int", "3"),
        ("", "tuple[float, ...]", ()),
    ],
)
def test_values_by_annotation(text: str, annotation: str, value: object) -> None:
    parsed = from_text("key", text, annotation)
    assert parsed == value
    assert type(parsed) is type(value)


@pytest.mark.parametrize(
    ("text", "annotation"),
    [("x", "int"), ("1.5", "int"), ("maybe", "bool"), ("1,x", "tuple[float, ...]"), ("f()", "Callable[..., int]")],
)
def test_values_that_do_not_fit(text: str, annotation: str) -> None:
    with pytest.raises(OptionError, match=r"key must be .*; got: "):
        from_text("key", text, annotation)


@pytest.mark.parametrize(
    ("text", "value", "annotation"),
    [
        ("3", 3, "float"),
        ("none", "none", "float | None"),
        ("0.5, 1", [0.5, 1], "tuple[float, ...]"),
        ("0.5", 0.5, "tuple[float, ...]"),
        ("rk4", "rk4", "int | str"),
        ("true", True, "bool"),
    ],
)
def test_text_and_toml_mean_the_same(text: str, value: object, annotation: str) -> None:
    found, expected = from_text("key", text, annotation), fitting("key", value, annotation)
    assert found == expected and type(found) is type(expected)
