"""How heatpg is built: rooms on floors, no circle of imports, no private name of another room, no file too long.

All of it is read from the source, imports inside functions included, and there is no list of exceptions.
"""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from heatpg.tools.faces import homes

ROOT = Path(__file__).resolve().parents[1]

FLOORS: tuple[tuple[str, ...], ...] = (
    ("letters", "version"),
    ("errors",),
    ("tools",),
    ("boundaries", "formats", "quadrature"),
    ("core",),
    ("solvers", "systems"),
    ("store",),
    ("evolution", "landscapes"),
    ("measure", "policy", "risk", "roughness", "verify"),
    ("driver", "large", "interop", "planes", "scalespace"),
    ("intervals",),
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


STUBS = {
    module: {name: home for name, (home, _) in homes(path.with_suffix(".pyi"), module).items()}
    for module, path in MODULES.items()
    if path.name == "__init__.py" and path.with_suffix(".pyi").exists()
}
FACE = STUBS["heatpg"]


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


def is_package(module: str) -> bool:
    return MODULES[module].name == "__init__.py"


def file_of(name: str) -> str | None:
    """The module of heatpg in which a dotted name is written, found through the faces that hand it on."""
    module = name
    while module and module not in MODULES:
        module = module.rpartition(".")[0]
    further = name[len(module) + 1 :].split(".")[0]
    return STUBS.get(module, {}).get(further, module) if module else None


def graph_of(sources: Mapping[str, str]) -> dict[str, set[str]]:
    """Which file imports which, whenever it runs."""
    graph = {}
    for module, source in sources.items():
        found = {file_of(name) for _, name in imported_names(module, is_package=is_package(module), source=source)}
        graph[module] = {name for name in found if name is not None and name != module}
    return graph


def circles(graph: Mapping[str, set[str]]) -> list[list[str]]:
    """Files that import each other, directly or through others: strongly connected components (Tarjan 1972)."""
    number: dict[str, int] = {}
    lowest: dict[str, int] = {}
    stack: list[str] = []
    found = []

    def visit(node: str) -> None:
        number[node] = lowest[node] = len(number)
        stack.append(node)
        for other in sorted(graph[node]):
            if other not in number:
                visit(other)
                lowest[node] = min(lowest[node], lowest[other])
            elif other in stack:
                lowest[node] = min(lowest[node], number[other])
        if lowest[node] == number[node]:
            place = stack.index(node)
            component = stack[place:]
            del stack[place:]
            if len(component) > 1:
                found.append(sorted(component))

    for node in graph:
        if node not in number:
            visit(node)
    return found


SOURCES = {module: path.read_text(encoding="utf-8") for module, path in MODULES.items()}


def test_no_file_is_imported_by_what_it_imports() -> None:
    assert circles(graph_of(SOURCES)) == []


@pytest.mark.parametrize(
    ("module", "source", "others"),
    [
        ("heatpg.core.grid", "def f():\n    from heatpg.core.landscape import Landscape", ["heatpg.core.landscape"]),
        ("heatpg.store.record", "def f():\n    from heatpg import Evolution", ["heatpg.evolution"]),
        ("heatpg.tools.figures", "import heatpg.plot.summary", ["heatpg.plot.summary"]),
        ("heatpg.policy.source", "from heatpg.policy import ascend", ["heatpg.policy.ascent"]),
        ("heatpg.core.grid", "if TYPE_CHECKING:\n    from heatpg.core.landscape import Landscape", []),
    ],
)
def test_a_circle_is_found(module: str, source: str, others: list[str]) -> None:
    assert module in SOURCES
    planted = SOURCES | {module: f"{SOURCES[module]}\n\n{source}\n"}
    found = circles(graph_of(planted))
    assert len(found) == bool(others)
    for circle in found:
        assert {module, *others} <= set(circle)


def is_private(name: str) -> bool:
    return any(part.startswith("_") and not part.startswith("__") for part in name.split("."))


def private_names(module: str, *, is_package: bool, source: str) -> list[str]:
    """What a file takes that another room keeps to itself, by an import or as an attribute of an imported module."""
    tree = ast.parse(source)
    bound: dict[str, str] = {}
    found = []
    for line, name in imported_names(module, is_package=is_package, source=source):
        if room_of(name) not in (None, room_of(module)):
            bound[name.rpartition(".")[2]] = name
            if is_private(name):
                found.append(f"{module}, line {line}: imports {name}")
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and is_private(node.attr):
            home = bound.get(node.value.id)
            if home in MODULES:
                found.append(f"{module}, line {node.lineno}: takes {home}.{node.attr}")
    return found


@pytest.mark.parametrize("module", MODULES)
def test_rooms_talk_by_public_names(module: str) -> None:
    assert private_names(module, is_package=is_package(module), source=SOURCES[module]) == []


@pytest.mark.parametrize(
    ("module", "source", "caught"),
    [
        ("heatpg.driver", "from heatpg.evolution import _total", True),
        ("heatpg.evolution", "def f():\n    from heatpg.store.writing import _names", True),
        ("heatpg.viewer.document", "from heatpg.landscapes._stage import Stage", True),
        ("heatpg.viewer.document", "import heatpg.landscapes._stage", True),
        ("heatpg.evolution", "from heatpg.store import writing\nwriting._names(3)", True),
        ("heatpg.store.reading", "from heatpg.store.writing import _names", False),
        ("heatpg.store.reading", "from heatpg.version import __version__\nfrom os import _exit", False),
        ("heatpg.evolution", "from heatpg.store import writing\nwriting.save(3)", False),
        ("heatpg.evolution", "if TYPE_CHECKING:\n    from heatpg.plot.style import _Width", False),
    ],
)
def test_a_private_name_is_noticed(module: str, source: str, caught: bool) -> None:
    assert bool(private_names(module, is_package=False, source=source)) is caught


def test_few_files_lie_loose() -> None:
    loose = sorted(path.name for path in (ROOT / "heatpg").glob("*.py"))
    assert len(loose) <= MOST_LOOSE, f"give these a room: {loose}"


MOST_LOOSE = 8
MOST_LINES, LINES_WITHOUT_REASON = 800, 600


def first_comment(source: str) -> str:
    """The comment between the docstring of a file and its first line of code."""
    comment = ""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            comment += token.string.removeprefix("#").strip() + " "
        elif token.type == tokenize.NAME:
            break
    return comment.strip()


def complaint(source: str) -> str:
    """What is wrong with the length of a file; empty if nothing."""
    lines = len(source.splitlines())
    if lines > MOST_LINES:
        return f"{lines} lines: split it along its data"
    docstring = ast.get_docstring(ast.parse(source)) or ""
    if lines > LINES_WITHOUT_REASON and not first_comment(source) and "one file" not in docstring.lower():
        return f"{lines} lines: say in the first comment why it is one file, or split it"
    return ""


@pytest.mark.parametrize("module", [name for name, text in SOURCES.items() if len(text.splitlines()) > 500])
def test_no_file_is_too_long(module: str) -> None:
    assert complaint(SOURCES[module]) == ""


@pytest.mark.parametrize(
    ("lines", "head", "wrong"),
    [
        (600, '"""A file."""', False),
        (601, '"""A file."""', True),
        (601, '"""A file."""\n\n# One file, because the walk and what it refuses are read together.', False),
        (601, '"""A file.\n\nOne file, because it is one table.\n"""', False),
        (601, '"""A file."""\n\nimport os\n\n# a comment, but not the first thing', True),
        (800, '"""A file."""\n\n# One file, because.', False),
        (801, '"""A file."""\n\n# One file, because.', True),
    ],
)
def test_the_measure_of_files(lines: int, head: str, wrong: bool) -> None:
    source = head + "\n" + "x = 1\n" * (lines - len(head.splitlines()))
    assert len(source.splitlines()) == lines
    assert bool(complaint(source)) is wrong
