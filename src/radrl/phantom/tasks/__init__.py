"""Kinds of questions that are worked out of a case: one function a kind, which makes the question that is due."""

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np

from radrl.phantom.case import Case
from radrl.phantom.tasks import abstain, diff_vqa, difference, geometry, grounding, programs, reports, skills
from radrl.phantom.tasks.task import Desk, Task

TASKS: Final[Mapping[str, Callable[[Desk, Case, np.random.Generator], Task | None]]] = {
    "difference": difference.difference,
    "progression": difference.progression,
    "report": reports.report,
    "grounding": grounding.grounding,
    "box_phrase": grounding.box_phrase,
    "abstain": abstain.abstain,
    "rex_presence": skills.presence,
    "rex_location": skills.location,
    "rex_negation": skills.negation,
    "rex_differential": skills.differential,
    "rex_geometric": geometry.geometric,
    "diff_abnormality": diff_vqa.abnormality,
    "diff_presence": diff_vqa.presence,
    "diff_location": diff_vqa.location,
    "diff_level": diff_vqa.level,
    "diff_view": diff_vqa.view,
    "diff_type": diff_vqa.kind_of_finding,
    **{f"mimic_{content}": programs.asker(content) for content in programs.CONTENTS},
}
"""Kind -> what makes its next question."""
