from heatpg.studies.making import intervals_of as intervals_of
from heatpg.studies.making import study as study
from heatpg.studies.page import PRINTED_TOPICS as PRINTED_TOPICS
from heatpg.studies.page import Study as Study
