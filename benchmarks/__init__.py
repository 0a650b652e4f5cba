"""Comparison of heatpg with other packages, with hand-written code, and with the limits of the machine.

Run ``python -m benchmarks --list`` in the folder above; `README.md` says what is measured and how.
"""
