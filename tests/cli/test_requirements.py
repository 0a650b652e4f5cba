"""What is required is read from metadata as pip reads it: markers, extras, and every way to bound a version."""

from __future__ import annotations

import importlib.metadata

import pytest

from heatpg.cli.requirements import Requirement, requirements


def test_requirements_of_extras_are_gathered() -> None:
    numpy = importlib.metadata.version("numpy")
    found = requirements(
        [
            "numpy>=1.26",
            "numpy >= 99 ; extra == 'new'",
            'nowhere-to-be-had<2,>=1; extra == "more"',
            'heatpg[more,new]; extra == "all"',
            'heatpg[all]; extra == "all"',
            "what is this?",
        ],
        ["more", "new", "all"],
    )
    assert found[""] == [Requirement("numpy", ">=1.26", numpy)]
    assert found["more"] == [Requirement("nowhere-to-be-had", "<2,>=1", None)]
    assert found["all"] == found["more"] + found["new"]
    assert [found[name][0].fits for name in ("", "more", "new")] == [True, False, False]


@pytest.mark.parametrize(
    ("version", "versions", "fits"),
    [
        ("1.26.4", ">=1.26", True),
        ("1.9", ">=1.26", False),
        ("2.0", ">=2.0.0", True),
        ("2.0rc1", ">=2", True),
        ("2.5.1", "<2.5", False),
        ("2.4.9", "<2.5,>=1.15", True),
        ("3", ">=1,!=3.0", False),
        ("3.1", ">3,<=3.1", True),
        ("3.1", "==3.1.0", True),
        ("3.1", "", True),
        ("1.4.5", "~=1.4", True),
        ("2.0", "~=1.4", False),
        ("1.4.9", "~=1.4.5", True),
        ("1.5", "~=1.4.5", False),
        ("1.4.2", "==1.4.*", True),
        ("1.5", "==1.4.*", False),
        ("1.5", "!=1.4.*", True),
        ("1.0", "===1.0", True),
        ("1.0.0", "===1.0", False),
        ("odd", "===odd", True),
        ("odd", ">=1", False),
        ("odd", "", True),
        ("1.26.4+mkl", "==1.26.4", True),
        ("1!1.0", "<2", False),
        ("2.0rc1", "<2", False),
        ("2.0.post1", ">2", False),
    ],
)
def test_versions_are_compared(version: str, versions: str, fits: bool) -> None:
    assert Requirement("x", versions, version).fits is fits


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ('numpy; python_version >= "3"', ["", "numpy"]),
        ('numpy; python_version < "3"', []),
        ('numpy; sys_platform == "nowhere" and extra == "more"', []),
        ('numpy; python_version >= "3" and extra == "more"', ["more", "numpy"]),
        ('numpy; python_version < "3" or extra == "more"', ["more", "numpy"]),
        ('numpy; extra == "More"', ["more", "numpy"]),
        ('numpy; extra != "more"', ["", "numpy"]),
        ("numpy @ https://example.org/numpy.zip", ["", "numpy"]),
    ],
)
def test_markers_decide_who_wants_it(text: str, wanted: list[str]) -> None:
    found = requirements([text], ["more"])
    assert set(found) == {"", "more"}
    assert [word for extra, entries in found.items() for entry in entries for word in (extra, entry.name)] == wanted


def test_heatpg_itself_is_read_whole() -> None:
    """Every line of the metadata of this installation is understood."""
    distribution = importlib.metadata.distribution("heatpg")
    extras = distribution.metadata.get_all("Provides-Extra") or []
    found = requirements(distribution.requires or [], extras)
    assert {"numpy", "packaging", "shtab"} <= {entry.name for entry in found[""]}
    assert all(found[extra] for extra in extras) and all(entry.fits for entry in found[""])
    assert {entry.name for entry in found["xarray"]} <= {entry.name for entry in found["dev"]}
