from dataclasses import replace

import pytest

from radrl.errors import DataError
from radrl.selection.hardest import Attempt, hardness, remainder_quotas, select_hard, stratum
from radrl.types import AnswerKind, Sample


def an_attempt(number, *, correct, confidence=0.5, kind="presence", answer="yes", answer_kind=AnswerKind.YES_NO):
    sample = Sample(
        id=f"q{number}",
        patient_id=f"p{number}",
        kind=kind,
        question="?",
        answer=frozenset(answer.split(", ")) if answer else frozenset(),
        answer_kind=answer_kind,
        reference="",
    )
    return Attempt(sample=sample, is_correct=correct, confidence=confidence)


def ids(samples):
    return [sample.id for sample in samples]


def test_failures_come_before_successes_sure_failures_and_unsure_successes_first():
    attempts = [
        an_attempt(0, correct=True, confidence=0.9),
        an_attempt(1, correct=False, confidence=0.3),
        an_attempt(2, correct=True, confidence=0.4),
        an_attempt(3, correct=False, confidence=0.8),
    ]
    ranked = sorted(attempts, key=hardness, reverse=True)
    assert [attempt.sample.id for attempt in ranked] == ["q3", "q1", "q2", "q0"]


def test_the_chosen_ones_come_in_the_order_of_the_pool():
    attempts = [an_attempt(number, correct=number % 2 == 0, confidence=number / 10) for number in range(6)]
    assert ids(select_hard(attempts, 3)) == ["q1", "q3", "q5"]
    assert ids(select_hard(attempts, 4)) == ["q0", "q1", "q3", "q5"]


def test_the_answers_keep_their_shares_however_one_sided_the_failures_are():
    """A model that always says no fails on every yes; training on those alone would teach it to say yes."""
    said_no = [an_attempt(number, correct=number % 2 == 0, answer=["no", "yes"][number % 2]) for number in range(20)]
    chosen = select_hard(said_no, 10)
    assert sum(sample.answer == {"yes"} for sample in chosen) == 5


def test_kinds_keep_their_shares_too():
    attempts = [an_attempt(number, correct=False, kind="presence") for number in range(6)]
    attempts += [an_attempt(number, correct=True, kind="view") for number in range(6, 9)]
    kinds = [sample.kind for sample in select_hard(attempts, 6)]
    assert (kinds.count("presence"), kinds.count("view")) == (4, 2)


def test_lists_of_findings_are_alike_when_they_are_as_long():
    def of(answer):
        return stratum(an_attempt(0, correct=True, kind="open", answer=answer, answer_kind=AnswerKind.SET).sample)

    assert of("edema") == of("fracture") == ("open", "1")
    assert of("edema, fracture") == ("open", "2")
    assert of("") == ("open", "0")


def test_options_are_alike_whichever_is_right():
    choice = an_attempt(0, correct=True, kind="closed", answer="edema", answer_kind=AnswerKind.CHOICE).sample
    assert stratum(choice) == stratum(replace(choice, answer=frozenset({"fracture"}))) == ("closed", "")


def test_quotas_give_the_largest_remainders_the_rest_and_add_up():
    assert remainder_quotas({("a", ""): 5, ("b", ""): 3, ("c", ""): 2}, 4) == {("a", ""): 2, ("b", ""): 1, ("c", ""): 1}
    for size in range(11):
        given = remainder_quotas({("a", ""): 5, ("b", ""): 3, ("c", ""): 2}, size)
        assert sum(given.values()) == size
        assert all(abs(given[key] - size * share) < 1 for key, share in zip(given, (0.5, 0.3, 0.2), strict=True))


def test_all_of_the_pool_can_be_selected_but_no_more():
    attempts = [an_attempt(number, correct=True) for number in range(3)]
    assert ids(select_hard(attempts, 3)) == ["q0", "q1", "q2"]
    assert select_hard(attempts, 0) == []
    with pytest.raises(DataError, match=r"4 questions are to be selected from a pool of 3\. Enlarge the pool\."):
        select_hard(attempts, 4)
