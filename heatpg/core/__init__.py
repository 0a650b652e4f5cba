"""What is evolved: grids, landscapes, the noise, reports, maxima, and u between the nodes."""
