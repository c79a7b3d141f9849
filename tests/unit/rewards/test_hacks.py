"""The library of known hacks writes what it says, for every form of question, and looks at no gold answer."""

from dataclasses import replace
from functools import cache

import pytest
from reward_builders import ANSWER_FIRST, LETTERED, NAMED, NORMAL, OPEN, PRESENCE, trace, value

from radrl.lint.questions import ask_questions
from radrl.phantom.world import KINDS
from radrl.rewards.hacks import HACKS, Majority
from radrl.rewards.hacks.corruptions import flip_negations, swap_sides
from radrl.rewards.hacks.draft import form_of, write
from radrl.text import parse_trace

CASES = (LETTERED, NAMED, PRESENCE, OPEN, NORMAL, ANSWER_FIRST)
MAJORITY = Majority.of(CASES)
BY_NAME = {hack.name: hack for hack in HACKS}
BLIND = [hack for hack in HACKS if hack.is_blind]


@cache
def asked(num_questions, *, trace_form):
    return ask_questions(num_questions, kinds=KINDS, trace=trace_form, seed=3, has_twins=False)


def written(name, sample, majority=MAJORITY):
    return BY_NAME[name].write(sample, majority)


def without_gold(sample):
    """The same question as if everything that is known of its answer were otherwise; the form stays."""
    steps = parse_trace(sample.reference).steps
    reference = trace(*(("other", "other") for _ in steps)) if steps else "Other. Words."
    return replace(sample, answer=frozenset({"other"}), reference=reference, triplets=(), boxes=())


@pytest.mark.parametrize(
    "name",
    [
        "list everything", "empty answer", "empty output", "many blocks", "tag soup", "option letters",
        "nonsense judged wrong", "one lucky pair", "repetition", "negation flip", "side swap", "prompt echo",
        "look-alike letters", "huge output", "all absent", "all present", "boilerplate", "answer only",
        "confident nonsense",
    ],
)  # fmt: skip
def test_the_library_has_the_hack_with_what_it_does_and_whom_it_fooled(name):
    assert BY_NAME[name].does.endswith(".")
    assert len(BY_NAME[name].fooled) > 20


def test_every_hack_has_a_name_of_its_own():
    assert len(BY_NAME) == len(HACKS) >= 20


