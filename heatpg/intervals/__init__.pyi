from heatpg.intervals.jumps import JumpInterval as JumpInterval
from heatpg.intervals.results import EndInterval as EndInterval
from heatpg.intervals.results import HeldOut as HeldOut
from heatpg.intervals.results import Intervals as Intervals
from heatpg.intervals.results import Lead as Lead
from heatpg.intervals.results import seed_intervals as seed_intervals
from heatpg.intervals.widths import WidthInterval as WidthInterval
