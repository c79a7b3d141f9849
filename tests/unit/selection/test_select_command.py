"""`radrl select` from files to files (rows 80 and 81)."""

import json
from collections import Counter

import pytest
from selection_pool import evaluated, question_row, read_lines, write_lines, write_pool_file

from radrl.config.data import DataConfig
from radrl.data.load import load_samples
from radrl.errors import ConfigError, DataError
from radrl.selection.command import select_from


@pytest.fixture
def pool(tmp_path):
    """20 questions, half about effusions; the model fails on 1, 2, 3 (sure) and 5 (unsure)."""
    file = write_pool_file(tmp_path / "data", [question_row(number) for number in range(20)])
    wrong = {1: 0.95, 2: 0.95, 3: 0.95, 5: 0.2}
    write_lines(
        tmp_path / "results" / "samples.jsonl",
        [evaluated(f"q{n}", correct=n not in wrong, confidence=wrong.get(n, 0.9)) for n in range(20)],
    )
    return [f"pool={file}", f"results={tmp_path / 'results'}"]


def ids(rows):
    return [row["id"] for row in rows]


def test_row_81_a_uniform_selection_is_rows_as_they_were_and_why_each_was_taken(pool, tmp_path):
    strata = "strata=[prompt]"
    out = select_from([*pool, f"out={tmp_path / 'data' / 'some.jsonl'}", "policy=uniform", "size=6", "seed=1", strata])
    rows, before = read_lines(out), {row["id"]: row for row in read_lines(tmp_path / "data" / "pool.jsonl")}
    assert rows == [before[row["id"]] for row in rows]
    assert Counter(row["prompt"] for row in rows) == {row["prompt"]: 3 for row in before.values()}
    reasons = read_lines(out.with_suffix(".why.jsonl"))
    assert ids(reasons) == ids(rows)
    assert {(reason["policy"], reason["role"]) for reason in reasons} == {("uniform", "drawn")}
    assert reasons[0]["why"].startswith("by chance within its stratum")
    assert reasons[0]["stratum"] == rows[0]["prompt"]


def test_row_81_hard_policies_draw_failures_only(pool, tmp_path):
    for policy in ("hard_uniform", "hard_random"):
        out = select_from([*pool, f"out={tmp_path / policy}.jsonl", f"policy={policy}", "size=3"])
        assert len(read_lines(out)) == 3
        assert set(ids(read_lines(out))) < {"q1", "q2", "q3", "q5"}


def test_row_80_confident_failures_alone_can_be_asked_for(pool, tmp_path):
    out = select_from([*pool, f"out={tmp_path / 'a.jsonl'}", "mining.pools=[confident_wrong]"])
    assert ids(read_lines(out)) == ["q1", "q2", "q3"]
    reason = read_lines(out.with_suffix(".why.jsonl"))[0]
    assert reason["pools"] == ["wrong", "confident_wrong"]
    assert reason["confidence"] == {"answer_geometric": 0.95}
    assert reason["why"] == "hard (wrong, confident_wrong): mean outcome 0.00 of 1 answer, answer_geometric 0.95"


def test_row_80_neighbours_of_hard_questions_are_added_and_say_of_which(pool, tmp_path):
    args = [*pool, f"out={tmp_path / 'a.jsonl'}", "mining.pools=[confident_wrong]", "retrieval.neighbours=1"]
    out = select_from(args)
    # q0 is the first of those with the words of q2; q1 of those with the words of q3, and q3 of those of q1.
    assert ids(read_lines(out)) == ["q0", "q1", "q2", "q3"]
    reasons = {reason["id"]: reason for reason in read_lines(out.with_suffix(".why.jsonl"))}
    assert (reasons["q0"]["role"], reasons["q0"]["neighbour_of"], reasons["q0"]["rank"]) == ("neighbour", "q2", 1)
    assert (reasons["q1"]["role"], reasons["q1"]["neighbour_of"]) == ("hard", "q3")
    assert reasons["q2"]["neighbour_of"] is None
    summary = json.loads(out.with_suffix(".selection.json").read_text())
    assert summary["roles"] == {"neighbour": 1, "hard": 3}
    # Nearest to q1, q2, q3: q3 (wrong), q0 (right), q1 (wrong); of all 20 four are wrong.
    assert summary["neighbour_errors"]["by_k"]["1"] == pytest.approx(2 / 3)
    assert summary["neighbour_errors"]["base_rate"] == pytest.approx(4 / 20)
    page = out.with_suffix(".html").read_text()
    assert "Neighbours answered wrong: 66.7% at neighbours 1" in page
    assert "Research software, not for clinical use" in page


def test_neighbours_come_from_a_gallery_and_the_questions_they_are_near_to_can_stay_out(pool, tmp_path):
    gallery = write_pool_file(
        tmp_path / "data",
        [question_row(number, id=f"g{number}", images=["films/0.png"]) for number in range(4)],
        "gallery.jsonl",
    )
    args = ["mining.pools=[confident_wrong]", "retrieval.neighbours=1", f"retrieval.gallery={gallery}"]
    out = select_from([*pool, f"out={tmp_path / 'a.jsonl'}", *args, "retrieval.keep_queries=false"])
    assert ids(read_lines(out)) == ["g0", "g1"]
    assert json.loads(out.with_suffix(".selection.json").read_text())["neighbour_errors"] is None


