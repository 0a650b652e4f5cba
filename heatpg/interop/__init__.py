"""Doors for the arrays and the habits of other packages: `smooth`, `ndimage`, and gradients for `torch` and `jax`."""
