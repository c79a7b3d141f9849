import pytest
from growth import growth
from hypothesis import given
from hypothesis import strategies as st

from radrl.answers import (
    Judgement,
    canonical_answer,
    canonical_label,
    finding_of,
    normalise,
    option_table,
    predicted_answer,
    read_answer,
    read_candidates,
    read_judgement,
)
from radrl.graph.lexicon.findings import FINDINGS
from radrl.text import parse_trace
from radrl.types import AnswerKind, Sample

OPTIONS = ("left pleural effusion", "right pneumothorax", "cardiomegaly")


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("Yes.", "yes"),
        ("  The   left LUNG ", "left lung"),
        ("<answer>an effusion</answer>", "effusion"),
        ("**normal**!", "normal"),
        ("ＰＡ", "pa"),
        ("A", "a"),
    ],
)
def test_normalising_drops_case_articles_tags_and_end_punctuation(text, plain):
    assert normalise(text) == plain


@given(st.text(max_size=60))
def test_normalising_twice_changes_nothing_more(text):
    once = canonical_label(text)
    assert normalise(normalise(text)) == normalise(text)
    assert canonical_label(once) == once


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("Atelectases", "atelectasis"),
        ("effusions", "pleural effusion"),
        ("left effusion", "left pleural effusion"),
        ("Left-sided pleural effusions.", "left pleural effusion"),
        ("right middle zone infiltrate", "right mid zone lung opacity"),
        ("PTX", "pneumothorax"),
        ("No findings", "no finding"),
        ("endotracheal tube", "endotracheal tube"),
        ("ETT", "endotracheal tube"),
        ("support device", "support devices"),
        ("vascular redistribution sign", "vascular redistribution sign"),
        ("zebra", "zebra"),
    ],
)
def test_labels_are_folded_to_the_label_space_and_unknown_ones_kept(text, label):
    assert canonical_label(text) == label


SPELLINGS = {
    "no finding": "None|Normal|No findings|no acute findings|NAD|Unremarkable.|no acute cardiopulmonary process",
    "enlarged cardiomediastinum": "widened mediastinum|mediastinal widening|enlarged cardiomediastinal silhouette",
    "cardiomegaly": "Cardiomegaly|enlarged heart|cardiac enlargement|enlarged cardiac silhouette|cardiomegally",
    "lung opacity": "Lung opacities|airspace opacity|air-space opacities|opacification|infiltrates|airspace disease",
    "lung lesion": "nodule|pulmonary nodules|masses|lung mass|tumour",
    "edema": "oedema|Pulmonary oedema|interstitial edema|pulmonary edemas|vascular congestion",
    "consolidation": "consolidations|airspace consolidation|air-space consolidation",
    "pneumonia": "pneumonias|bronchopneumonia|PNA",
    "atelectasis": "Atelectases|atelectatic changes|plate-like atelectasis|volume loss",
    "pneumothorax": "PTX|pneumothoraces|pnx|tension pneumothorax",
    "pleural effusion": "effusion|effusions|pleural fluid|haemothorax|hemothorax",
    "pleural other": "pleural thickening|pleural plaques|other pleural abnormality",
    "fracture": "fractures|rib fractures|broken ribs",
    "support devices": "support device|devices|lines and tubes|tubes and lines",
}


@pytest.mark.parametrize("finding", FINDINGS)
def test_common_spellings_name_each_of_the_14_findings(finding):
    spellings = SPELLINGS[finding].split("|")
    assert {spelling: canonical_label(spelling) for spelling in spellings} == dict.fromkeys(spellings, finding)


@pytest.mark.parametrize(
    ("label", "finding"),
    [
        ("left upper zone consolidation", "consolidation"),
        ("edema", "edema"),
        ("zebra", None),
        ("no finding", None),
        ("left", None),
        ("", None),
        ("a" * 300, None),
    ],
)
def test_the_finding_of_a_label_is_what_stands_behind_its_side_and_zone(label, finding):
    assert finding_of(label) == finding


