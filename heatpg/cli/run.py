"""heatpg run: sample a landscape, evolve, check, store and draw it."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from heatpg.cli.draws import Drawing, add_draws, drawing, require_drawable, state_beside
from heatpg.cli.files import (
    draw,
    figure_kind,
    figure_output,
    is_file,
    is_result,
    name_of,
    of_axes,
    result_output,
    sampler,
    solver_of,
)
from heatpg.cli.parser import CHECK_LEVELS, Commands, add_kind, add_source
from heatpg.cli.talk import OK, Bar, describe, envelope, is_quiet, note, outcome, record, reply, report_lines, say
from heatpg.cli.words import parse_bytes, parse_matrix, parse_sigma
from heatpg.errors import OptionError, StoreError, UnsupportedError

if TYPE_CHECKING:
    from heatpg.core.landscape import Landscape
    from heatpg.evolution import Evolution
    from heatpg.solvers import Solver


def _result_path(arguments: argparse.Namespace, quiet: bool) -> Path:
    """Where the result goes; by default it has the name of the source, in this folder."""
    source = Path(arguments.source) if is_file(arguments.source) else None
    stem = name_of(arguments.source)
    try:
        out = result_output(arguments.out or f"{stem}.h5", force=arguments.force, quiet=quiet)
    except StoreError as refusal:
        if source is not None and not arguments.out and "force" in refusal.advice:
            # of my.npy and my.npz, which are not told apart by it
            refusal.problem = f"the file exists ({stem}.h5 is the default for every source {stem}.*)"
            refusal.advice = "choose another name with --out, or overwrite it with --force"
        raise
    # --force means that a result may be replaced, not what it is made from
    if source is not None and source.resolve() == out:
        raise StoreError(
            "the output would overwrite the source file", given=out, advice="choose another name with --out"
        )
    return out


def _require_blockwise(arguments: argparse.Namespace) -> None:
    """Refuse what takes whole fields."""
    # a whole field would have to be in memory for each of these; full checks solve once more and compare
    refused = {
        "--figure": arguments.figure,
        "--storage compact": arguments.storage != "full",
        "--compression": arguments.compression != "none",
        "--checks full": arguments.checks == "full",
    }
    for option, given in refused.items():
        if given:
            raise UnsupportedError(
                f"{option} needs the whole field, but --memory processes it in blocks",
                given=f"--memory {arguments.memory}",
                advice=f"remove {option}, or remove --memory if the field fits in memory",
            )
    if arguments.covariance is not None:
        raise UnsupportedError(
            "--covariance needs the whole field, but --memory processes it in blocks", advice="remove one of them"
        )
    if arguments.sigma is None:
        raise OptionError("--memory needs the noise levels", advice="add --sigma, in the units of the axes")


def _solver(arguments: argparse.Namespace) -> str | Solver:
    """The solver, with the options that only ``auto`` goes by held against it."""
    from heatpg.solvers.choice import refuse_options_of_auto

    solver = solver_of(arguments.solver, arguments.solver_option)
    refuse_options_of_auto(solver, arguments.tolerance, arguments.prefer, correlated=False)
    return solver


def _run_in_blocks(arguments: argparse.Namespace) -> int:
    """The same from disk to disk, for a field that does not fit in memory."""
    quiet = is_quiet(arguments)
    memory = parse_bytes(arguments.memory)
    _require_blockwise(arguments)
    path = Path(arguments.source)
    # .npy and results of heatpg are read block by block; what is sampled, or lies in files of other kinds, has to be
    # whole at first
    whole = not is_file(arguments.source) or not (path.suffix == ".npy" or is_result(path)) or bool(arguments.faces)
    sample = sampler(arguments)
    sigma = parse_sigma(arguments.sigma, quiet=quiet)
    solver = _solver(arguments)
    out = _result_path(arguments, quiet)

    from heatpg.large import LargeLandscape, evolve_large

    source: Landscape | LargeLandscape
    if whole:
        with Bar("sampling", sys.stderr, enabled=not quiet) as bar:
            source = sample(bar)
    else:
        # a result knows its axes, and options that would say otherwise have been refused
        boundary, nodes = of_axes(arguments) if arguments.boundary else ("", "vertex")
        source = LargeLandscape(path, boundary=boundary, nodes=nodes or "vertex", minimise=arguments.minimise)
    with Bar("solving", sys.stderr, enabled=not quiet) as bar:
        summary = evolve_large(
            source,
            sigma,
            out,
            solver=solver,
            tolerance=arguments.tolerance,
            prefer=arguments.prefer,
            memory=memory,
            checks=arguments.checks or "standard",
            progress=bar,
            force=arguments.force,
        )
    reply(
        arguments,
        lambda: envelope("run") | summary.as_dict(),
        words=lambda: str(summary).splitlines(),
        result=[str(out)],
    )
    return outcome(bool(summary.report.failures), f"the result is in {out}, for inspection")


def _run_draws(arguments: argparse.Namespace, draws: Drawing) -> int:
    """The same with noise in all components, which is drawn; repeated after an interruption it resumes."""
    quiet = is_quiet(arguments)
    require_drawable(arguments)
    sample = sampler(arguments)
    sigma = parse_sigma(arguments.sigma, quiet=quiet)
    kind = figure_kind(arguments, "summary")
    checks = arguments.checks or "standard"
    out = _result_path(arguments, quiet)
    figure = figure_output(arguments.figure, force=arguments.force, quiet=quiet) if arguments.figure else None
    begin = time.perf_counter()
    with Bar("sampling", sys.stderr, enabled=not quiet) as bar:
        landscape = sample(bar)
    sampling = time.perf_counter() - begin
    state = state_beside(out)
    try:
        if arguments.estimate_cost:
            cost = draws.cost(landscape, sigma, state)
            reply(
                arguments,
                lambda: envelope("run") | {"cost": cost.as_dict(), "alternatives": cost.choices("--draws count=128")},
                result=[f"cost       {cost}", f"cheaper    {cost.choices('--draws count=128')}"],
            )
            if not quiet:
                note(f"the draws of the pilot are kept in {state}; the command without --estimate-cost continues")
            return OK
        evolution = draws.evolution(landscape, sigma, checks, state)
    except KeyboardInterrupt:
        if state.exists():
            note(f"the draws so far are in {state}; the same command resumes")
        raise
    evolution.timing = {"sample": sampling, **evolution.timing}
    code = _written(arguments, evolution, out, (figure, kind), checks)
    # what the user keeps elsewhere stays
    state.unlink(missing_ok=True)
    return code


def _written(
    arguments: argparse.Namespace,
    evolution: Evolution,
    out: Path,
    drawn: tuple[Path | None, str],
    checks: str,
    words: str = "",
) -> int:
    """Write the file, say what is in it, and draw a figure; the exit code."""
    figure, kind = drawn
    evolution.save(
        out,
        force=arguments.force,
        compression=arguments.compression,
        storage=arguments.storage,
        tolerance=arguments.storage_tolerance,
    )
    # the file is there: what is said from here on is true even if the figure fails
    if not is_quiet(arguments):
        say(*describe(evolution, words), *report_lines(f"checks ({checks})", evolution.report))
    if figure is not None:
        draw(evolution, kind, figure, force=arguments.force)
    reply(
        arguments,
        lambda: record("run", evolution) | {"path": str(out), "figure": None if figure is None else str(figure)},
        words=lambda: [] if figure is None else [f"figure     {figure}"],
        result=[str(out)],
    )
    return outcome(bool(evolution.report.failures), f"the result is in {out}, for inspection")


def _run(arguments: argparse.Namespace) -> int:
    draws = drawing(arguments, quiet=is_quiet(arguments))
    if draws is not None:
        return _run_draws(arguments, draws)
    if arguments.memory:
        return _run_in_blocks(arguments)
    # All that can be wrong with the arguments is found before anything is sampled, in the order in which it is written.
    quiet = is_quiet(arguments)
    checks = arguments.checks or "full"
    sample = sampler(arguments)
    sigma = parse_sigma(arguments.sigma, quiet=quiet) if arguments.sigma else None
    covariance = None if arguments.covariance is None else parse_matrix(arguments.covariance)
    if sigma is not None and covariance is not None:
        raise OptionError("give either --sigma or --covariance, not both")
    solver = _solver(arguments)
    kind = figure_kind(arguments, "summary")

    from heatpg.core.noise import few_levels, parse_covariance
    from heatpg.evolution import solve
    from heatpg.solvers.choice import schedule
    from heatpg.verify import verify

    # `heatpg.evolve` does the same in one call. Here each stage has a bar of its own, and a failed check is told after
    # the result has been written, where `evolve` warns or raises.
    words = ""
    begin = time.perf_counter()
    landscape = None
    if is_file(arguments.source):
        # a file is read quickly, and its axes say whether the noise is right; that the output exists is told last
        landscape = sample(lambda done, total: None)
        if covariance is not None:
            parse_covariance(covariance, landscape.grid, tell=False)
        if sigma is not None:
            schedule(landscape.grid, sigma, solver, tolerance=arguments.tolerance, prefer=arguments.prefer)
    out = _result_path(arguments, quiet)
    figure = figure_output(arguments.figure, force=arguments.force, quiet=quiet) if arguments.figure else None
    if landscape is None:
        with Bar("sampling", sys.stderr, enabled=not quiet) as bar:
            landscape = sample(bar)
    sampling = time.perf_counter() - begin
    if sigma is None and covariance is None:
        sigma, words = few_levels(landscape.grid)
    with Bar("solving", sys.stderr, enabled=not quiet) as bar:
        evolution = solve(
            landscape,
            sigma,
            solver,
            covariance=covariance,
            tolerance=arguments.tolerance,
            prefer=arguments.prefer,
            progress=bar,
        )
    begin = time.perf_counter()
    with Bar("checking", sys.stderr, enabled=not quiet) as bar:
        bar(0, 1)  # the checks do not say how far they are; an empty bar says that they run
        evolution.report = verify(evolution, checks)
    evolution.timing = {"sample": sampling, **evolution.timing, "checks": time.perf_counter() - begin}
    return _written(arguments, evolution, out, (figure, kind), checks, words)


def add(commands: Commands) -> None:
    """Put the command into the parser."""
    run = commands.add(
        "run", _run, "Sample a landscape, solve the heat equation, check the result, and write one HDF5 file."
    )
    add_source(run)
    run.add_argument("--solver", default="auto", metavar="NAME", help="solver; see heatpg list solvers (default: auto)")
    run.add_argument(
        "--solver-option",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="set an option of the solver, e.g. --solver-option steps=16; repeatable",
    )
    run.add_argument(
        "--covariance",
        metavar="[[A,B],[B,C]]",
        help="covariance of correlated noise, one row per axis, in place of --sigma; needs periodic, clip or zero "
        "boundaries; with --draws that of all components at sigma = 1, in addition to --sigma, or a list of variances",
    )
    add_draws(run)
    run.add_argument(
        "--tolerance",
        type=float,
        metavar="E",
        help="with --solver auto: acceptable error relative to max Q - min Q, from 1e-14 to 1e-3",
    )
    run.add_argument(
        "--prefer",
        choices=("accurate", "monotone"),
        default="accurate",
        help="with --solver auto: accurate, or monotone for positive weights (default: accurate)",
    )
    run.add_argument(
        "--checks", choices=CHECK_LEVELS, help="depth of the checks (default: full; with --memory or --draws: standard)"
    )
    run.add_argument(
        "--memory",
        metavar="SIZE",
        help="out-of-core mode: process the field in blocks using at most this much memory, e.g. 4GiB",
    )
    run.add_argument(
        "-o", "--out", metavar="F.h5", help="result file: .h5, .hdf5 or .nc (default: SOURCE.h5 in this folder)"
    )
    run.add_argument("--figure", metavar="F.png", help="also draw a figure: .png, .pdf or .svg")
    run.add_argument(
        "--compression",
        choices=["none", *(f"gzip:{level}" for level in range(1, 10))],
        default="none",
        metavar="C",
        help="compression of the data: none, or gzip:1 to gzip:9 (default: none)",
    )
    run.add_argument(
        "--storage",
        choices=("full", "compact"),
        default="full",
        help="full, or compact: store each noise level on the coarsest sufficient grid; loading restores full "
        "resolution (default: full)",
    )
    run.add_argument(
        "--storage-tolerance",
        type=float,
        default=1e-10,
        metavar="E",
        help="with --storage compact: largest error relative to max Q - min Q (default: 1e-10)",
    )
    add_kind(run, "summary")
    run.add_argument("--force", action="store_true", help="replace existing files")
