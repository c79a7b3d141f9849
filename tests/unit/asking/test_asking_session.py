"""What was answered is kept, and not asked again."""

import logging
import math
from dataclasses import replace
from pathlib import Path

import pytest
from asking_builders import Scripted, question, settings

from radrl.asking.record import FILE
from radrl.asking.session import asked_directly, open_asking
from radrl.errors import ConfigError, DataError

QUESTIONS = [question(number) for number in range(7)]


def ask(folder: Path, respondent: Scripted, *passes: str, samples=QUESTIONS, **changes) -> dict[str, list]:
    config = settings(folder, n=respondent.n, **{"batch_size": 2, **changes})
    with open_asking(config, QUESTIONS, progress=False, open_with=lambda _: respondent) as put:
        return {name: put(samples, name) for name in passes or ("main",)}


def stopped(folder: Path, *, after: int, n: int = 1) -> Scripted:
    """An evaluation that was killed after so many responses."""
    respondent = Scripted(n=n, stops_after=after)
    with pytest.raises(KeyboardInterrupt):
        ask(folder, respondent)
    return respondent


@pytest.mark.parametrize("after", [0, 1, 3, 4, 6])
def test_a_stopped_evaluation_ends_with_the_bytes_of_one_that_was_not_stopped_row_84(tmp_path, after):
    whole = ask(tmp_path / "whole", Scripted())["main"]
    stopped(tmp_path / "stopped", after=after)
    goes_on = Scripted()
    assert ask(tmp_path / "stopped", goes_on)["main"] == whole
    assert (tmp_path / "stopped" / FILE).read_bytes() == (tmp_path / "whole" / FILE).read_bytes()
    # Two questions are decoded together: the last whole pair before the stop is kept, and nothing else.
    assert goes_on.asked == [[f"q{number}" for number in range(after // 2 * 2, 7)]]


def test_a_question_whose_completions_are_not_all_there_is_asked_again(tmp_path):
    stopped(tmp_path, after=8, n=3)
    goes_on = Scripted(n=3)
    found = ask(tmp_path, goes_on)["main"]
    assert goes_on.asked == [["q2", "q3", "q4", "q5", "q6"]]
    assert [(response.sample.id, response.index) for response in found] == [
        (f"q{number}", index) for number in range(7) for index in range(3)
    ]


def test_half_a_last_line_is_cut_and_its_question_asked_again(tmp_path):
    stopped(tmp_path, after=4)
    with (tmp_path / FILE).open("a", encoding="utf-8") as file:
        file.write('{"pass": "main", "id": "q4", "ind')
    goes_on = Scripted()
    assert len(ask(tmp_path, goes_on)["main"]) == 7
    assert goes_on.asked == [["q4", "q5", "q6"]]
    assert (tmp_path / FILE).read_text(encoding="utf-8").count("\n") == 7


def test_a_finished_evaluation_opens_no_model_and_says_so(tmp_path, caplog):
    first = ask(tmp_path, Scripted(), "main", "shuffled")

    def refuse(config):
        raise AssertionError("the model was opened")

    with (
        caplog.at_level(logging.INFO),
        open_asking(settings(tmp_path, batch_size=2), QUESTIONS, open_with=refuse) as put,
    ):
        assert {name: put(QUESTIONS, name) for name in ("main", "shuffled")} == first
    assert "main: all 7 questions were answered before" in caplog.text


def test_another_pass_is_asked_beside_those_that_are_there(tmp_path):
    ask(tmp_path, Scripted())
    further = Scripted()
    found = ask(tmp_path, further, "main", "brightness", samples=QUESTIONS[:3])
    assert further.asked == [["q0", "q1", "q2"]]
    assert [response.text for response in found["brightness"]] == [f"q{n} at {n}, time 0" for n in range(3)]


def test_places_are_those_in_the_whole_pass_so_that_a_resumed_run_draws_the_same(tmp_path):
    stopped(tmp_path, after=4)
    assert ask(tmp_path, Scripted())["main"][5].text == "q5 at 5, time 0"


def test_other_values_are_an_error_that_names_the_keys(tmp_path):
    ask(tmp_path, Scripted(), temperature=0.0)
    with pytest.raises(ConfigError, match=r"temperature \(0\.0, now 0\.7\), seed \(1, now 2\).*fresh=true"):
        ask(tmp_path, Scripted(), temperature=0.7, seed=2)


def test_what_was_mistyped_may_be_corrected_before_anything_is_answered(tmp_path):
    stopped(tmp_path, after=0)
    assert len(ask(tmp_path, Scripted(), temperature=0.7)["main"]) == 7


def test_other_images_are_another_evaluation_and_other_answers_are_not(tmp_path):
    ask(tmp_path, Scripted())
    relabelled = [replace(sample, answer=frozenset({"no"})) for sample in QUESTIONS]
    with open_asking(settings(tmp_path, batch_size=2), relabelled, progress=False, open_with=lambda _: Scripted()):
        pass
    other = [*QUESTIONS[:6], replace(QUESTIONS[6], images=QUESTIONS[0].images)]
    with pytest.raises(ConfigError, match="other values of data"), open_asking(settings(tmp_path), other):
        pass


def test_changed_weights_are_noticed(tmp_path):
    model = tmp_path / "model"
    model.mkdir()
    (model / "model.safetensors").write_bytes(b"x" * (9 << 20))
    ask(tmp_path / "out", Scripted(), model=str(model))
    (model / "model.safetensors").write_bytes(b"y" * (9 << 20))
    with pytest.raises(ConfigError, match="other values of model_files"):
        ask(tmp_path / "out", Scripted(), model=str(model))


def test_fresh_moves_the_earlier_evaluation_aside(tmp_path):
    ask(tmp_path / "out", Scripted(), temperature=0.0)
    ask(tmp_path / "out", again := Scripted(), temperature=0.7, fresh=True)
    assert len(again.asked[0]) == 7
    assert sorted(path.name[:4] for path in tmp_path.iterdir()) == ["out", "out."]


def test_what_failed_is_asked_again_by_the_same_command(tmp_path):
    first = ask(tmp_path, Scripted(fails=frozenset({"q1", "q4"})), batch_size=1, backend="native")["main"]
    assert [response.sample.id for response in first if response.failure] == ["q1", "q4"]
    again = Scripted()
    second = ask(tmp_path, again, batch_size=1)["main"]
    assert again.asked == [["q1", "q4"]]
    assert [response.sample.id for response in second] == [sample.id for sample in QUESTIONS]
    assert not any(response.failure for response in second)


def test_an_evaluation_in_which_nothing_is_answered_is_an_error(tmp_path):
    silent = Scripted(fails=frozenset(sample.id for sample in QUESTIONS))
    with pytest.raises(DataError, match=r"none of 7 questions was answered.*timeout"):
        ask(tmp_path, silent)
    with pytest.raises(DataError, match="none of 7"):
        asked_directly(silent, progress=False)(QUESTIONS, "main")


def test_a_full_disk_is_an_error_that_says_what_is_kept(tmp_path, monkeypatch):
    def refuse(path, rows):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("radrl.asking.record.append_jsonl", refuse)
    with pytest.raises(DataError, match="No space left on device"):
        ask(tmp_path, Scripted())


def test_a_number_that_json_cannot_hold_comes_back_as_none_at_all(tmp_path):
    class Broken(Scripted):
        def respond(self, samples, places):
            for response in super().respond(samples, places):
                yield replace(response, token_logprobs=(float("nan"), -1.0))

    found = ask(tmp_path, Broken())["main"]
    assert math.isnan(found[0].token_logprobs[0])