@pytest.mark.parametrize(
    ("text", "candidates"),
    [
        ("Differential Diagnoses: [Atelectases, Lung Opacity]", ("atelectasis", "lung opacity")),
        ("edema; left effusion\nand PTX.", ("edema", "left pleural effusion", "pneumothorax")),
        ("edema, edema", ("edema", "edema")),
        ("Candidates: []", ()),
        ("", ()),
    ],
)
def test_candidates_are_read_with_or_without_heading_and_brackets(text, candidates):
    assert read_candidates(text) == candidates


@pytest.mark.parametrize("finding", FINDINGS)
def test_a_canonical_name_is_its_own_label_with_and_without_a_side(finding):
    assert canonical_label(finding) == finding
    assert canonical_label(f"left {finding}") == f"left {finding}"


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("Atelectases", {"atelectasis"}),
        (
            "edema, left effusion; Pneumonia\ncardiomegaly",
            {"edema", "left pleural effusion", "pneumonia", "cardiomegaly"},
        ),
        ("edema, pneumonia, and fracture.", {"edema", "pneumonia", "fracture"}),
        ("edema ✅", {"edema"}),
        ("no finding", set()),
        ("None.", set()),
        ("Normal", set()),
    ],
)
def test_a_set_is_read_item_by_item(text, answer):
    assert read_answer(text, kind=AnswerKind.SET) == answer


@pytest.mark.parametrize("text", ["", " \n", "...", ",;", "no finding, edema", "edema ✅, pneumonia ❌"])
def test_blank_contradictory_and_negated_sets_cannot_be_read(text):
    assert read_answer(text, kind=AnswerKind.SET) is None


@given(st.permutations(["edema", "left effusion", "pneumonia"]), st.sampled_from([", ", ";", "\n"]))
def test_the_order_and_separator_of_a_set_do_not_matter(items, separator):
    expected = {"edema", "left pleural effusion", "pneumonia"}
    assert read_answer(separator.join(items), kind=AnswerKind.SET) == expected


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("C) ✅", "C"),
        ("✅ C", "C"),
        ("B", "B"),
        ("(D)", "D"),
        ("The answer is C", "C"),
        ("It is plain that A is right", "A"),
        ("The answer is A.", "A"),
        ("Final: B", "B"),
        ("Answer: C", "C"),
        ("b.", "B"),
        ("Ｃ）", "C"),
    ],
)
def test_an_option_letter_is_read_where_it_stands_alone(text, letter):
    assert read_answer(text, kind=AnswerKind.CHOICE) == {letter}


@pytest.mark.parametrize(
    "text", ["Pneumonia", "H) x", "", "B or C", "C ❌", "no evidence of it", "CABG", "A careful look"]
)
def test_words_several_letters_and_letters_beyond_g_name_no_option(text):
    assert read_answer(text, kind=AnswerKind.CHOICE) is None


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("A", "left pleural effusion"),
        ("The answer is C", "cardiomegaly"),
        ("left effusion ✅", "left pleural effusion"),
        ("B) right pneumothoraces", "right pneumothorax"),
        ("Cardiomegaly.", "cardiomegaly"),
    ],
)
def test_a_named_option_is_read_by_name_or_letter(text, name):
    assert read_answer(text, kind=AnswerKind.CHOICE, options=OPTIONS) == {name}


@pytest.mark.parametrize("text", ["B) cardiomegaly", "D", "pneumonia", "pleural effusion"])
def test_a_letter_with_another_name_and_things_that_are_no_option_cannot_be_read(text):
    assert read_answer(text, kind=AnswerKind.CHOICE, options=OPTIONS) is None


def test_written_letters_stand_over_positions():
    options = ("B) edema", "A) fracture")
    assert option_table(options).letters == ("B", "A")
    assert read_answer("A", kind=AnswerKind.CHOICE, options=options) == {"fracture"}


def test_choosing_no_finding_is_the_empty_answer():
    assert read_answer("A", kind=AnswerKind.CHOICE, options=("no finding", "edema")) == set()


@pytest.mark.parametrize(
    ("text", "word"),
    [("yes.", "yes"), ("yes\n", "yes"), ("No, there is none", "no"), ("**Yes**", "yes"), ("yes ✅", "yes")],
)
def test_yes_and_no_are_read_as_the_first_word(text, word):
    assert read_answer(text, kind=AnswerKind.YES_NO) == {word}


