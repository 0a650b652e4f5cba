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
# # 8. The safest action
#
# **Question.** Which action is safest at a given exploration noise, and when does it differ from the action with the
# best mean?
#
# A narrow, high peak of reward next to a broad, lower hill. Safest is the action whose worst tenth of all returns has
# the best mean (CVaR).

# %%
# %matplotlib inline
import numpy as np

from heatpg import Axis, Grid, Landscape, plot
from heatpg.risk import distribution, safest_action


def value(a: np.ndarray) -> np.ndarray:
    """Height 1 and width .1 at -1, height .8 and width .4 at .8."""
    return np.asarray(np.exp(-((a + 1) ** 2) / 0.02) + 0.8 * np.exp(-((a - 0.8) ** 2) / 0.32))


grid = Grid(Axis("torque", -4.0, 4.0, 2001, boundary="clip", unit="N m"))
q = Landscape.from_function(value, grid, name="peak and hill")

# %% [markdown]
# ## The distribution of the return
#
# Every function of $Q$ is a landscape, so the solver that gives the mean gives the law of $Q(\mu + \sigma Z)$ as well.
# A Monte Carlo estimate on top of the peak agrees.

# %%
SIGMA = 0.06
law = distribution(q, [SIGMA])
top = int(np.argmin(np.abs(grid[0].coordinates + 1.0)))
known = {
    "mean": law.mean()[0, top],
    "deviation": law.standard_deviation()[0, top],
    "P(Q <= 0.5)": law.probability(0.5)[0, top],
    "worst tenth": law.tail_mean(0.1).values[0, top],
}
returns = np.sort(value(-1.0 + SIGMA * np.random.default_rng(1).standard_normal(200_000)))
drawn = {
    "mean": returns.mean(),
    "deviation": returns.std(),
    "P(Q <= 0.5)": (returns <= 0.5).mean(),
    "worst tenth": returns[:20_000].mean(),
}
for name, number in known.items():
    print(f"{name:12} {number:.3f}   drawn {drawn[name]:.3f}")
    assert abs(number - drawn[name]) < 0.005

# %% [markdown]
# ## Two actions
#
# Both the mean and the mean of the worst tenth have an argmax, and each jumps from the peak to the hill at its own
# noise level. For these two bumps the exact numbers are .03324258 and .0789675516.

# %%
found = safest_action(q, 0.1, sigma=np.geomspace(0.015, 0.2, 16))
for name, actions, exact in (("safest", found.safest, 0.03324258), ("best mean", found.best_mean, 0.0789675516)):
    jump = actions.sigma_jump
    print(f"{name:9} jumps at sigma = {jump.sigma:.4f}, exactly {exact:.4f}")
    assert abs(jump.sigma - exact) < 1e-4
found_figure = plot.risk(found)
found_figure

# %% [markdown]
# Between the two jumps the best mean action is the risky one: its worst returns get worse with every bit of noise,
# while its mean is still the best.

# %%
apart = (found.sigma > found.safest.sigma_jump.sigma) & (found.sigma < found.best_mean.sigma_jump.sigma)
for sigma, lost, gained in zip(found.sigma[apart], found.mean_lost[apart], found.tail_gained[apart], strict=True):
    print(
        f"sigma = {sigma:.3f}: the safest action costs {lost:.3f} of the mean and gains {gained:.2f} in the worst tenth"
    )
assert (np.diff(found.tail_gained[apart]) > 0).all()

# %% [markdown]
# **Answer.** Up to sigma = 0.033 N m the peak is both the best and the safest action. From there to 0.079 the hill is
# safer, and the peak still has the better mean; above 0.079 the hill is better in both. More noise makes the best mean
# action
# safer only by driving it to another hill.
