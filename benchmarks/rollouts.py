"""Runge-Kutta steps per second of the simulated landscapes, against plain hand-written loops in Numba.

    python benchmarks/rollouts.py [--rounds 7] [--size 256] [--json FILE]

Each competitor samples the same landscape (returns with the same reward); the competitors take turns, and a row is the
median over the rounds. A hand-written loop rolls out one point after another in scalars, with the sine and cosine of
the C library and every fast-math licence. The largest difference of the returns is printed, because speed
with another answer is worth nothing; the double pendulum is chaotic, so its horizon here is short.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numba
import numpy as np
from numpy.typing import NDArray

from heatpg.core.grid import Axis, Grid
from heatpg.landscapes.double_pendulum import double_pendulum
from heatpg.landscapes.quadrotor import quadrotor
from heatpg.tools.parallel import for_each, set_threads

HOVER = 0.486 * 9.81 / 2.0
STEPS = 100
PIECES = 64

Array = NDArray[np.float64]


@numba.njit(inline="always", fastmath=True)
def pendulum_acceleration(a: float, b: float, u: float, v: float, p: float, q: float) -> tuple[float, float]:
    """Unit point masses on unit links, relative second angle: [[3 + 2 c, 1 + c], [1 + c, 1]] theta'' = forces."""
    g = 9.81
    s, c = math.sin(b), math.cos(b)
    s12 = math.sin(a + b)
    f1 = p + s * v * (v + 2.0 * u) - 2.0 * g * math.sin(a) - g * s12
    f2 = q - s * u * u - g * s12
    d = 1.0 / (2.0 - c * c)
    return (f1 - (1.0 + c) * f2) * d, ((3.0 + 2.0 * c) * f2 - (1.0 + c) * f1) * d


@numba.njit(nogil=True, fastmath=True)
def pendulum_loop(first: Array, second: Array, out: Array, steps: int, dt: float, gamma: float) -> None:
    """Returns of the double pendulum with one torque at the first step and none after it."""
    h = 0.5 * dt
    for i in range(out.size):
        a, b, u, v, p, q = 3.1, 0.1, 0.0, 0.0, first[i], second[i]
        total, weight = 0.0, 1.0
        for _ in range(steps):
            k1, l1 = pendulum_acceleration(a, b, u, v, p, q)
            u2, v2 = u + h * k1, v + h * l1
            k2, l2 = pendulum_acceleration(a + h * u, b + h * v, u2, v2, p, q)
            u3, v3 = u + h * k2, v + h * l2
            k3, l3 = pendulum_acceleration(a + h * u2, b + h * v2, u3, v3, p, q)
            u4, v4 = u + dt * k3, v + dt * l3
            k4, l4 = pendulum_acceleration(a + dt * u3, b + dt * v3, u4, v4, p, q)
            a += dt / 6.0 * (u + 2.0 * u2 + 2.0 * u3 + u4)
            b += dt / 6.0 * (v + 2.0 * v2 + 2.0 * v3 + v4)
            u += dt / 6.0 * (k1 + 2.0 * k2 + 2.0 * k3 + k4)
            v += dt / 6.0 * (l1 + 2.0 * l2 + 2.0 * l3 + l4)
            total += weight * 0.25 * (2.0 - math.cos(a) - math.cos(a + b))
            weight *= gamma
            p = q = 0.0
        out[i] = total


@numba.njit(nogil=True, fastmath=True)
def quadrotor_loop(first: Array, second: Array, out: Array, steps: int, dt: float, gamma: float) -> None:
    """Returns of the planar quadrotor under two constant thrusts."""
    h, g = 0.5 * dt, 9.81
    for i in range(out.size):
        lift, turn = (first[i] + second[i]) / 0.486, (first[i] - second[i]) * 0.25 / 0.00383
        x = z = a = u = v = w = total = 0.0
        weight = 1.0
        for _ in range(steps):
            k1, l1 = -math.sin(a) * lift, math.cos(a) * lift - g
            u2, v2, w2 = u + h * k1, v + h * l1, w + h * turn
            k2, l2 = -math.sin(a + h * w) * lift, math.cos(a + h * w) * lift - g
            u3, v3 = u + h * k2, v + h * l2
            k3, l3 = -math.sin(a + h * w2) * lift, math.cos(a + h * w2) * lift - g
            u4, v4, w4 = u + dt * k3, v + dt * l3, w + dt * turn
            k4, l4 = -math.sin(a + dt * w2) * lift, math.cos(a + dt * w2) * lift - g
            x += dt / 6.0 * (u + 2.0 * u2 + 2.0 * u3 + u4)
            z += dt / 6.0 * (v + 2.0 * v2 + 2.0 * v3 + v4)
            a += dt / 6.0 * (w + 4.0 * w2 + w4)
            u += dt / 6.0 * (k1 + 2.0 * k2 + 2.0 * k3 + k4)
            v += dt / 6.0 * (l1 + 2.0 * l2 + 2.0 * l3 + l4)
            w = w4
            if abs(a) > 0.5 * math.pi or abs(x) > 2.0 or abs(z) > 2.0:
                break
            total += weight * math.exp(-x * x - z * z - a * a)
            weight *= gamma
        out[i] = total


def by_hand(loop: Callable[..., None], grid: Grid, dt: float) -> Array:
    """A landscape by a hand-written loop, on the same threads."""
    first, second = (axis.ravel() for axis in grid.mesh())
    out = np.empty(grid.size)
    cuts = np.linspace(0, grid.size, PIECES + 1).astype(int)
    for_each(
        lambda k: loop(*(part[cuts[k] : cuts[k + 1]] for part in (first, second, out)), STEPS, dt, 0.99), range(PIECES)
    )
    return out.reshape(grid.shape)


def competitors(size: int) -> dict[str, dict[str, Callable[[], Array]]]:
    """Ways to sample each system; every point lives to the end, so each takes `STEPS` steps."""
    torques = Grid(*(Axis(name, -25.0, 25.0, size, boundary="clip") for name in ("torque1", "torque2")))
    thrusts = Grid(*(Axis(name, HOVER - 0.005, HOVER + 0.005, size, boundary="clip") for name in ("u1", "u2")))
    return {
        "double pendulum": {
            "heatpg": lambda: double_pendulum(torques, horizon=0.01 * STEPS, dt=0.01, substeps=1).values,
            "scalar loop": lambda: by_hand(pendulum_loop, torques, 0.01),
        },
        "quadrotor": {
            "heatpg": lambda: quadrotor(thrusts, horizon=0.02 * STEPS, dt=0.02).values,
            "scalar loop": lambda: by_hand(quadrotor_loop, thrusts, 0.02),
        },
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7, help="rounds, of which the median counts")
    parser.add_argument("--size", type=int, default=256, help="points along each axis")
    parser.add_argument("--json", type=Path, help="file for the figures")
    options = parser.parse_args()
    tasks = competitors(options.size)
    work = options.size**2 * STEPS
    seconds: dict[tuple[str, str, int], list[float]] = {}
    for turn in range(options.rounds + 1):
        for count in (1, 2):
            set_threads(count)
            for system, ways in tasks.items():
                for way, run in ways.items():
                    begin = time.perf_counter()
                    run()
                    if turn > 0:  # the first round compiles and warms up
                        seconds.setdefault((system, way, count), []).append(time.perf_counter() - begin)
    rows = []
    print(f"{options.size}^2 points, {STEPS} steps, median of {options.rounds} rounds; million steps per second\n")
    print(f"{'system':16} {'threads':>7} {'heatpg':>8} {'scalar loop':>12} {'ratio':>6}")
    for system, ways in tasks.items():
        for count in (1, 2):
            rate = {way: work / statistics.median(seconds[system, way, count]) / 1e6 for way in ways}
            ratio = rate["heatpg"] / rate["scalar loop"]
            print(f"{system:16} {count:7d} {rate['heatpg']:8.1f} {rate['scalar loop']:12.1f} {ratio:6.1f}")
            rows.append({"system": system, "threads": count, "million_steps_per_second": rate, "ratio": ratio})
    print()
    for system, ways in tasks.items():
        ours, theirs = (run() for run in ways.values())
        print(f"{system}: largest difference of the returns {np.abs(ours - theirs).max():.1e} of {ours.max():.1f}")
    if options.json is not None:
        options.json.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
