"""Samples what docs/howto/all_components.md shows, into data/: ``python docs/all_components.py``, some minutes.

Noise in six joints of HalfCheetah-v5, and in 1,217 parameters of a policy for Pendulum-v1, each to 5 % of osc(Q).
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from heatpg import Evolution, landscapes
from heatpg.landscapes import Actions, Parameters, Rollout
from heatpg.landscapes.directions import random_directions
from heatpg.planes import Draws, evolve_plane

DATA = Path(__file__).resolve().parents[1] / "data"


def half_cheetah() -> Evolution:
    """Six joints held for 100 steps, on the plane of the two thighs."""
    q = landscapes.from_gymnasium(
        "HalfCheetah-v5", over=Actions(components=(0, 3)), state=0, size=17, rollout=Rollout(horizon=100, gamma=1.0)
    )
    return evolve_plane(q, [0.2, 0.4, 0.8], Draws(error=0.05))


def pendulum() -> Evolution:
    """All parameters of a trained policy, on a plane of two random directions; whole episodes from four starts."""
    with np.load(DATA / "ppo_pendulum.npz") as file:
        layers = [file[name].astype(float) for name in ("w1", "b1", "w2", "b2", "w3", "b3")]

    def policy(parameters: Any, seen: Any) -> Any:
        first = 0
        for i in range(0, 6, 2):
            matrix, bias = layers[i].shape, layers[i + 1].size
            count = matrix[0] * matrix[1]
            seen = parameters[first : first + count].reshape(matrix) @ seen + parameters[first + count :][:bias]
            first += count + bias
            seen = np.tanh(seen) if i < 4 else seen
        return seen

    trained = np.concatenate([layer.ravel() for layer in layers])
    over = Parameters(trained, directions=random_directions(trained, seed=0), extent=3.0, boundary="clip")
    q = landscapes.from_gymnasium(
        "Pendulum-v1", policy, over=over, size=9, rollout=Rollout(horizon=200, gamma=1.0, seeds=4)
    )
    return evolve_plane(q, [0.1, 0.3, 1.0], Draws(error=0.05))


def main() -> None:
    makers = {"half_cheetah": half_cheetah, "ppo_pendulum": pendulum}
    for name in sys.argv[1:] or makers:
        wall, processor = time.perf_counter(), time.process_time()
        flow = makers[name]()
        flow.save(DATA / f"{name}_all_components.h5", force=True)
        print(f"{name}: {time.perf_counter() - wall:.0f} s, {time.process_time() - processor:.0f} s of processor time")
        print(flow.report)


if __name__ == "__main__":
    main()
