"""Sources of landscapes and output files."""

from __future__ import annotations

import argparse
import dataclasses
import inspect
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

from heatpg.cli.programs import program_landscape
from heatpg.cli.talk import note
from heatpg.cli.words import by_axis, parse_faces, parse_options
from heatpg.errors import MissingFileError, OptionError, StoreError, UnknownNameError
from heatpg.tools.arguments import one_of
from heatpg.tools.endings import MEANT, SOURCES, is_environment, program_of
from heatpg.tools.folders import expanded
from heatpg.tools.options import nearest, settable
from heatpg.tools.publishing import RESULTS, prepare_output, result_name

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from heatpg.core.landscape import Landscape
    from heatpg.evolution import Evolution
    from heatpg.plot import Width
    from heatpg.solvers import Solver

__all__ = [
    "ANIMATIONS",
    "FIGURES",
    "PAGES",
    "RESULTS",
    "draw",
    "figure_kind",
    "figure_output",
    "is_file",
    "is_result",
    "name_of",
    "of_axes",
    "output",
    "print_width",
    "publish_figure",
    "regarded",
    "require_file",
    "require_result",
    "result_output",
    "sampler",
    "solver_of",
]

FIGURES = (".png", ".pdf", ".svg")
PAGES = (".html", ".htm")
ANIMATIONS = (".gif", ".apng", ".html")


def is_file(source: str) -> bool:
    """Whether a source is meant as a file: by its ending or a separator, whether it is there or not."""
    if program_of(source) or (is_environment(source) and not os.path.lexists(source)):
        return False
    return source.endswith(SOURCES) or "/" in source or os.sep in source


def name_of(source: str) -> str:
    """What results of a source are called."""
    if program := program_of(source):
        return Path(program[0]).stem
    return Path(source).stem if is_file(source) else source.replace("/", "_").replace(":", "_")


def _near_file(path: Path, endings: tuple[str, ...] = SOURCES) -> str:
    """A question whether a file in the same folder was meant."""
    try:
        names = [entry.name for entry in path.parent.iterdir() if entry.name.endswith(endings)]
    except OSError:
        return f"check the folder: {path.parent} does not exist either"
    return nearest(path.name, names)


def require_file(path: Path) -> None:
    """Refuse a result that is not there, with the nearest one that is."""
    # lexists, not exists: a link that leads nowhere is there, and opening it says more
    if not os.path.lexists(path):
        raise MissingFileError("no such file", given=path, advice=_near_file(path, RESULTS))


def require_result(path: Path) -> None:
    """Refuse what is no result of heatpg, before anything is said of the output."""
    require_file(path)
    if path.is_file() and not is_result(path):
        raise OptionError(
            f"{path.name} is not a result of heatpg",
            allowed=f"a file written by heatpg run: {', '.join(RESULTS)}",
            advice=f"heatpg run {path.name} --boundary NAME writes one",
        )


def is_result(path: Path, boundary: str = "") -> bool:
    """Whether a file is to be read as a result of heatpg: by its ending, unless it is plainly of another program.

    One that cannot be read at all is of another program where a boundary is given, which a result does not need.
    """
    if path.suffix.lower() not in RESULTS:
        return False
    from heatpg.formats import is_foreign

    return not is_foreign(path, otherwise=bool(boundary))


def _given(arguments: argparse.Namespace, *names: str) -> list[str]:
    """Those of these options that were used, as they were written."""
    return [f"--{name.replace('_', '-')}" for name in names if getattr(arguments, name) not in ("", None, [])]


