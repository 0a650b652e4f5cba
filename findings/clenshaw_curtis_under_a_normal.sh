#!/bin/sh
# Clenshaw-Curtis points of chaospy under a normal distribution give the variance 16.9 with 4 points and 2.05 with 10.
#
# Guess:   a rule of 10 points for Normal(0, 1) integrates x^2 to 1, as the Gaussian rule of 2 points does.
# Truth:   the points are those of an interval, here 8.22 standard deviations to each side, weighed by the density and
#          scaled to the sum one. The polynomial that is integrated is that of the density as well, which 10 points on 16
#          standard deviations do not resolve. The weights sum to one, so that nothing looks wrong; with 100 it is right.
# Version: chaospy 4.3.21
# Source:  https://chaospy.readthedocs.io/en/master/reference/quadrature/ (generate_quadrature, rule)
# Hurts:   whoever averages a return over Gaussian noise with nested points: take "gaussian", "leja" or "genz_keister".
. "$(dirname "$0")/_packages.sh"
packages "numpy<2.4" chaospy==4.3.21
"$python" - <<'PY'
import chaospy

print("chaospy", chaospy.__version__)
expected = {("gaussian", 9): 1.0, ("leja", 9): 1.0, ("clenshaw_curtis", 3): 16.89, ("clenshaw_curtis", 9): 2.045, ("clenshaw_curtis", 99): 1.0}
for (rule, order), variance in expected.items():
    (nodes,), weights = chaospy.generate_quadrature(order, chaospy.Normal(0, 1), rule=rule)
    found = float((weights * nodes**2).sum())
    print(f"{rule} of {len(weights)} points, out to {abs(nodes).max():.2f}: E x^2 = {found:.4g}, weights sum to {weights.sum():.4g}")
    assert abs(found - variance) < 0.01 and abs(weights.sum() - 1) < 1e-9
PY
