"""Doors for the arrays and the habits of other packages: `smooth`."""
