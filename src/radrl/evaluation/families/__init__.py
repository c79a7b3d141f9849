"""Every family of metrics, in the order in which summaries list them."""

from radrl.evaluation.families.answers import ANSWERS
from radrl.evaluation.families.legacy import LEGACY
from radrl.evaluation.families.length import LENGTH
from radrl.evaluation.families.reasoning import REASONING
from radrl.evaluation.family import Family

FAMILIES: tuple[Family, ...] = (ANSWERS, REASONING, LENGTH, LEGACY)