@pytest.mark.parametrize("text", ["normal", "nodule", "yes and no", "There is no effusion", "maybe", "", "yesterday"])
def test_other_words_and_both_words_are_neither_yes_nor_no(text):
    assert read_answer(text, kind=AnswerKind.YES_NO) is None


def test_free_text_is_compared_after_normalisation_only():
    assert read_answer("The Left lung.", kind=AnswerKind.TEXT) == {"left lung"}
    assert read_answer(" ", kind=AnswerKind.TEXT) is None


def test_a_gold_answer_is_read_like_a_prediction():
    assert canonical_answer({"Atelectases", "effusion"}, kind=AnswerKind.SET) == {"atelectasis", "pleural effusion"}
    assert canonical_answer({"A"}, kind=AnswerKind.CHOICE, options=OPTIONS) == {"left pleural effusion"}
    assert canonical_answer(frozenset(), kind=AnswerKind.SET) == frozenset()
    assert canonical_answer({"perhaps"}, kind=AnswerKind.YES_NO) is None


def sample(reference: str) -> Sample:
    return Sample(
        id="q", patient_id="p", kind="presence", question="?", answer=frozenset({"yes"}), answer_kind=AnswerKind.YES_NO,
        reference=reference,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("reference", "completion", "answer"),
    [
        ("<think>a</think><answer>yes</answer>", "<think>b</think><answer>no</answer>", {"no"}),
        ("<think>a</think><answer>yes</answer>", "<answer>no</answer><answer>yes</answer>", {"yes"}),
        ("<think>a</think><answer>yes</answer>", "Yes. Because.", None),
        ("Yes. Because.", "No. Not at all.", {"no"}),
        ("Yes. Because.", "<think>hm</think><answer>yes</answer>", {"yes"}),
        ("Yes. Because.", "<think>yes", None),
    ],
)
def test_the_answer_of_a_completion_is_its_last_block_or_in_answer_first_data_its_first_sentence(
    reference, completion, answer
):
    assert predicted_answer(sample(reference), text=completion, trace=parse_trace(completion)) == answer


@pytest.mark.parametrize(
    ("text", "judgement"),
    [
        ("A) ✅", Judgement(label="A", holds=True, letter="A")),
        ("✅ C", Judgement(label="C", holds=True, letter="C")),
        ("left pleural effusion ❌", Judgement(label="left pleural effusion", holds=False)),
        ("left effusion yes", Judgement(label="left pleural effusion", holds=True)),
        ("Edema: no.", Judgement(label="edema", holds=False)),
        ("A) left effusion ❌", Judgement(label="left pleural effusion", holds=False, letter="A")),
        ("edema ✅\ufe0f", Judgement(label="edema", holds=True)),
        ("Zebra ❌", Judgement(label="zebra", holds=False)),
    ],
)
def test_a_judgement_is_an_option_and_a_verdict(text, judgement):
    assert read_judgement(text) == judgement


@pytest.mark.parametrize(
    "text",
    [
        "",
        "✅",
        "edema",
        "edema ✅ ❌",
        "edema ✅✅",
        "ede ✅ ma",
        "no",
        "yes.",
        "Differential Diagnoses: [edema, fracture]",
        "edema ✔",
    ],
)
def test_a_missing_or_double_verdict_is_no_judgement(text):
    assert read_judgement(text) is None


HOSTILE = {
    "place words": lambda n: "left " * (n // 5),
    "separators": lambda n: "a," * (n // 2),
    "letters": lambda n: "A) " * (n // 3),
    "marks": lambda n: "✅ " * (n // 2),
    "one word": lambda n: "a" * n,
    "blanks": lambda n: "a" + " " * n + "b",
    "brackets": lambda n: "<" * n,
    "full stops": lambda n: "A" + "." * n,
}


@pytest.mark.parametrize("make", HOSTILE.values(), ids=HOSTILE.keys())
def test_reading_costs_grow_with_the_length_of_the_text(make):
    def read(text: str) -> None:
        for kind in AnswerKind:
            read_answer(text, kind=kind, options=OPTIONS)
        read_judgement(text)

    assert growth(read, make=make, size=6_000, bound=5) <= 5
