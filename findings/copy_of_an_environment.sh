#!/bin/sh
# copy.deepcopy of a MuJoCo environment of Gymnasium is a new environment at rest, not a copy of where it is.
#
# Guess:   copy.deepcopy(environment) goes on as the original, to the bit, for MuJoCo as for classic control.
# Truth:   environments of MuJoCo derive from EzPickle, which copies the arguments of the constructor and calls it again:
#          the copy stands at time 0 in the initial pose. The layers around it are copied as they are, so that the
#          step counter of the time limit goes on, and the copy can be stepped without a reset. CartPole is copied whole.
# Version: gymnasium 1.4.0, mujoco 4.0.0
# Source:  gymnasium/utils/ezpickle.py; https://gymnasium.farama.org/api/utils/
# Hurts:   whoever branches rollouts from one state by copies: all of them begin somewhere else, and look plausible.
. "$(dirname "$0")/_packages.sh"
packages numpy==2.4.6 gymnasium==1.4.0 mujoco==4.0.0 imageio==2.37.0 packaging
"$python" - <<'PY'
import copy

import gymnasium
import mujoco
import numpy as np

print("gymnasium", gymnasium.__version__, "mujoco", mujoco.__version__)
for name in ("HalfCheetah-v5", "Hopper-v5", "CartPole-v1"):
    environment = gymnasium.make(name)
    environment.reset(seed=0)
    environment.action_space.seed(0)
    for _ in range(5):
        environment.step(environment.action_space.sample())
    twin = copy.deepcopy(environment)
    action = environment.action_space.sample()
    (seen, *_), (other, *_) = environment.step(action), twin.step(action)
    off = float(np.abs(seen - other).max())
    print(f"{name}: after one step, observations of original and copy differ by {off:.3g}")
    if name == "CartPole-v1":
        assert off == 0
    else:
        print(f"  time {environment.unwrapped.data.time:.3f} and {twin.unwrapped.data.time:.3f}")
        assert off > 0.1 and twin.unwrapped.data.time < environment.unwrapped.data.time / 3
PY
