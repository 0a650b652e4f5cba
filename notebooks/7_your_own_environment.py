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
# # 7. Your own environment
#
# **Question.** How does the landscape of an environment of Gymnasium get into heatpg, and how far can it be trusted?
#
# Three of them: the torque of Pendulum-v1, two gains of a policy for it, and two joints of Hopper-v5. Everything is
# kept small; in practice use finer grids, longer horizons, and more seeds. Needed: `pip install '.[rl]'`.

# %%
# %matplotlib inline
import importlib.util
import tempfile
from pathlib import Path

import numpy as np

from heatpg import evolve, landscapes, plot, viewer
from heatpg.landscapes import Actions, Parameters, Rollout
from heatpg.landscapes.directions import filter_normalised, flatten, random_directions, unflatten

# %% [markdown]
# ## Over actions: Q(s, a)
#
# A pendulum that hangs at rest, and a torque that is held for 60 steps. The state is restored exactly before every
# rollout; the provenance records how.

# %%
HANGING = [np.pi, 0.0]
q = landscapes.from_gymnasium("Pendulum-v1", state=HANGING, size=81, rollout=Rollout(horizon=60))
parameters = q.provenance["parameters"]
print(f"{q.values.size} rollouts; {parameters['restored']}; actions as {parameters['action_type']}")
flow = evolve(q, [0.1, 0.3, 1.0])

# %% [markdown]
# Two checks that need no theory. A hanging pendulum knows no left and right. The objective is the return of a noisy
# policy: below it is simulated, in the environment and between the nodes of the grid, with torques clipped to the
# bounds of the environment, which corresponds to the boundary condition `clip`.

# %%
asymmetry = np.abs(q.values - q.values[::-1]).max() / q.oscillation
print(f"left and right agree to 1e-4 of osc(Q): {asymmetry < 1e-4}")
assert asymmetry < 1e-4

ax = plot.cut(flow)
generator = np.random.default_rng(0)
for place in (20, 40, 70):
    mean = q.grid[0].coordinates[place]
    torques = np.clip(mean + flow.sigma[1] * generator.standard_normal(400), -2, 2)
    earned = q.sample(torques[:, None])
    error = earned.std(ddof=1) / np.sqrt(len(earned))
    u = flow.values[1, place]
    print(f"μ = {mean:+.1f}, σ = {flow.sigma[1]:g}: 400 noisy rollouts {earned.mean():.1f} ± {error:.1f}, u = {u:.1f}")
    assert abs(earned.mean() - u) < 4.5 * error
    ax.plot(mean, earned.mean(), "r*", markersize=11, label="played at σ = 0.3" if place == 20 else None)
ax.set_ylabel("return, and u")
ax.legend()
ax.figure

# %% [markdown]
# With a policy, only the first action is varied, and the policy acts afterwards: the action value Q^π(s, a) of the
# policy-gradient theorem. Its noise in every later step is *not* in this landscape; heatpg smooths the first action
# with Q^π held fixed.


# %%
def damp(observation):
    """Torque against the motion; the observation is cos, sin and the angular velocity."""
    return [-observation[2]]


q_pi = landscapes.from_gymnasium("Pendulum-v1", damp, state=HANGING, size=41, rollout=Rollout(horizon=60))
print(f"osc(Q^π) / osc(Q) = {q_pi.oscillation / q.oscillation:.4f}: one torque of a step of 0.05 s decides little")
assert q_pi.oscillation < 0.05 * q.oscillation

# %% [markdown]
# ## Over parameters: the return of a policy
#
# Evolution strategies put noise on parameters, and then J(θ + σε) is exactly a heat flow. Here two gains of a linear
# policy, from 16 random starts that are the same at every node: what chance does is the same everywhere.


# %%
def linear(parameters, observation):
    """Torque from (cos, sin, angular velocity)."""
    return [parameters @ observation]


origin = np.array([0.0, -10.0, -2.0])
gains = np.eye(3)[1:]  # the gain of sin, the gain of the angular velocity
plane = Parameters(origin, directions=gains, extent=[10.0, 3.0], boundary="clip")
returns, others = (
    landscapes.from_gymnasium("Pendulum-v1", linear, over=plane, size=13, rollout=Rollout(horizon=60, seeds=starts))
    for starts in (range(16), range(16, 32))
)

