"""Rules of the house that a reader of the source can check."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from heatpg.tools.registry import Registry

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("heatpg", "solvers", "tests", "benchmarks", "notebooks", "data", ".ci")
SOURCES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for folder in ("heatpg", "heatpg/solvers")  # rglob stops at the link
    for path in sorted((ROOT / folder).rglob("*.py"))
}

Finding = Iterator[tuple[int, str]]
Rule = Callable[[ast.Module], Finding]


def is_kernel(node: ast.AST) -> bool:
    return isinstance(node, ast.FunctionDef) and any(
        ast.unparse(mark).split("(")[0].split(".")[-1] == "kernel" for mark in node.decorator_list
    )


def loose_arithmetic(tree: ast.Module) -> Finding:
    """No `fastmath` beyond contraction: it deletes `isnan` and changes bits between thread counts."""
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg == "fastmath" and ast.unparse(node.value) != "{'contract'}":
            yield node.lineno, "fastmath"


def code_from_data(tree: ast.Module) -> Finding:
    """No `eval`, `exec` or pickle: a file or a name that a user gives never becomes code."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("eval", "exec"):
            yield node.lineno, node.func.id
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names = [alias.name for alias in node.names] + [getattr(node, "module", None) or ""]
            for name in {name.split(".")[0] for name in names} & {"pickle", "cloudpickle", "dill", "marshal", "shelve"}:
                yield node.lineno, name
        elif isinstance(node, ast.keyword) and node.arg == "allow_pickle" and ast.unparse(node.value) != "False":
            yield node.lineno, "allow_pickle"


def numba_threads(tree: ast.Module) -> Finding:
    """No Numba threading layer: threads are Python threads over kernels that release the GIL."""
    for node in ast.walk(tree):
        named = getattr(node, "id", None) or getattr(node, "attr", None) or getattr(node, "name", None)
        if named == "prange":
            yield getattr(node, "lineno", 0), "prange"
        elif isinstance(node, ast.keyword) and node.arg == "parallel" and ast.unparse(node.value) == "True":
            yield node.lineno, "parallel=True"


def kernels_with_functions(tree: ast.Module) -> Finding:
    """Kernels neither take functions nor are made in functions: both miss the disk cache."""
    top = {id(node) for node in tree.body}
    marks = {id(mark) for node in ast.walk(tree) if is_kernel(node) for mark in getattr(node, "decorator_list", ())}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "kernel" and id(node) not in marks:
            yield node.lineno, "kernel() called, not used as a decorator"
        if not isinstance(node, ast.FunctionDef) or not is_kernel(node):
            continue
        if id(node) not in top:
            yield node.lineno, f"{node.name} is made in a function or class"
        arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
        called = {ast.unparse(inner.func) for inner in ast.walk(node) if isinstance(inner, ast.Call)}
        for argument in arguments:
            if argument.arg in called or "Callable" in (
                ast.unparse(argument.annotation) if argument.annotation else ""
            ):
                yield node.lineno, f"{node.name} takes the function {argument.arg}"


RULES: tuple[Rule, ...] = (loose_arithmetic, code_from_data, numba_threads, kernels_with_functions)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_rule_holds(rule: Rule) -> None:
    broken = [
        f"{name}, line {line}: {what}"
        for name, path in SOURCES.items()
        for line, what in rule(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert not broken, f"{rule.__doc__}\n" + "\n".join(broken)


@pytest.mark.parametrize(
    ("rule", "source"),
    [
        (loose_arithmetic, "njit(fastmath=True)"),
        (loose_arithmetic, "njit(fastmath={'contract', 'nnan'})"),
        (code_from_data, "eval(text)"),
        (code_from_data, "exec(text)"),
        (code_from_data, "import pickle"),
        (code_from_data, "def f():\n    from pickle import loads"),
        (code_from_data, "np.load(path, allow_pickle=True)"),
        (numba_threads, "from numba import prange"),
        (numba_threads, "for i in numba.prange(3):\n    pass"),
        (numba_threads, "@njit(parallel=True)\ndef f(): ..."),
        (kernels_with_functions, "@kernel\ndef f(g, x):\n    return g(x)"),
        (kernels_with_functions, "@kernel\ndef f(g: Callable[[], int], x): ..."),
        (kernels_with_functions, "def make(c):\n    @kernel\n    def f(x):\n        return c * x\n    return f"),
        (kernels_with_functions, "f = kernel(lambda x: x)"),
    ],
)
def test_rule_notices(rule: Rule, source: str) -> None:
    assert list(rule(ast.parse(source)))


def test_numba_is_imported_in_one_place() -> None:
    importers = []
    for name, path in SOURCES.items():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            if any(imported.split(".")[0] == "numba" for imported in names):
                importers.append(name)
    assert set(importers) == {"heatpg.tools.kernels"}


def test_nothing_is_left_to_do() -> None:
    # Written in two halves, so that this file does not find itself.
    marks = re.compile(r"\b(TO" + "DO|FIX" + r"ME)\b")
    files = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*")]
    files += ROOT.glob("*")
    left = []
    for path in files:
        content = path.read_bytes() if path.is_file() else b""
        if b"\0" not in content:  # text
            lines = content.decode().splitlines()
            left += [f"{path.relative_to(ROOT)}, line {n}" for n, line in enumerate(lines, 1) if marks.search(line)]
    assert not left


def test_data_files_are_described() -> None:
    described = (ROOT / "data" / "README.md").read_text(encoding="utf-8")
    names = [path.relative_to(ROOT / "data").as_posix() for path in (ROOT / "data").rglob("*") if path.is_file()]
    assert [name for name in names if name != "README.md" and f"`{name}`" not in described] == []


@pytest.mark.parametrize("name", [name for name in SOURCES if name != "heatpg.__main__"])
def test_public_names_exist(name: str) -> None:
    module = importlib.import_module(name)
    public = getattr(module, "__all__", [])
    assert len(set(public)) == len(public)
    assert [word for word in public if not hasattr(module, word)] == []


def own_docstring(entry: object) -> str:
    """Docstring of a function, a class or an instance's class; neither inherited nor made by `dataclass`."""
    thing = entry if inspect.isroutine(entry) or inspect.isclass(entry) else type(entry)
    text = thing.__doc__ or ""
    return "" if text.startswith(f"{getattr(thing, '__name__', '')}(") else text


def test_registered_things_have_docstrings() -> None:
    modules = [importlib.import_module(name) for name in SOURCES if name != "heatpg.__main__"]
    registries = {id(r): r for module in modules for r in vars(module).values() if isinstance(r, Registry)}
    assert {registry.kind for registry in registries.values()} >= {"boundary", "landscape", "solver"}
    entries = [(registry, name) for registry in registries.values() for name in registry.names()]
    assert entries
    assert [(r.kind, name) for r, name in entries if not own_docstring(r.get(name)).strip()] == []
