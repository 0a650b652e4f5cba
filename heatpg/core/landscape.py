"""The landscape: values of Q on a grid, with name and provenance."""

# One file, because the ways to make a landscape are methods of its class, and all end in the same questions.

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from heatpg.boundaries import boundaries
from heatpg.core.centring import Centring, centring
from heatpg.core.faces import Faces, FacesLike, changed, checked_faces, refuse_lost, require_extrapolated
from heatpg.core.functions import sample_points, values_on_grid
from heatpg.core.grid import Grid, GridLike, as_grid, axes_html, first_of_batch, label_for, usable_name
from heatpg.core.oriented import on_positions
from heatpg.core.ownership import HandedOver, handed_over
from heatpg.core.positions import (
    Placed,
    axis_of_dimension,
    by_name,
    grid_of_nodes,
    grid_of_positions,
    place_axis,
    require_names,
)
from heatpg.core.scatter import aligned_error, checked_returns
from heatpg.core.sense import Sense, sense_of
from heatpg.core.slices import point_word, slice_of
from heatpg.core.values import owned_values
from heatpg.core.walls import oscillation
from heatpg.errors import GridError, NonFiniteError, OptionError, UnsupportedError
from heatpg.formats import FACES, LOSS, Wanted, read_file
from heatpg.tools import html
from heatpg.tools.arrays import real_array, real_numbers
from heatpg.tools.calls import checked_call, checked_class
from heatpg.tools.folders import expanded
from heatpg.tools.numbers import number_words
from heatpg.tools.progress import Progress, progress_of
from heatpg.tools.warn import warn_caller
from heatpg.tools.writers import writers

if TYPE_CHECKING:
    import xarray

__all__ = ["Landscape"]

Exact = Callable[[tuple[float, ...]], NDArray[np.float64]]
Sampler = Callable[[NDArray[np.float64]], NDArray[np.float64]]


