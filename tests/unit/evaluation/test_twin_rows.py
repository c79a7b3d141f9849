from dataclasses import replace

from evaluation_builders import answering, judged, presence

from radrl.evaluation.intervals import Bootstrap
from radrl.evaluation.twins import twin_row

BOOTSTRAP = Bootstrap(resamples=20, seed=1)


def pair(number: int, *, golds: tuple[str, str], answers: tuple[str, str]):
    first = presence(number, gold=golds[0])
    second = replace(presence(number, gold=golds[1]), id=f"q{number}t", twin_id=f"q{number}")
    return [judged(first, answering(answers[0])), judged(second, answering(answers[1]))]


def row(*pairs):
    return twin_row([one for each in pairs for one in each], bootstrap=BOOTSTRAP)


def test_an_answer_has_to_change_with_the_fact_and_with_nothing_else():
    found = row(
        pair(1, golds=("yes", "no"), answers=("yes", "no")),
        pair(2, golds=("yes", "no"), answers=("yes", "yes")),
        pair(3, golds=("no", "yes"), answers=("yes", "no")),
        pair(4, golds=("no", "no"), answers=("no", "no")),
        pair(5, golds=("yes", "yes"), answers=("yes", "no")),
    )
    assert found.both_right.value == 2 / 5
    assert found.changed.value == 2 / 3
    assert found.kept.value == 1 / 2
    assert (found.num_pairs, found.num_differing) == (5, 3)


def test_an_unreadable_answer_is_no_answer_that_changed():
    found = row(pair(1, golds=("yes", "no"), answers=("yes", "perhaps")))
    assert (found.both_right.value, found.changed.value) == (0, 0)


def test_a_pair_counts_once_although_both_name_each_other():
    first, second = pair(1, golds=("yes", "no"), answers=("yes", "no"))
    first = replace(first, sample=replace(first.sample, twin_id=second.sample.id))
    assert row([first, second]).num_pairs == 1


def test_completions_are_paired_by_their_index():
    first, second = pair(1, golds=("yes", "no"), answers=("yes", "no"))
    more = judged(first.sample, answering("no"), index=1), judged(second.sample, answering("no"), index=1)
    found = row([first, *more, second])
    assert (found.both_right.value, found.changed.value, found.num_pairs) == (0.5, 0.5, 1)


def test_there_is_no_row_where_a_twin_is_missing():
    first, second = pair(1, golds=("yes", "no"), answers=("yes", "no"))
    assert row([first]) is None
    assert row([second]) is None
