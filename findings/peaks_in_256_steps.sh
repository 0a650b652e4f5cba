#!/bin/sh
# findpeaks rounds a field to 256 steps before it looks for peaks, and finds a peak in the corner of a flat edge.
#
# Guess:   persistent homology of findpeaks sees every bump of a smooth field that has no noise, and no others.
# Truth:   by default the field is scaled to 0 ... 255, made of 8-bit integers and cleaned of noise: beside a hill of
#          height 1 a bump of height 0.001 is gone. Instead the last node of the field is listed as a peak, of persistence
#          0. With scale=False, togray=False, denoise=None the bump is there, of persistence 0.998e-3, as it should be.
# Version: findpeaks 2.7.5
# Source:  https://erdogant.github.io/findpeaks/ (arguments scale, togray, denoise)
# Hurts:   whoever counts the local optima of an objective with it: small ones are lost, and their number says nothing.
. "$(dirname "$0")/_packages.sh"
packages numpy==2.4.6 findpeaks==2.7.5
"$python" - <<'PY' 2>/dev/null
import findpeaks
import numpy as np

print("findpeaks", findpeaks.__version__)
x, y = np.meshgrid(np.linspace(-3, 3, 61), np.linspace(-3, 3, 61), indexing="ij")
field = np.exp(-10 * ((x - 1) ** 2 + y**2)) + 1e-3 * np.exp(-10 * ((x + 1) ** 2 + y**2))
for options in ({}, {"scale": False, "togray": False, "denoise": None}):
    found = findpeaks.findpeaks(method="topology", verbose=0, **options).fit(field)["persistence"]
    peaks = found[found["peak"]]
    places = [(int(j), int(i)) for i, j in zip(peaks["x"], peaks["y"])]
    print(f"options {options}: nodes {places}, persistence {[float(f'{s:.3g}') for s in peaks['score']]}")
    # the hill stands at node (40, 30), the bump at (20, 30)
    seen = {(i, j) for i, j in places} | {(j, i) for i, j in places}
    assert (40, 30) in seen and ((20, 30) in seen) == bool(options) and (60, 60) in seen
PY
