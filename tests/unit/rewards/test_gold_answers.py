import pytest
from hypothesis import given
from hypothesis import strategies as st
from reward_builders import SAMPLES, lone_value, trace, value

from radrl.graph.lexicon.findings import FINDINGS
from radrl.rewards.api import entry, reward_names
from radrl.types import AnswerKind, Sample

OURS = [name for name in reward_names() if not entry(name).is_legacy]
"""The rules of the seeds give their own references less than full marks; that is why they are only kept."""

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


@pytest.mark.parametrize("name", OURS)
@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.id)
def test_every_reward_gives_a_samples_own_reference_full_marks_or_abstains(name, sample):
    assert lone_value(name, sample, sample.reference) in (pytest.approx(entry(name).highest), None)


@given(generated_samples(), st.sampled_from(OURS))
def test_generated_references_earn_full_marks_or_abstention(sample, name):
    assert lone_value(name, sample, sample.reference) in (pytest.approx(entry(name).highest), None)


@given(generated_samples())
def test_answer_and_steps_never_abstain_on_judged_questions(sample):
    for name in ("format", "answer_exact", "answer_f1", "step_correctness", "think_similarity"):
        assert value(name, sample, sample.reference) == 1.0
        assert value(name, sample, "plain text") == 0.0


@given(generated_samples(), st.text(max_size=80), st.sampled_from(reward_names()))
def test_rewards_of_any_text_are_within_their_bounds_or_abstentions(sample, text, name):
    earned = lone_value(name, sample, text)
    assert earned is None or entry(name).lowest <= earned <= entry(name).highest


@pytest.mark.parametrize("name", OURS)
def test_a_completion_without_tags_earns_nothing_on_tagged_data(name):
    for sample in SAMPLES:
        if "<think>" in sample.reference:
            earned = lone_value(name, sample, "some plain text")
            assert earned is None or earned <= 0
