"""Batches: evolve many landscapes by one specification, one result file each, on any number of processes.

What is to be done is written in TOML, in names and numbers only; every task of it has an identity, which is the
SHA-256 of all that decides its result.
"""

from heatpg.tools.faces import attach

__all__, __getattr__, __dir__ = attach(__name__, __file__)
