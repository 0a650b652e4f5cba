#!/bin/sh
# The continuous wavelet transform of PyWavelets is off by 1.5 % at scale 1 and by 0.1 % at scale 4.
#
# Guess:   cwt(cosine, scale, "gaus1") is the integral of wavelet and cosine within 1e-3 at scales from 1 on.
# Truth:   1.5 % too small at scale 1, 0.4 % at 2, 0.09 % at 4, and independent of the argument precision from 12 on: the
#          wavelet is integrated, taken at whole samples and differenced, which averages it over one sample. That is a
#          factor sin(w/2) / (w/2) at w radians a sample, here 0.985 at w = 0.6, and what is left of 1.5 % is just that.
# Version: PyWavelets 1.9.0
# Source:  pywt/_cwt.py; https://pywavelets.readthedocs.io/en/latest/ref/cwt.html
# Hurts:   whoever reads a scale space, or an exponent of roughness, off the lines of maxima of small scales: slopes
#          between scales 1 and 4 carry a factor of 1 % that is no property of the data.
. "$(dirname "$0")/_packages.sh"
packages numpy==2.4.6 PyWavelets==1.9.0
"$python" - <<'PY'
from importlib.metadata import version

import numpy as np
import pywt

print("PyWavelets", version("PyWavelets"))
samples = np.arange(-600, 601)
wavelet, places = pywt.ContinuousWavelet("gaus1").wavefun(18)
step = places[1] - places[0]
for scale in (1, 2, 4, 8):
    # the frequency for which the wavelet of this scale gives most
    frequency = 0.6 / scale
    found = np.abs(pywt.cwt(np.cos(frequency * samples), [scale], "gaus1", precision=16)[0][0, 300:900]).max()
    right = np.sqrt(scale) * abs((wavelet * np.exp(1j * 0.6 * places)).sum() * step)
    averaged = np.sinc(frequency / (2 * np.pi))
    print(f"scale {scale}: {found / right:.4f} of the integral; averaged over one sample {averaged:.4f}")
    assert abs(found / right - averaged) < 2e-3
    assert scale > 1 or found / right < 0.99
PY
