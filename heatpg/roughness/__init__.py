"""How rough a landscape is: Hoelder exponents, chaos, the spectrum, and how much of Q can be recovered."""
