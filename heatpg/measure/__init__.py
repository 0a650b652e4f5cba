"""Measurements of solvers: orders of convergence, operators, work against precision, speed."""
