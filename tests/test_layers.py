"""A room of heatpg imports only rooms of a lower layer: read from the source, imports inside functions included."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import heatpg

ROOT = Path(__file__).resolve().parents[1]

LAYERS: tuple[tuple[str, ...], ...] = (
    ("errors", "kernels", "options", "parallel", "processes", "registry", "resources"),
    ("boundaries", "chunks", "grid", "publishing", "quarantine", "report"),
    ("extrema", "landscape", "landscapes"),
    ("quadrature", "solvers"),
    ("evolution", "field"),
    ("compact", "policy", "scalespace", "verify"),
    ("driver",),
    ("store", "studies"),
    ("batch", "claims", "large"),
    ("__main__", "bench", "cli", "display", "plot", "viewer"),
)
LAYER = {room: number for number, rooms in enumerate(LAYERS) for room in rooms}

# Who may import whom within a layer.
NEIGHBOURS = {
    ("kernels", "errors"),
    ("options", "errors"),
    ("parallel", "errors"),
    ("registry", "errors"),
    ("resources", "errors"),
    ("grid", "boundaries"),
    ("landscapes", "landscape"),
    ("policy", "scalespace"),
    ("cli", "bench"),
    ("cli", "plot"),
    ("cli", "viewer"),
    ("viewer", "plot"),
    ("__main__", "cli"),
}

# Methods that hand over to a later room, which is imported when they are called.
CONVENIENCES = {
    ("heatpg.evolution", "heatpg.store.save"),  # Evolution.save
    ("heatpg.evolution", "heatpg.plot.figures"),  # Evolution.plot
    # _repr_html_ of each
    ("heatpg.evolution", "heatpg.display.evolution_html"),
    ("heatpg.grid", "heatpg.display.grid_html"),
    ("heatpg.landscape", "heatpg.display.landscape_html"),
    ("heatpg.large.outofcore", "heatpg.display.summary_html"),
    ("heatpg.report", "heatpg.display.report_html"),
    ("heatpg.studies", "heatpg.display.study_html"),
}

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


def room_of(name: str) -> str | None:
    """Room that a dotted name is in; None for other packages and for the package's own attributes.

    A name of the lazy table is in the room where it lives; a bare ``import heatpg`` could mean any room.
    """
    top, *rest = name.split(".")
    if top != "heatpg":
        return None
    if not rest:
        return "heatpg"
    if rest[0] in heatpg._HOME and rest[0] not in LAYER:
        return heatpg._HOME[rest[0]].split(".")[1]
    return None if rest[0] == "__version__" else rest[0]


def violations(module: str, *, is_package: bool, source: str) -> list[str]:
    room = room_of(module)
    assert room in LAYER, f"{module} is in no room: give it a layer in {Path(__file__).name}"
    found = []
    for line, name in imported_names(module, is_package=is_package, source=source):
        other = room_of(name)
        if other is None or other == room or (room, other) in NEIGHBOURS or (module, name) in CONVENIENCES:
            continue
        if LAYER.get(other, len(LAYERS)) >= LAYER[room]:
            found.append(f"{module}, line {line}: imports {name}")
    return found


@pytest.mark.parametrize("module", [name for name in MODULES if name != "heatpg"])
def test_imports_point_to_lower_layers(module: str) -> None:
    path = MODULES[module]
    source = path.read_text(encoding="utf-8")
    assert violations(module, is_package=path.name == "__init__.py", source=source) == []


def test_neighbours_share_a_layer() -> None:
    assert [pair for pair in NEIGHBOURS if LAYER[pair[0]] != LAYER[pair[1]]] == []


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
        ("heatpg.grid", False, "from heatpg.store import save", True),
        ("heatpg.grid", False, "def f():\n    import heatpg.solvers.base", True),
        ("heatpg.grid", False, "from heatpg import Landscape", True),
        ("heatpg.grid", False, "from . import driver", True),
        ("heatpg.grid", False, "import heatpg", True),
        ("heatpg.grid", False, "from heatpg.report import Report", True),
        ("heatpg.grid", False, "from heatpg.nowhere import thing", True),
        ("heatpg.grid", False, "if TYPE_CHECKING:\n    from heatpg.store import save", False),
        ("heatpg.grid", False, "if TYPE_CHECKING:\n    pass\nelse:\n    from heatpg.store import save", True),
        ("heatpg.grid", False, "from heatpg.boundaries import Boundary\nfrom heatpg import HeatpgError", False),
        ("heatpg.boundaries", True, "from heatpg.grid import Grid", True),
        ("heatpg.solvers", True, "from .base import Solver\nfrom heatpg.grid import Grid", False),
        ("heatpg.solvers.base", False, "from ..driver import evolve", True),
        ("heatpg.cli", False, "from heatpg import __version__, evolve, plot", False),
        ("heatpg.plot.figure", False, "from heatpg.cli import main", True),
    ],
)
def test_the_reader_of_imports(module: str, is_package: bool, source: str, caught: bool) -> None:
    assert bool(violations(module, is_package=is_package, source=source)) is caught
