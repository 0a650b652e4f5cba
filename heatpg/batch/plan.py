"""Cost of a batch before it runs: tasks, bytes on disk, memory of a worker, and time.

Bytes and memory follow from shapes, which a landscape tells when it is sampled on a few nodes. Time does not follow
from anything simple: it is measured on pieces of a few tasks, and carried over by the number of points.
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from heatpg.batch.drawing import FIELDS, STATES, method_of, most_samples, require_drawable
from heatpg.batch.files import landscape_in_file
from heatpg.batch.names import names_environment
from heatpg.batch.problems import Problem, SpecError
from heatpg.batch.shapes import COARSE, Shape, keywords_of, kinds_of, shape_of, sized
from heatpg.batch.spec import Spec, Task
from heatpg.core.grid import Axis, Grid
from heatpg.core.landscape import Landscape
from heatpg.core.noise import parse_sigma
from heatpg.errors import HeatpgError
from heatpg.evolution import solve
from heatpg.landscapes.named import family_of
from heatpg.solvers import Solver, make
from heatpg.solvers.choice import choose
from heatpg.store.chunks import chunk_shape
from heatpg.tools.calls import checked_call
from heatpg.tools.lines import one_line
from heatpg.tools.parallel import set_threads, threads
from heatpg.tools.resources import human_bytes, human_duration
from heatpg.verify import verify

__all__ = ["Plan", "predict", "worker_memory"]

# Measured on Linux with one thread; the rest of a task is counted.
_PROCESS = 190 * 2**20  # bytes of a Python with NumPy, SciPy, Numba, HDF5 and a few kernels
_LINE_SCRATCH = 24  # numbers per node of the longest line
_REACH = 17  # sigmas by which a line is continued, both ends together
_REACH_SCRATCH = 40  # numbers per node of a continued line that is mostly continuation, up to the next power of two
_CHECK_FIELDS = {"none": 0, "standard": 6, "full": 8}  # fields that the checks hold beside those of the evolution
_COMPACT_FIELDS = 4  # in double precision, that compact storage holds while it writes one sigma
_KEPT = 2  # fields that the allocator keeps after they were freed
_FILE = 15_000  # bytes of attributes and scales
_FILE_PER_LEVEL = 2_000
_FILE_PER_GROUP = 8_000  # of a level that has its own
_FILE_CHECKS = 7_000  # bytes of the report
_READ = 1e9  # bytes per second
_WRITTEN = 4e8  # bytes per second: image, checksums and writing
_PUBLISHED = 0.005  # seconds, to bring one file to the disk

# Taste, within the promises of `predict`: measuring ends after a quarter of a second, and times are right within 3.
_SMALL_ENOUGH = 2**18  # points that are sampled where fewer do not do
_PIECES = (2048, 8192, 32768)  # points that are solved on; the next only if the time has not grown with the points
_MANY = 16384  # points that are sampled
_ROLLOUTS = (8, 128)  # points that are sampled of an environment
_LONGEST_LINE = 2**15  # nodes; what noise reaches beyond is not seen in full
_FEWEST = 4  # nodes along the other axes
_MOST_LEVELS = 6  # that are timed, evenly spread
_LONG = 0.02  # seconds, enough to be carried over as they are
_BUDGET = 0.25  # seconds


@dataclasses.dataclass(frozen=True)
class Plan:
    """The cost of a batch.

    Attributes
    ----------
    name
        Name of the batch.
    tasks
        Number of tasks.
    points
        Number of values that are computed: points of the grid times noise levels, over all tasks.
    storage
        Bytes on disk; an upper bound where files are compressed.
    memory
        Largest memory of a worker in bytes, including the process itself.
    seconds
        Processor time of sampling, solving, checking and writing on one thread. Not in it: the start of the workers,
        and what each of them takes to compile or load its kernels; some seconds each.
    how
        How the time was estimated.
    largest
        Number of the task with the largest memory.
    """

    name: str
    tasks: int
    points: int
    storage: int
    memory: int
    seconds: float
    how: str
    largest: int

    def as_dict(self) -> dict[str, Any]:
        """The plan as JSON-like values."""
        return dataclasses.asdict(self)

    def __str__(self) -> str:
        rows = {
            "batch": self.name or "without a name",
            "tasks": f"{self.tasks:,}, {self.points:,} values",
            "storage": human_bytes(self.storage),
            "memory": f"{human_bytes(self.memory)} a worker (task {self.largest})",
            "time": f"about {human_duration(self.seconds)} of computing on one thread ({self.how})",
            "excluded": "the start of each worker and the compilation of its kernels, some seconds each",
        }
        return "\n".join(f"{key:8}  {one_line(value)}" for key, value in rows.items())


def _padded(shape: tuple[int, ...], dimensions: int, batch: int) -> int:
    """Number of values in whole chunks."""
    chunks = chunk_shape(shape, dimensions, batch)
    return math.prod(-(-size // chunk) * chunk for size, chunk in zip(shape, chunks, strict=True))


def _compact_shape(grid: Grid, sigmas: Sequence[float], tolerance: float, *, continuous: bool) -> tuple[int, ...]:
    """Nodes that hold a field: the spacing pi sigma / sqrt(2 log(1 / tolerance)), on lines that free space lengthens.

    A line in free space is continued by z sigma / 2 at each end, P(Z > z) = tolerance / 8, and is kept as it is where
    the solver does not go to the Gaussian convolution; see `heatpg.store.compact`.
    """
    ratio = math.pi / math.sqrt(2.0 * math.log(1.0 / tolerance))
    beyond = -float(ndtri(tolerance / 8.0))
    shape = []
    for axis, sigma in zip(grid, sigmas, strict=True):
        free = axis.rule.free_space
        length = axis.length + (beyond * sigma if free else 0.0)
        fits = sigma > 0 and (continuous or not free)
        shape.append(min(axis.size, math.ceil(length / (ratio * sigma)) + 1) if fits else axis.size)
    return tuple(shape)


def _storage(shape: Shape, levels: NDArray[np.float64], resolved: dict[str, Any]) -> int:
    """Bytes of the file of one task."""
    grid, storage = shape.grid, resolved["storage"]
    count, dimensions, batch = len(levels), grid.dimensions, len(shape.batch)
    whole = storage["compression"] == "none"
    initial = (1 + shape.kept) * (_padded(shape.shape, dimensions, batch) if whole else math.prod(shape.shape))
    scales = 8 * sum(grid.shape) + _FILE + _FILE_PER_LEVEL * count
    if storage["mode"] == "compact":
        rows = _columns(levels, dimensions)
        continuous = _solver(resolved, shape, levels).target == "continuous"
        per_batch = 0
        for row in rows.tolist():
            lattice = _compact_shape(grid, row, storage["tolerance"], continuous=continuous)
            per_batch += math.prod(lattice)
            scales += 8 * sum(lattice) + _FILE_PER_GROUP
        values = math.prod(shape.batch) * per_batch
    else:
        values = _padded((count, *shape.shape), dimensions, batch) if whole else count * math.prod(shape.shape)
    report = 0 if resolved["checks"] == "none" else _FILE_CHECKS
    if STATES in resolved:
        scales += FIELDS * 8 * _padded((count, *shape.shape), dimensions, batch)
    return (values + initial) * shape.itemsize + scales + report


def _columns(levels: NDArray[np.float64], dimensions: int) -> NDArray[np.float64]:
    """One sigma per axis, shape (T, dimensions)."""
    return np.broadcast_to(levels[:, None] if levels.ndim == 1 else levels, (len(levels), dimensions))


def _solver(resolved: dict[str, Any], shape: Shape, levels: NDArray[np.float64]) -> Solver:
    """The solver of a task, picked where it is to be picked."""
    wanted = resolved["solver"]
    if wanted["name"] != "auto":
        return make(wanted["name"], **keywords_of(wanted["options"]))
    variances = [tuple(sigma**2 for sigma in row) for row in _columns(levels, shape.grid.dimensions).tolist()]
    return choose(shape.grid, variances, tolerance=wanted["tolerance"], prefer=wanted["prefer"])[0]


def _memory(shape: Shape, count: int, stored: int, resolved: dict[str, Any]) -> int:
    """Bytes of a worker: of solving and checking, or of the image of the file and its copy, whichever are more."""
    # Q with the returns of its seeds, and a field for each sigma, are held throughout. To these come, one after
    # another: while solving, two fields more and what the checks hold; while writing, the file image and its copy.
    field = shape.field
    drawn = FIELDS * 8 * count * math.prod(shape.shape) if STATES in resolved else 0
    evolution = (count + 1 + shape.kept) * field + drawn
    widest = _columns(parse_sigma(resolved["sigma"], shape.grid), shape.grid.dimensions).max(axis=0)
    scratch = 0
    for axis, sigma in zip(shape.grid, widest.tolist(), strict=True):
        # a line is continued by what the noise reaches, up to a power of two
        beyond = math.ceil(_REACH * sigma / axis.spacing)
        continued = 2 ** (axis.size + beyond - 1).bit_length()
        scratch = max(scratch, _REACH_SCRATCH * continued if beyond > axis.size else _LINE_SCRATCH * axis.size)
    solving = evolution + (2 + _CHECK_FIELDS[resolved["checks"]]) * field + 8 * scratch
    writing = evolution + 2 * stored + _KEPT * field
    if resolved["storage"]["mode"] == "compact":
        writing += _COMPACT_FIELDS * 8 * math.prod(shape.shape)
    return _PROCESS + max(solving, writing)


@dataclasses.dataclass(frozen=True)
class _Cost:
    """What one task takes.

    Attributes
    ----------
    shape, levels
        Its landscape and its noise.
    stored
        Bytes of its file.
    memory
        Bytes of the worker that does it.
    """

    shape: Shape
    levels: NDArray[np.float64]
    stored: int
    memory: int

    @property
    def points(self) -> int:
        """Number of values that are computed."""
        return len(self.levels) * math.prod(self.shape.shape)


class _Costs:
    """The costs of tasks; what two of them have in common is found out once."""

    def __init__(self) -> None:
        self._shapes: dict[tuple[Any, ...], Shape] = {}
        self._known: dict[tuple[Any, ...], _Cost] = {}

    def of(self, resolved: dict[str, Any]) -> _Cost:
        kind = kinds_of(resolved)
        # the solver decides what compact storage can leave out
        key = (kind, str(resolved["sigma"]), str(resolved["storage"]), resolved["checks"], method_of(resolved))
        if key not in self._known:
            if kind not in self._shapes:
                self._shapes[kind] = shape_of(resolved)
            shape = self._shapes[kind]
            require_drawable(resolved, sliced=shape.sliced)
            levels = parse_sigma(resolved["sigma"], shape.grid)
            stored = _storage(shape, levels, resolved)
            self._known[key] = _Cost(shape, levels, stored, _memory(shape, len(levels), stored, resolved))
        return self._known[key]


def worker_memory(tasks: Sequence[Task]) -> tuple[int, Task | None]:
    """Bytes that a worker holds at most, and the task that takes them.

    What cannot be estimated is left to the task itself, which reports why.

    Parameters
    ----------
    tasks
        What is to be done, by one worker one after another.

    Returns
    -------
    memory
        Bytes, the process itself included; 0 if nothing can be estimated.
    largest
        The first of the tasks that need this much.

    Examples
    --------
    >>> from heatpg.batch import read_spec
    >>> from heatpg.batch.plan import worker_memory
    >>> spec = read_spec({"landscape": {"source": "ridge"}, "evolve": {"sigma": 0.5},
    ...                   "sweep": {"product": {"landscape.size": [65, 1025]}}})
    >>> worker_memory(spec.tasks())[1].number
    1
    """
    # what cannot be estimated here, such as a landscape with wrong options, fails as a task, with its own message
    most, largest = 0, None
    costs = _Costs()
    for task in tasks:
        try:
            memory = costs.of(task.resolved).memory
        except (HeatpgError, ArithmeticError):
            continue
        if memory > most:
            most, largest = memory, task
    return most, largest


@contextmanager
def _one_thread() -> Iterator[None]:
    # the time of the processor is measured, and threads that wait for one another would be counted
    before = threads()
    set_threads(1)
    try:
        yield
    finally:
        set_threads(before)


def _shortened(axis: Axis, size: int) -> Axis:
    """The first nodes of an axis, of the same spacing."""
    if size >= axis.size:
        return axis
    return dataclasses.replace(axis, upper=axis.upper - (axis.size - size) * axis.spacing, size=size)


def _slab(grid: Grid, position: int, points: int) -> Grid:
    """About so many points: the whole line along one axis, and few nodes along the others."""
    length = min(grid[position].size, _LONGEST_LINE)
    others = max(_FEWEST, round((points / length) ** (1.0 / max(grid.dimensions - 1, 1))))
    return Grid(*(_shortened(axis, length if i == position else others) for i, axis in enumerate(grid)))


def _some(levels: NDArray[np.float64]) -> NDArray[np.float64]:
    """A few of the levels, evenly spread."""
    return np.asarray(levels[np.unique(np.linspace(0, len(levels) - 1, _MOST_LEVELS).round().astype(int))])


def _slope(sizes: Sequence[int], times: Sequence[float]) -> tuple[float, float]:
    """Seconds per point and seconds besides, of a smaller and a larger piece."""
    if sizes[1] <= sizes[0]:
        return times[1] / sizes[1], 0.0
    slope = max((times[1] - times[0]) / (sizes[1] - sizes[0]), 0.05 * times[1] / sizes[1])  # timings scatter
    return slope, max(times[0] - slope * sizes[0], 0.0)


def _sampled(resolved: dict[str, Any], shape: Shape) -> tuple[NDArray[Any], float]:
    """Some values of a landscape, and the seconds that all of them take."""
    source = resolved["landscape"]
    if "file" in source:
        found = landscape_in_file(source)
        return found.values.ravel()[: _PIECES[-1]], found.values.nbytes / _READ
    family = family_of(source["source"])
    options = keywords_of(source["options"])
    # a value of an environment is a rollout, or several, each of which takes the same time
    rollouts = names_environment(source["source"])
    pieces, fewest = (_ROLLOUTS, 2) if rollouts else ((_PIECES[0], _MANY), COARSE[0])

    def timed(points: int) -> tuple[Landscape, float]:
        share = min(1.0, (points / shape.grid.size) ** (1.0 / shape.grid.dimensions))
        coarse = Grid(*(sized(axis, min(axis.size, max(fewest, round(axis.size * share)))) for axis in shape.grid))
        begin = time.process_time()
        found = family(coarse, **options)
        return found, time.process_time() - begin

    try:
        timed(pieces[0])  # loads and compiles
        landscape, short = timed(pieces[0])
    except HeatpgError:  # too coarse for its finest detail
        if rollouts or shape.grid.size > _SMALL_ENOUGH:
            raise
        landscape, short = timed(shape.grid.size)
    if short > _LONG or landscape.grid.size == shape.grid.size:
        return landscape.values.ravel(), short * shape.grid.size / landscape.grid.size
    more, long = timed(pieces[1])
    slope, fixed = _slope((landscape.grid.size, more.grid.size), (short, long))
    return landscape.values.ravel(), fixed + slope * shape.grid.size


def _whole(resolved: dict[str, Any], levels: NDArray[np.float64]) -> float:
    """The time that a task takes without being stored."""
    source, solver = resolved["landscape"], resolved["solver"]
    chosen = "auto" if solver["name"] == "auto" else make(solver["name"], **keywords_of(solver["options"]))
    begin = time.process_time()
    if "file" in source:
        landscape = landscape_in_file(source)
    else:
        landscape = family_of(source["source"])(**keywords_of(source["options"]))
    flow = solve(landscape, levels, chosen, tolerance=solver["tolerance"], prefer=solver["prefer"])
    verify(flow, resolved["checks"])
    return time.process_time() - begin


def _seconds(resolved: dict[str, Any], shape: Shape, levels: NDArray[np.float64]) -> float:
    """The time of a task: sampling, and then solving and checking, which is a sum over the axes.

    With noise along axis i alone a slab takes s_i seconds per point, without noise s_0: all of it takes
    N (s_0 + sum_i (s_i - s_0)), N the number of points.
    """
    grid = shape.grid
    sample, sampling = _sampled(resolved, shape)
    if STATES in resolved:
        return sampling * most_samples(resolved, len(levels), math.prod(shape.shape))
    columns = _columns(levels, grid.dimensions)
    chosen = _solver(resolved, shape, levels)

    def timed(position: int, points: int, noise: NDArray[np.float64]) -> tuple[int, float]:
        slab = _slab(grid, position, points)
        rows = np.zeros((len(noise), grid.dimensions))
        rows[:, position] = noise * (1.0 + 1e-9 * np.arange(len(noise)))  # no level may be given twice
        landscape = Landscape(np.resize(sample, slab.shape), slab)
        times = []
        for _ in range(2):  # the first may load and compile
            begin = time.process_time()
            verify(solve(landscape, rows, chosen), resolved["checks"])
            times.append(time.process_time() - begin)
        return slab.size, min(times) * len(levels) / len(noise)

    def measured(position: int, noise: NDArray[np.float64]) -> NDArray[np.float64]:
        # seconds per point, and seconds besides
        few, short = timed(position, _PIECES[0], noise)
        for points in _PIECES[1:]:
            many, long = timed(position, points, noise)
            if long > 2.0 * short or many >= grid.size:  # what grows with the points is seen
                break
        return np.array(_slope((few, many), (short, long)))

    # s_0, the cost without noise, is in the cost of every axis; with one noisy axis it need not be told from it
    noisy = [i for i in range(grid.dimensions) if columns[:, i].any()]
    still = measured(0, np.zeros(1)) if len(noisy) != 1 else np.zeros(2)
    costs: dict[tuple[Any, ...], NDArray[np.float64]] = {}
    total = still
    for i in noisy:
        axis = grid[i]
        key = (axis.size, axis.boundary, axis.nodes, axis.spacing, columns[:, i].tobytes())
        if key not in costs:
            costs[key] = measured(i, _some(columns[:, i]))
        total = total + np.maximum(costs[key] - still, 0.0)
    return sampling + float(total[1] + total[0] * math.prod(shape.shape))


@checked_call()
def predict(spec: Spec, *, measure: bool = False, budget: float = _BUDGET) -> Plan:
    """Predict the cost of a batch: bytes and memory within a quarter, sampling and solving within a factor of 3.

    The shape of each kind of landscape is found by sampling it on a few nodes. The time is measured on slabs of a few
    tasks, evenly spread over the batch: whole lines along one axis, with the same solver, noise levels and checks. On a
    tensor grid the work is a sum over the axes, t(N) = N (s_0 + sum_i (s_i - s_0)), where N is the number of points and
    s_i the time per point with noise along axis i alone.

    Parameters
    ----------
    spec
        The specification.
    measure
        Whether to run the cheapest task completely and scale all times by its time. Worth its time where the checks
        depend on the data, as the maxima of plateaus do.
    budget
        Seconds for measuring pieces; the first kind of task is always measured.

    Returns
    -------
    plan
        Storage, memory of a worker and time on one thread.

    Raises
    ------
    SpecError
        If a landscape cannot be sampled with its options, or a sigma does not fit its axes; with the tasks.

    Notes
    -----
    For the checks no such factor is guaranteed. The search for maxima takes a time that depends on the data: where
    there are plateaus or many equal values, all of a task took up to 6 times less or 3 times more than predicted. The
    full cross-check has a cost per line that hides in a slab what it costs per point: once 25 times less. `measure`
    corrects both as far as the tasks are alike.

    Lines of more than 32,768 nodes are cut, and then noise that reaches farther than that is
    not seen in full. The cost of a landscape is carried over from few points, so it must not depend on where they are.

    Examples
    --------
    >>> from heatpg.batch import predict, read_spec
    >>> plan = predict(read_spec({"landscape": {"source": "ridge", "size": 257}, "evolve": {"sigma": [0.1, 0.2]}}))
    >>> plan.tasks, plan.points
    (1, 132098)
    """
    tasks = spec.tasks()
    costs = _Costs()
    problems: dict[str, Problem] = {}
    rows: list[tuple[Task, _Cost]] = []
    for task in tasks:
        try:
            rows.append((task, costs.of(task.resolved)))
        except HeatpgError as reason:
            problems.setdefault(reason.one_line, Problem(task.describe(), reason.one_line))
    if problems:
        raise SpecError.of("the batch", problems.values())
    storage = sum(cost.stored for _, cost in rows)
    points = sum(cost.points for _, cost in rows)
    largest, memory = max(((task.number, cost.memory) for task, cost in rows), key=lambda row: (row[1], -row[0]))
    seconds, how = _total_seconds(rows, budget, measure)
    seconds += storage / _WRITTEN + len(tasks) * _PUBLISHED
    return Plan(spec.batch.name, len(tasks), points, storage, memory, seconds, how, largest)


def _total_seconds(rows: Sequence[tuple[Task, _Cost]], budget: float, measure: bool) -> tuple[float, str]:
    """Time of all tasks: a few are measured, spread evenly, and the others take what those took per value."""
    # Tasks take one time if they agree in all that the time depends on: shape, noise, solver, checks, and options
    # of one value. Neither the seed nor the discount changes how much is computed.
    groups: dict[tuple[Any, ...], list[int]] = {}
    for position, (task, cost) in enumerate(rows):
        resolved = task.resolved
        scalars = tuple(
            (key, value)
            for key, value in sorted(resolved["landscape"]["options"].items())
            if not isinstance(value, list) and key not in ("seed", "gamma")
        )
        key = (
            kinds_of(resolved)[:2],
            scalars,
            cost.shape.shape,
            cost.levels.tobytes(),
            method_of(resolved),
            resolved["checks"],
        )
        groups.setdefault(key, []).append(position)
    members = list(groups.values())
    order = sorted(range(len(members)), key=lambda i: f"{i:b}".zfill(32)[::-1])  # spread, whenever the budget ends
    measured: dict[int, float] = {}
    spent = 0.0
    with _one_thread():
        for i in order:
            if measured and spent >= budget:
                break
            task, cost = rows[members[i][0]]
            begin = time.process_time()
            try:
                measured[i] = _seconds(task.resolved, cost.shape, cost.levels)
            except HeatpgError:  # a piece of it cannot be had alone
                continue
            spent += time.process_time() - begin
    if not measured:
        return math.nan, "not measured: tasks cannot be split"

    points = [rows[group[0]][1].points for group in members]
    rate = sum(measured.values()) / sum(points[i] for i in measured)
    total = sum(len(group) * measured.get(i, rate * points[i]) for i, group in enumerate(members))
    how = f"measured on parts of {len(measured)} of {len(members)} kinds of tasks"
    if not measure:
        return total, how
    cheapest = min(measured, key=lambda i: measured[i])
    task, cost = rows[members[cheapest][0]]
    with _one_thread():
        took = _whole(task.resolved, cost.levels)
    return total * took / measured[cheapest], f"{how}, and task {task.number} in full"