error = np.sqrt((returns.standard_error**2).mean())
apart = returns.values - others.values
neighbours = np.sqrt(np.mean([(np.diff(apart, axis=axis) ** 2).mean() for axis in (0, 1)]))
print(f"osc(J) = {returns.oscillation:.0f}, standard error of a value {error:.0f}")
moved = np.sqrt((apart**2).mean())
print(f"16 other starts move a value by {moved:.0f}, the difference of neighbours by {neighbours:.0f}")
assert neighbours < 0.3 * error

best = returns.argmax
regret = others.values.max() - others.values[best]
print(f"best node {best}, with the other starts {others.argmax}; to act on the wrong one costs {regret:.1f}")
assert regret < neighbours

# %% [markdown]
# The stored standard error refers to a *value*. Differences between nodes, which decide where the optimum is, are
# known better, because the starts are common; but they are not exact. Here the optimum lies on a flat ridge, and other
# starts put it elsewhere on it at almost no cost. **Differences smaller than the scatter between two sets of initial
# states are noise**, which no solver can remove.

# %%
flow = evolve(returns, {"direction_1": [2.0, 4.0, 6.0], "direction_2": [0.6, 1.2, 1.8]})
plot.figures.get("multiples")(flow)

# %% [markdown]
# ## Hopper: three joints, two of them varied
#
# Constant torques at thigh and leg for 30 steps from one reset. Falling ends an episode, so the landscape has cliffs;
# the optimum is where the checks say it is: on an edge, and so a property of the bounds of the actions.

# %% tags=["varies"]
hopper = landscapes.from_gymnasium("Hopper-v5", over=Actions([0, 1]), state=0, size=17, rollout=Rollout(horizon=30))
share = hopper.provenance["parameters"]["ended_early"]
print(f"{100 * share:.0f} % of the rollouts fell; Q from {hopper.values.min():.1f} to {hopper.values.max():.1f}")
flow = evolve(hopper, [0.2, 0.4, 0.8])
check = flow.report["optimum on the edge"]
print(f"{check.status}: {check.message}")
assert check.status == "finding" and 0.3 < share < 0.95
plot.figures.get("summary")(flow)

# %% [markdown]
# ## A page to hand on
#
# The evolution as one HTML file that needs no network and no heatpg: sigma on a slider, cuts, tracks. `heatpg view
# FILE` does the same from the command line.

# %%
with tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / "hopper.html"
    path.write_text(viewer.page(flow), encoding="utf-8")
    size = path.stat().st_size
print(f"below 1 MB: {size < 1e6}")
assert 10_000 < size < 1_000_000

# %% [markdown]
# ## A network of torch as the policy
#
# The parameters as one vector, the network as a function of them. Directions are normalised filter by filter, so that
# one unit means the same in every layer. (Without torch this cell prints a note.)

# %% tags=["varies"]
if importlib.util.find_spec("torch") is None:
    print("torch is not installed")
else:
    import torch
    from torch.func import functional_call

    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Linear(3, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1))
    theta, shapes = flatten({name: value.detach().numpy() for name, value in network.named_parameters()})

    def policy(parameters, observation):
        """The network with these parameters."""
        named = {name: torch.as_tensor(value).float() for name, value in unflatten(parameters, shapes).items()}
        with torch.no_grad():
            return functional_call(network, named, torch.as_tensor(observation))

    directions = filter_normalised(random_directions(theta, 2, seed=1), theta, shapes)
    plane = Parameters(theta, directions=directions, boundary="clip")
    torched = landscapes.from_gymnasium("Pendulum-v1", policy, over=plane, size=9, rollout=Rollout(horizon=40, seeds=2))
    print(f"{theta.size} parameters; J from {torched.values.min():.0f} to {torched.values.max():.0f}")
    print("lengths of the directions:", directions.lengths.round(2))
    assert torched.values.shape == (9, 9)

# %% [markdown]
# Noise of σ along a direction is noise of σ times its length in parameter space, and independent along both only if the
# directions are orthogonal. Filter-normalised ones are not exactly that: `directions.cosines` says how far off they
# are.
#
# ## Answer
#
# | step | how it was checked |
# |---|---|
# | Q over actions, with the state restored | left and right agree to 1e-4 |
# | its heat flow is the return of a clipped Gaussian policy | 400 noisy rollouts at three means |
# | J over parameters from common starts | other starts: neighbours differ by less than a third of an error |
# | an optimum on the edge of the box | the report marks it: a property of the bounds |
