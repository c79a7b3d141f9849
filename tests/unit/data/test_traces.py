"""Row 91: interleaved traces for a cold start; row 3: Think-First and Answer-First forms, both read by the rewards."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from radrl.answers import read_judgement
from radrl.cli import app
from radrl.config.data import DataConfig
from radrl.config.schema import GateConfig, RewardConfig
from radrl.data.adapters.api import Choices, Record
from radrl.data.adapters.labelled import LabelledStudy, records
from radrl.data.convert import row_of
from radrl.data.load import load_samples
from radrl.data.statements import Choice, asked_fact, facts_in, state
from radrl.data.traces import MAX_WEIGHED, with_trace
from radrl.graph.extract import extract
from radrl.graph.lexicon.findings import FINDINGS, NO_FINDING
from radrl.rewards.api import entry, reward_names
from radrl.rewards.gold import gold_completion
from radrl.rewards.rubric import Rubric
from radrl.text import first_sentence, parse_trace, think_text
from radrl.types import AnswerKind, Box, Triplet

FORMS = ("interleaved", "plain", "answer_first")
REPORT = (
    "There is a moderate left pleural effusion. Mild atelectasis at the right base. No pneumothorax. "
    "The heart is normal in size. Possible pneumonia in the right upper lobe."
)
LABELS = {
    "atelectasis": "present",
    "cardiomegaly": "absent",
    "pleural effusion": "present",
    "pneumothorax": "absent",
    "edema": "absent",
}


def record(**changes):
    fields = {
        "id": "r1",
        "split": "train",
        "patient_id": "p1",
        "kind": "presence",
        "question": "Is there edema?",
        "images": (),
        "answer_kind": AnswerKind.YES_NO,
        "answer": ("yes",),
        "options": ("edema",),
        "origin": "rows.csv:2",
    }
    return Record(**{**fields, **changes})


def choice_record(*options, answer):
    return record(kind="choice", question="Which?", answer_kind=AnswerKind.CHOICE, answer=(answer,), options=options)


def set_record(*answer, options=()):
    return record(kind="open", question="What?", answer_kind=AnswerKind.SET, answer=answer, options=options)


def reference(given, form, seed=0):
    built = with_trace(given, form=form, seed=seed)
    assert built is not None
    return built.reference


def answers(text):
    return [step.answer.text for step in parse_trace(text).steps]


def film(tmp_path) -> Path:
    path = tmp_path / "film.png"
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(path)
    return path


def labelled_records(images):
    study = LabelledStudy(
        id="p1-s1",
        split="train",
        patient_id="p1",
        images=images,
        labels=LABELS,
        is_exhaustive=True,
        boxes=(Box(label="pleural effusion", x0=0.5, y0=0.5, x1=0.9, y1=0.9),),
        sections={"findings": REPORT, "impression": "Left pleural effusion."},
        view="PA",
        origin="rows.csv:2",
    )

    class Drops:
        def drop(self, reason, *, origin, detail=""):
            raise AssertionError(reason)

    return list(records(study, Choices(section="both"), Drops()))


LEFT_PNEUMOTHORAX = Triplet(head="pneumothorax", relation="located_at", tail="left pleural space")
OTHERS = (
    choice_record("A) left pleural effusion", "B) right pleural effusion", "C) edema", answer="B"),
    choice_record("PA", "AP", answer="AP"),
    choice_record("The heart", "The right lung, upper zone", "None of these", answer="The heart"),
    set_record("left lower lung zone", "carina"),
    set_record("lung opacity", "support devices", "pneumothorax"),
    set_record(),
    set_record("pleural effusion", "atelectasis", options=("edema", "pleural effusion")),
    set_record(options=tuple(name for name in FINDINGS if name != NO_FINDING)),
    record(question="is there any atelectasis in the left lung?", options=(), answer=("no",)),
    record(question="does the cardiac silhouette show any abnormalities?", options=(), answer=("yes",)),
    record(kind="size", question="How large?", answer_kind=AnswerKind.NUMBER, answer=("2.5 cm +- 0.2",), options=()),
    record(kind="tube", question="Where?", answer_kind=AnswerKind.TEXT, answer=("in the trachea",), options=()),
    record(report=REPORT, options=("pleural effusion",)),
    record(report="No edema.", options=("edema",)),
    record(options=("left pneumothorax",), triplets=(LEFT_PNEUMOTHORAX,)),
    record(reference="<think>a veil</think><answer>edema ✅</answer><think>so</think><answer>yes</answer>"),
    record(reference="yes. There is a veil of edema over both lungs."),
    record(reference="<answer>yes</answer>"),
)  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_every_reward_gives_a_built_trace_full_marks_or_abstains(tmp_path, form):
    """Rows 3 and 91: with each shipped reward, for labels, reports, graphs, and every kind of answer."""
    images = (film(tmp_path),)
    several = [*labelled_records(images), *(replace_id(one, f"o{place}") for place, one in enumerate(OTHERS))]
    built = [with_trace(one, form=form, seed=seed) for one in several for seed in (0, 1)]
    lines = [
        json.dumps({**row_of(one), "id": f"{one.id}-{place}"}) for place, one in enumerate(built) if one is not None
    ]
    # The report has several sentences, and an answer that comes first is one.
    assert built.count(None) == (2 if form == "answer_first" else 0)
    (tmp_path / "rows.jsonl").write_text("\n".join(lines))
    samples = load_samples([str(tmp_path / "rows.jsonl")], DataConfig())

    ours = [name for name in reward_names() if not entry(name).is_legacy]
    rubric = Rubric(
        [RewardConfig(name=name, outcome=name == "answer_exact") for name in ours], GateConfig(), max_tokens=64
    )
    groups = rubric.settle(rubric.score([[gold_completion(sample)] for sample in samples]), update=False)
    parts = [group.rollouts[0].reward.parts for group in groups]

    assert len(parts) == len(lines)
    unlike = {
        (sample.reference, name): value
        for sample, part in zip(samples, parts, strict=True)
        for name in ours
        if (value := part[name]) is not None and value != pytest.approx(entry(name).highest)
    }
    assert unlike == {}
    assert all(part["answer_exact"] == 1.0 for part in parts)
    assert any(part["graph_jaccard"] == 1.0 for part in parts)


def test_think_first_and_answer_first_rows_stand_in_one_file_and_are_rewarded_alike(tmp_path):
    """Row 3: either is answered in its own form, and earns the same for the same."""
    built = [with_trace(replace_id(record(), form), form=form) for form in FORMS]
    (tmp_path / "rows.jsonl").write_text("\n".join(json.dumps(row_of(one)) for one in built))
    samples = load_samples([str(tmp_path / "rows.jsonl")], DataConfig())
    terms = [RewardConfig(name="answer_f1", outcome=True), RewardConfig(name="graph_jaccard")]
    rubric = Rubric(terms, GateConfig(), max_tokens=64)

    def parts(text_of):
        completions = [[replace(gold_completion(sample), text=text_of(sample))] for sample in samples]
        groups = rubric.settle(rubric.score(completions), update=False)
        return [dict(group.rollouts[0].reward.parts) for group in groups]

    assert parts(lambda sample: sample.reference) == [{"answer_f1": 1.0, "graph_jaccard": 1.0}] * 3
    wrong = parts(lambda sample: sample.reference.replace("yes", "no"))
    assert wrong == [{"answer_f1": 0.0, "graph_jaccard": 1.0}] * 3


def replace_id(one, name):
    return replace(one, id=name)


def test_a_label_becomes_a_judgement_and_the_answer():
    text = reference(record(answer=("no",)), "interleaved")
    assert answers(text) == ["edema ❌", "no"]
    assert think_text(parse_trace(text)).startswith(
        tuple(
            template.format("edema")
            for template in ("The film shows no {}", "No {} can", "I see no {}", "There is no evidence of {}")
        )
    )


def test_an_open_question_lists_its_candidates_judges_each_and_ends_in_those_that_are_there():
    given = set_record("edema", "pneumonia", options=("edema", "fracture", "pneumonia"))
    assert answers(reference(given, "interleaved")) == [
        "Differential Diagnoses: [edema, fracture, pneumonia]",
        "edema ✅",
        "fracture ❌",
        "pneumonia ✅",
        "edema, pneumonia",
    ]


def test_a_lettered_option_is_judged_and_chosen_by_its_own_words():
    given = choice_record("A) left pleural effusion", "B) right pleural effusion", answer="B")
    assert answers(reference(given, "interleaved")) == [
        "A) left pleural effusion ❌",
        "B) right pleural effusion ✅",
        "B) right pleural effusion",
    ]


def test_the_plain_form_thinks_once_and_the_answer_first_form_has_no_tags():
    given = set_record("edema", options=("edema", "fracture"))
    plain, first = reference(given, "plain"), reference(given, "answer_first")
    assert answers(plain) == ["edema"]
    assert "<" not in first
    assert first_sentence(first) == "edema"
    assert first.removeprefix("edema. ") == think_text(parse_trace(plain))


def test_of_many_candidates_the_present_and_some_of_the_absent_are_weighed():
    names = [f"finding {number}" for number in range(40)]
    judged = answers(reference(set_record("finding 7", options=tuple(names)), "interleaved"))[1:-1]
    assert len(judged) == MAX_WEIGHED
    assert "finding 7 ✅" in judged
    many = answers(reference(set_record(*names[:20], options=tuple(names)), "interleaved"))[1:-1]
    assert many == [f"{name} ✅" for name in names[:20]]


@pytest.mark.parametrize(
    ("answer", "judged"),
    [
        (("nodule",), ["edema ❌", "nodule ✅"]),
        (("mass", "nodule"), ["edema ❌", "mass ✅"]),
        ((), ["edema ❌", "mass ❌"]),
        (("pulmonary nodules",), ["edema ❌", "pulmonary nodules ✅"]),
    ],
)
def test_options_that_are_read_as_one_finding_are_weighed_once(answer, judged):
    given = set_record(*answer, options=("mass", "edema", "nodule"))
    steps = answers(reference(given, "interleaved"))
    assert sorted(steps[1:-1]) == judged


def test_place_and_severity_come_from_the_report_where_it_agrees():
    given = record(question="Is there pleural effusion?", options=("pleural effusion",), report=REPORT)
    assert "moderate pleural effusion in the left pleural space" in reference(given, "plain").lower()
    stated = with_trace(given, form="plain").triplets
    assert stated == (
        Triplet(head="moderate", relation="modify", tail="pleural effusion"),
        Triplet(head="pleural effusion", relation="located_at", tail="left pleural space"),
    )


def test_a_label_keeps_its_own_word_beside_what_a_report_adds():
    given = record(options=("nodule",), report="There is a lung lesion in the right upper zone.")
    assert "nodule in the right upper zone" in reference(given, "plain").lower()
    sided = record(options=("left effusion",), report="Moderate left pleural effusion.")
    assert "moderate pleural effusion in the left pleural space" in reference(sided, "plain").lower()


def test_a_place_that_is_asked_for_is_led_to_by_what_lies_there():
    box = Box(label="pneumothorax", x0=0.1, y0=0.2, x1=0.3, y1=0.4)
    given = record(
        kind="grounding", answer_kind=AnswerKind.BOXES, answer=("[0.1, 0.2, 0.3, 0.4]",), options=(), boxes=(box,)
    )
    (step,) = parse_trace(reference(given, "interleaved")).steps
    assert "pneumothorax" in step.think.text
    assert step.answer.text == "[0.1, 0.2, 0.3, 0.4]"


def test_thoughts_of_which_triplets_hold_a_part_only_have_no_triplets():
    """A device at no place is in no triplet, and would be taken for made up."""
    assert with_trace(set_record("edema", "support devices"), form="plain").triplets == ()
    assert len(with_trace(set_record("edema"), form="plain").triplets) == 2


@pytest.mark.parametrize(
    ("report", "option"),
    [
        ("No pleural effusion.", "pleural effusion"),
        ("Possible pneumonia in the right upper lobe.", "pneumonia"),
        ("Large right pleural effusion.", "left pleural effusion"),
    ],
)
def test_a_report_that_does_not_agree_with_the_label_adds_nothing(report, option):
    with_report, without = (record(options=(option,), report=said) for said in (report, ""))
    assert reference(with_report, "plain") == reference(without, "plain")


def test_a_graph_goes_before_a_report():
    graph = (
        Triplet(head="edema", relation="located_at", tail="right lung"),
        Triplet(head="severe", relation="modify", tail="edema"),
    )
    assert "severe edema in the right lung" in reference(record(triplets=graph, report="Mild edema."), "plain")


def test_change_since_an_earlier_film_is_not_told_of_one_film():
    report = "Worsening moderate edema, compared with the prior film."
    assert "wors" not in reference(record(report=report), "plain")


def test_a_report_is_led_to_by_what_it_settles():
    given = record(kind="report", question="Write it.", answer_kind=AnswerKind.TEXT, answer=(REPORT,), options=())
    judged = answers(reference(given, "interleaved"))
    # The possible pneumonia is settled neither way.
    assert judged == ["cardiomegaly ❌", "atelectasis ✅", "pneumothorax ❌", "pleural effusion ✅", REPORT]


def test_a_yes_or_no_without_options_judges_the_finding_it_asks_about():
    given = record(question="is there any atelectasis in the left lung?", options=(), answer=("no",))
    assert answers(reference(given, "interleaved")) == ["atelectasis in the left lung ❌", "no"]
    assert asked_fact("Indication: fever, known edema. Is there a fracture?").finding == "fracture"
    assert asked_fact("Is there edema or a fracture?") is None


def test_a_trace_that_comes_with_a_record_is_brought_into_the_form_and_keeps_its_words_and_graph():
    own = "<think>A veil</think><answer>edema ✅</answer><think>So it is</think><answer>yes</answer>"
    graph = (Triplet(head="edema", relation="located_at", tail="left lung"),)
    given = record(reference=own, triplets=graph)
    assert reference(given, "interleaved") == own
    assert reference(given, "plain") == "<think>A veil. So it is.</think><answer>yes</answer>"
    assert reference(given, "answer_first") == "yes. A veil. So it is."
    assert with_trace(given, form="plain").triplets == graph


def test_an_answer_first_text_becomes_think_first():
    given = record(reference="Yes. There is a veil over both lungs.")
    expected = "<think>There is a veil over both lungs.</think><answer>Yes</answer>"
    assert reference(given, "plain") == reference(given, "interleaved") == expected
    assert reference(given, "answer_first") == "Yes. There is a veil over both lungs."


def test_a_trace_that_does_not_lead_to_the_answer_is_none():
    assert with_trace(record(reference="<think>a veil</think><answer>no</answer>"), form="plain") is None
    assert with_trace(set_record("mass, not specified"), form="plain") is not None
    several = record(answer_kind=AnswerKind.TEXT, answer=("No edema. No fracture.",), kind="report", options=())
    assert with_trace(several, form="answer_first") is None


def test_wordings_differ_by_record_and_seed_and_are_the_same_again():
    def texts(seed):
        return [reference(replace_id(record(), f"r{number}"), "plain", seed=seed) for number in range(40)]

    assert texts(0) == texts(0) != texts(1)
    assert len(set(texts(0))) == 4


def test_each_wording_says_what_it_should_of_every_finding():
    """The extractor reads the finding, and no other, as present or as absent in all wordings."""
    for finding in FINDINGS:
        if finding == NO_FINDING:
            continue
        for holds in (True, False):
            said = {state(finding, holds=holds, facts={}, choice=Choice(seed=seed, by="")) for seed in range(60)}
            assert len(said) == 4
            for sentence in said:
                labels = {name: label for name, label in extract(sentence).labels.items() if label is not None}
                assert labels.pop(finding) == ("present" if holds else "absent"), sentence
                assert set(labels) <= {NO_FINDING}, sentence


def test_a_fact_is_told_with_its_own_place_and_read_back_the_same():
    reports = (
        "Severe edema.",
        "Small right pneumothorax.",
        "Consolidation in the left lower zone.",
        "Left rib fracture.",
        "Bilateral pleural effusions.",
        "No pleural effusion.",
    )
    for report in reports:
        (fact,) = facts_in(report).values()
        assert facts_in(f"I see {'no ' * (fact.certainty == 'absent')}{fact.phrase}.") == {fact.finding: fact}


def test_every_judgement_is_read_as_it_was_meant():
    given = choice_record("Yes and no", "no edema", "edema, mild", "A", answer="no edema")
    for text in answers(reference(given, "interleaved"))[:-1]:
        assert read_judgement(text) is not None


@pytest.mark.parametrize(("form", "start"), [("interleaved", "<think>"), ("answer_first", "yes. ")])
def test_a_conversion_writes_traces_that_are_asked_for(tmp_path, form, start):
    """Row 91: from a data set to rows for a cold start, in one command."""
    film(tmp_path)
    row = {"prompt": "Is there edema?", "answer": "<answer>yes</answer>", "images": ["film.png"], "options": ["edema"]}
    (tmp_path / "rows").mkdir()
    (tmp_path / "rows" / "train.jsonl").write_text(json.dumps({**row, "images": ["../film.png"], "kind": "presence"}))
    arguments = ["--from", "cx_mind", "--traces", form, str(tmp_path / "rows"), str(tmp_path / "out")]
    result = CliRunner().invoke(app, ["convert", *arguments])
    assert result.exit_code == 0, result.output
    (written,) = map(json.loads, (tmp_path / "out" / "train.jsonl").read_text().splitlines())
    assert written["answer"].startswith(start)
    assert ["edema", "located_at", "left lung", "present"] in written["triplets"]
    assert json.loads((tmp_path / "out" / "conversion.json").read_text())["choices"]["traces"] == form


def test_a_record_that_no_trace_fits_is_left_out_of_a_conversion_and_listed(tmp_path):
    film(tmp_path)
    row = {"prompt": "Write the report.", "images": ["film.png"], "kind": "report", "answer_kind": "text"}
    rows = [{**row, "answer": f"<answer>{text}</answer>"} for text in ("No edema.", "No edema. No fracture.")]
    (tmp_path / "train.jsonl").write_text("\n".join(map(json.dumps, rows)))
    arguments = ["--from", "cx_mind", "--traces", "answer_first", str(tmp_path / "train.jsonl"), str(tmp_path / "out")]
    result = CliRunner().invoke(app, ["convert", *arguments])
    assert result.exit_code == 0, result.output
    (dropped,) = map(json.loads, (tmp_path / "out" / "dropped.jsonl").read_text().splitlines())
    assert dropped["reason"] == "no trace leads to the answer"
