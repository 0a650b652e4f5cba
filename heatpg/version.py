"""The version of heatpg, which nothing else has to be imported for."""

__all__ = ["__version__"]

__version__ = "0.1.0"
