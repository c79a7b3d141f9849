"""Probabilities of the answers that a closed question admits, behind the model's own reasoning."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from asking_builders import question, settings
from PIL import Image

from radrl.asking.closed_probs import answer_place, closed_probs, closed_spellings, written_spellings
from radrl.asking.local import open_native
from radrl.asking.opening import check_backend
from radrl.asking.record import Record
from radrl.data.images import image_ref
from radrl.errors import ConfigError
from radrl.evaluation.records import judge
from radrl.evaluation.responses import Response
from radrl.models.adapter import ModelAdapter
from radrl.models.load import load_adapter
from radrl.models.tiny import build_tiny
from radrl.types import AnswerKind, Sample

CORPUS = ("Is there a left pleural effusion?", "<think>look</think><answer>yes</answer>", "no, Yes. edema A B")


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("closed") / "model"
    return build_tiny(out, corpus=CORPUS, hidden_size=64, vision_hidden_size=32, vision_layers=1)


@pytest.fixture(scope="module")
def adapter(folder) -> ModelAdapter:
    return load_adapter(str(folder), device="cpu", dtype="float32")


@pytest.fixture(scope="module")
def sample(tmp_path_factory) -> Sample:
    path = tmp_path_factory.mktemp("film") / "film.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, size=(64, 64), dtype=np.uint8)).save(path)
    return replace(question(1), images=(image_ref(path),))


def written(adapter: ModelAdapter, sample: Sample, text: str) -> Response:
    ids = tuple(adapter.tokenizer.encode(text, add_special_tokens=False))
    texts = adapter.token_texts.split(ids)
    return Response(
        sample=sample, index=0, text=text, token_ids=ids, token_texts=texts, token_logprobs=(0.0,) * len(ids)
    )


def choice(sample: Sample, *options: str) -> Sample:
    return replace(sample, answer_kind=AnswerKind.CHOICE, options=options, answer=frozenset({"edema"}))


def prob(adapter: ModelAdapter, sample: Sample, before: str, text: str) -> float:
    """Probability of a continuation by a plain call of the Hugging Face model."""
    ids = adapter.tokenizer.encode(text, add_special_tokens=False)
    films = [Image.open(ref.path).convert("RGB") for ref in sample.images]
    processor: Any = adapter.processor
    inputs = processor(text=[adapter.render(sample).text], images=[films], return_tensors="pt")
    behind = torch.tensor([[*adapter.tokenizer.encode(before, add_special_tokens=False), *ids]])
    inputs["input_ids"] = torch.cat([inputs["input_ids"], behind], dim=1)
    inputs["attention_mask"] = torch.ones_like(inputs["input_ids"])
    if "mm_token_type_ids" in inputs:
        inputs["mm_token_type_ids"] = torch.cat([inputs["mm_token_type_ids"], torch.zeros_like(behind)], dim=1)
    with torch.no_grad():
        logits = adapter.model(**inputs).logits[0, -len(ids) - 1 : -1].float()
    logprobs = torch.log_softmax(logits.index_fill(-1, adapter.banned, float("-inf")), dim=-1)
    return math.exp(float(logprobs.gather(-1, torch.tensor(ids)[:, None]).sum()))


def test_the_probability_of_yes_is_that_of_its_spellings_over_those_of_yes_and_no(adapter, sample):
    before = "<think>look</think><answer>"
    found = closed_probs(adapter, written(adapter, sample, f"{before}no</answer>"))
    masses = {
        word: sum(
            prob(adapter, sample, before, f"{blank}{spelling}")
            for blank in ("", " ")
            for spelling in (word, word.capitalize(), word.upper())
        )
        for word in ("yes", "no")
    }
    assert found is not None
    assert found["yes"] == pytest.approx(masses["yes"] / (masses["yes"] + masses["no"]), abs=1e-5)
    assert found["yes"] + found["no"] == pytest.approx(1)


def test_probabilities_follow_from_the_reasoning_and_not_from_the_answer_that_was_given(adapter, sample):
    yes, no = (
        closed_probs(adapter, written(adapter, sample, f"<think>look</think><answer>{word}</answer>"))
        for word in ("yes", "no")
    )
    other = closed_probs(adapter, written(adapter, sample, "<think>no effusion</think><answer>no</answer>"))
    assert yes == pytest.approx(no, abs=1e-6)
    assert other != pytest.approx(no, abs=1e-6)


def test_options_are_given_by_name_or_letter(adapter, sample):
    found = closed_probs(
        adapter, written(adapter, choice(sample, "edema", "left pleural effusion"), "<answer>A</answer>")
    )
    assert found is not None
    assert found.keys() == {"edema", "left pleural effusion"}
    assert sum(found.values()) == pytest.approx(1)


def test_spellings_are_words_in_every_case_and_options_by_name_and_letter():
    yes_no = question(1)
    assert closed_spellings(yes_no) == {"yes": ("yes", "Yes", "YES"), "no": ("no", "No", "NO")}
    options = replace(yes_no, answer_kind=AnswerKind.CHOICE, options=("A) edema", "B) left effusion"))
    assert closed_spellings(options) == {
        "edema": ("edema", "Edema", "A"),
        "left pleural effusion": (
            "left effusion",
            "Left effusion",
            "left pleural effusion",
            "Left pleural effusion",
            "B",
        ),
    }
    assert closed_spellings(replace(yes_no, answer_kind=AnswerKind.SET)) == {}


def test_a_blank_before_the_answer_belongs_to_its_first_token():
    response = Response(
        sample=question(1),
        index=0,
        text="<answer> yes</answer>",
        token_ids=(5, 6, 7),
        token_texts=("<answer>", " yes", "</answer>"),
    )
    place = answer_place(response)
    assert place is not None
    assert (place.prefix, place.lead) == ((5,), " ")
    apart = answer_place(replace(response, token_ids=(5, 8, 6, 7), token_texts=("<answer>", " ", "yes", "</answer>")))
    assert apart is not None
    assert (apart.prefix, apart.lead) == ((5, 8), "")


@pytest.mark.parametrize("text", ["<answer>perhaps</answer>", "<think>yes", ""])
def test_there_is_no_place_where_there_is_no_answer(text):
    response = Response(sample=question(1), index=0, text=text, token_ids=(1,), token_texts=(text,))
    assert answer_place(response) is None


def test_an_answer_that_is_hidden_in_a_sentence_has_no_place():
    options = replace(question(1), answer_kind=AnswerKind.CHOICE, options=("edema", "fracture"))
    text = "<answer>the answer is B</answer>"
    assert answer_place(Response(sample=options, index=0, text=text, token_ids=(1,), token_texts=(text,))) is None


def test_tokens_that_are_not_told_leave_nothing_to_say():
    assert answer_place(Response(sample=question(1), index=0, text="<answer>yes</answer>")) is None


def test_a_spelling_that_another_of_the_same_answer_begins_is_in_it_already():
    found = written_spellings({"a": ("x", "xy"), "b": ("xz",)}, lead="", encode=lambda text: tuple(map(ord, text)))
    assert found["a"] == tuple(sorted([(ord("x"),), (32, ord("x"))], key=len))
    assert found["b"] == ((ord("x"), ord("z")), (32, ord("x"), ord("z")))


def test_a_model_that_is_asked_with_closed_probs_tells_them_and_the_record_keeps_them(folder, sample, tmp_path):
    config = settings(tmp_path, model=str(folder), device="cpu", max_response_length=4, closed_probs=True)
    bare = replace(sample, reference="yes")
    (response,) = open_native(config).respond([bare], [0])
    known = replace(response, closed_probs={"yes": 0.75, "no": 0.25})
    record = Record(tmp_path)
    record.append(known, pass_name="main")
    (kept,) = Record(tmp_path).read([bare], pass_name="main", n=1)
    assert kept.closed_probs == {"yes": 0.75, "no": 0.25}
    assert judge(kept).record.to_json()["closed_probs"] == {"yes": 0.75, "no": 0.25}
    assert "closed_probs" not in judge(replace(kept, closed_probs=None)).record.to_json()


@pytest.mark.parametrize("changes", [{"backend": "vllm"}, {"attention": "flash_attention_2"}])
def test_closed_probs_are_refused_where_they_cannot_be_had(tmp_path, changes):
    with pytest.raises(ConfigError, match="closed_probs is true"):
        check_backend(settings(tmp_path, closed_probs=True, **changes))