def _reader(path: Path, arguments: argparse.Namespace) -> Callable[[], Landscape]:
    """What reads a landscape from a file; options that do not fit are refused now."""
    from heatpg.core.landscape import Landscape
    from heatpg.evolution import load

    _refuse_folder(path)
    if arguments.set:
        raise OptionError(
            f"--set {' '.join(arguments.set)} cannot be used with {path.name}: "
            + ("a result file already contains its landscape" if is_result(path) else "a file has no parameters"),
            advice="remove --set",
        )
    if not path.is_file():
        raise MissingFileError("no such file", given=path, advice=_near_file(path))
    # a result holds its boundaries; an array does not, and there is no default
    if is_result(path, arguments.boundary):
        given = _given(arguments, "boundary", "nodes", "variable", "axes", "standard_error", "returns", "fill", "faces")
        if given:
            raise OptionError(
                f"{path.name} is a result file, which already contains its landscape, axes and boundary conditions",
                given=", ".join(given),
                advice="remove these options",
            )
        return lambda: regarded(load(path).landscape, arguments)
    from heatpg.boundaries import boundaries

    if not arguments.boundary:
        raise OptionError(
            f"{path.name} has no boundary condition",
            allowed=", ".join(boundaries.names()),
            advice="add --boundary NAME; heatpg list boundaries explains each",
        )
    boundary, nodes = of_axes(arguments)
    faces = parse_faces(arguments.faces)
    return lambda: Landscape.from_file(
        path,
        boundary=boundary,
        nodes=nodes or None,
        variable=arguments.variable,
        axes=[name.strip() for name in arguments.axes.split(",")] if arguments.axes else (),
        standard_error=arguments.standard_error,
        returns=arguments.returns,
        fill=arguments.fill,
        minimise=arguments.minimise,
        faces=faces or None,
    )


def of_axes(arguments: argparse.Namespace) -> tuple[str | dict[str, str], str | dict[str, str]]:
    """Boundary and nodes of the axes of a file, empty where none are given; unknown words are refused here."""
    from heatpg.boundaries import boundaries
    from heatpg.core.grid import NODES

    boundary, nodes = by_axis("--boundary", arguments.boundary), by_axis("--nodes", arguments.nodes)
    for word in boundary.values() if isinstance(boundary, dict) else [boundary]:
        boundaries.get(word)
    for word in nodes.values() if isinstance(nodes, dict) else filter(None, [nodes]):
        one_of("kind of nodes", word, NODES)
    return boundary, nodes


def regarded(landscape: Landscape, arguments: argparse.Namespace) -> Landscape:
    """The landscape as a loss or a return, if the command line says which."""
    return landscape if arguments.minimise is None else landscape.regarded(minimise=arguments.minimise)


def _refuse_folder(path: Path) -> None:
    """Refuse a directory, and say how the results of a batch are read."""
    if path.is_dir():
        whole = (path / "spec.toml").is_file()
        raise OptionError(
            f"{path} is a directory" + (", that of a batch" if whole else ""),
            allowed="a registered landscape, or one file",
            advice=f"pass one of its result files: {path}/shards/*/*.h5" if whole else "",
        )


def _family(source: str) -> Callable[..., Landscape]:
    """What makes the landscape of a source that is no file of data."""
    from heatpg.landscapes import landscapes
    from heatpg.landscapes.named import family_of, require_environment

    if program_of(source):
        return program_landscape(source)
    try:
        return landscapes.get(source)
    except UnknownNameError as reason:
        # not before: a directory may have the name of a landscape
        _refuse_folder(Path(source))
        if is_environment(source):
            require_environment(source)
            return family_of(source)
        # the same error with better advice: a name without an ending may have been meant as a file
        ending = f"for {MEANT}: {', '.join((*SOURCES, '.py'))}"
        reason.advice = "; ".join(filter(None, (reason.advice, ending)))
        raise


