import pytest
from hypothesis import given
from hypothesis import strategies as st
from reward_builders import SAMPLES, trace, value

from radrl.graph.lexicon.findings import FINDINGS
from radrl.rewards.api import reward_names
from radrl.types import AnswerKind, Sample

DISORDERS = [name for name in FINDINGS if name not in ("no finding", "support devices")]


@st.composite
def generated_samples(draw: st.DrawFn) -> Sample:
    """A judged list of findings: closed options with one right, or an open question with any number."""
    options = draw(st.lists(st.sampled_from(DISORDERS), min_size=1, max_size=5, unique=True))
    is_open = draw(st.booleans())
    present = draw(st.sets(st.sampled_from(options))) if is_open else {draw(st.sampled_from(options))}
    steps = [
        (f"{'' if name in present else 'no '}{name}", f"{name} {'✅' if name in present else '❌'}") for name in options
    ]
    listed = [("look", f"Differential Diagnoses: [{', '.join(options)}]")] if is_open else []
    final = ", ".join(sorted(present)) or "no finding"
    return Sample(
        id="q", patient_id="p", kind="open" if is_open else "closed", question="?", answer=frozenset(present),
        answer_kind=AnswerKind.SET if is_open else AnswerKind.CHOICE, options=tuple(options),
        reference=trace(*listed, *steps, ("summary", final)),
    )  # fmt: skip


@pytest.mark.parametrize("name", reward_names())
@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.id)
def test_every_reward_gives_a_samples_own_reference_full_marks_or_abstains(name, sample):
    assert value(name, sample, sample.reference) in (1.0, None)


@given(generated_samples(), st.sampled_from(reward_names()))
def test_generated_references_earn_full_marks_or_abstention(sample, name):
    assert value(name, sample, sample.reference) in (1.0, None)


@given(generated_samples())
def test_answer_and_steps_never_abstain_on_judged_questions(sample):
    for name in ("format", "answer_exact", "answer_f1", "step_correctness"):
        assert value(name, sample, sample.reference) == 1.0
        assert value(name, sample, "plain text") == 0.0


@given(generated_samples(), st.text(max_size=80), st.sampled_from(reward_names()))
def test_rewards_of_any_text_are_shares_or_abstentions(sample, text, name):
    earned = value(name, sample, text)
    assert earned is None or 0 <= earned <= 1


def test_a_completion_without_tags_earns_nothing_on_tagged_data():
    for name in reward_names():
        for sample in SAMPLES:
            if "<think>" in sample.reference:
                assert value(name, sample, "some plain text") in (0.0, None)
