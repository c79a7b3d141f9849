"""Whether the first step of an open question puts the true findings on the list of candidates."""

from radrl.answers import canonical_answer, read_candidates, read_judgement
from radrl.rewards.api import ABSTAIN, Attempt, Score, reward
from radrl.text import Trace, parse_trace
from radrl.types import AnswerKind, Evidence, Sample


@reward("candidate_recall")
def candidate_recall(attempt: Attempt) -> Score:
    """Share of the gold findings among the candidates of the first step, less for a list longer than the reference's.

    |C & G| / |G| x min(1, |R| / |C|) for the completion's candidates C (repeats counted), the reference's R, and those
    gold findings G that R names. Abstains where the reference opens with no list of candidates, or where no finding of
    its list is true.

    Hack it resists: listing every finding there is; a list twice as long as the reference's earns at most half. It
    replaces nothing: in CX-Mind candidates are only ever confirmed, so what the first step leaves out is lost for the
    answer, and nothing pays for having it there.
    """
    wanted = listed_candidates(parse_trace(attempt.sample.reference))
    gold = _gold(attempt.sample) & frozenset(wanted)
    if not gold:
        return ABSTAIN
    listed = listed_candidates(attempt.trace)
    if not listed:
        return Score(value=0.0)
    found = gold & frozenset(listed)
    span = attempt.trace.steps[0].answer
    missing = ", ".join(sorted(gold - found))
    evidence = Evidence(
        start=span.start,
        end=span.end,
        verdict="wrong" if missing else "right",
        note=f"the list misses {missing}" if missing else "the list names every finding",
    )
    return Score(value=len(found) / len(gold) * min(1.0, len(wanted) / len(listed)), evidence=(evidence,))


def listed_candidates(trace: Trace) -> tuple[str, ...]:
    """What the first of several steps lists, in order and with repeats; nothing where it judges something or is the
    only one."""
    if len(trace.steps) < 2 or read_judgement(trace.steps[0].answer.text) is not None:
        return ()
    return read_candidates(trace.steps[0].answer.text)


def _gold(sample: Sample) -> frozenset[str]:
    if sample.answer_kind is not AnswerKind.SET:
        return frozenset()
    return canonical_answer(sample.answer, kind=sample.answer_kind) or frozenset()
