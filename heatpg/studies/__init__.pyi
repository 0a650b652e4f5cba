from heatpg.studies.making import intervals_of as intervals_of
from heatpg.studies.making import study as study
from heatpg.studies.page import Study as Study
from heatpg.studies.sentences import PRINTED_TOPICS as PRINTED_TOPICS
