"""`radrl ask`: one film, one answer, and what there is to doubt it by."""

import io
import json
import math
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image
from rich.console import Console

from radrl.ask import ask, asked_sample, open_asked, show
from radrl.config.data import DataConfig
from radrl.errors import ConfigError, DataError
from radrl.evaluation.responses import Response
from radrl.evaluation.single import read_single
from radrl.models.images import ImageSize
from radrl.models.tiny import build_tiny
from radrl.report.asked_page import AskedQuestion, write_asked_page
from radrl.types import AnswerKind, ImageRef, Sample

QUESTION = "Is there a left pleural effusion?"
TRACE = (
    "<think>The left base is blunt, fluid in the left pleural space.</think>"
    "<answer>left pleural effusion ✅</answer>"
    "<think>So it is there.</think><answer>yes</answer>"
)


class Parsed(HTMLParser):
    """What a page holds: its words, its scripts, and where it points."""

    def __init__(self, page: str):
        super().__init__()
        self.words, self.tags, self.sources = [], [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.sources += [value for name, value in attrs if name in ("src", "href")]

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    return build_tiny(tmp_path_factory.mktemp("tiny") / "m", corpus=[QUESTION, TRACE], vocab_size=400, hidden_size=64)


@pytest.fixture
def film(tmp_path) -> Path:
    Image.new("L", (64, 64), 90).save(tmp_path / "film.png")
    return tmp_path / "film.png"


def a_sample(kind: AnswerKind = AnswerKind.YES_NO, **fields) -> Sample:
    return Sample(
        id="asked",
        patient_id="asked",
        kind=kind.value,
        question=f"<image>{QUESTION}",
        images=(ImageRef(path="/film.png", sha256="a"),),
        answer=frozenset(),
        answer_kind=kind,
        reference="",
        **fields,
    )


def said(text: str, *, kind=AnswerKind.YES_NO, index=0, probability=0.9, unlikely=(), stop="eos") -> Response:
    """A response of one token a character; those at the places `unlikely` have a probability of 0.1."""
    probabilities = [0.1 if place in unlikely else probability for place in range(len(text))]
    return Response(
        sample=a_sample(kind),
        index=index,
        text=text,
        token_ids=tuple(map(ord, text)),
        token_texts=tuple(text),
        token_logprobs=tuple(math.log(p) for p in probabilities),
        stop=stop,
    )


def asked_of(*responses: Response) -> AskedQuestion:
    return AskedQuestion(
        model="m",
        question=QUESTION,
        images=(Path("/nowhere/film.png"),),
        answer=read_single(responses),
        n=len(responses),
        temperature=0.0 if len(responses) == 1 else 1.0,
    )


def printed(asked: AskedQuestion) -> str:
    out = io.StringIO()
    show(asked, Console(file=out, width=200, no_color=True))
    return out.getvalue()


def test_an_answer_is_laid_open_step_by_step_with_its_probability_and_its_facts():
    place = TRACE.rindex("yes")
    answer = read_single([said(TRACE, unlikely=(place, TRACE.index("blunt")))])
    assert [(step.answer, step.holds) for step in answer.steps] == [("left pleural effusion ✅", True), ("yes", None)]
    assert answer.names == ("yes",)
    assert answer.confidence == pytest.approx((0.1 * 0.9 * 0.9) ** (1 / 3))
    assert [token.text for token in answer.unlikely] == ["b", "y"]
    assert ["pleural effusion", "located_at", "left pleural space", "present"] in answer.to_json()["triplets"]


def test_of_several_answers_the_most_frequent_is_shown_with_how_many_agree():
    texts = ["<think>a</think><answer>no</answer>", TRACE, TRACE.replace("So it", "Thus it"), "nothing of use"]
    answer = read_single([said(text, index=index) for index, text in enumerate(texts)])
    assert answer.text == TRACE
    assert answer.votes == (("yes", 2), ("no", 1), ("unreadable", 1))
    assert answer.agreement == 0.5


def test_unreadable_and_truncated_answers_are_said_plainly():
    shown = printed(asked_of(said("<think>The heart is", stop="length")))
    assert "There is no readable answer: the text gives none." in shown
    assert "cut off at the length limit" in shown
    maybe = printed(asked_of(said("<think>a</think><answer>perhaps</answer>")))
    assert "There is no readable answer: 'perhaps' cannot be read." in maybe


def test_the_terminal_shows_steps_answer_facts_and_doubts():
    shown = printed(asked_of(said(TRACE, unlikely=(TRACE.index("blunt"),))))
    assert "-> left pleural effusion ✅  (holds)" in shown
    assert "Answer: yes, with a probability of 90%." in shown
    assert "(pleural effusion, located_at, left pleural space): present" in shown
    assert "Tokens below 50% (underlined above): 1, the least likely 'b' 10%." in shown
    assert shown.rstrip().endswith("Research software, not for clinical use.")


def test_text_of_the_model_is_not_read_as_terminal_markup():
    assert "[bold]loud[/bold] [/]" in printed(asked_of(said("[bold]loud[/bold] [/]", kind=AnswerKind.TEXT)))


def test_the_page_shows_film_steps_graph_and_every_token_and_loads_nothing(tmp_path, film):
    hostile = TRACE.replace("So it is there.", "<script>alert(1)</script>")
    asked = replace(asked_of(said(hostile, unlikely=(hostile.index("blunt"),))), images=(film,))
    page = Parsed(write_asked_page(tmp_path / "deep" / "answer.html", asked).read_text(encoding="utf-8"))
    assert "Answer: yes, with a probability of 90%." in page.text
    assert "Research software, not for clinical use" in page.text
    assert not [tag for tag, _ in page.tags if tag == "script"]
    assert all(source.startswith("data:image/") for source in page.sources) and len(page.sources) == 1
    spans = [attrs for tag, attrs in page.tags if tag == "span" and "doubt-" in attrs.get("class", "")]
    assert len(spans) == len(hostile)
    assert [attrs for attrs in spans if "unlikely" in attrs["class"]] == [{"class": "doubt-9 unlikely", "title": "10%"}]
    (drawing,) = [attrs for tag, attrs in page.tags if tag == "svg" and "alone" in attrs.get("class", "")]
    assert drawing["aria-label"] == "Stated: pleural effusion located_at left pleural space"


def test_a_film_that_cannot_be_shown_is_said_to_be(tmp_path):
    page = write_asked_page(tmp_path / "answer.html", asked_of(said(TRACE))).read_text(encoding="utf-8")
    assert "film.png cannot be shown." in page


def test_the_films_stand_in_front_of_the_question_unless_it_places_them(film):
    def question(text):
        return asked_sample([film, film], text, kind="text", options=(), rows=DataConfig()).question

    assert question("What changed?") == "<image><image>What changed?"
    assert question("Now <image>, before <image>?") == "Now <image>, before <image>?"
    with pytest.raises(DataError, match="1 <image> marks for 2 films"):
        question("<image>What changed?")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "maybe"}, "no kind of answer"),
        ({"options": ["A"]}, "Set --kind choice"),
        ({"n": 4}, "greedy answers are all the same"),
        ({"n": 0}, "1 or more"),
        ({"page": Path()}, "Name a file"),
    ],
)
def test_what_cannot_be_asked_is_refused_before_a_model_is_opened(options, message):
    with pytest.raises(ConfigError, match=message):
        ask(Path("/no/model"), Path("/no/film.png"), QUESTION, **options)


