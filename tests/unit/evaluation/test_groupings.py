from dataclasses import replace

import pytest
from evaluation_builders import answering, judged, presence

from radrl.config.evaluation import EvaluateConfig
from radrl.errors import ConfigError
from radrl.evaluation.groupings import check_columns, groupings_of
from radrl.evaluation.intervals import Bootstrap
from radrl.evaluation.summary import Blind, Settings, summarise

SETTINGS = Settings(model="m", data=(), n=1, temperature=0.0, max_response_length=8, seed=1)


def asked(number: int, **columns: object):
    return replace(presence(number, gold="yes"), columns=columns)


def test_a_column_and_a_cross_of_two_name_the_group_of_a_question():
    groupings = groupings_of(("template_program", "semantic_type+content_type"))
    sample = asked(1, semantic_type="verify", content_type="presence", template_program="program_5")
    assert [group_of(sample) for group_of in groupings.values()] == ["program_5", "verify + presence"]
    assert list(groupings) == ["template_program", "semantic_type+content_type"]


@pytest.mark.parametrize(
    ("value", "group"),
    [(3, "3"), (False, "False"), (["PA", "LATERAL"], "PA, LATERAL"), ("", None), (None, None), ([], None)],
)
def test_values_become_words_and_a_missing_one_is_no_group(value, group):
    group_of = groupings_of(("column",))["column"]
    assert group_of(asked(1, column=value)) == group
    assert group_of(asked(1)) is None


def test_a_cross_wants_both_columns():
    assert groupings_of(("a+b",))["a+b"](asked(1, a="x")) is None


def test_a_blank_column_and_one_that_no_question_has_are_refused_before_anything_is_asked():
    with pytest.raises(ConfigError, match=r"by holds 'a\+', which names an empty column"):
        groupings_of(("a+",))
    samples = [asked(1, semantic_type="verify")]
    check_columns(("semantic_type",), samples)
    with pytest.raises(ConfigError, match=r"no question has that column. Columns of the data are semantic_type"):
        check_columns(("semantic_typ",), samples)


def test_the_summary_measures_semantic_by_content_type_and_program_of_mimic_cxr_vqa():
    config = EvaluateConfig(out="o", by=("semantic_type+content_type", "template_program"))
    rows = [("verify", "presence", 1, "yes"), ("verify", "presence", 2, "no"), ("verify", "size", 2, "yes")]
    completions = [
        judged(
            asked(number, semantic_type=semantic, content_type=content, template_program=f"program_{program}"),
            answering(said),
        )
        for number, (semantic, content, program, said) in enumerate(rows)
    ]
    summary = summarise(
        completions,
        settings=SETTINGS,
        bootstrap=Bootstrap(resamples=5, seed=1),
        blind=Blind(),
        groupings=groupings_of(config.by),
    )
    accuracies = {
        grouping: {group: block.metrics["accuracy"].value for group, block in blocks.items()}
        for grouping, blocks in summary.per_group.items()
    }
    assert accuracies == {
        "semantic_type+content_type": {"verify + presence": 0.5, "verify + size": 1.0},
        "template_program": {"program_1": 1.0, "program_2": 0.5},
    }


def test_the_summary_has_the_disease_table_and_the_positions_of_options():
    """Rows 85 and 89."""
    found = summarise(
        [judged(presence(1, gold="yes", finding="edema"), answering("yes"))],
        settings=SETTINGS,
        bootstrap=Bootstrap(resamples=5, seed=1),
        blind=Blind(),
    ).to_json()
    assert found["positions"] is None
    row = found["diseases"]["edema"]
    assert (row["sensitivity"]["value"], row["verified"], row["support"]) == (1.0, {"yes": 1, "no": 0}, 0)
