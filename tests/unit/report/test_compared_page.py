import re
from dataclasses import replace

import pytest
from evaluated_rows import row, rows, write_evaluation
from PIL import Image

from radrl.compare import compare
from radrl.evaluation.compare import pair_records
from radrl.evaluation.intervals import Estimate
from radrl.report.compared import draw_difference
from radrl.report.parting import choose_cases

PARTED = [(1, 0), (0, 1), (0, 0), (1, 1)]
"""Right before and after: lost, gained, wrong twice, right twice."""


@pytest.fixture
def page(tmp_path):
    film = tmp_path / "film.png"
    Image.new("L", (40, 20), 90).save(film)
    images = {0: (str(film),), 1: (str(film), str(tmp_path / "gone.png"))}
    before = [replace(one, images=images.get(n)) for n, one in enumerate(rows([was for was, _ in PARTED]))]
    after = rows([now for _, now in PARTED])
    after[2] = replace(after[2], prediction=None, parse_ok=False, generated_text="<b>?</b>")
    write_evaluation(tmp_path / "sft", before)
    write_evaluation(tmp_path / "rl", [replace(one, images=images.get(n)) for n, one in enumerate(after)])
    compare([tmp_path / "sft", tmp_path / "rl"], html=tmp_path / "out" / "page.html", resamples=50)
    return (tmp_path / "out" / "page.html").read_text()


def test_the_page_says_first_what_it_comes_to(page):
    assert "rl and sft are right on as many of 4 questions (0.0 points). The 95% interval" in page
    assert page.index("rl and sft are right") < page.index("For which questions")


def test_the_page_lists_the_questions_that_changed_sides_and_those_wrong_in_two_ways(page):
    assert re.findall(r'<article class="case (\w+)">', page) == ["lost", "gained", "different"]
    for shown in ("right to wrong (1)", "wrong to right (1)", "both wrong and different (1)"):
        assert shown in page
    assert page.count("Is there a pleural effusion?") == 3
    assert "unreadable" in page


def test_a_film_stands_in_the_page_once_and_a_missing_one_is_named(page):
    assert len(re.findall(r"data:image/png;base64,", page)) == 1
    assert len(re.findall(r'<use href="#film-1-', page)) == 2
    assert "gone.png could not be read" in page


def test_reasonings_are_marked_by_what_the_other_one_states(page):
    """`An effusion` against `No effusion`: each denies the other."""
    assert '<mark class="disorder contradicted" title="no pleural effusion">effusion</mark>' in page


def test_the_page_needs_no_network_and_no_script_and_escapes_what_models_write(page):
    assert "<script" not in page
    assert "default-src 'none'" in page
    assert not re.findall(r"(?:src|href)=\"http", page)
    assert "<b>?</b>" not in page
    assert "Research software, not for clinical use" in page


def test_the_page_of_seeds_says_what_their_spread_is_worth(tmp_path):
    for side, tables in (("a", [[1, 0, 0], [0, 0, 0]]), ("b", [[1, 1, 0], [1, 1, 1]])):
        for number, rights in enumerate(tables):
            write_evaluation(tmp_path / side / str(number), rows(rights))
    compare([tmp_path / "a", tmp_path / "b"], html=tmp_path / "page.html", resamples=50)
    page = (tmp_path / "page.html").read_text()
    assert "accuracy of b is 66.7 points above that of a (mean of 2 against 2 training runs)" in page
    assert "what 2 runs showed" in page
    assert "Where they part ways" not in page


def test_of_many_questions_the_surest_errors_are_shown_and_every_sort_has_its_share():
    """90 lost and 2 gained under a limit of 6: both gained ones, and the 4 lost ones that the later model was surest
    of."""
    before = [row(n, right=n < 90) for n in range(92)]
    after = [replace(row(n, right=n >= 90), confidence=n / 100) for n in range(92)]
    chosen, counts = choose_cases(pair_records(after, before), limit=6)
    assert [parted.after.id for parted in chosen] == ["q89", "q88", "q87", "q86", "q90", "q91"]
    assert counts == {"lost": 90, "gained": 2, "different": 0}


def test_a_question_is_shown_once_however_many_of_its_completions_part():
    before = [row(1, right=True, index=index) for index in range(3)]
    after = [row(1, right=index == 0, index=index) for index in range(3)]
    chosen, _ = choose_cases(pair_records(after, before), limit=10)
    assert [parted.after.index for parted in chosen] == [1]


def test_a_page_of_many_questions_holds_three_hundred_and_says_so(tmp_path):
    write_evaluation(tmp_path / "a", rows([0] * 800))
    write_evaluation(tmp_path / "b", rows([1, 0] * 400))
    compare([tmp_path / "a", tmp_path / "b"], html=tmp_path / "page.html", resamples=20)
    page = (tmp_path / "page.html").read_text()
    assert page.count("<article") == 300
    assert "The 300 most telling of 400 questions" in page
    assert len(page) < 1_500_000


def test_a_difference_is_drawn_where_it_lies_between_the_ends():
    """0.1 of 0.2 is three quarters of the way; the interval from -0.1 to 0.2 goes from a quarter to the end."""
    svg = draw_difference(Estimate(value=0.1, low=-0.1, high=0.2), reach=0.2, name="all")
    assert 'cx="75.00%"' in svg
    assert 'x1="25.00%" x2="100.00%"' in svg
    assert "all: +0.100 (-0.100 to 0.200)" in svg
