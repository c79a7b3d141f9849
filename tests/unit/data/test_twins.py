"""Counterfactual twins are drawn together, for rewards that compare them."""

from radrl.data.stream import PromptStream
from radrl.data.twins import pair_twins
from radrl.types import AnswerKind, Prompt, Sample


def a_prompt(name: str, *, twin: str | None = None) -> Prompt:
    sample = Sample(
        id=name,
        patient_id=name,
        kind="presence",
        question="Is there an effusion?",
        answer=frozenset({"yes"}),
        answer_kind=AnswerKind.YES_NO,
        reference="<answer>yes</answer>",
        twin_id=twin,
    )
    return Prompt(sample=sample, text="?", token_ids=(1,), num_image_tokens=0)


def units(*prompts: Prompt) -> list[list[str]]:
    return [[prompt.sample.id for prompt in unit] for unit in pair_twins(prompts)]


def test_twins_that_name_each_other_are_a_pair_wherever_they_stand():
    assert units(a_prompt("a", twin="a-t"), a_prompt("b"), a_prompt("a-t", twin="a")) == [["a", "a-t"], ["b"]]


def test_it_is_enough_that_one_names_the_other():
    assert units(a_prompt("a"), a_prompt("a-t", twin="a")) == [["a", "a-t"]]


def test_a_prompt_whose_twin_is_in_no_file_stays_alone():
    assert units(a_prompt("a", twin="elsewhere"), a_prompt("b", twin="b")) == [["a"], ["b"]]


def test_a_prompt_that_two_claim_goes_to_the_first():
    assert units(a_prompt("a"), a_prompt("b", twin="a"), a_prompt("c", twin="a")) == [["a", "b"], ["c"]]


def test_a_stream_of_twins_never_separates_them():
    prompts = [a_prompt("a", twin="A"), a_prompt("b", twin="B"), a_prompt("A"), a_prompt("B"), a_prompt("c")]
    stream = PromptStream(prompts, seed=0, shuffle=True, pair=pair_twins)
    for _ in range(9):
        first, second = (prompt.sample.id for prompt in stream.take(2))
        assert first.lower() == second.lower()
