"""Equations of motion, integrated for many trajectories at once."""
