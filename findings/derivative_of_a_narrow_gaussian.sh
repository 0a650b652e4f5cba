#!/bin/sh
# The slope of a straight line, by gaussian_filter1d(order=1) of SciPy, is wrong by up to 91 % below one spacing.
#
# Guess:   a derivative of a Gaussian finds the slope of a straight line within 1 % at any sigma.
# Truth:   0.085 in place of 1 at sigma = 0.3 spacings, 0.505 at 0.4, 0.860 at 0.5. The weights are samples of the
#          derivative, -x/sigma^2 g(x), with g scaled to the sum one; nothing scales their first moment to one. From
#          0.75 on it is within 1e-3, where the cut at 4 sigma takes over: 0.9993 at 5 spacings, 0.9990 at 20.
# Version: scipy 1.17.1
# Source:  scipy/ndimage/_filters.py, _gaussian_kernel1d; https://docs.scipy.org/doc/scipy/reference/ndimage.html
# Hurts:   whoever reads a policy gradient off samples at little noise: its direction is right, its length is not.
. "$(dirname "$0")/_packages.sh"
packages numpy==2.4.6 scipy==1.17.1
"$python" - <<'PY'
import numpy as np
import scipy
from scipy.ndimage import gaussian_filter1d

print("scipy", scipy.__version__)
line = np.arange(201.0)
expected = {0.3: 0.0853, 0.4: 0.5050, 0.5: 0.8600, 0.75: 0.9993, 1.0: 0.9999, 5.0: 0.9993, 20.0: 0.9990}
for sigma, slope in expected.items():
    found = gaussian_filter1d(line, sigma, order=1)[100]
    print(f"sigma {sigma:5.2f} spacings: slope {found:.4f} of a line of slope 1")
    assert abs(found - slope) < 2e-4, (sigma, found, slope)
PY