@checked_class()
class Landscape:
    """Values of Q on a grid.

    Parameters
    ----------
    values
        Array of shape (*batch, *grid.shape). float32 and float64 are kept, integers and bool become float64.
        They are copied, so later changes of the array do not affect the landscape.
    grid
        Grid of the values, or its axes.
    name
        Name for titles and files.
    provenance
        Origin of the values: parameters and seeds, as JSON-like values.
    exact
        The exact evolution, if known: a function of one sigma per axis that returns u on the grid.
    sampler
        Q between the nodes, if available: a function of points (count, dimensions) that returns (count,).
    standard_error
        Standard error of each value, for means over random rollouts; same shape as the values.
    returns
        Returns of each seed, shape (seeds, *values.shape). Values and standard errors are computed from them, and
        `values` may be None.
    minimise
        Whether Q is a loss, whose smallest value is the optimum. The values keep their sign; everything that searches
        for an optimum then searches for the minimum.
    faces
        Values of Q on the walls of axes with ``nodes="cell"`` and boundary ``absorb`` or ``clip``, where no node is:
        by axis name a pair (lower, upper). Each is a number, an array of the shape of the grid without that axis, or
        None for the default, which is extrapolated from the four cells next to the wall.

    Raises
    ------
    GridError
        If the trailing shape differs from the grid, or the shape of the standard error from the values.
    NonFiniteError
        For NaN or infinity, with the first location.
    OptionError
        For complex, object, text or masked values, for extended precision, and for a negative standard error.
    BoundaryError
        For `faces` of an axis that has nodes on its walls, or whose boundary does not use the values there.
    UnsupportedError
        For `faces` together with standard errors or returns.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg import Axis, Grid, Landscape
    >>> grid = Grid(Axis("x", 0.0, 1.0, 5, boundary="reflect"))
    >>> q = Landscape([0, 1, 4, 1, 0], grid, name="peak")
    >>> q.oscillation, q.argmax
    (4.0, (2,))
    """

    def __init__(
        self,
        values: ArrayLike | None,
        grid: GridLike,
        name: str = "landscape",
        provenance: Mapping[str, Any] | None = None,
        *,
        exact: Exact | None = None,
        sampler: Sampler | None = None,
        standard_error: ArrayLike | None = None,
        returns: ArrayLike | None = None,
        minimise: bool = False,
        faces: FacesLike | Faces | None = None,
    ) -> None:
        grid = as_grid(grid)
        array, error, seeds = owned_values(values, standard_error, returns)
        if array.ndim == 0:
            raise GridError("a landscape needs at least one axis", given="a single number", allowed=f"{grid.shape}")
        if array.ndim < grid.dimensions or array.shape[array.ndim - grid.dimensions :] != grid.shape:
            raise GridError(
                "the values have the wrong shape for the grid",
                given=f"shape {array.shape}",
                allowed=f"{grid.shape}, or batch axes in front of it",
                advice="the last axes of the array must be those of the grid, in order",
            )
        if array.size == 0:
            raise GridError("the batch is empty", given=f"shape {array.shape}")
        if not np.isfinite(array).all():
            first = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
            kind = "NaN" if np.isnan(array[first]) else "infinity"
            raise NonFiniteError(
                f"Q is not finite at index {first}",
                given=f"{array[first]}, first of {int((~np.isfinite(array)).sum())}",
                advice=f"fill or resample these points first: one {kind} would spread over the whole field",
            )
        self.stated_faces: Faces | None = checked_faces(faces, array, grid)
        if error is not None:
            require_extrapolated(self.stated_faces, "a landscape with standard errors or returns")
        self.values: NDArray[Any] = array
        self._taken: tuple[NDArray[Any], Centring] | None = None
        self.grid = grid
        self.name = str(name)
        self.provenance: dict[str, Any] = dict(provenance or {})
        self.sense: Sense = sense_of(minimise)
        self._exact = exact
        self._sampler = sampler
        self.standard_error: NDArray[Any] | None = error
        self.returns: NDArray[Any] | None = seeds

    def __repr__(self) -> str:
        return f"<Landscape {self.name!r} {self.values.shape} {self.values.dtype} on {self.grid!r}>"

    def _repr_html_(self) -> str:
        # these two bring Numba, which a landscape by itself does not need
        from heatpg.core.extrema import peak
        from heatpg.core.thumbnails import landscape_words, pictures

        initial = first_of_batch(self.values, self.grid)
        best = peak(initial, self.grid, self.sense)
        # what a user may ask of it besides its nodes
        knows = [
            words
            for words, known in (
                ("the exact evolution is known", self.has_exact),
                ("Q can be evaluated between the nodes", self.has_sampler),
            )
            if known
        ]
        optimum = f"{self.sense.largest} Q: {html.number(best.value)} at {html.place(best.coordinates)}"
        return html.page(
            html.heading("Landscape", self.name, landscape_words(self.values, self.grid)),
            pictures(self.grid, [(initial, "Q")], self.sense),
            f"<div>{html.text('; '.join([optimum, *knows]))}</div>",
            axes_html(self.grid),
            *(f"<div>{html.text(f'{name}: {note}')}</div>" for name, note in self._notes()),
        )

    def _notes(self) -> list[tuple[str, str]]:
        """What was done with positions of axes, which the provenance holds."""
        notes = self.provenance.get("positions")
        return [(str(name), str(note)) for name, note in notes.items()] if isinstance(notes, dict) else []

    def __getstate__(self) -> dict[str, Any]:
        # a sampler may be anything that can be called; a copy in another process makes do with the nodes
        return {**self.__dict__, "_sampler": None}

    @property
    def batch_shape(self) -> tuple[int, ...]:
        """Leading axes of the values that are not axes of the grid."""
        return tuple(self.values.shape[: self.values.ndim - self.grid.dimensions])

    @property
    def oscillation(self) -> float:
        """osc(Q) = max Q - min Q over all stored values."""
        return oscillation(self)

    @property
    def argmax(self) -> tuple[int, ...]:
        """Index of the largest value (of the whole batch, if there is one)."""
        return tuple(int(i) for i in np.unravel_index(int(np.argmax(self.values)), self.values.shape))

    @property
    def faces(self) -> dict[str, tuple[NDArray[Any] | None, NDArray[Any] | None]]:
        """The stated values on walls, a pair by axis name, each of shape (*batch, *grid.shape) without that axis.

        Examples
        --------
        >>> from heatpg import Axis, Landscape
        >>> Landscape([1, 2, 3, 4], Axis("x", 0, 4, 4, boundary="absorb", nodes="cell"), faces={"x": (0, None)}).faces
        {'x': (array(0.), None)}
        """
        return self.stated_faces.as_dict(self.grid) if self.stated_faces else {}

    @property
    def minimise(self) -> bool:
        """Whether the smallest value is the optimum."""
        return self.sense.minimise

    @checked_call()
    def regarded(self, *, minimise: bool) -> Landscape:
        """The same values with another `minimise`.

        Examples
        --------
        >>> from heatpg import Landscape
        >>> loss = Landscape.from_array([3.0, 1.0, 2.0], boundary="clip").regarded(minimise=True)
        >>> loss.minimise, loss.values.tolist()
        (True, [3.0, 1.0, 2.0])
        """
        return self if minimise == self.minimise else self._with(minimise=minimise)

    def sampled_by(self, sampler: Sampler) -> Landscape:
        """The same values with a sampler; see `sampler` above.

        Examples
        --------
        >>> from heatpg import Landscape
        >>> known = Landscape.from_array([0.0, 1.0, 4.0], boundary="clip").sampled_by(lambda points: points[:, 0] ** 2)
        >>> known.sample([[1.5]])
        array([2.25])
        """
        return self._with(sampler=sampler)

    def _with(self, **changes: Any) -> Landscape:
        kept = {"exact": self._exact, "sampler": self._sampler, "minimise": self.minimise, "faces": self.stated_faces}
        kept |= self._known_scatter()
        return Landscape(HandedOver(self.values), self.grid, self.name, self.provenance, **(kept | changes))

    def _known_scatter(self) -> dict[str, Any]:
        """The standard errors, or the returns that they come from, as `Landscape` takes them."""
        if self.returns is None:
            return {"standard_error": handed_over(self.standard_error)}
        return {"returns": handed_over(self.returns)}

    @property
    def point_word(self) -> str:
        """What a point of the grid is: "action", or "parameter" or "parameter vector" for a return over parameters."""
        return point_word(self.provenance, self.grid.dimensions)

    def value_words(self, value: float, digits: int = 6) -> str:
        """A value of Q or u as text, with enough digits also for values with a large offset.

        Examples
        --------
        >>> from heatpg import Landscape
        >>> Landscape.from_array([1e9, 1e9 + 0.5, 1e9 + 2], boundary="clip").value_words(1e9 + 0.5)
        '1000000000.5'
        """
        return number_words(value, float(self.values.min()), float(self.values.max()), digits)

    @checked_call()
    def save(self, path: str | os.PathLike[str], *, force: bool = False, compression: str = "none") -> None:
        """Write the landscape to an HDF5 file, as its evolution at sigma = 0; see `heatpg.save`."""
        writers.get("landscape")(self, path, force=force, compression=compression)

    def trust(self, sigma: float | Sequence[float]) -> NDArray[np.float64]:
        """Bound osc(Q) * P(noise leaves the box) on the error due to unknown Q outside; see `Grid.trust`.

        osc(Q) is computed from the values. If Q exceeds their range outside the box, pass the larger osc(Q) to
        `Grid.trust`.
        """
        return self.grid.trust(sigma, self.oscillation)

    @property
    def has_exact(self) -> bool:
        """Whether the exact evolution is attached."""
        return self._exact is not None

    def exact(self, sigma: float | Sequence[float]) -> NDArray[np.float64]:
        """The exact evolution Q * N(0, sigma^2) on the grid, shape of the grid.

        Parameters
        ----------
        sigma
            Noise level, one or one per axis.

        Raises
        ------
        UnsupportedError
            If the exact evolution is unknown for this landscape.
        """
        if self._exact is None:
            raise UnsupportedError(
                f"the exact evolution is unknown for {self.name!r}",
                advice="use a landscape of heatpg.landscapes.analytic",
            )
        return self._exact(self.grid.sigmas(sigma))

    @property
    def has_sampler(self) -> bool:
        """Whether Q can be evaluated between the nodes."""
        return self._sampler is not None

    @property
    def sampler(self) -> Sampler | None:
        """The function that evaluates Q at any points; None if only the nodes are known, as for an array or a file."""
        return self._sampler

    @checked_call()
    def sample(self, points: ArrayLike) -> NDArray[np.float64]:
        """Evaluate Q at any points with the sampler, without interpolation.

        Parameters
        ----------
        points
            Shape (..., dimensions), in the units of the axes.

        Returns
        -------
        values
            Shape (...).

        Raises
        ------
        UnsupportedError
            If only the nodes are known, as for an array or a file.
        GridError
            For points of the wrong shape.

        Examples
        --------
        >>> from heatpg import Axis, Grid, Landscape
        >>> grid = Grid(Axis("x", -1.0, 1.0, 5, boundary="clip"))
        >>> Landscape.from_function(lambda x: 1 - x**2, grid).sample([[0.1], [0.9]])
        array([0.99, 0.19])
        """
        if self._sampler is None:
            raise UnsupportedError(
                f"{self.name!r} is known only at its nodes",
                advice="use heatpg.core.field.HeatField to interpolate",
            )
        places = real_numbers("points", points, GridError)
        if places.ndim < 2 or places.shape[-1] != self.grid.dimensions:
            raise GridError(
                "points have the wrong shape", given=f"shape {places.shape}", allowed=f"(..., {self.grid.dimensions})"
            )
        found = np.asarray(self._sampler(places.reshape(-1, self.grid.dimensions)), dtype=np.float64)
        return found.reshape(places.shape[:-1])

    @property
    def centring(self) -> Centring:
        """Offset and scale that are removed from Q before solving; see `heatpg.core.centring`."""
        if self._taken is None or self._taken[0] is not self.values:
            walls = self.stated_faces.extremes() if self.stated_faces else None
            self._taken = (self.values, centring(self.values, self.grid, walls))
        return self._taken[1]

    def less(self, taken: Centring) -> Landscape:
        """This landscape without an offset and a scale; the result is known only at its nodes.

        Examples
        --------
        >>> from heatpg import Axis, Grid, Landscape
        >>> from heatpg.core.centring import centring
        >>> grid = Grid(Axis("x", 0.0, 1.0, 3, boundary="reflect"))
        >>> q = Landscape([1e9, 1e9 + 2, 1e9 + 1], grid)
        >>> q.less(centring(q.values, grid)).values.tolist()
        [-1.0, 1.0, 0.0]
        """
        error = self.standard_error
        scaled = None if error is None else HandedOver(np.ldexp(error, -taken.exponent))
        return Landscape(
            HandedOver(taken.remove(self.values)),
            self.grid,
            self.name,
            self.provenance,
            standard_error=scaled,
            minimise=self.minimise,
            faces=changed(self.stated_faces, taken.remove),
        )

    @classmethod
    @checked_call()
    def from_array(
        cls,
        values: ArrayLike | None = None,
        axes: GridLike | Mapping[str, ArrayLike] | None = None,
        *,
        boundary: str | Mapping[str, str] = "",
        spacing: float | Sequence[float] = 1.0,
        nodes: str | Mapping[str, str] = "vertex",
        name: str = "array",
        standard_error: ArrayLike | None = None,
        returns: ArrayLike | None = None,
        minimise: bool = False,
        faces: FacesLike | None = None,
    ) -> Landscape:
        """Create a landscape from an array, on given axes, at given positions, or with a given grid spacing.

        Parameters
        ----------
        values
            The array, with one axis per axis of the grid. Tensors of other packages are converted without their
            gradient.
        axes
            Axes or a grid; or the positions of the nodes by name, in the order of the axes. They must be uniform up to
            rounding; descending positions are reversed together with the values. By default the axes are x1, x2, ...
            and start at 0.
        boundary
            Boundary condition of all axes, or one per axis name; required unless axes or a grid are given.
        spacing
            Grid spacing, one number or one per axis, if no axes are given.
        nodes
            ``cell`` for values at cell centres, as in histograms and images; for all axes, or by name. Ignored in
            favour of given axes.
        name
            Name of the landscape.
        standard_error
            Standard error of each value, of the shape of the values.
        returns
            In place of values: the returns of each seed, seeds along the first axis; the values are their mean.
        minimise
            Whether the values are a loss, whose smallest value is the optimum.
        faces
            Values on walls between which the nodes are cells, by axis name; see `Landscape`.

        Examples
        --------
        >>> import numpy as np
        >>> from heatpg import Landscape
        >>> Landscape.from_array(np.eye(4), boundary="periodic").grid.shape
        (4, 4)
        >>> turn = np.linspace(-1.5, 1.5, 7, dtype=np.float32)
        >>> Landscape.from_array(turn**2, {"turn": turn}, boundary="clip").grid[0].upper
        1.5
        """
        placed: list[Placed] = []
        if isinstance(axes, Mapping):
            grid, placed = grid_of_positions(axes, boundary=boundary, nodes=nodes)
        elif axes is not None:
            grid = as_grid(axes)
        else:
            shape = real_array("Q", values).shape if returns is None else checked_returns(returns).shape[1:]
            grid = grid_of_nodes(shape, boundary=boundary, spacing=spacing, nodes=nodes)
        options = {"standard_error": standard_error, "returns": returns, "minimise": minimise, "faces": faces}
        return on_positions(cls, values, grid, placed, name, {"source": "array"}, **options)

    @classmethod
    @checked_call()
    def from_function(
        cls,
        function: Callable[..., ArrayLike],
        grid: GridLike,
        *,
        name: str = "",
        vectorized: bool = True,
        progress: Progress = None,
        minimise: bool = False,
        dimensions: int | None = None,
        directions: ArrayLike | None = None,
        origin: ArrayLike | None = None,
        faces: FacesLike | None = None,
    ) -> Landscape:
        """Sample a function on a grid.

        Parameters
        ----------
        function
            Called as ``function(x1, x2, ...)`` with one coordinate array per axis, each of the grid's shape;
            returns an array of that shape. With ``vectorized=False`` it is called point by point with numbers.
        grid
            Grid to sample on, or its axes.
        name
            Name of the landscape; by default the name of the function.
        vectorized
            Whether the function accepts arrays.
        progress
            A function that is called as ``progress(done, total)``, or True for a bar. Used only where the function is
            sampled point by point.
        minimise
            Whether the function is a loss, whose smallest value is the optimum.
        dimensions
            Number of components that the function takes, if more than the axes of the grid. The landscape is then a
            slice; `heatpg.planes` computes noise in all components.
        directions
            For a slice: the direction of each axis in all components, one row per axis; by default the first
            components.
        origin
            For a slice: the point at the origin of the axes; by default 0.
        faces
            Values on walls between which the nodes are cells, by axis name; see `Landscape`.

        Raises
        ------
        GridError
            If the function returns the wrong shape, or the directions or origin of a slice have the wrong shape.
        NonFiniteError
            If it returns NaN or infinity, with the first location.

        Examples
        --------
        >>> import numpy as np
        >>> from heatpg import Axis, Grid, Landscape
        >>> grid = Grid(Axis("x", -1.0, 1.0, 5, boundary="clip"))
        >>> Landscape.from_function(lambda x: 1 - x**2, grid).values
        array([0.  , 0.75, 1.  , 0.75, 0.  ])
        """
        grid = as_grid(grid)
        # a lambda is called <lambda>
        own = str(getattr(function, "__name__", "function")).strip("<>")
        # which says nothing at the head of a figure
        label = name or (f"Q({', '.join(axis.name for axis in grid)})" if own == "lambda" else own)
        source: dict[str, Any] = {"source": "function", "function": name or own}
        plane, sampled = None, function
        if dimensions is not None or directions is not None or origin is not None:
            plane = slice_of(grid.dimensions, dimensions, directions, origin)
            source["parameters"] = plane.facts
            sampled = plane.of(function)
        values = values_on_grid(sampled, grid, vectorized=vectorized, progress=progress_of(progress, "sampling"))

        def sampler(points: NDArray[np.float64]) -> NDArray[np.float64]:
            return sample_points(sampled, points, vectorized=vectorized)

        known: Sampler = sampler if plane is None else plane.sampler(function, vectorized=vectorized)
        return cls(HandedOver(values), grid, label, source, sampler=known, minimise=minimise, faces=faces)

    @classmethod
    @checked_call()
    def from_xarray(
        cls,
        data: xarray.DataArray,
        *,
        boundary: str | Mapping[str, str] = "",
        nodes: str | Mapping[str, str] | None = None,
        batch: Sequence[str] = (),
        name: str = "",
        standard_error: ArrayLike | None = None,
        returns: str = "",
        minimise: bool | None = None,
        faces: FacesLike | None = None,
    ) -> Landscape:
        """Create a landscape from an `xarray.DataArray`; its dimensions become the axes, in order.

        Parameters
        ----------
        data
            One value per node. Every dimension that becomes an axis needs a coordinate of the same name, uniform up to
            rounding; descending coordinates are reversed together with the values. Lazy (Dask) arrays are computed.
        boundary
            Boundary condition of all axes, or one per dimension. Optional for coordinates written by heatpg, whose
            attributes contain it.
        nodes
            ``cell`` if the positions are cell centres, for all axes or by dimension. By default taken from the
            attributes of coordinates written by heatpg, otherwise ``vertex``.
        batch
            Dimensions that are not axes; they are moved to the front.
        name
            Name of the landscape; by default the name of the array.
        standard_error
            Standard error of each value: a DataArray with the same dimensions and coordinates in any order, or an array
            in the order of `data`.
        returns
            The dimension of the seeds, if the array holds their returns; Q is the mean over it.
        minimise
            Whether the values are a loss, whose smallest value is the optimum; by default taken from an array written
            by heatpg, otherwise False.
        faces
            Values on walls between which the nodes are cells, by dimension, in the order of `data`; see `Landscape`.

        Raises
        ------
        GridError
            For a dimension without coordinate, for positions that are not uniform numbers or contradict the attributes
            of the coordinate, and if no dimension remains.
        BoundaryError, UnknownNameError
            For a boundary that is missing or unknown.
        NonFiniteError
            For infinity or NaN, which xarray uses for missing values.
        OptionError
            If data is not a DataArray.

        Examples
        --------
        >>> import numpy as np, xarray
        >>> x = np.linspace(-1.0, 1.0, 5)
        >>> data = xarray.DataArray(1 - x**2, [("x", x, {"units": "N m"})])
        >>> Landscape.from_xarray(data, boundary="clip").grid
        Grid(Axis(name='x', lower=-1.0, upper=1.0, size=5, boundary='clip', nodes='vertex', unit='N m'))
        """
        if not all(hasattr(data, attribute) for attribute in ("dims", "coords", "transpose", "attrs", "to_numpy")):
            raise OptionError(
                "from_xarray() needs an xarray.DataArray",
                given=type(data).__name__,
                advice="select a variable of a Dataset: data['u']; for an array use Landscape.from_array",
            )
        dims = [str(dim) for dim in data.dims]
        for given in (dict.fromkeys(batch, ""), {returns: ""} if returns else "", boundary, nodes or ""):
            require_names(given, dims, "dimension")
        if returns and returns in batch:
            raise OptionError(
                f"dimension {returns!r} cannot be both returns= and batch=",
                given=f"returns={returns!r}, batch={list(batch)!r}",
                advice="with returns= Q is the mean over it, with batch= each entry is a landscape",
            )
        refuse_lost("this array", faces is None and data.attrs.get(FACES[0]) == FACES[1])
        placed = []
        for dim in data.dims:
            if dim in batch or dim == returns:
                continue
            if dim not in data.coords:
                raise GridError(
                    f"dimension {dim!r} has no coordinate",
                    given=f"dimensions {data.dims}",
                    advice=(
                        f"add it with data.assign_coords({dim}=positions), or pass batch={dim!r} if it is not an axis"
                    ),
                )
            own, placing = by_name(boundary, str(dim)), by_name(nodes or "", str(dim))
            coordinate = data.coords[dim]
            placed.append(
                axis_of_dimension(str(dim), coordinate.to_numpy(), coordinate.attrs, boundary=own, nodes=placing)
            )
        # heatpg has the axes of a batch first, whatever their place in the array
        order = [*batch, *(each.axis.name for each in placed)]
        if standard_error is not None and not returns:
            labelled: Any = standard_error
            if hasattr(labelled, "transpose") and hasattr(labelled, "dims"):
                labelled = aligned_error(labelled, data)
            else:
                labelled = data.copy(data=real_array("the standard error", labelled))
            standard_error = labelled.transpose(*order).to_numpy()
        ordered = data.transpose(*([returns] if returns else []), *order).to_numpy()
        scatter = {"standard_error": standard_error, "returns": ordered if returns else None, "faces": faces}
        grid, values = Grid(*(each.axis for each in placed)), None if returns else ordered
        label = name or str(data.name or "array")
        loss = data.attrs.get(LOSS[0]) == LOSS[1] if minimise is None else minimise
        return on_positions(cls, values, grid, placed, label, {"source": "xarray"}, minimise=loss, **scatter)

    @classmethod
    @checked_call()
    def from_file(
        cls,
        path: str | os.PathLike[str],
        *,
        boundary: str | Mapping[str, str] = "",
        nodes: str | Mapping[str, str] | None = None,
        name: str = "",
        variable: str = "",
        axes: Sequence[str] = (),
        standard_error: str = "",
        returns: str = "",
        fill: float | None = None,
        minimise: bool | None = None,
        faces: FacesLike | None = None,
    ) -> Landscape:
        """Create a landscape from a file of another program; see ``heatpg list formats``.

        A ``.npy`` file contains the values, a ``.npz`` file ``values`` and one array of positions per axis, in order.
        Other formats carry more information. Descending positions are reversed together with the values. No code in a
        file is executed, and links are not followed.

        Parameters
        ----------
        path
            Name of the file.
        boundary
            Boundary condition of all axes, or one per axis name.
        nodes
            ``cell`` if the positions are cell centres; for all axes, or by name. By default taken from the attributes
            of coordinates written by heatpg, otherwise ``vertex``.
        name
            Name of the landscape; by default the name of the file.
        variable
            The array, or the column of a table, that holds Q, if there are several.
        axes
            Names of the coordinates, or of columns, in the order of the axes; for logarithmic sweeps ``log10(NAME)``,
            ``log2(NAME)`` or ``log(NAME)``.
        standard_error
            The array, or column, that holds the standard errors of Q.
        returns
            The axis of the seeds, if the file holds their returns; Q is the mean over it.
        fill
            Value for missing points, as in an incomplete file.
        minimise
            Whether Q is a loss; by default according to the file, otherwise False.
        faces
            Values on walls between which the nodes are cells, by axis name; see `Landscape`.

        Raises
        ------
        MissingFileError
            If there is no such file.
        OptionError, UnknownNameError
            If no format accepts the file, or if the variable or axes must be named (the message lists the names).
        GridError
            If it has no values, or if its coordinates do not match them.
        NonFiniteError
            If values are missing, with their number and the first location.

        Examples
        --------
        >>> import os, tempfile
        >>> from heatpg import Landscape
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = os.path.join(folder, "sweep.csv")
        ...     with open(path, "w") as file:
        ...         _ = file.write("lr,seed,score\\n1e-4,0,3\\n1e-4,1,5\\n1e-3,0,8\\n1e-3,1,8\\n1e-2,0,1\\n1e-2,1,2\\n")
        ...     q = Landscape.from_file(path, boundary="clip", variable="score", axes=["log10(lr)"])
        >>> q.grid[0].name, q.values, q.standard_error
        ('log10_lr', array([4. , 8. , 1.5]), array([1. , 0. , 0.5]))
        """
        place = expanded(path)
        chosen = (axes,) if isinstance(axes, str) else tuple(axes)
        found = read_file(place, Wanted(variable, chosen, standard_error, fill))
        if found.undecided and minimise is None:
            raise OptionError(
                f"{place.name} may hold a loss or a return",
                allowed="minimise=True (loss) or minimise=False (return)",
                advice="pass minimise=; on the command line --minimise or --no-minimise; in a specification minimise = "
                "true or false",
            )
        refuse_lost(place.name, faces is None and found.faces)
        loss = bool(found.minimise) if minimise is None else minimise
        values, label = found.values, name or place.stem
        if returns and not found.axes:
            raise GridError(
                f"{place.name} does not name its axes, so returns= cannot select one",
                given=f"returns={returns!r}",
                advice="write a vector for each axis, also for the seeds, as in np.savez(path, values=returns, "
                "seed=range(8), x=nodes); or read it by Landscape.from_array(returns=np.load(path), ...), seeds first",
            )
        if not found.axes:
            grid = grid_of_nodes(values.shape, boundary=boundary, nodes=nodes or "vertex")
            of_file = {"minimise": loss, "faces": faces}
            return on_positions(cls, HandedOver(values), grid, [], label, {"source": "array"}, **of_file)
        names = [usable_name(each.name) for each in found.axes]
        for given, own in zip(found.axes, names, strict=True):
            if own == f"{given.name}_axis":
                warn_caller(f"axis {given.name!r} is named {own!r}: {given.name!r} is reserved in files of heatpg")
        seeds = None
        if returns:
            if "repetitions" in found.facts and returns not in names:
                raise OptionError(
                    f"repeated rows of {place.name} already count as seeds",
                    given=f"returns={returns!r}",
                    advice="omit returns=: the values are the means over repeated rows, with standard errors",
                )
            require_names({returns: ""}, names)
            # negative, because a batch comes before the axes
            number = names.index(returns)
            seeds = np.moveaxis(found.values, number - len(names), 0)
            del names[number]
            found = dataclasses.replace(found, axes=(*found.axes[:number], *found.axes[number + 1 :]))
        for said in (boundary, nodes or ""):
            require_names(said, names)
        placed = []
        for i, (each, own) in enumerate(zip(found.axes, names, strict=True)):
            # what the caller says comes before what the file says; other programs have attributes of these names, too
            beyond: str = by_name(boundary, own) or (each.boundary if each.boundary in boundaries.names() else "")
            placing: Any = by_name(nodes or "", own) or ("cell" if each.nodes == "cell" else "vertex")
            if each.places is not None:
                how: Any = {"unit": each.unit, "nodes": placing, "label": label_for(each.name, each.label)}
                placed.append(place_axis(own, each.places, boundary=beyond, **how))
            else:
                whole = (found.values if seeds is None else seeds).shape[-len(names) :]
                # where it will be refused, with the shape that the user knows
                shape = whole if whole[i] < 3 else whole[i : i + 1]
                (axis,) = grid_of_nodes(shape, boundary=beyond, nodes=placing)
                placed.append(Placed(dataclasses.replace(axis, name=own)))
        # files of NumPy are arrays, as they are for `from_array`
        origin = {"source": "array"} if found.facts["format"] == "numpy" else found.facts
        error = found.standard_error
        return on_positions(
            *(cls, HandedOver(values) if seeds is None else None, Grid(*(one.axis for one in placed)), placed),
            *(label, origin),
            minimise=loss,
            standard_error=handed_over(error),
            returns=handed_over(seeds),
            faces=faces,
        )
