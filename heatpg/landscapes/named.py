"""Landscapes by name: registered ones, and environments of Gymnasium over their actions.

The command line and batches take these names, so the options of an environment, words and numbers, stand here alone.
"""

from __future__ import annotations

import importlib
import importlib.metadata
from collections.abc import Callable

from heatpg.core.grid import GridLike
from heatpg.core.landscape import Landscape
from heatpg.errors import MissingPackageError, UnknownNameError
from heatpg.landscapes import landscapes
from heatpg.landscapes._snapshot import load_gymnasium
from heatpg.landscapes.environments import from_gymnasium
from heatpg.landscapes.sampling import Actions, Rollout
from heatpg.tools.endings import environment_id, is_environment
from heatpg.tools.extras import how_to_add

__all__ = ["Family", "environment_landscape", "family_of", "packages_of_environment", "require_environment"]

Family = Callable[..., Landscape]


def environment_landscape(source: str) -> Family:
    """The function that makes a landscape of an environment of Gymnasium over its actions; nothing is made yet."""

    def landscape(
        grid: GridLike | None = None,
        *,
        components: tuple[int, ...] | None = None,
        held: tuple[float, ...] | None = None,
        size: int = 33,
        boundary: str = "clip",
        state: int = 0,
        horizon: int = 200,
        gamma: float = 0.99,
        seeds: int = 1,
        workers: int = 0,
        progress: Callable[[int, int], object] | None = None,
    ) -> Landscape:
        """Q(s, a) over components of the action.

        Parameters
        ----------
        grid
            Grid to sample on; by default the bounds of the components.
        components
            Components of the action along the axes, counted from 0; none: all of them, up to three.
        held
            All components of the action; those along the axes do not matter. none: zero, or the nearest bound.
        size
            Nodes along each axis.
        boundary
            Boundary condition of all axes.
        state
            Seed of the reset that gives the state.
        horizon
            Steps of a rollout.
        gamma
            Discount factor.
        seeds
            Number of rollouts at each node.
        workers
            Number of processes.
        progress
            Is told how many nodes are done.
        """
        return from_gymnasium(
            source,
            over=Actions(components=components, held=held, boundary=boundary),
            grid=grid,
            size=size,
            state=state,
            rollout=Rollout(horizon=horizon, gamma=gamma, seeds=seeds),
            workers=workers,
            progress=progress,
        )

    return landscape


def require_environment(source: str) -> None:
    """Refuse an id that Gymnasium does not know. Of ``my_module:Mine-v0`` the module is imported, as Gymnasium does it.

    Raises
    ------
    MissingPackageError
        If Gymnasium is not installed, or the module cannot be imported.
    UnknownNameError
        If no such environment is registered, with what Gymnasium says of it.
    """
    gymnasium = load_gymnasium()
    module, _, name = environment_id(source).rpartition(":")
    try:
        if module:
            importlib.import_module(module)
    except Exception as reason:  # whatever it raises
        raise MissingPackageError(
            f"the module {module!r} of the environment {name!r} cannot be imported",
            given=f"{type(reason).__name__}: {reason}",
            advice="install the package that the module is from",
        ) from reason
    try:
        gymnasium.spec(name)
    except gymnasium.error.Error as reason:
        raise UnknownNameError(
            "unknown environment",
            given=f"{name!r}: {reason}",
            allowed="an id that is registered with Gymnasium, such as Pendulum-v1",
            advice=f"for MuJoCo environments: {how_to_add('rl')}; for others install the package that registers them",
        ) from None


def packages_of_environment(source: str) -> str:
    """The packages that an environment is from, with their versions: another version is another landscape.

    Gymnasium itself, and each package by whose name a part of the path of its code goes, as in
    ``gymnasium.envs.mujoco.half_cheetah_v5``. `require_environment` has found it.
    """
    module, _, name = environment_id(source).rpartition(":")
    found = load_gymnasium().spec(name).entry_point
    path = found if isinstance(found, str) else str(getattr(found, "__module__", ""))
    versions = {}
    for name in dict.fromkeys(["gymnasium", *module.split("."), *path.partition(":")[0].split(".")]):
        try:
            versions[name] = importlib.metadata.version(name)
        except (importlib.metadata.PackageNotFoundError, ValueError):
            continue
    return ", ".join(f"{name} {version}" for name, version in versions.items())


def family_of(name: str) -> Family:
    """What makes the landscape of a name: a registered one, or an environment of Gymnasium.

    Raises
    ------
    UnknownNameError
        For any other name.

    Examples
    --------
    >>> from heatpg.landscapes.named import family_of
    >>> from heatpg.tools.options import settable
    >>> sorted(settable(family_of("Pendulum-v1")))[:4]
    ['boundary', 'components', 'gamma', 'held']
    """
    if is_environment(name) and name not in landscapes.names():
        return environment_landscape(environment_id(name))
    return landscapes.get(name)
