# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 9. A trained policy
#
# **Question.** A picture shows two directions of 1,217 parameters. What does it say about noise in all of them?
#
# The policy was trained by PPO (stable-baselines3) on Pendulum-v1: two hidden layers of 32 tanh units. Its weights are
# in `data/ppo_pendulum.npz`. Needed: `pip install '.[rl]'`.

# %%
# %matplotlib inline
from pathlib import Path

import gymnasium
import matplotlib.pyplot as plt
import numpy as np

from heatpg import Axis, Grid, Landscape, evolve
from heatpg.planes import Draws, evolve_plane

HERE = Path("data") if Path("data").is_dir() else Path("../data")
with np.load(HERE / "ppo_pendulum.npz") as file:
    layers = [file[name] for name in ("w1", "b1", "w2", "b2", "w3", "b3")]
trained = np.concatenate([layer.ravel() for layer in layers]).astype(float)
print(f"{trained.size:,} parameters, root mean square {np.sqrt((trained**2).mean()):.2f}")

# %% [markdown]
# ## The return of many policies at once
#
# A rollout of Gymnasium takes milliseconds, and noise in all parameters takes thousands of them. The pendulum is two
# lines of physics, so that they run side by side here: 100 steps from two starts, for as many policies as asked.

# %%
STARTS = np.array([[np.pi, 0.0], [1.0, 0.5]])  # angle from upright, angular velocity
STEPS = 100
PER_BLOCK = 64  # policies whose weights fit in the cache


def act(weights: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """The mean action of every policy, weights of shape (n, 1217) and observations of shape (n, starts, 3)."""
    first = 0
    for i, layer in enumerate(layers[::2]):
        out, into = layer.shape
        matrix = weights[:, first : first + out * into].reshape(-1, out, into)
        bias = weights[:, first + out * into : first + out * into + out]
        seen = seen @ matrix.transpose(0, 2, 1) + bias[:, None]
        first += out * into + out
        if i < 2:
            seen = np.tanh(seen)
    return seen[..., 0]


def rollouts(weights: np.ndarray) -> np.ndarray:
    """Returns of every policy from every start: the dynamics and the reward of Pendulum-v1."""
    angle, velocity = (np.tile(column, (len(weights), 1)) for column in STARTS.T)
    total = np.zeros(angle.shape)
    for _ in range(STEPS):
        seen = np.stack([np.cos(angle), np.sin(angle), velocity], axis=-1).astype(np.float32)
        torque = np.clip(act(weights, seen.astype(float)), -2.0, 2.0)
        wrapped = (angle + np.pi) % (2 * np.pi) - np.pi
        total -= wrapped**2 + 0.1 * velocity**2 + 0.001 * torque**2
        velocity = np.clip(velocity + 0.05 * (15.0 * np.sin(angle) + 3.0 * torque), -8.0, 8.0)
        angle = angle + 0.05 * velocity
    return total


def returns(*parameters: np.ndarray) -> np.ndarray:
    """Mean over the starts, of policies that are given as one array per parameter."""
    weights = np.stack([np.ravel(each) for each in parameters], axis=-1)
    blocks = [rollouts(weights[i : i + PER_BLOCK]).mean(axis=1) for i in range(0, len(weights), PER_BLOCK)]
    return np.concatenate(blocks).reshape(np.shape(parameters[0]))


# %% [markdown]
# It is the environment of Gymnasium: the same policy, the same starts, the same returns.

# %%
environment = gymnasium.make("Pendulum-v1").unwrapped
for start, expected in zip(STARTS, rollouts(trained[None])[0], strict=True):
    environment.reset(seed=0)
    environment.state = start.copy()
    seen, total = np.array([np.cos(start[0]), np.sin(start[0]), start[1]], dtype=np.float32), 0.0
    for _ in range(STEPS):
        action = act(trained[None], seen[None, None].astype(float))[0]
        seen, reward, *_ = environment.step(action)
        total += reward
    print(f"return {total:.1f}, as in Gymnasium: {abs(total - expected) < 1e-6}")
    assert abs(total - expected) < 1e-6

# %% [markdown]
# ## Two directions
#
# Two random orthonormal directions through the trained policy. A unit along an axis is a unit of sigma.

# %%
directions = np.linalg.qr(np.random.default_rng(0).standard_normal((trained.size, 2)))[0].T
axes = [Axis(name, -3.0, 3.0, 9, boundary="clip", label=f"{name} direction") for name in ("first", "second")]
q = Landscape.from_function(returns, Grid(*axes), directions=directions, origin=trained, name="PPO on Pendulum-v1")
print(f"the trained policy: {q.values[4, 4]:.0f}; on the plane from {q.values.min():.0f} to {q.values.max():.0f}")

# %% [markdown]
# ## Noise in the plane, and noise in all parameters
#
# `evolve` smooths what the picture shows: noise along two directions, and none along the other 1,215. `evolve_plane`
# has noise in all of them, and shows its mean on the same plane, to a standard error of 5 % of the range of Q.

# %%
SIGMA = [0.1, 0.3, 1.0]
slice_alone = evolve(q, SIGMA)
everywhere = evolve_plane(q, SIGMA, Draws(error=0.05))
print(f"{everywhere.drawn['draws']} draws, {everywhere.drawn['rollouts']:,} policies")
for k, sigma in enumerate(SIGMA):
    mean, error = everywhere.values[k, 4, 4], everywhere.standard_error[k, 4, 4]
    print(f"sigma = {sigma}: noise in the plane {slice_alone.values[k, 4, 4]:.0f}, in all {mean:.0f} +- {error:.0f}")
    assert mean + 3 * error < slice_alone.values[k, 4, 4]

# %%
figure, panels = plt.subplots(2, 3, figsize=(9.0, 5.6), layout="constrained", sharex=True, sharey=True)
lowest, highest = min(everywhere.values.min(), q.values.min()), q.values.max()
edges = (-3.375, 3.375)
for row, (words, flow) in zip(panels, (("in the plane", slice_alone), ("in all", everywhere)), strict=True):
    for panel, sigma, values in zip(row, SIGMA, flow.values, strict=True):
        image = panel.imshow(values.T, origin="lower", extent=(*edges, *edges), vmin=lowest, vmax=highest)
        panel.set_title(f"noise {words}, sigma = {sigma}", fontsize=10)
figure.supxlabel("first direction")
figure.supylabel("second direction")
figure.colorbar(image, ax=panels, label="mean return")
plt.show()

# %% [markdown]
# **Answer.** Next to nothing. On the plane the policy looks robust: noise of .1 along its two directions costs a few
# units of return. A policy that explores has noise in all of its parameters, whose length is sigma times the root of
# 1,217, and the return collapses at a sigma at which the plane still looks flat. Smooth a slice to inspect a landscape;
# smooth all components to know what exploration does to the objective.
