"""A room of heatpg imports only rooms of a lower floor: read from the source, imports inside functions included."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from heatpg.tools.faces import homes

ROOT = Path(__file__).resolve().parents[1]

FLOORS: tuple[tuple[str, ...], ...] = (
    ("errors", "version"),
    ("tools",),
    ("boundaries", "quadrature"),
    ("core",),
    ("solvers", "systems"),
    ("store",),
    ("evolution", "landscapes"),
    ("measure", "policy", "roughness", "verify"),
    ("driver", "large", "scalespace"),
    ("batch", "claims", "studies"),
    ("plot",),
    ("viewer",),
    ("cli",),
    ("__main__",),
)
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}

MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for folder in ("heatpg", "heatpg/solvers")  # rglob stops at the link
    for path in sorted((ROOT / folder).rglob("*.py"))
}


def for_type_checkers_only(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")


def imports(node: ast.AST) -> Iterator[ast.Import | ast.ImportFrom]:
    """The imports that can run."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child
        elif isinstance(child, ast.If) and for_type_checkers_only(child):
            for other in child.orelse:
                yield from imports(ast.Module([other], []))
        else:
            yield from imports(child)


def imported_names(module: str, *, is_package: bool, source: str) -> Iterator[tuple[int, str]]:
    """Line and full dotted name of everything that a module imports, relative imports resolved."""
    for node in imports(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
            continue
        base = node.module or ""
        if node.level:
            package = module.split(".") if is_package else module.split(".")[:-1]
            package = package[: len(package) - (node.level - 1)]
            base = ".".join([*package, *filter(None, [node.module])])
        yield from ((node.lineno, f"{base}.{alias.name}") for alias in node.names)


FACE = {name: home for name, (home, _) in homes(ROOT / "heatpg" / "__init__.pyi", "heatpg").items()}


def room_of(name: str) -> str | None:
    """Room that a dotted name is in; None for other packages.

    A name of the face is in the room where it lives; a bare ``import heatpg`` could mean any room.
    """
    top, *rest = name.split(".")
    if top != "heatpg":
        return None
    if not rest:
        return "heatpg"
    return rest[0] if rest[0] in FLOOR else FACE.get(rest[0], f"heatpg.{rest[0]}").split(".")[1]


def violations(module: str, *, is_package: bool, source: str) -> list[str]:
    room = room_of(module)
    assert room in FLOOR, f"{module} is in no room: give it a floor in {Path(__file__).name}"
    found = []
    for line, name in imported_names(module, is_package=is_package, source=source):
        other = room_of(name)
        if other is not None and other != room and FLOOR.get(other, len(FLOORS)) >= FLOOR[room]:
            found.append(f"{module}, line {line}: imports {name}")
    return found


@pytest.mark.parametrize("module", [name for name in MODULES if name != "heatpg"])
def test_imports_point_to_lower_floors(module: str) -> None:
    path = MODULES[module]
    source = path.read_text(encoding="utf-8")
    assert violations(module, is_package=path.name == "__init__.py", source=source) == []


@pytest.mark.parametrize("module", [name for name in MODULES if name.startswith("heatpg.solvers")])
def test_solvers_name_the_core_absolutely(module: str) -> None:
    """A file in solvers/ would find other things under `..` and under `solvers`, were it imported by another name."""
    for node in imports(ast.parse(MODULES[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            names = [node.module or ""]
            assert node.level <= 1, f"{module}, line {node.lineno}: a relative import of the core"
        short = [name for name in names if name.split(".")[0] == "solvers"]
        assert not short or getattr(node, "level", 0) == 1, f"{module}, line {node.lineno}: write heatpg.solvers"


@pytest.mark.parametrize(
    ("module", "is_package", "source", "caught"),
    [
        ("heatpg.core.grid", False, "from heatpg.store.writing import save", True),
        ("heatpg.core.grid", False, "def f():\n    import heatpg.solvers.base", True),
        ("heatpg.core.grid", False, "from heatpg import Evolution", True),
        ("heatpg.core.grid", False, "from .. import driver", True),
        ("heatpg.core.grid", False, "import heatpg", True),
        ("heatpg.verify", True, "from heatpg.policy import ascend", True),
        ("heatpg.core.grid", False, "from heatpg.nowhere import thing", True),
        ("heatpg.core.grid", False, "if TYPE_CHECKING:\n    from heatpg.store.writing import save", False),
        (
            "heatpg.core.grid",
            False,
            "if TYPE_CHECKING:\n    pass\nelse:\n    from heatpg.store import save",
            True,
        ),
        ("heatpg.core.grid", False, "from heatpg.boundaries import Boundary\nfrom heatpg import HeatpgError", False),
        ("heatpg.boundaries", True, "from heatpg.core.grid import Grid", True),
        ("heatpg.solvers", True, "from .base import Solver\nfrom heatpg.core.grid import Grid", False),
        ("heatpg.solvers.base", False, "from ..driver import evolve", True),
        ("heatpg.cli", False, "from heatpg import __version__, evolve, plot", False),
        ("heatpg.plot.figure", False, "from heatpg.cli import main", True),
    ],
)
def test_the_reader_of_imports(module: str, is_package: bool, source: str, caught: bool) -> None:
    assert bool(violations(module, is_package=is_package, source=source)) is caught