def sampler(arguments: argparse.Namespace) -> Callable[[Callable[[int, int], object]], Landscape]:
    """What makes the landscape; everything wrong with the options is found now, before the work."""
    if is_file(arguments.source):
        read = _reader(Path(arguments.source), arguments)
        return lambda progress: read()
    family = _family(arguments.source)
    given = _given(arguments, "nodes", "variable", "axes", "standard_error", "returns", "fill", "faces")
    if given:
        raise OptionError(
            f"{arguments.source} is no file of data; these options apply only to files",
            given=", ".join(given),
            advice="remove these options, or name a file",
        )
    # the options are read from the signature, so that a new landscape needs nothing here
    known = settable(family)
    options = parse_options(arguments.set, known, f"landscape {arguments.source!r}")
    if arguments.boundary:
        if "boundary" in options:
            raise OptionError(
                "the boundary condition is given twice",
                given=f"--boundary and --set boundary={options['boundary']}",
                advice="remove one of them",
            )
        options["boundary"] = arguments.boundary
    # quick landscapes have no use for it, and those of plug-ins may not know it
    takes_progress = "progress" in inspect.signature(family).parameters

    def sample(progress: Callable[[int, int], object]) -> Landscape:
        return regarded(family(**options, **({"progress": progress} if takes_progress else {})), arguments)

    return sample


def solver_of(name: str, pairs: Sequence[str]) -> str | Solver:
    """The solver with its options; `auto` stays a word, because it is picked when the landscape is known."""
    from heatpg.solvers import make, solvers

    if name == "auto":
        if pairs:
            raise OptionError(
                "--solver-option needs --solver",
                given=" ".join(pairs),
                advice="add --solver NAME; see heatpg list solvers",
            )
        return name
    fields = {field.name: str(field.type) for field in dataclasses.fields(solvers.get(name))}
    return make(name, **parse_options(pairs, fields, f"solver {name!r}"))


def output(path: str, *, force: bool, quiet: bool = False) -> Path:
    """Where a file will go; its folder is made, which is said, and an existing file refused, before the work."""
    target = expanded(path)
    made = not target.parent.exists()  # asked now, because afterwards it is there
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as reason:
        raise StoreError(f"the folder {target.parent} cannot be created", given=reason) from None
    if made and not quiet:
        note(f"note: created the folder {target.parent}")
    return prepare_output(target, force=force)


def result_output(path: str, *, force: bool, quiet: bool = False) -> Path:
    """Where a result will go, whose name says that it is one."""
    result_name(path)
    return output(path, force=force, quiet=quiet)


def figure_output(path: str, *, force: bool, endings: tuple[str, ...] = FIGURES, quiet: bool = False) -> Path:
    """Where a figure will go, whose ending says of which kind it is."""
    if not path.lower().endswith(endings):
        page = path.lower().endswith(PAGES)
        raise OptionError(
            "the name of a figure must end in a known extension",
            given=path,
            allowed=", ".join(endings),
            advice="heatpg view FILE.h5 writes an HTML page of a result" if page else "",
        )
    return output(path, force=force, quiet=quiet)


def figure_kind(arguments: argparse.Namespace, default: str) -> str:
    """The kind of figure, refused before the work if it is unknown or if nothing is drawn."""
    if arguments.kind is None:
        return default
    if not arguments.figure:
        raise OptionError("--kind needs --figure", given=f"--kind {arguments.kind}", advice="add --figure FILE")
    from heatpg.plot import figures

    return one_of("figure", arguments.kind, figures.names())


def print_width(text: str | None) -> Width:
    """A name of a width, or inches; None for the screen."""
    from heatpg.plot.style import inches

    if text is None:
        return None
    try:
        width: Width = float(text)
    except ValueError:
        width = cast("Width", text)
    inches(width, 1.0)  # refuses what is neither, before the work
    return width


def publish_figure(figure: Figure, target: Path, *, force: bool) -> None:
    """Write a figure, at once or not at all."""
    import io

    from heatpg.plot import save
    from heatpg.tools.publishing import publish

    # Matplotlib would write into the file itself, and leave half of it if it fails
    content = io.BytesIO()
    save(figure, content, format=target.suffix.lower()[1:])
    publish(content.getbuffer(), target, force=force)


def draw(evolution: Evolution, kind: str, target: Path, *, force: bool, width: Width = None) -> None:
    """Draw a registered figure of an evolution into a file."""
    from heatpg.plot import figures

    publish_figure(figures.get(kind)(evolution, width=width), target, force=force)
