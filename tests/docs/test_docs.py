"""The documentation builds without a warning, shows every public name, and everything in it that can be run is run."""

from __future__ import annotations

import doctest
import functools
import http.server
import importlib
import importlib.util
import json
import os
import re
import shlex
import subprocess
import sys
import threading
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import heatpg
from heatpg.cli import commands
from heatpg.tools.registry import Registry

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"

# The tutorial, the how-to pages and the theory promise that whatever looks like Python in them is run.
PAGES = sorted(
    path for path in (DOCS / "index.md", DOCS / "tutorial.md", *DOCS.glob("howto/*.md"), *DOCS.glob("theory/*.md"))
)
ROOMS = (
    *("heatpg", "heatpg.batch", "heatpg.boundaries", "heatpg.claims", "heatpg.errors", "heatpg.core.field"),
    *("heatpg.landscapes", "heatpg.large", "heatpg.plot", "heatpg.policy", "heatpg.quadrature", "heatpg.scalespace"),
    *("heatpg.solvers", "heatpg.store.reading", "heatpg.store.writing", "heatpg.verify"),
)
OPTIONAL = (
    *("cryptography", "dask", "distributed", "ducc0", "gymnasium", "h5netcdf", "imageio", "mpi4py", "mujoco"),
    *("selenium", "stable_baselines3", "torch", "xarray"),
)

# Formulas, pictures, tables and code that end beyond the screen and have nothing around them that scrolls.
TOO_WIDE = """(() => {
    const width = document.documentElement.clientWidth;
    const scrolls = (element) => ["auto", "scroll"].includes(getComputedStyle(element).overflowX)
        && element.getBoundingClientRect().right <= width + 1;
    const held = (element) => element && element !== document.body && (scrolls(element) || held(element.parentElement));
    return [...document.querySelectorAll("math, img, table, pre")]
        .filter((element) => element.getBoundingClientRect().right > width + 1 && !held(element))
        .map((element) => element.outerHTML.slice(0, 80));
})()"""


class Block(NamedTuple):
    """One fenced block of a page."""

    kind: str
    caption: str
    line: int
    text: str


def blocks(page: Path) -> Iterator[Block]:
    """The fenced blocks of a Markdown page, with their options taken off."""
    fence, kind, start = "", "", 0
    lines: list[str] = []
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), start=1):
        if not fence and (opened := re.match(r"(`{3,})(.*)$", line)):
            fence, kind, start, lines = opened[1], opened[2].strip(), number, []
        elif fence and line.strip() == fence:
            options = [option for option in lines if re.match(r":\w+:", option)]
            caption = next(
                (option.split(":", 2)[2].strip() for option in options if option.startswith(":caption:")), ""
            )
            skipped = len(options) + (bool(options) and lines[len(options)] == "")
            yield Block(kind, caption, start + 1 + skipped, "\n".join(lines[skipped:]) + "\n")
            fence = ""
        elif fence:
            lines.append(line)


def python_blocks(page: Path) -> list[Block]:
    return [block for block in blocks(page) if "python" in block.kind]


def module_of(caption: str) -> str:
    """Dotted name of the file that a block stands for."""
    path = caption.removesuffix(".py").replace("/", ".")
    return f"heatpg.{path}" if path.startswith("solvers.") else path


def registries() -> list[Registry[Any]]:
    places = (
        *(("heatpg.solvers", "solvers"), ("heatpg.landscapes", "landscapes"), ("heatpg.boundaries", "boundaries")),
        *(("heatpg.plot", "figures"), ("heatpg.verify", "checks")),
    )
    return [getattr(importlib.import_module(module), name) for module, name in places]


@pytest.fixture
def restored() -> Iterator[None]:
    """What the files of a page register is gone when the test ends."""
    found = registries()
    for registry in found:
        registry.names()
    before = [dict(registry._entries) for registry in found]
    modules = set(sys.modules)
    yield
    for registry, entries in zip(found, before, strict=True):
        registry._entries.clear()
        registry._entries.update(entries)
    for name in set(sys.modules) - modules:
        if name.startswith("heatpg.") and not (ROOT / str(sys.modules[name].__file__)).is_relative_to(ROOT):
            del sys.modules[name]


def write_module(block: Block, folder: Path) -> None:
    """Import the file that a page shows as the module that it would be."""
    name = module_of(block.caption)
    path = folder / Path(block.caption).name
    path.write_text(block.text, encoding="utf-8")
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    sys.modules[name] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)


