from dataclasses import replace
from pathlib import Path

import pytest
from noting import Noted

from radrl.data.adapters.api import Choices
from radrl.data.adapters.labelled import LabelledStudy, records, without_masked
from radrl.types import AnswerKind, Box

EDEMA = Box(label="edema", x0=0.1, y0=0.2, x1=0.30001, y1=0.4)
STUDY = LabelledStudy(
    id="set-f1",
    study_id="s1",
    split="val",
    patient_id="p1",
    images=(Path("/films/f1.png"),),
    labels={"edema": "present", "pleural effusion": "absent", "pneumonia": "uncertain", "no finding": "absent"},
    boxes=(EDEMA, replace(EDEMA, x0=0.0), replace(EDEMA, label="mass")),
    sections={"indication": "Cough.", "findings": "Hazy lungs.", "impression": "Edema."},
    view="AP",
    columns={"sex": "F"},
    origin="labels.csv:2",
)


def asked(study=STUDY, **choices):
    drops = Noted()
    return list(records(study, Choices(**choices), drops)), drops


def test_presence_is_asked_of_every_label_that_is_there_or_not():
    found, drops = asked(kinds=("presence",))
    assert [(record.id, record.answer) for record in found] == [
        ("set-f1-presence-edema", ("yes",)),
        ("set-f1-presence-pleural-effusion", ("no",)),
    ]
    assert found[0].question == "Is there evidence of edema on this film?"
    assert found[0].answer_kind is AnswerKind.YES_NO
    assert found[0].options == ("edema",)
    assert [box.label for box in found[0].boxes] == ["edema", "edema"]
    assert (found[0].patient_id, found[0].study_id, found[0].split) == ("p1", "s1", "val")
    assert found[0].columns == {"sex": "F", "view": "AP"}
    assert drops.rows == [("uncertain label", "pneumonia")]


@pytest.mark.parametrize(("uncertain", "answer"), [("positive", "yes"), ("negative", "no")])
def test_uncertain_labels_are_what_the_user_says(uncertain, answer):
    found, drops = asked(kinds=("presence",), uncertain=uncertain)
    assert {record.options[0]: record.answer for record in found}["pneumonia"] == (answer,)
    assert drops.rows == []


def test_all_findings_are_asked_for_only_where_the_labels_settle_them():
    assert asked(kinds=("open",))[0] == []
    study = replace(STUDY, is_exhaustive=True)
    assert asked(study, kinds=("open",))[0] == []
    (record,), _ = asked(study, kinds=("open",), uncertain="positive")
    assert (record.answer_kind, record.answer) == (AnswerKind.SET, ("edema", "pneumonia"))
    normal = replace(study, labels={"edema": "absent", "no finding": "present"})
    (record,), _ = asked(normal, kinds=("open",))
    assert (record.answer, record.options) == ((), ("edema",))


def test_the_view_is_one_of_three_in_an_order_that_the_film_fixes():
    (record,), _ = asked(kinds=("view",))
    assert sorted(record.options) == ["AP", "PA", "lateral"]
    assert record.answer == ("AP",)
    assert asked(kinds=("view",))[0] == [record]
    orders = {asked(replace(STUDY, id=f"f{i}"), kinds=("view",))[0][0].options for i in range(40)}
    assert len(orders) == 6


def test_reports_are_asked_for_by_section_and_a_missing_one_is_counted():
    (record,), _ = asked(kinds=("report",))
    assert record.question == "Indication: Cough.\nWrite the findings of the report on this film."
    assert (record.answer_kind, record.answer) == (AnswerKind.TEXT, ("Hazy lungs.",))
    (both,), _ = asked(kinds=("report",), section="both")
    assert both.answer == ("Findings: Hazy lungs.\nImpression: Edema.",)
    bare = replace(STUDY, sections={"impression": "Edema."})
    assert asked(bare, kinds=("report",), section="impression")[0][0].question.startswith("Write the impression")
    none, drops = asked(bare, kinds=("report",))
    assert none == []
    assert drops.reasons == ["no findings in the report"]


def test_each_finding_with_boxes_is_to_be_placed():
    found, _ = asked(kinds=("grounding",))
    assert [(record.id, record.answer) for record in found] == [
        ("set-f1-grounding-edema", ("[0.1000, 0.2000, 0.3000, 0.4000]", "[0.0000, 0.2000, 0.3000, 0.4000]")),
        ("set-f1-grounding-mass", ("[0.1000, 0.2000, 0.3000, 0.4000]",)),
    ]


def test_sentences_with_a_mark_of_de_identification_are_left_out():
    assert without_masked("Compared with ___, no change.\nThe heart is large.  Lungs clear.", mask="___") == (
        "The heart is large. Lungs clear."
    )
    assert without_masked("Dr. XXXX was called.", mask="XXXX") == "Dr."
    assert without_masked("___", mask="___") == ""
