import math

import numpy as np
import pytest
from evaluation_builders import complete

from radrl.config.schema import DataConfig
from radrl.data.load import load_samples
from radrl.evaluation.families import FAMILIES
from radrl.evaluation.groupings import groupings_of
from radrl.evaluation.intervals import Bootstrap, Statistic
from radrl.evaluation.measures import measure
from radrl.evaluation.records import judge
from radrl.evaluation.responses import Response
from radrl.evaluation.tasks import Task, task_of
from radrl.phantom.export import export
from radrl.phantom.world import KINDS, MORE_KINDS, PhantomWorld
from radrl.types import AnswerKind, Sample

TASK_OF_KIND = {
    "presence": Task.CLOSED,
    "view": Task.VIEW,
    "location": Task.CLOSED,
    "severity": Task.CLOSED,
    "list": Task.OPEN,
    "closed": Task.CLOSED,
    "choice": Task.CLOSED,
    "open": Task.OPEN,
    "difference": Task.DIFFERENCE,
    "progression": Task.PROGRESSION,
    "report": Task.REPORT,
    "grounding": Task.GROUNDING,
    "box_phrase": Task.MATCHING,
    "abstain": Task.CLOSED,
    "rex_presence": Task.CLOSED,
    "rex_location": Task.CLOSED,
    "rex_negation": Task.CLOSED,
    "rex_differential": Task.CLOSED,
    "rex_geometric": Task.CLOSED,
    "diff_view": Task.VIEW,
    "diff_level": Task.OPEN,
    "diff_type": Task.OPEN,
    "mimic_plane": Task.VIEW,
    "mimic_gender": Task.CLOSED,
}
"""Kinds whose questions all have one kind of answer."""
BY_ANSWER = ("diff_abnormality", "diff_presence", "diff_location", "mimic_anatomy", "mimic_presence",
             "mimic_abnormality", "mimic_attribute", "mimic_size")  # fmt: skip
"""Kinds with yes/no questions and lists: closed and open ones."""

TESTED_ELSEWHERE = {"recall_at_1", "recall_at_3", "disease_recall_at_1", "num_candidates", "direction_accuracy"}
"""A length, what an answer of several names cannot reach, and what needs a level that changes."""


@pytest.fixture(scope="module")
def asked(tmp_path_factory) -> list[Sample]:
    """Every kind of the phantom, several times."""
    kinds = dict.fromkeys((*KINDS, *MORE_KINDS), 1.0)
    world = PhantomWorld(seed=5, size_px=32, difficulty=0.0, style="full", trace="interleaved", kinds=kinds)
    files = export(world, tmp_path_factory.mktemp("films"), splits={"train": 150}, layout="cx_mind")
    return load_samples([str(files["train"])], DataConfig(layout="cx_mind"))


def test_every_kind_of_the_phantom_has_its_task(asked):
    assert set(TASK_OF_KIND) | set(BY_ANSWER) == {*KINDS, *MORE_KINDS} == {sample.kind for sample in asked}
    for sample in asked:
        if sample.kind in BY_ANSWER:
            is_list = sample.answer_kind in (AnswerKind.SET, AnswerKind.TEXT)
            assert task_of(sample) is (Task.OPEN if is_list else Task.CLOSED)
        else:
            assert task_of(sample) is TASK_OF_KIND[sample.kind], sample.kind


@pytest.mark.parametrize(
    ("kind", "answer_kind", "task"),
    [
        ("anatomy", AnswerKind.BOXES, Task.GROUNDING),
        ("anatomy", AnswerKind.SET, Task.OPEN),
        ("plane", AnswerKind.SET, Task.VIEW),
        ("gender", AnswerKind.SET, Task.OPEN),
        ("order", AnswerKind.YES_NO, Task.PROGRESSION),
        ("level", AnswerKind.TEXT, Task.OPEN),
        ("difference", AnswerKind.TEXT, Task.DIFFERENCE),
        ("choice", AnswerKind.CHOICE, Task.CLOSED),
        ("open", AnswerKind.YES_NO, Task.CLOSED),
        ("a word of one's own", AnswerKind.NUMBER, Task.OPEN),
    ],
)
def test_kinds_of_the_data_sets_and_of_real_films_have_theirs(kind, answer_kind, task):
    sample = Sample(
        id="q", patient_id="p", kind=kind, question="?", answer=frozenset(), answer_kind=answer_kind, reference=""
    )
    assert task_of(sample) is task


@pytest.fixture(scope="module")
def gold(asked):
    """Every reference as if a model had written it."""
    return [judge(Response.of(complete(sample, sample.reference))) for sample in asked]


def test_the_references_themselves_get_the_best_value_of_every_metric_of_every_task(gold):
    """Rows 85, 86, 87 and 89: every strict metric is defined on the phantom, and its gold traces are its best."""
    block = measure(gold, bootstrap=Bootstrap(resamples=2, seed=1))
    ours = {"answers", "ranking", "diseases", "difference", "progression", "grounding", "matching", "view",
            "reasoning", "consistency"}  # fmt: skip
    names = {name: meaning for family in FAMILIES if family.name in ours for name, meaning in family.metrics.items()}
    for name, meaning in names.items():
        if name not in TESTED_ELSEWHERE:
            best = 0.0 if "less is better" in meaning else 1.0
            assert block.metrics[name].value == pytest.approx(best), name
    assert block.counts.parse_failures == 0


def test_every_family_names_what_it_computes_and_nothing_else(gold):
    for family in FAMILIES:
        rows = [one for one in gold if not family.tasks or one.task in family.tasks]
        found = family.statistics(rows)
        assert [one.name for one in found] == list(family.metrics), family.name
        for one in found:
            if isinstance(one, Statistic):
                assert len(one.terms) == len(rows)
            else:
                assert math.isfinite(one.value(np.ones(len(rows))))


def test_the_columns_of_the_data_make_groups(asked):
    """Domain rule of MIMIC-CXR-VQA: always by semantic type x content type, and by program."""
    groupings = groupings_of(("semantic_type+content_type", "template_program", "task_name"))
    of_mimic = [sample for sample in asked if sample.kind == "mimic_presence"]
    crossed = {groupings["semantic_type+content_type"](sample) for sample in of_mimic}
    assert crossed <= {f"{word} + presence" for word in ("verify", "choose", "query")} and len(crossed) >= 1
    assert all(str(groupings["template_program"](sample)).startswith("program_") for sample in of_mimic)
    assert {groupings["task_name"](sample) for sample in of_mimic} == {None}
    rex = next(sample for sample in asked if sample.kind == "rex_negation")
    assert groupings["task_name"](rex) == "Negation Detection"
    assert groupings["template_program"](rex) is None
