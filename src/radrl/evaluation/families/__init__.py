"""Every family of metrics, in the order in which summaries list them."""

from radrl.evaluation.families.alignment import MATCHING, VIEW
from radrl.evaluation.families.answers import ANSWERS
from radrl.evaluation.families.consistency import CONSISTENCY
from radrl.evaluation.families.difference import DIFFERENCE, PROGRESSION
from radrl.evaluation.families.diseases import DISEASES
from radrl.evaluation.families.grounding import GROUNDING
from radrl.evaluation.families.legacy import LEGACY
from radrl.evaluation.families.length import LENGTH
from radrl.evaluation.families.ranking import RANKING
from radrl.evaluation.families.reasoning import REASONING
from radrl.evaluation.families.report_labels import REPORT_LABELS
from radrl.evaluation.families.text import TEXT
from radrl.evaluation.family import Family

FAMILIES: tuple[Family, ...] = (
    ANSWERS,
    RANKING,
    DISEASES,
    DIFFERENCE,
    PROGRESSION,
    GROUNDING,
    MATCHING,
    VIEW,
    TEXT,
    REPORT_LABELS,
    REASONING,
    CONSISTENCY,
    LENGTH,
    LEGACY,
)
