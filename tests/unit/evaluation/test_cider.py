"""Spec row 87: CIDEr-D of reports, against a slow form of its definition."""

import math
from collections import Counter

import numpy as np
import pytest
from text_builders import reported, sentences, values

from radrl.evaluation.families.text import TEXT
from radrl.evaluation.metrics.cider import cider_d


def slow_cider_d(said, gold):
    """From the paper's equations, one dictionary a text."""

    def counts(text, n):
        tokens = text.split()
        return Counter(tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1))

    frequency = Counter(gram for text in gold for n in (1, 2, 3, 4) for gram in counts(text, n))
    scores = []
    for text, wanted in zip(said, gold, strict=True):
        total = 0.0
        for n in (1, 2, 3, 4):
            left, right = (
                {gram: count * math.log(len(gold) / max(1, frequency[gram])) for gram, count in counts(one, n).items()}
                for one in (text, wanted)
            )
            norms = math.sqrt(sum(v * v for v in left.values())) * math.sqrt(sum(v * v for v in right.values()))
            common = sum(min(value, right.get(gram, 0.0)) * right.get(gram, 0.0) for gram, value in left.items())
            penalty = math.exp(-((len(text.split()) - len(wanted.split())) ** 2) / (2 * 6.0**2))
            total += penalty * common / norms if norms else 0.0
        scores.append(10 * total / 4)
    return scores


def ids(count):
    return [f"q{number}" for number in range(count)]


def test_row_87_cider_d_is_that_of_its_definition():
    gold = sentences(40, seed=1)
    said = [*gold[:5], *sentences(33, seed=2), "", "zebra zebra"]
    found = cider_d(said, gold, questions=ids(40))
    assert found == pytest.approx(slow_cider_d(said, gold))
    assert found[38] == found[39] == 0
    assert 0 < found[5:38].max() < 10


def test_an_equal_text_of_four_words_or_more_scores_ten_unless_all_gold_texts_share_its_words():
    gold = [f"a{number} b{number} c{number} d{number}" for number in range(20)]
    assert cider_d(gold, gold, questions=ids(20)) == pytest.approx(np.full(20, 10.0))
    assert cider_d(["no acute process here"] * 20, ["no acute process here"] * 20, questions=ids(20)).max() == 0


def test_a_longer_text_is_punished_by_the_gaussian_of_its_surplus():
    gold = [f"a{number} b{number} c{number} d{number}" for number in range(20)]
    padded = [f"{text} {text}" for text in gold]
    plain = slow_cider_d(padded, gold)[0]
    assert cider_d(padded, gold, questions=ids(20))[0] == pytest.approx(plain)
    assert plain < 10 * math.exp(-16 / 72) + 1e-9


def test_several_completions_of_a_question_count_its_gold_text_once():
    gold = sentences(25, seed=3, shortest=6)
    said = sentences(25, seed=4, shortest=6)
    once = cider_d(said, gold, questions=ids(25))
    twice = cider_d([*said, *said], [*gold, *gold], questions=[*ids(25), *ids(25)])
    assert twice == pytest.approx(np.concatenate([once, once]))


def test_below_twenty_questions_there_is_no_number():
    gold = sentences(19, seed=5)
    assert np.isnan(cider_d(gold * 2, gold * 2, questions=ids(19) * 2)).all()
    few = TEXT.statistics([reported(number, text, gold=text) for number, text in enumerate(gold)])
    assert values(few, 19)["cider_d"] is None
    gold.append("a text more")
    enough = TEXT.statistics([reported(number, text, gold=text) for number, text in enumerate(gold)])
    assert values(enough, 20)["cider_d"] > 1
