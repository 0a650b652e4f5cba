"""Poles and residues of near-best rational approximations of exp(z) on z <= 0.

Type (n, n), by the Carathéodory-Fejér method: with z = 9 (s - 1) / (s + 1), s in [-1, 1], the singular value of the
Hankel matrix of the Chebyshev coefficients of exp(z(s)) gives the error, its singular vector the poles. Computed for
this project in 50-digit arithmetic from 120 coefficients, and rounded to double precision.

References
----------
L. N. Trefethen, J. A. C. Weideman, T. Schmelzer, Talbot quadratures and rational approximations, *BIT Numer. Math.*
46, 2006, doi:10.1007/s10543-006-0077-9, section 4.
"""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

__all__ = ["POLES", "approximation", "largest_error"]

POLES = {
    # n: (re pole, im pole, re residue, im residue), one of each conjugate pair
    2: ((0.5850515606551311, 1.185847251723677, 0.16915263361154162, -0.8098011115445217),),
    4: (
        (1.5484005705393915, 1.1918258539276196, -0.061683522554959416, -1.9050594559798493),
        (-0.36783831439986264, 3.658133272063283, 0.07339241923416416, 0.45000491585378904),
    ),
    6: (
        (2.4006029389330075, 1.193129308402292, -0.5790130040301605, -4.286888564581603),
        (1.1585525717193166, 3.6147726008201193, 0.663006870527614, 1.4514129199029144),
        (-1.7819882759207992, 6.196512467347569, -0.08358161715624952, -0.10642926074795049),
    ),
    8: (
        (3.2209452449505678, 1.1936196054172876, -1.8317717104417042, -9.525608128944675),
        (2.2922491477094993, 3.600771496074937, 2.4362407326605786, 3.716755640458719),
        (0.269490987246265, 6.0820325927101395, -0.6325880536559649, -0.4439231026530502),
        (-3.408539501577154, 8.773034564444613, 0.028129757158198692, 0.011577384568384278),
    ),
    10: (
        (4.027732467649549, 1.1938560664708728, -4.818381991284942, -21.054597241476863),
        (3.2837528833704184, 3.594386772405083, 7.117165104820129, 8.819533159469232),
        (1.715406015926698, 6.038934925576109, -2.5655849551724015, -1.2163857065160157),
        (-0.8944047014173541, 8.582756898773036, 0.2725869803482112, 0.01421172707150338),
        (-5.161191271764947, 11.375156252224778, -0.005784903859715048, 0.0006858507075779822),
    ),
    12: (
        (4.82749345216446, 1.1939879912233993, -11.79937995604386, -46.41163533369931),
        (4.206124204321871, 3.590920758885602, 18.78597742158065, 20.237285126154955),
        (2.9178685450832536, 6.017345924094156, -8.238255934264528, -2.796191262327414),
        (0.8517070967201087, 8.503832825637502, 1.319411534077838, -0.18352358287099216),
        (-2.2359682461249557, 11.109296232707466, -0.06857149425031032, 0.03841908288659378),
        (-6.998687908595893, 13.995916624979262, 0.0008184334992732076, -0.0005813535824245203),
    ),
    14: (
        (5.623142572746064, 1.1940690463439736, -27.8751619401477, -102.14733999057412),
        (5.089345060580715, 3.588824029027027, 46.93327448883504, 45.643649768832894),
        (3.9933697105786674, 6.004831642235073, -23.498232091084933, -5.808359129715501),
        (2.269783829231225, 8.461737973040277, 4.80711209883312, -1.3209793837427963),
        (-0.20875863824999716, 10.991260561901344, -0.37636003878234425, 0.33518347029451867),
        (-3.703275049423281, 13.656371871483397, 0.009439025310739698, -0.017184791958484803),
        (-8.897773186468662, 16.630982619902316, -7.154288063593642e-05, 0.0001436104334954309),
    ),
}
_RATE = 9.28902549192081  # Halphen's constant; the error of the best approximation falls by it with every pole


def largest_error(poles: int) -> float:
    """Bound on |r(z) - exp(z)| for all z <= 0: 4 * 9.289^-(n + 1/2).

    The best approximation has asymptotically half of it; the scaling to r(0) = 1 doubles that.

    Examples
    --------
    >>> from heatpg.solvers.poles import largest_error
    >>> f"{largest_error(14):.1e}"
    '3.7e-14'
    """
    return float(4.0 * _RATE ** -(poles + 0.5))


@functools.lru_cache(maxsize=16)
def approximation(poles: int) -> tuple[NDArray[np.complex128], NDArray[np.complex128], float]:
    """r(z) = limit + sum_k 2 Re(residue_k / (z - pole_k)) for real z, scaled to r(0) = 1.

    Parameters
    ----------
    poles
        Number of poles, a key of `POLES`.

    Returns
    -------
    pole, residue
        One of each conjugate pair, shape (poles / 2,).
    limit
        r at infinity.

    Examples
    --------
    >>> import numpy as np
    >>> from heatpg.solvers.poles import approximation
    >>> pole, residue, limit = approximation(14)
    >>> bool(abs(limit + 2 * (residue / (-2.0 - pole)).sum().real - np.exp(-2.0)) < 1e-13)
    True
    """
    table = np.array(POLES[poles])
    pole, residue = table[:, 0] + 1j * table[:, 1], table[:, 2] + 1j * table[:, 3]
    # the error takes its extremes with alternating signs: at 0 that of one sign, at infinity that of the other
    limit = (1.0 + 2.0 * float((residue / pole).real.sum())) / 2.0
    return pole, residue / (1.0 - limit), limit / (1.0 - limit)