def test_a_selection_in_another_folder_is_read_as_training_rows_with_the_same_films(pool, tmp_path):
    out = select_from([*pool, f"out={tmp_path / 'elsewhere' / 'b.json'}", "policy=random", "size=5"])
    chosen = load_samples([str(out)], DataConfig())
    before = {one.id: one for one in load_samples([str(tmp_path / "data" / "pool.jsonl")], DataConfig())}
    assert len(chosen) == 5
    assert all(one.images == before[one.id].images for one in chosen)
    assert all(one.columns == before[one.id].columns for one in chosen)


def test_row_81_annotations_of_chex_phi4mm_are_selected_by_their_own_field(tmp_path):
    rows = [
        {
            "idx": number,
            "question": "Is there an effusion?",
            "answer": ["yes"],
            "explanation": "<think>fluid</think><answer>yes</answer>",
            "image_ids": [str(number)],
            "semantic_type": "presence",
            "question_type": ["verify", "choose"][number % 2],
            "answer_type": "closed",
            "is_correct": number >= 8,
        }
        for number in range(20)
    ]
    file = write_pool_file(tmp_path / "films", rows, "pool.json")
    (tmp_path / "films" / "films").rename(tmp_path / "images")
    args = [f"pool={file}", "rows.layout=chex_phi4mm", f"rows.image_dir={tmp_path / 'images'}", "policy=hard_uniform"]
    out = select_from([*args, f"out={tmp_path / 'hard' / '4.json'}", "size=4"])
    chosen = json.loads(out.read_text())
    assert Counter(row["question_type"] for row in chosen) == {"verify": 2, "choose": 2}
    assert all(row["is_correct"] is False and row in rows for row in chosen)
    assert {reason["stratum"] for reason in read_lines(out.with_suffix(".why.jsonl"))} == {
        "presence_verify_closed",
        "presence_choose_closed",
    }


def test_row_80_think_first_and_answer_first_pools_are_mixed_and_no_question_is_taken_twice(pool, tmp_path):
    answer_first = write_pool_file(
        tmp_path / "data",
        [question_row(number, answer="Yes. There is something.", answer_set=["yes"]) for number in range(20)],
        "answer_first.jsonl",
    )
    both = [f"pool=[{tmp_path / 'data' / 'pool.jsonl'},{answer_first}]", f"out={tmp_path / 'a.jsonl'}"]
    with pytest.raises(DataError, match=r"the id 'q0' stands already at .* Set mix="):
        select_from([*both, "policy=random", "size=8"])
    out = select_from([*both, "policy=random", "size=8", "mix={think_first: 3, answer_first: 1}"])
    rows = read_lines(out)
    assert Counter(row["answer"].startswith("<think>") for row in rows) == {True: 6, False: 2}
    assert len(set(ids(rows))) == 8


def test_the_hardest_policy_takes_failures_first_within_the_pools_own_answers(pool, tmp_path):
    out = select_from([*pool, f"out={tmp_path / 'a.jsonl'}", "policy=hardest", "size=3"])
    assert ids(read_lines(out)) == ["q1", "q2", "q3"]
    assert read_lines(out.with_suffix(".why.jsonl"))[0]["why"].startswith("hardest of stratum presence_yes: mean outc")


def test_questions_without_an_answer_are_left_out_with_a_word(pool, tmp_path, caplog):
    write_lines(tmp_path / "results" / "samples.jsonl", [evaluated("q1", correct=False), evaluated("x", correct=True)])
    out = select_from([*pool, f"out={tmp_path / 'a.jsonl'}"])
    assert ids(read_lines(out)) == ["q1"]
    assert "19 of 20 questions of the pool have no answer and are left out" in caplog.text
    assert json.loads(out.with_suffix(".selection.json").read_text())["num_unanswered"] == 19


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (["out=a.csv"], r"out = a\.csv ends neither in \.jsonl nor in \.json"),
        (["mix={think_first: 1}"], "size is not given"),
        (["policy=uniform", "retrieval.neighbours=1"], "policy = uniform does not ask which are hard"),
        (["retrieval.gallery=pool.jsonl"], r"retrieval\.neighbours is 0"),
        (["size=5"], "5 questions are to be drawn from 4"),
        (["mining.pools=[in_band]"], r"none of the 20 questions of the pool is in_band .* by up to 1 answers each"),
    ],
)
def test_what_cannot_be_selected_is_said_before_anything_is_written(pool, tmp_path, change, message):
    with pytest.raises((ConfigError, DataError), match=message):
        select_from([*pool, f"out={tmp_path / 'a.jsonl'}", *change])
    assert not (tmp_path / "a.jsonl").exists()


def test_results_of_other_questions_are_an_error(pool, tmp_path):
    write_lines(tmp_path / "results" / "samples.jsonl", [evaluated("x", correct=True)])
    with pytest.raises(DataError, match=r"none of the 1 questions of .* is in the pool, by id"):
        select_from([*pool, f"out={tmp_path / 'a.jsonl'}"])