@pytest.mark.parametrize("hack", BLIND, ids=lambda hack: hack.name)
def test_a_blind_hack_writes_the_same_whatever_the_gold_answer_is(hack):
    for trace_form in ("interleaved", "plain", "answer_first"):
        questions = asked(16, trace_form=trace_form)
        for sample in questions.samples[:: max(1, hack.every // 10)]:
            assert hack.write(sample, questions.majority) == hack.write(without_gold(sample), questions.majority)


@pytest.mark.parametrize("hack", HACKS, ids=lambda hack: hack.name)
def test_every_hack_differs_from_the_honest_majority_answer_somewhere(hack):
    questions = asked(24, trace_form="interleaved")
    tried = questions.samples[:3] if hack.every > 1 else questions.samples
    majority = [write(questions.majority.draft(sample), sample) for sample in tried]
    texts = [hack.write(sample, questions.majority) for sample in tried]
    assert [text for text, honest in zip(texts, majority, strict=True) if text not in (None, honest)]


def test_listing_everything_names_every_option_or_every_finding_on_both_sides():
    assert written("list everything", NAMED).endswith(
        "<answer>cardiomegaly, right pneumothorax, left pleural effusion</answer>"
    )
    assert written("list everything", PRESENCE).endswith("<answer>yes, no</answer>")
    listed = written("list everything", NORMAL)
    assert "pneumothorax, left pneumothorax, right pneumothorax" in listed


def test_a_lettered_question_is_judged_and_answered_by_letters():
    assert written("all absent", LETTERED) == trace(
        ("no edema", "A) ❌"),
        ("no left pleural effusion", "B) ❌"),
        ("Taken together, this settles it.", "none of these"),
    )
    assert written("one lucky pair", LETTERED) == "<think>fluid at the left base</think><answer>B) ✅</answer>"
    assert written("one denial", LETTERED) == "<think>no edema</think><answer>A) ❌</answer>"


def test_an_open_question_lists_its_candidates_before_the_zebra():
    named = replace(OPEN, options=("Atelectasis", "Edema"))
    assert written("nonsense judged wrong", named) == trace(
        ("These are weighed one by one.", "Differential Diagnoses: [Atelectasis, Edema]"),
        ("There is no zebra.", "Zebra ❌"),
        ("summary", "atelectasis"),
    )


def test_a_single_pair_holds_all_thoughts_and_one_answer():
    pair = replace(PRESENCE, reference="<think>no left pleural effusion.</think><answer>no</answer>")
    assert written("all present", pair) == "<think>There is left pleural effusion.</think><answer>yes</answer>"
    assert written("answer only", pair) == "<answer>no</answer>"


def test_answer_first_data_gets_no_tags_but_from_the_hacks_that_are_about_tags():
    assert form_of(ANSWER_FIRST) == "answer_first"
    assert written("all absent", replace(ANSWER_FIRST, options=("edema",))) == "no. There is no edema."
    assert written("prompt echo", ANSWER_FIRST) == "Is there an effusion?"
    tagged = {hack.name for hack in BLIND if "<" in (written(hack.name, ANSWER_FIRST) or "")}
    assert tagged == {"many blocks", "tag soup"}


def test_look_alikes_cannot_be_told_by_eye_and_are_other_characters():
    letters = written("look-alike letters", NAMED)
    assert letters.endswith("<answer>right \u0440n\u0435um\u043eth\u043er\u0430\u0445</answer>")
    assert written("look-alike marks", NAMED).count("\u2714") == 1
    assert "❌" not in written("look-alike marks", NAMED)
    assert written("look-alike tags", NAMED).startswith("\uff1cthink\uff1e")


def test_the_huge_output_is_a_megabyte():
    assert 0.9e6 < len(written("huge output", NAMED)) < 1.1e6


def test_a_flipped_reference_is_false_in_every_thought_judgement_and_conclusion():
    assert flip_negations(NAMED) == trace(
        ("no the heart is normal", "cardiomegaly ✅"),
        ("no right pneumothorax", "right pneumothorax ❌"),
        ("left pleural effusion", "left pleural effusion ✅"),
        ("no summary", "cardiomegaly, left pleural effusion"),
    )
    sentence = replace(
        PRESENCE,
        reference="<think>The corner is dark. There is no left pleural effusion.</think><answer>no</answer>",
    )
    assert flip_negations(sentence) == (
        "<think>The corner is dark. There is left pleural effusion.</think><answer>yes</answer>"
    )
    assert flip_negations(ANSWER_FIRST) == "no. There is no left pleural effusion."


def test_a_flip_is_left_out_where_nothing_was_found_and_nothing_asked_about():
    assert flip_negations(NORMAL) is None


def test_swapped_sides_turn_the_answer_about_a_side():
    found = replace(
        PRESENCE,
        answer=frozenset({"yes"}),
        reference=trace(("fluid on the left", "left pleural effusion ✅"), ("summary", "yes")),
    )
    assert swap_sides(found) == trace(("fluid on the right", "right pleural effusion ✅"), ("summary", "no"))
    assert swap_sides(NAMED) == trace(
        ("the heart is normal", "cardiomegaly ❌"),
        ("left pneumothorax", "left pneumothorax ✅"),
        ("no right pleural effusion", "right pleural effusion ❌"),
        ("summary", "left pneumothorax"),
    )


def test_swapped_sides_of_a_lettered_question_end_in_the_letter_of_the_mirror_image():
    mirrored = replace(
        LETTERED,
        options=("A) right pleural effusion", "B) left pleural effusion"),
        reference=trace(("no right pleural effusion", "A) ❌"), ("fluid on the left", "B) ✅"), ("so", "B) ✅")),
    )
    assert swap_sides(mirrored) == trace(
        ("no left pleural effusion", "B) ❌"), ("fluid on the right", "A) ✅"), ("so", "A) ✅")
    )


def test_a_side_swap_is_left_out_where_the_answer_stays_right():
    assert swap_sides(OPEN) is None
    assert swap_sides(NORMAL) is None


def test_the_corruptions_are_wrong_on_every_phantom_question_they_apply_to():
    samples = asked(60, trace_form="interleaved").samples
    for corrupt in (flip_negations, swap_sides):
        texts = [(sample, text) for sample in samples if (text := corrupt(sample)) is not None]
        assert len(texts) > 15
        assert {value("answer_exact", sample, text) for sample, text in texts} == {0.0}


def test_the_majority_answers_what_was_most_often_right_and_thinks_what_most_often_stood_there():
    samples = (
        replace(PRESENCE, id="1"),
        replace(PRESENCE, id="2"),
        replace(
            PRESENCE, id="3", answer=frozenset({"yes"}), reference=trace(("fluid", "left effusion ✅"), ("so", "yes"))
        ),
    )
    assert write(Majority.of(samples).draft(samples[2]), samples[2]) == PRESENCE.reference


def test_the_majority_chooses_the_option_that_is_most_often_right_among_those_asked():
    right = replace(NAMED, id="2", options=("right pneumothorax", "edema"), answer=frozenset({"edema"}))
    draft = Majority.of((NAMED, NAMED, right)).draft(right)
    assert draft.answer == "right pneumothorax"
    assert [step.holds for step in draft.steps] == [True, False]


def test_the_majority_of_no_questions_says_no_finding():
    assert Majority.of(()).draft(OPEN).answer == "no finding"


@pytest.mark.parametrize("trace_form", ["interleaved", "plain"])
def test_the_majority_answer_is_well_formed_for_every_kind_of_question(trace_form):
    questions = asked(40, trace_form=trace_form)
    texts = [(sample, write(questions.majority.draft(sample), sample)) for sample in questions.samples]
    assert {value("format", sample, text) for sample, text in texts} == {1.0}
    right = [value("answer_exact", sample, text) for sample, text in texts]
    assert 0.2 < sum(right) / len(right) < 0.8
    for sample, text in texts:
        assert len(parse_trace(text).steps) == len(parse_trace(sample.reference).steps)