def test_an_untrained_model_is_asked_from_its_folder_and_answers_as_json(model, film, tmp_path, capsys):
    page = tmp_path / "answer.html"
    settings = {"kind": "yes_no", "max_tokens": 8, "n": 3, "temperature": 1.0, "also": [film]}
    assert ask(model, film, "What changed?", page=page, as_json=True, **settings) is None
    answer = json.loads(capsys.readouterr().out)
    assert sum(answer["votes"].values()) == 3
    assert answer["truncated"] is True and len(answer["tokens"]) == 8
    assert "".join(text for text, _ in answer["tokens"]) == answer["text"]
    assert answer["images"] == [str(film), str(film)]
    assert page.exists()


def test_a_film_that_is_not_there_is_an_error_that_names_it(model, tmp_path):
    with pytest.raises(DataError, match=r"gone\.png does not exist"):
        ask(model, tmp_path / "gone.png", QUESTION)


def test_films_are_read_as_the_run_read_them_whichever_of_its_folders_is_named(model, tmp_path):
    own = tmp_path / "run" / "checkpoints" / "global_step_2" / "actor" / "huggingface"
    shutil.copytree(model, own)
    config = f"data: {{max_pixels: 2048}}\nworker: {{actor: {{model: {{model_path: {model}}}}}}}\n"
    (tmp_path / "run" / "config.yaml").write_text(config, encoding="utf-8")
    for folder in (tmp_path / "run", own.parents[1], own):
        opened = open_asked(folder)
        assert opened.rows.max_pixels == 2048
        seen = opened.adapter.family.target_size(ImageSize(width=256, height=256))
        assert seen.width * seen.height <= 2048
    assert open_asked(model).rows == DataConfig()


def test_a_folder_that_is_no_model_is_an_error_that_says_what_would_be_one(film, tmp_path):
    with pytest.raises(ConfigError, match="is no run"):
        ask(tmp_path, film, QUESTION)