@pytest.mark.usefixtures("restored")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(DOCS).as_posix())
def test_what_a_page_shows_is_what_happens(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Examples of a page run in order, in one namespace and in an empty folder; files that it shows become modules."""
    monkeypatch.chdir(tmp_path)
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS)
    names: dict[str, Any] = {}
    failures: list[str] = []
    for block in python_blocks(page):
        if block.caption:
            write_module(block, tmp_path)
            continue
        test = doctest.DocTestParser().get_doctest(block.text, names, page.name, str(page), block.line - 1)
        assert test.examples, f"{page.name}, line {block.line}: a Python block without '>>>' that is never run"
        runner.run(test, out=failures.append, clear_globs=False)
        names = test.globs
    assert not failures, "".join(failures)


def test_every_python_block_is_run_or_is_a_file() -> None:
    """A page may not show Python under another name, which the test above would pass over."""
    for page in PAGES:
        for block in blocks(page):
            shown_as_text = block.kind in ("", "text", "toml", "sh", "sh\n")
            assert not (shown_as_text and ">>>" in block.text), f"{page.name}, line {block.line}"
            assert not re.search(r"\b(py|pycon|python3|ipython)\b", block.kind), f"{page.name}, line {block.line}"


def command_lines(page: Path) -> Iterator[tuple[int, str]]:
    """Lines of shell blocks that call heatpg, joined where they go on."""
    for block in blocks(page):
        if block.kind in ("sh", "shell", "bash", "console"):
            text = block.text.replace("\\\n", " ")
            for offset, line in enumerate(text.splitlines()):
                words = line.removeprefix("$ ").strip()
                if words.startswith("heatpg "):
                    yield block.line + offset, words


@pytest.mark.parametrize("page", [*PAGES, ROOT / "README.md"], ids=lambda page: page.name)
def test_commands_are_understood(page: Path) -> None:
    parser = commands().parser
    for number, line in command_lines(page):
        words = shlex.split(line, comments=True)[1:]
        if "--help" in words or not all(word.strip() for word in words):
            continue
        try:
            parser.parse_args(words)
        except SystemExit:
            pytest.fail(f"{page.name}, line {number}: not understood: {line}")


REGISTER = """
import importlib.util, sys, heatpg.solvers
spec = importlib.util.spec_from_file_location("heatpg.solvers.seven_point", {path!r})
sys.modules[spec.name] = module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
"""


def test_the_solver_of_the_page_keeps_the_contract(tmp_path: Path) -> None:
    """The contract tests of all solvers, run on the one that a page shows, in a process of its own."""
    page = DOCS / "howto" / "add_solver.md"
    (block,) = (block for block in python_blocks(page) if block.caption)
    path = tmp_path / "seven_point.py"
    path.write_text(block.text, encoding="utf-8")
    (tmp_path / "registers_seven_point.py").write_text(REGISTER.format(path=str(path)), encoding="utf-8")
    plugin = ("-p", "registers_seven_point", "-p", "no:cacheprovider")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *plugin, "-k", "seven_point", "tests/solvers/test_contract.py"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(re.search(r"(\d+) passed", done.stdout)[1]) > 20  # type: ignore[index]


# -- the build ------------------------------------------------------------------------------------------------------

BUILD = """
import sys
for name in {optional!r}:
    sys.modules[name] = None  # as if it were not installed
from sphinx.cmd.build import main
sys.exit(main(["-W", "--keep-going", "-n", "-q", "-j", "1", "-d", {doctrees!r}, {source!r}, {target!r}]))
"""


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The documentation, built once, without any optional package."""
    pytest.importorskip("sphinx")
    folder = tmp_path_factory.mktemp("docs")
    code = BUILD.format(
        optional=OPTIONAL, doctrees=str(folder / "doctrees"), source=str(DOCS), target=str(folder / "html")
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "html"


def inventory(built: Path) -> dict[str, str]:
    """What can be linked to: names with their kind, from objects.inv."""
    head, _, body = (built / "objects.inv").read_bytes().partition(b"zlib.\n")
    assert head.startswith(b"# Sphinx inventory version 2")
    lines = zlib.decompress(body).decode().splitlines()
    return {line.split(" ")[0]: line.split(" ")[1] for line in lines}


def test_every_public_name_is_in_the_reference(built: Path) -> None:
    found = inventory(built)
    missing = [
        f"{room}.{name}"
        for room in ROOMS
        for name in importlib.import_module(room).__all__
        if not found.get(f"{room}.{name}", "").startswith("py:")
    ]
    assert not missing


def test_everything_registered_is_in_the_reference(built: Path) -> None:
    found = inventory(built)
    for module, registry in (
        *(("heatpg.solvers", "solvers"), ("heatpg.landscapes", "landscapes"), ("heatpg.boundaries", "boundaries")),
        *(("heatpg.plot", "figures"), ("heatpg.verify", "checks"), ("heatpg.quadrature", "rules")),
    ):
        entries = getattr(importlib.import_module(module), registry)
        for name in entries.names():
            entry = entries.get(name)
            kind = entry if hasattr(entry, "__qualname__") else type(entry)
            candidates = {f"{module}.{name}", f"{module}.{kind.__qualname__}", f"{kind.__module__}.{kind.__qualname__}"}
            assert candidates & set(found), f"{registry}: {name}"


def test_pages_hold_what_they_promise(built: Path) -> None:
    """Tables that are made while the pages are built, formulas, and what is included from elsewhere."""
    for page, words in {
        "api/command_line": ["heatpg batch run", "--shard"],
        "api/solvers": ["multiresolution", "no promise", "always"],
        "howto/choose_solver": ["crank_nicolson", "no promise"],
        "theory/claims": ["two-bumps", "false as stated", "Computed"],
        "theory/heat_equation": ["<math", "<mfrac>"],
        "benchmarks": ["gaussian_filter"],
        "figures": ["GaussianBlur"],
        "changelog": ["Unreleased"],
        "contributing": ["must be able to fail"],
        "security": ["sandbox"],
    }.items():
        text = (built / f"{page}.html").read_text(encoding="utf-8")
        assert all(word in text for word in words), page


def test_attributes_described_together_stay_names(built: Path) -> None:
    """Sphinx takes "sigma, shape, dtype" for one attribute of type "sigma, shape": each gets an entry of its own."""
    for page, names in {"api/large": ["shape", "dtype", "memory", "disk"], "api/risk": ["safest", "best_mean"]}.items():
        text = (built / f"{page}.html").read_text(encoding="utf-8")
        for name in names:
            assert f"<strong>{name}</strong>" in text, name
        assert not re.search(r"<strong>\w+</strong> \((?:<[^>]*>)*(?:sigma|shape|safest|memory)\b", text), page


def test_nothing_is_fetched_from_the_network(built: Path) -> None:
    for page in built.rglob("*.html"):
        for tag in re.findall(r"<(?:script|link|img|iframe)\b[^>]*>", page.read_text(encoding="utf-8")):
            assert not re.search(r"(?:src|href)=[\"'](?:https?:)?//", tag), f"{page.name}: {tag}"


def test_stored_claims_are_those_of_the_code() -> None:
    from heatpg.claims import claims

    stored = {row["id"]: row for row in json.loads((DOCS / "theory" / "claims.json").read_text())["claims"]}
    assert set(stored) == set(claims.names()), "run: heatpg claims --json > docs/theory/claims.json"
    for name, row in stored.items():
        claim = claims.get(name)
        corrected = "" if row["verdict"] == "holds" else claim.corrected
        assert (row["statement"], row["source"], row["corrected"]) == (claim.statement, claim.source, corrected), name
        assert row["verdict"] != "not confirmed", name


def test_pictures_are_small_and_used() -> None:
    text = "".join(page.read_text(encoding="utf-8") for page in DOCS.rglob("*.md"))
    for picture in (DOCS / "_static").glob("*.png"):
        assert picture.stat().st_size < 150_000, picture.name
        assert picture.name in text, f"{picture.name} is shown on no page"


# -- the files at the top -------------------------------------------------------------------------------------------


def test_citation_is_of_this_version() -> None:
    lines = (ROOT / "CITATION.cff").read_text(encoding="utf-8").splitlines()
    top = dict(line.split(": ", 1) for line in lines if re.match(r"[a-z-]+: ", line))
    assert top["cff-version"] == "1.2.0"
    assert top["version"] == heatpg.__version__
    assert top["license"] == "BSD-3-Clause"
    assert {"message", "title", "type"} <= set(top)
    assert any("2405.17832" in line for line in lines)


def test_links_between_the_files_at_the_top_lead_somewhere() -> None:
    for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"):
        for target in re.findall(r"\]\(([^)#]+)[^)]*\)", (ROOT / name).read_text(encoding="utf-8")):
            assert target.startswith("https://") or (ROOT / target).exists(), f"{name}: {target}"


def test_pages_in_a_browser(built: Path, tmp_path: Path) -> None:
    """Served, the search finds; on a phone nothing is wider than the screen, or it scrolls where it stands."""
    browsers = pytest.importorskip("tests.viewer.browsers")
    if browsers.CHROMIUM is None or browsers.CHROMEDRIVER is None:
        pytest.skip("needs Chromium and its driver: apt-get install chromium chromium-driver")
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(built))
    with (
        http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server,
        browsers.chromium_in(tmp_path) as browser,
    ):
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        browser.driver.get(f"{address}/search.html?q=jump")
        found = browser.after(
            """const look = () => document.querySelectorAll("#search-results li a").length
                ? done([...document.querySelectorAll("#search-results li a")].map((link) => link.href))
                : setTimeout(look, 50); look();"""
        )
        assert any("Interval" in link or "glossary" in link for link in found), found
        browser.size(*browsers.PHONE)
        wide = {}
        for page in sorted(built.rglob("*.html")):
            browser.driver.get(f"{address}/{page.relative_to(built).as_posix()}")
            if found := browser.ask(TOO_WIDE):
                wide[page.name] = found
        server.shutdown()
    assert not wide
