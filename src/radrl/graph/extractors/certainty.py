"""What a clause claims of each finding in it: present, absent, uncertain, or nothing.

NegEx's rules (Chapman et al. 2001) along a clause instead of a window of words: early cues govern what follows them,
late cues what came before, and "or" and "versus" leave open what stands on either side.
"""

from collections.abc import Iterator, Sequence

from radrl.graph.extractors.clauses import Chunk, Clause
from radrl.graph.extractors.matching import Item, Role
from radrl.graph.types import Certainty

_EARLY = Role.NEGATION | Role.DOUBT | Role.SUGGESTION
_LATE = Role.LATE_NEGATION | Role.LATE_DOUBT
_CUES = _EARLY | _LATE | Role.UNCLAIMED | Role.LATE_UNCLAIMED | Role.ALTERNATIVE


def certainties(clause: Clause) -> dict[int, Certainty | None]:
    """Item index -> what is claimed of it, for every head; None when it is asked for, supposed or set aside.

    "May not represent" stays uncertain and "no evidence to suggest" absent: the first cue of an adjoining pair decides.
    """
    if not clause.roles & _CUES and not _has_alternatives(clause):
        return {item.index: "present" for item in clause.items if item.roles & Role.HEAD}
    claims = _after_early_cues(clause)
    if clause.roles & (_LATE | Role.LATE_UNCLAIMED):
        _apply_late_cues(clause, claims)
    for item in (*_around_versus(clause), *_around_or(clause)):
        if claims.get(item.index) == "present":
            claims[item.index] = "uncertain"
    return claims


def _after_early_cues(clause: Clause) -> dict[int, Certainty | None]:
    claims: dict[int, Certainty | None] = {}
    state: Certainty = "present"
    is_claimed = True
    previous: Item | None = None
    for chunk in clause.chunks:
        for position, item in enumerate(chunk.items):
            roles = item.roles
            if roles & Role.HEAD:
                claims[item.index] = state if is_claimed or _is_known_history(item, state) else None
            if roles & Role.PREDICATE and roles & Role.WEAK_PREDICATE:
                pass
            elif roles & Role.UNCLAIMED:
                is_claimed = False
            elif roles & _EARLY and not (roles & _LATE and not _head_follows(chunk, position)):
                state = _next_state(state, item, previous)
            previous = item
    return claims


def _is_known_history(item: Item, state: Certainty) -> bool:
    """A procedure is history by nature: "history of CABG" claims it."""
    return state == "present" and item.entry.term is not None and item.entry.term.kind == "procedure"


def _head_follows(chunk: Chunk, position: int) -> bool:
    """A cue of both kinds looks forward when a finding follows it in its part of a list."""
    return any(item.roles & Role.HEAD for item in chunk.items[position + 1 :])


def _next_state(state: Certainty, cue: Item, previous: Item | None) -> Certainty:
    if cue.roles & Role.NEGATION:
        follows_doubt = previous is not None and previous.roles & Role.DOUBT
        return "uncertain" if follows_doubt and state == "uncertain" else "absent"
    if state == "absent":
        return state
    return "uncertain" if cue.roles & Role.DOUBT or cue.entry.suggestion == "uncertain" else state


def _apply_late_cues(clause: Clause, claims: dict[int, Certainty | None]) -> None:
    """One pass from the end: a late negation denies every head before it, a late doubt leaves it open."""
    denied = doubted = dropped = False
    for chunk in reversed(clause.chunks):
        is_last_head = True
        for item in reversed(chunk.items):
            roles = item.roles
            if roles & Role.HEAD and item.index in claims:
                _settle_late(claims, item.index, denied=denied, doubted=doubted, dropped=dropped)
            if roles & _LATE and not roles & Role.PREDICATE and not (roles & _EARLY and not is_last_head):
                denied |= bool(roles & Role.LATE_NEGATION)
                doubted |= bool(roles & Role.LATE_DOUBT)
            dropped |= bool(roles & Role.LATE_UNCLAIMED)
            is_last_head &= not roles & Role.HEAD


def _settle_late(
    claims: dict[int, Certainty | None], index: int, *, denied: bool, doubted: bool, dropped: bool
) -> None:
    if dropped:
        claims[index] = None
    elif claims[index] is not None and denied:
        claims[index] = "absent"
    elif claims[index] == "present" and doubted:
        claims[index] = "uncertain"


def _has_alternatives(clause: Clause) -> bool:
    return any(chunk.lead == "or" for chunk in clause.chunks[1:])


def _around_versus(clause: Clause) -> Iterator[Item]:
    """The nearest finding on either side of "versus"."""
    if not clause.roles & Role.ALTERNATIVE:
        return
    heads = [item for item in clause.items if item.roles & Role.HEAD]
    for cue in clause.items:
        if cue.roles & Role.ALTERNATIVE:
            yield from [head for head in heads if head.index < cue.index][-1:]
            yield from [head for head in heads if head.index > cue.index][:1]


def _around_or(clause: Clause) -> Iterator[Item]:
    """Findings on either side of "or", with those before them in the same list ("edema, pneumonia or collapse").

    A sign that the list explains is no part of it: "basilar opacity, atelectasis or pneumonia".
    """
    chunks = clause.chunks
    for index in range(1, len(chunks)):
        named = _findings(chunks[index])
        if chunks[index].lead != "or" or not named:
            continue
        yield named[0]
        is_sign = _is_sign(named[0])
        earlier = index - 1
        while earlier >= 0 and (named := _findings(chunks[earlier])):
            if earlier < index - 1 and _is_sign(named[-1]) and not is_sign:
                break
            yield named[-1]
            if chunks[earlier].lead != "," or len(named) > 1:
                break
            earlier -= 1


def _is_sign(item: Item) -> bool:
    return item.entry.term is not None and item.entry.term.fact == "lung opacity"


def _findings(chunk: Chunk) -> Sequence[Item]:
    return [item for item in chunk.items if item.roles & Role.FINDING]
