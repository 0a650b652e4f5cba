from heatpg.planes.evolving import estimate_cost as estimate_cost
from heatpg.planes.evolving import evolve_plane as evolve_plane
from heatpg.planes.options import Cost as Cost
from heatpg.planes.options import Draws as Draws
from heatpg.planes.splitting import Split as Split
from heatpg.planes.splitting import Splitting as Splitting
from heatpg.planes.splitting import split_noise as split_noise
